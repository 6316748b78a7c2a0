"""Archive every tweet and classify it with the champion: Kafka `raw_tweets` to Iceberg, Elasticsearch and Kafka.

The two queries are independent: the archiver waits for nothing that the classifier needs. Runs until SIGTERM. Start it
as plain Python (`python spark_apps/speed/classify_tweets.py`): spark-submit does not forward SIGTERM.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from spark_apps.speed.app import end_soon, run_app
from twitter_topics.archive.archiver import archiver_query
from twitter_topics.backends.influx import SHORT_TIMEOUT_S
from twitter_topics.backends.lease import Lease
from twitter_topics.backends.query_keeper import QueryKeeper, Times
from twitter_topics.backends.spark_session import streaming_session
from twitter_topics.classification.classifier import classifier_query
from twitter_topics.health.points import HealthPoints
from twitter_topics.health.report import Reporter

if TYPE_CHECKING:
    from twitter_topics.settings import Settings


def main(settings: Settings) -> None:
    """Build the archiver and the classifier and keep them running."""
    points = HealthPoints(settings.influx, timeout_s=SHORT_TIMEOUT_S)
    report = Reporter(settings.speed.health_dir, points.write_health)
    spark = streaming_session(settings, "classify_tweets", "twitter_topics.classification.worker")
    lease = Lease.of(settings, "classify-tweets")
    queries = [archiver_query(spark, settings, lease), classifier_query(spark, settings, lease)]
    try:
        QueryKeeper(queries, report, times=Times(wedged=settings.speed.wedged_seconds), on_end=end_soon).run()
    finally:
        report.close()
        spark.stop()
        points.close()


if __name__ == "__main__":
    sys.exit(run_app("classify_tweets", main))
