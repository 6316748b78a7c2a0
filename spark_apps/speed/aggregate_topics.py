"""Counts tweets per topic over the last hour: Kafka `processed_tweets` to InfluxDB. Runs until SIGTERM.

Started as plain Python (`python spark_apps/speed/aggregate_topics.py`): spark-submit would keep SIGTERM to itself.
"""

from __future__ import annotations

import logging
import sys

from twitter_topics.backends.query_keeper import QueryKeeper
from twitter_topics.backends.spark_session import build_session
from twitter_topics.counts.aggregation import Aggregation
from twitter_topics.counts.aggregator import aggregator_query
from twitter_topics.counts.store import SeriesStore
from twitter_topics.errors import EXIT_CONFIGURATION, ConfigurationError
from twitter_topics.health.points import HealthPoints
from twitter_topics.health.report import reporter
from twitter_topics.logs import configure_logging
from twitter_topics.settings import Settings
from twitter_topics.topic_models.registry.store import ModelStore


def main() -> None:
    """Build the aggregator and keep it running."""
    settings = Settings()
    store, points = SeriesStore(settings.influx), HealthPoints(settings.influx)
    models = ModelStore(settings)
    aggregation = Aggregation(
        store,
        settings.kafka.processed_topic,
        lambda version: {topic["topic_id"]: topic["label"] for topic in models.manifest(version)["topics"]},
        max_refused_share=settings.speed.max_dead_letter_share,
    )
    spark = build_session(settings, "aggregate_topics", driver_memory=settings.speed.driver_memory, streaming=True)

    report = reporter(settings.speed.health_dir, points.write_health)
    try:
        QueryKeeper([aggregator_query(spark, settings, aggregation)], report).run()
    finally:
        spark.stop()
        store.close()
        points.close()


if __name__ == "__main__":
    configure_logging()
    try:
        main()
    except ConfigurationError as error:
        logging.getLogger(__name__).error("%s", error)
        sys.exit(EXIT_CONFIGURATION)
