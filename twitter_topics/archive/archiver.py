"""The archiver: the streaming query that writes every record of the raw topic to the archive."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from twitter_topics.archive.rows import append_stream, archive_rows, ensure_tables, time_bounds
from twitter_topics.backends.query_keeper import Query
from twitter_topics.backends.reachable import unreachable_message
from twitter_topics.backends.spark_files import exists
from twitter_topics.backends.spark_kafka import TopicLag, read_stream
from twitter_topics.backends.sql import statement

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.streaming import StreamingQuery

    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)

QUERY_NAME = "archiver"
_EARLIEST = -2  # Spark's offset for the beginning of a partition


def archiver_query(spark: SparkSession, settings: Settings) -> Query:
    """Archive every record of the raw topic exactly once. Depends on neither a model nor Elasticsearch."""
    return Query(
        QUERY_NAME,
        start=lambda: start_archiver(spark, settings),
        lag=TopicLag(settings.kafka, settings.kafka.raw_topic),
        describe_problem=lambda: unreachable_message("S3", settings.s3.endpoint_url),
    )


def start_archiver(spark: SparkSession, settings: Settings) -> StreamingQuery:
    """Start at the checkpoint; without one, at the end of the table; without rows, at the beginning of the topic."""
    checkpoint = f"{settings.speed.checkpoint_dir}/{QUERY_NAME}"
    ensure_tables(spark, settings)
    spark.sparkContext.setLocalProperty("spark.scheduler.pool", QUERY_NAME)
    records = read_stream(
        spark,
        settings.kafka,
        settings.kafka.raw_topic,
        max_records=settings.speed.max_tweets_per_batch,
        starting=_starting_offsets(spark, settings, checkpoint),
    )
    return append_stream(
        archive_rows(records, time_bounds(settings)),
        settings,
        checkpoint=checkpoint,
        trigger={"processingTime": f"{settings.speed.archive_trigger_seconds} seconds"},
    )


def _starting_offsets(spark: SparkSession, settings: Settings, checkpoint: str) -> str:
    if exists(spark, f"{checkpoint}/metadata"):
        return "earliest"  # ignored by Spark: the checkpoint decides
    rows = spark.sql(statement("archived_offsets", catalog=settings.archive.catalog_name)).collect()
    if not rows:
        return "earliest"
    offsets = dict.fromkeys(map(str, range(settings.kafka.partitions)), _EARLIEST)
    offsets |= {str(row.kafka_partition): row.next_offset for row in rows}
    log.warning("no checkpoint at %s; resuming at the end of the archive: %s", checkpoint, offsets)
    return json.dumps({settings.kafka.raw_topic: offsets})
