"""A streaming query on one topic of Kafka, and how far it is behind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from twitter_topics.backends.kafka_offsets import TopicEnds, lag
from twitter_topics.backends.spark_kafka import read_stream

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming import StreamingQuery

    from twitter_topics.settings import Settings


class TopicQuery:
    """What the queries on a topic share. A subclass starts its query and keeps it in `_query`."""

    def __init__(self, spark: SparkSession, settings: Settings, topic: str) -> None:
        self._spark, self._settings, self._topic = spark, settings, topic
        self._query: StreamingQuery | None = None
        self._ends = TopicEnds(settings.kafka, topic)

    def behind(self) -> int:
        """Records of the topic that no finished batch has covered."""
        progress = self._query.lastProgress if self._query else None
        sources = json.loads(progress.json)["sources"] if progress else []
        covered = (sources[0].get("endOffset") or {}).get(self._topic, {}) if sources else {}
        done = {int(partition): offset for partition, offset in covered.items()}
        return lag(self._ends.read(), done)

    def _records(self, starting: str) -> DataFrame:
        """The topic as a stream; `starting` counts only while there is no checkpoint."""
        settings = self._settings
        return read_stream(
            self._spark,
            settings.kafka,
            self._topic,
            max_records=settings.speed.max_tweets_per_batch,
            starting=starting,
        )
