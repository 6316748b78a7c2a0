"""Evaluate a trained topic model against the champion; write the version's evaluation, and its numbers to the table
`model_metrics`.

A model that fails the gate is not an error of this job: the verdict is in evaluation.json. Exit codes: see
spark_apps.job.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from spark_apps.arguments import Arguments, version
from spark_apps.job import Work, run_job
from twitter_topics.archive.rows import ensure_tables
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.training.jobs import evaluate
from twitter_topics.topic_models.training.record import record_evaluation

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings


def prepare(settings: Settings, arguments: Sequence[str] | None) -> Work:
    parser = Arguments(__doc__)
    parser.add_argument("--version", type=version, required=True, help="name such as 20261101T120000Z-gsdmm")
    name = parser.parse_args(arguments).version
    models, now = ModelStore(settings), datetime.now(UTC)

    def work(spark: SparkSession) -> None:
        ensure_tables(spark, settings)  # an older archive lacks the table of metrics
        evaluate(spark, settings, models, name, now)
        record_evaluation(spark, settings, models, name, now)

    return work


if __name__ == "__main__":
    sys.exit(run_job("evaluate_topics", prepare))
