"""When DAGs run, and what all their tasks share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable

TASK_DEFAULTS: dict[str, Any] = {
    "owner": "twitter-topics",
    "retries": 1,
    "retry_delay": timedelta(minutes=1),
    "execution_timeout": timedelta(minutes=10),
}
"""Every task may run again: each one is idempotent."""


def at(cron: str) -> CronTriggerTimetable:
    """Run at these moments (UTC), the first time at the next one.

    A DAG that uses it has no start date: with one, Airflow would run the last moment that has passed as soon as the
    DAG is new, when there is nothing to work on yet.
    """
    return CronTriggerTimetable(cron, timezone="UTC", run_immediately=False)
