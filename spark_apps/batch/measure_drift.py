"""Measure how far the tweets of a day are from those that a model was trained on; write the numbers to the table
`model_metrics`.

Exit codes: see spark_apps.job.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from spark_apps.arguments import Arguments, day, version
from spark_apps.job import Work, run_job
from twitter_topics.archive.rows import ensure_tables
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.training.drift import measure_day

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings


def prepare(settings: Settings, arguments: Sequence[str] | None) -> Work:
    parser = Arguments(__doc__)
    parser.add_argument("--version", type=version, required=True, help="a registered model")
    parser.add_argument("--day", type=day, required=True, help="UTC, such as 2026-11-01; it must have ended")
    given, models, now = parser.parse_args(arguments), ModelStore(settings), datetime.now(UTC)
    if given.day >= now.date():
        raise ValueError(f"--day {given.day.isoformat()}: that day has not ended")

    def work(spark: SparkSession) -> None:
        ensure_tables(spark, settings)
        measure_day(spark, settings, models, given.version, given.day, now)

    return work


if __name__ == "__main__":
    sys.exit(run_job("measure_drift", prepare))
