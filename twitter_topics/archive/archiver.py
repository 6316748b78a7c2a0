"""The archiver's query: every record of the raw topic becomes a row of the archive."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from twitter_topics.archive.rows import append_stream, archive_rows, ensure_tables, time_bounds
from twitter_topics.backends.sql import statement
from twitter_topics.backends.topic_query import TopicQuery

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.streaming import StreamingQuery

    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)


class Archiver(TopicQuery):
    """Every record of the raw topic into the archive, exactly once. Knows no model and no Elasticsearch."""

    def __init__(self, spark: SparkSession, settings: Settings) -> None:
        super().__init__(spark, settings, settings.kafka.raw_topic)
        self._checkpoint = f"{settings.speed.checkpoint_dir}/archiver"

    def start(self) -> StreamingQuery:
        """Start where the checkpoint ends; without one, where the table ends; without rows, at the beginning."""
        settings = self._settings
        ensure_tables(self._spark, settings)
        self._spark.sparkContext.setLocalProperty("spark.scheduler.pool", "archiver")
        records = self._records(starting=self._starting_offsets())
        self._query = append_stream(
            archive_rows(records, time_bounds(settings)),
            settings,
            checkpoint=self._checkpoint,
            trigger={"processingTime": f"{settings.speed.archive_trigger_seconds} seconds"},
        )
        return self._query

    def _starting_offsets(self) -> str:
        if _exists(self._spark, f"{self._checkpoint}/metadata"):
            return "earliest"  # ignored by Spark: the checkpoint decides
        rows = self._spark.sql(statement("archived_offsets", catalog=self._settings.archive.catalog_name)).collect()
        if not rows:
            return "earliest"
        unseen = -2  # Spark's sign for the beginning of a partition
        offsets = dict.fromkeys(map(str, range(self._settings.kafka.partitions)), unseen)
        offsets |= {str(row.kafka_partition): row.next_offset for row in rows}
        log.warning("no checkpoint at %s; going on where the archive ends: %s", self._checkpoint, offsets)
        return json.dumps({self._topic: offsets})


def _exists(spark: SparkSession, path: str) -> bool:
    jvm_path = spark._jvm.org.apache.hadoop.fs.Path(path)
    return bool(jvm_path.getFileSystem(spark._jsc.hadoopConfiguration()).exists(jvm_path))
