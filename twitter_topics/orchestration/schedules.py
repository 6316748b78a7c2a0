"""Schedules of the DAGs and defaults of their tasks."""

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
"""Every task can be retried: each one is idempotent."""


def at(cron: str) -> CronTriggerTimetable:
    """Return a timetable for a cron expression (UTC); the first run is at its next time.

    A DAG that uses it has no start date: with one, Airflow would immediately run a new DAG for the last time that has
    passed, when there is nothing to work on yet.
    """
    return CronTriggerTimetable(cron, timezone="UTC", run_immediately=False)
