"""Archives every tweet, and classifies it with the champion: Kafka `raw_tweets` to Iceberg, Elasticsearch and Kafka.

Two queries that do not wait for each other: with Elasticsearch down, or before the first model, the archive goes on.
Runs until SIGTERM. Started as plain Python (`python spark_apps/speed/classify_tweets.py`): spark-submit would keep
SIGTERM to itself.
"""

from __future__ import annotations

import logging
import sys

from twitter_topics.archive.query import Archiver
from twitter_topics.backends.query_keeper import Part, QueryKeeper
from twitter_topics.backends.reachable import away
from twitter_topics.backends.spark_session import build_session
from twitter_topics.classification.query import ClassifierQuery
from twitter_topics.errors import EXIT_CONFIGURATION, ConfigurationError
from twitter_topics.health.points import HealthPoints
from twitter_topics.health.report import reporter
from twitter_topics.logs import configure_logging
from twitter_topics.settings import Settings


def main() -> None:
    """Wire the parts and keep the queries running."""
    settings = Settings()
    points = HealthPoints(settings.influx)
    spark = build_session(settings, "classify_tweets", driver_memory=settings.speed.driver_memory, streaming=True)
    archiver, classifier = Archiver(spark, settings), ClassifierQuery(spark, settings)

    def s3_away() -> str:
        return away("S3", settings.s3.endpoint_url)

    def search_away() -> str:
        return away("Elasticsearch", settings.elasticsearch.url) or s3_away()

    parts = [
        Part("archiver", archiver.start, archiver.behind, s3_away),
        Part("classifier", classifier.start, classifier.behind, search_away),
    ]
    try:
        QueryKeeper(parts, reporter(settings.speed.health_dir, points.write_health)).run()
    finally:
        spark.stop()
        points.close()


if __name__ == "__main__":
    configure_logging()
    try:
        main()
    except ConfigurationError as error:
        logging.getLogger(__name__).error("%s", error)
        sys.exit(EXIT_CONFIGURATION)
