"""Train a topic model on the archive and write it to S3 as an unregistered version.

Exit codes: see spark_apps.job.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING

from spark_apps.arguments import Arguments, languages, moment, version, whole_number
from spark_apps.job import Work, run_job
from twitter_topics.settings.values import LEAST_TOPICS
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.registry.version import TRAINERS, created_at
from twitter_topics.topic_models.training.jobs import train
from twitter_topics.topic_models.training.request import CHAMPION, STARTS, TrainingRequest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings, TopicsSettings


def prepare(settings: Settings, arguments: Sequence[str] | None) -> Work:
    request, models = read_request(arguments, settings.topics), ModelStore(settings)

    def work(spark: SparkSession) -> None:
        train(spark, settings, models, request)

    return work


def read_request(arguments: Sequence[str] | None, defaults: TopicsSettings) -> TrainingRequest:
    """The training that the arguments ask for. Without --to the window ends at the version's own time.

    Raises:
        ConfigurationError: an argument is missing or cannot be read.
        ValueError: an argument is out of range.
    """
    parser = Arguments(__doc__)
    parser.add_argument("--version", type=version, required=True, help="name such as 20261101T120000Z-gsdmm")
    parser.add_argument("--trainer", choices=TRAINERS, default=defaults.trainer)
    parser.add_argument("--k", type=whole_number(LEAST_TOPICS, 200), default=defaults.k, help="number of topics")
    parser.add_argument("--iterations", type=whole_number(1, 1000), default=defaults.iterations)
    parser.add_argument("--seed", type=whole_number(0, 2**31 - 1), default=defaults.seed)
    parser.add_argument("--start", dest="start_from", choices=STARTS, default=CHAMPION, help="where topics come from")
    parser.add_argument("--window-hours", type=whole_number(1, 24 * 3650), default=defaults.window_hours)
    parser.add_argument("--from", dest="start", type=moment, help="first event time; else --window-hours")
    parser.add_argument("--to", dest="end", type=moment, help="end of the event times, exclusive")
    parser.add_argument("--max-documents", type=whole_number(1000, 20_000_000), default=defaults.max_documents)
    parser.add_argument("--min-documents", type=whole_number(100, 20_000_000), default=defaults.min_documents)
    parser.add_argument("--languages", type=languages, default=defaults.languages, help="auto, all or codes: en,ja")
    parser.add_argument("--min-confidence", type=float, default=defaults.min_confidence, help="of a topic; 0 = any")
    given = parser.parse_args(arguments)
    end = given.end or created_at(given.version)
    start = given.start or end - timedelta(hours=given.window_hours)
    names = {field.name for field in fields(TrainingRequest)} - {"start", "end"}
    return TrainingRequest(start=start, end=end, **{name: getattr(given, name) for name in names})


if __name__ == "__main__":
    sys.exit(run_job("train_topics", prepare))
