"""Train a topic model on the archive and write it to S3 as an unregistered version.

Exit codes: 0 trained, 75 too few tweets, 78 wrong parameters or settings, 1 anything else.
"""

from __future__ import annotations

import argparse
import logging
import sys
from datetime import UTC, datetime, timedelta

from twitter_topics.backends.spark_session import build_session
from twitter_topics.errors import EXIT_CONFIGURATION, EXIT_TOO_FEW_TWEETS, ConfigurationError
from twitter_topics.logs import configure_logging
from twitter_topics.settings import Settings, TopicsSettings
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.registry.version import TRAINERS, created_at
from twitter_topics.topic_models.training.jobs import TooFewTweetsError, train
from twitter_topics.topic_models.training.request import TrainingRequest

log = logging.getLogger("train_topics")


def main(arguments: list[str]) -> int:
    configure_logging()
    settings = Settings()
    try:
        request = read_request(arguments, settings.topics)
        spark = build_session(settings, f"train {request.version}")
    except (ConfigurationError, ValueError) as error:
        log.error("%s", error)
        return EXIT_CONFIGURATION
    try:
        train(spark, settings, ModelStore(settings), request)
    except TooFewTweetsError as error:
        log.error("nothing was trained: %s", error)
        return EXIT_TOO_FEW_TWEETS
    finally:
        spark.stop()
    return 0


def read_request(arguments: list[str], defaults: TopicsSettings) -> TrainingRequest:
    """Parse the job's arguments. Without --to the window ends at the version's time.

    Raises:
        ValueError: a parameter is out of range.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", required=True, help="name such as 20261101T120000Z-gsdmm")
    parser.add_argument("--trainer", choices=TRAINERS, default=defaults.trainer)
    parser.add_argument("--k", type=int, default=defaults.k, help="number of topics")
    parser.add_argument("--iterations", type=int, default=defaults.iterations)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--window-hours", type=int, default=defaults.window_hours, help="used without --from")
    parser.add_argument("--from", dest="start", type=_utc, help="first event time, ISO 8601")
    parser.add_argument("--to", dest="end", type=_utc, help="end of the event times, exclusive")
    parser.add_argument("--max-documents", type=int, default=defaults.max_documents)
    parser.add_argument("--min-documents", type=int, default=defaults.min_documents)
    given = parser.parse_args(arguments)
    end = given.end or created_at(given.version)
    start = given.start or end - timedelta(hours=given.window_hours)
    names = ("version", "trainer", "k", "iterations", "seed", "max_documents", "min_documents")
    return TrainingRequest(start=start, end=end, **{name: getattr(given, name) for name in names})


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
