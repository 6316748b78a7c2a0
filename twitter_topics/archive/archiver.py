"""The archiver: the streaming query that writes every record of the raw topic to the archive."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twitter_topics import failpoints
from twitter_topics.archive.rows import append_batch, archive_rows, ensure_tables, newest_batch, time_bounds
from twitter_topics.backends.kafka_offsets import deleted, require_reached, topic_ranges
from twitter_topics.backends.objects import S3Objects
from twitter_topics.backends.query_keeper import NotReady, Query
from twitter_topics.backends.reachable import unreachable_message
from twitter_topics.backends.s3 import PROMPT
from twitter_topics.backends.spark_files import exists
from twitter_topics.backends.spark_kafka import (
    TopicLag,
    first_offsets,
    resume,
    start_on_raw_topic,
    starting_offsets,
)
from twitter_topics.backends.sql import statement

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming import StreamingQuery

    from twitter_topics.backends.lease import Lease
    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)

QUERY_NAME = "archiver"


def checkpoint_of(settings: Settings) -> str:
    """Return where the archiver notes how far it is. When that is deleted, it reads on from the end of the archive."""
    return f"{settings.speed.checkpoint_dir}/{QUERY_NAME}"


def archiver_query(spark: SparkSession, settings: Settings, lease: Lease) -> Query:
    """Archive every record of the raw topic exactly once. Needs Kafka, S3 and the catalog, and nothing else."""
    app = Archiver(spark, settings, lease)
    return Query(
        QUERY_NAME,
        start=app.start,
        lag=app.lag,
        describe_problem=app.problem,
        check=lease.hold,
    )


@dataclass
class _Run:
    """One start of the query. Only its first batch can be one that was begun before."""

    is_new: bool = True


class Archiver:
    """Starts the query and writes its batches."""

    def __init__(self, spark: SparkSession, settings: Settings, lease: Lease) -> None:
        self._spark, self._settings, self._lease = spark, settings, lease
        self._checkpoint = checkpoint_of(settings)
        self._warehouse = S3Objects(settings.s3, patience=PROMPT)
        self.lag = TopicLag(settings.kafka, settings.kafka.raw_topic)

    def problem(self) -> str:
        """Return a sentence about the store that does not answer."""
        s3 = unreachable_message("S3", self._settings.s3.endpoint_url)
        return s3 or unreachable_message("the archive's catalog", self._settings.archive.catalog_uri)

    def start(self) -> StreamingQuery:
        """Start at the checkpoint; without offsets in it, at the end of the archive; if it is empty, at the beginning.

        Raises:
            NotReady: the topic does not exist yet.
            RetryableError: Kafka, S3 or the checkpoint is unavailable.
            IntegrityError: Kafka does not have what follows.
            ConfigurationError: one of them rejects the settings.
            SupersededError: another driver has taken over.
        """
        spark, settings = self._spark, self._settings
        self._lease.hold()
        # Spark makes the checkpoint at once, and notes its first offsets only after it has reached Kafka
        is_resumed = exists(spark, first_offsets(self._checkpoint))
        if is_resumed:
            resume(spark, settings, self._checkpoint, self.lag)
        self._warehouse.folders(f"{settings.archive.warehouse_prefix}/")  # Iceberg would try for ten minutes
        ensure_tables(spark, settings)
        # Spark ignores these when the checkpoint has offsets
        starting = "earliest" if is_resumed else self._end_of_archive()
        run = _Run()
        return start_on_raw_topic(
            spark,
            settings,
            lambda batch, batch_id: self._archive(batch, batch_id, run),
            pool=QUERY_NAME,
            checkpoint=self._checkpoint,
            starting=starting,
            every_seconds=settings.speed.archive_trigger_seconds,
            min_records=settings.speed.max_tweets_per_batch,  # a backlog needs no pauses
            look_ms=2_000,
        )

    def _archive(self, batch: DataFrame, batch_id: int, run: _Run) -> None:
        self._lease.hold()
        if run.is_new and newest_batch(self._spark, self._settings) >= batch_id:
            log.warning("batch %d is already archived: an earlier attempt was interrupted after its commit", batch_id)
        else:
            # few, large files; the other slots are the classifier's
            tasks = max(1, self._spark.sparkContext.defaultParallelism // 3)
            rows = archive_rows(batch.coalesce(tasks), time_bounds(self._settings))
            append_batch(rows, self._settings, batch_id)
        run.is_new = False
        failpoints.reach("archiver.before-spark-commit")

    def _end_of_archive(self) -> str:
        kafka, catalog = self._settings.kafka, self._settings.archive.catalog_name
        held = topic_ranges(kafka, kafka.raw_topic)
        if not held:
            raise NotReady(f"topic {kafka.raw_topic} does not exist yet")
        rows = self._spark.sql(statement("archived_offsets", catalog=catalog)).collect()
        archived = {row.kafka_partition: row.next_offset for row in rows}
        self.lag.resume_at(archived)
        if not archived:
            return "earliest"
        require_reached(kafka.raw_topic, held, archived)
        for partition, lost in deleted(held, archived).items():
            log.error(
                "Kafka has deleted records %d to %d of partition %d before they were archived; going on after them",
                *(lost.begin, lost.end - 1, partition),
            )
            archived[partition] = lost.end
        starting = starting_offsets(kafka.raw_topic, archived, held)
        log.warning("no offsets at %s; resuming at the end of the archive: %s", self._checkpoint, starting)
        return starting
