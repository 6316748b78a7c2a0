"""Count tweets per topic: Kafka `processed_tweets` to the counts database and InfluxDB. Runs until SIGTERM.

Start it as plain Python (`python spark_apps/speed/aggregate_topics.py`): spark-submit does not forward SIGTERM.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from spark_apps.speed.app import end_soon, run_app
from twitter_topics.backends.influx import SHORT_TIMEOUT_S
from twitter_topics.backends.query_keeper import QueryKeeper, Times
from twitter_topics.backends.spark_session import streaming_session
from twitter_topics.counts.aggregation import Aggregation
from twitter_topics.counts.aggregator import aggregator_query
from twitter_topics.counts.publication import Publisher
from twitter_topics.counts.restorer import Restorer
from twitter_topics.counts.state import CountsState
from twitter_topics.counts.view import CountsView
from twitter_topics.health.points import HealthPoints
from twitter_topics.health.report import Reporter

if TYPE_CHECKING:
    from twitter_topics.settings import Settings


def main(settings: Settings) -> None:
    """Build the aggregator and its publisher and keep them running."""
    state, points = CountsState.of(settings), HealthPoints(settings.influx, timeout_s=SHORT_TIMEOUT_S)
    publisher = Publisher(state, CountsView(settings.influx), wedged_seconds=settings.speed.wedged_seconds)
    aggregation = Aggregation(
        state,
        publisher,
        max_rejected_share=settings.speed.max_dead_letter_share,
        full_batch=settings.speed.max_records_per_aggregation,
    )
    spark = streaming_session(settings, "aggregate_topics", "twitter_topics.counts.processed_records")
    restorer = Restorer(spark, settings, state, aggregation)
    report = Reporter(settings.speed.health_dir, points.write_health)
    query = aggregator_query(spark, settings, aggregation, publisher, restorer)
    try:
        publisher.start()
        restorer.start()
        QueryKeeper([query], report, times=Times(wedged=settings.speed.wedged_seconds), on_end=end_soon).run()
    finally:
        report.close()
        restorer.close()
        publisher.close()
        spark.stop()
        points.close()


if __name__ == "__main__":
    sys.exit(run_app("aggregate_topics", main))
