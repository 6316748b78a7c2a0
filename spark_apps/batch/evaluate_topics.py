"""Evaluate a trained topic model against the champion; write evaluation.json and golden.json of the version.

A model that fails the gate is not an error of this job: the verdict is in evaluation.json. Exit codes: see
spark_apps.job.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spark_apps.arguments import Arguments, version
from spark_apps.job import Work, run_job
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.training.jobs import evaluate

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings


def prepare(settings: Settings, arguments: Sequence[str] | None) -> Work:
    parser = Arguments(__doc__)
    parser.add_argument("--version", type=version, required=True, help="name such as 20261101T120000Z-gsdmm")
    name = parser.parse_args(arguments).version
    models = ModelStore(settings)

    def work(spark: SparkSession) -> None:
        evaluate(spark, settings, models, name)

    return work


if __name__ == "__main__":
    sys.exit(run_job("evaluate_topics", prepare))
