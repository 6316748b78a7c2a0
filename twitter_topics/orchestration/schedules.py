"""Schedules of the DAGs and defaults of their tasks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, ExceptionRetryPolicy, RetryAction, RetryRule

from twitter_topics.errors import ConfigurationError, ConflictError, IntegrityError


def no_retry_on(*errors: type[Exception]) -> ExceptionRetryPolicy:
    """Return the policy of a task that fails at once on these errors and on wrong input (ValueError), because another
    try would end in the same way. After any other error it is tried again."""
    end: dict[str, Any] = {"action": RetryAction.FAIL, "reason": "another try would end in the same way"}
    return ExceptionRetryPolicy(
        [
            RetryRule(list(errors), **end),
            RetryRule(ValueError, match_subclasses=False, **end),  # parsers of what a store answered raise subclasses
        ]
    )


TASK_DEFAULTS: dict[str, Any] = {
    "owner": "twitter-topics",
    "retries": 1,
    "retry_delay": timedelta(minutes=1),
    "retry_policy": no_retry_on(ConfigurationError, ConflictError, IntegrityError),
    "execution_timeout": timedelta(minutes=10),
}
"""Every task can be retried: each one is idempotent."""


def at(cron: str) -> CronTriggerTimetable:
    """Return a timetable for a cron expression (UTC); the first run is at its next time.

    A DAG that uses it has no start date: with one, Airflow would immediately run a new DAG for the last time that has
    passed, when there is nothing to work on yet.
    """
    return CronTriggerTimetable(cron, timezone="UTC", run_immediately=False)
