"""Schedules of the DAGs and defaults of their tasks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import CronTriggerTimetable, ExceptionRetryPolicy, RetryAction, RetryRule

from twitter_topics.errors import ConfigurationError, ConflictError, IntegrityError

if TYPE_CHECKING:
    from airflow.sdk import Context


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


def reject_unknown_parameters(context: Context) -> None:
    """Airflow checks the values of parameters, but not their names: with `dryrun` instead of `dry_run` a run would
    delete for real.

    Raises:
        ConfigurationError: the run was given a name that is no parameter of its DAG.
    """
    dag = context["dag"]
    if unknown := sorted((context["dag_run"].conf or {}).keys() - dag.params.keys()):
        known = ", ".join(sorted(dag.params)) or "none"
        raise ConfigurationError(f"{', '.join(unknown)}: no such parameter; {dag.dag_id} has {known}")


TASK_DEFAULTS: dict[str, Any] = {
    "owner": "twitter-topics",
    "retries": 1,
    "retry_delay": timedelta(minutes=1),
    "retry_policy": no_retry_on(ConfigurationError, ConflictError, IntegrityError),
    "execution_timeout": timedelta(minutes=10),
    "pre_execute": reject_unknown_parameters,
}
"""Every task can be retried: each one is idempotent."""


BY_PERSON = ("manual", "asset_materialization")
"""Types of the runs that a person asked for; the second is "Materialize" on an asset."""


def at(cron: str) -> CronTriggerTimetable:
    """Return a timetable for a cron expression (UTC); the first run is at its next time.

    A DAG that uses it has no start date: with one, Airflow would immediately run a new DAG for the last time that has
    passed, when there is nothing to work on yet.
    """
    return CronTriggerTimetable(cron, timezone="UTC", run_immediately=False)
