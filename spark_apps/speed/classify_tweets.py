"""Archive every tweet and classify it with the champion: Kafka `raw_tweets` to Iceberg, Elasticsearch and Kafka.

The two queries are independent: archiving continues when Elasticsearch is down or there is no model yet. Runs until
SIGTERM. Start it as plain Python (`python spark_apps/speed/classify_tweets.py`): spark-submit does not forward SIGTERM.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from spark_apps.job import run_app
from twitter_topics.archive.archiver import archiver_query
from twitter_topics.backends.query_keeper import QueryKeeper
from twitter_topics.backends.spark_session import build_session
from twitter_topics.classification.classifier import classifier_query
from twitter_topics.health.points import HealthPoints
from twitter_topics.health.report import reporter

if TYPE_CHECKING:
    from twitter_topics.settings import Settings


def main(settings: Settings) -> None:
    """Build the archiver and the classifier and keep them running."""
    points = HealthPoints(settings.influx)
    spark = build_session(settings, "classify_tweets", driver_memory=settings.speed.driver_memory, streaming=True)
    queries = [archiver_query(spark, settings), classifier_query(spark, settings)]
    try:
        QueryKeeper(queries, reporter(settings.speed.health_dir, points.write_health)).run()
    finally:
        spark.stop()
        points.close()


if __name__ == "__main__":
    sys.exit(run_app("classify_tweets", main))
