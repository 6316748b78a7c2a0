"""Count archived tweets as the classifier and the aggregator would: the tweets that a restoration is due to count."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import functions as fn

from twitter_topics.archive.hours import HourRange
from twitter_topics.archive.rows import raw_table
from twitter_topics.archive.schema import DELETED
from twitter_topics.backends.kafka_partitioner import partition_of
from twitter_topics.classification.sentiment import compound, is_scored
from twitter_topics.counts.aggregator import to_counts
from twitter_topics.counts.partial_sums import PARTIAL_SCHEMA, RECORD_SCHEMA, sums_of_all
from twitter_topics.counts.recount import PLACE, first_records, within
from twitter_topics.records.content import Content
from twitter_topics.records.processed import processed_fields
from twitter_topics.topic_models.scoring.scorer import Scorer

if TYPE_CHECKING:
    from pyspark import Broadcast
    from pyspark.sql import Column, SparkSession

    from twitter_topics.counts.batch import BatchCounts
    from twitter_topics.counts.restoration import Restoration
    from twitter_topics.settings import Settings


def archived_until(spark: SparkSession, settings: Settings) -> dict[int, int]:
    """Return, by raw partition, the offset after the last archived one."""
    rows = spark.table(raw_table(settings)).groupBy("kafka_partition").agg(fn.max("kafka_offset").alias("last"))
    return {row["kafka_partition"]: row["last"] + 1 for row in rows.collect()}


@dataclass(frozen=True)
class ArchivedTweets:
    """Counts the archived tweets of a day that are due.

    A tweet counts once, by its first record of the day, as in the search index. One whose text was deleted on request
    counts without topic and sentiment; one that the index rejected does not count.

    Args:
        rejected_by_index: (raw partition, raw offset) of the latter.
        version: of the model that gives the topics.
        arrays: its `arrays.npz`.
        languages: of SENTIMENT_LANGUAGES.
    """

    restoration: Restoration
    rejected_by_index: frozenset[tuple[int, int]]
    version: str
    arrays: Broadcast[bytes]
    languages: frozenset[str]

    def of_day(self, spark: SparkSession, settings: Settings, day: int) -> BatchCounts:
        """Count a day (since 1970-01-01)."""
        start = datetime.fromtimestamp(day * 86_400, UTC)
        rows = spark.table(raw_table(settings)).where(within("event_time", HourRange(start, start + timedelta(days=1))))
        deleted = fn.coalesce(fn.col("reject_reason").startswith(DELETED), fn.lit(False))
        tweets = rows.where(fn.col("reject_reason").isNull() | deleted)
        if self.rejected_by_index:  # another record of the tweet may have been accepted
            rejected = spark.createDataFrame(sorted(self.rejected_by_index), "kafka_partition int, kafka_offset long")
            tweets = tweets.join(fn.broadcast(rejected), PLACE, "left_anti")
        due = tweets.where(self._in_reach()).join(first_records(tweets), PLACE, "left_semi")
        text = fn.when(~deleted, fn.col("payload")).alias("payload")
        return to_counts(
            due.select("tweet_id", "event_time", text, *PLACE).mapInArrow(self._counter(), PARTIAL_SCHEMA).toArrow()
        )

    def _in_reach(self) -> Column:
        """Rows that are due if their tweet's lane agrees: most files can be skipped when little is due."""
        limits = self.restoration.limits().items()
        parts = [(fn.col("kafka_partition") == raw) & (fn.col("kafka_offset") < limit) for raw, limit in limits]
        return reduce(lambda one, other: one | other, parts, fn.lit(False))

    def _counter(self) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
        def rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            scorer = Scorer.load(self.arrays.value)
            return sums_of_all(self._records(batch, scorer) for batch in batches)

        return rows

    def _records(self, batch: pa.RecordBatch, scorer: Scorer) -> pa.RecordBatch:
        """Return the records that the classifier would have written."""
        found = [row for row in batch.to_pylist() if self._is_due(row)]
        contents = [Content(json.loads(row["payload"] or "{}")) for row in found]
        scored = scorer.score_batch(
            [content.prose for content in contents], [content.language.code for content in contents]
        )
        records = []
        for row, content, topics in zip(found, contents, scored, strict=True):
            fields = processed_fields(
                tweet_id=row["tweet_id"],
                event_time_ms=round(row["event_time"].timestamp() * 1000),
                model_version=self.version,
                topics=topics,
                labels=scorer.labels,
                sentiment=None,
                raw_topic_id=self.restoration.raw_topic_id,
                raw_partition=row["kafka_partition"],
                raw_offset=row["kafka_offset"],
            )
            feels = row["payload"] and is_scored(content, self.languages)
            records.append(fields | {"compound": compound(content.text) if feels else None})
        return pa.RecordBatch.from_pylist(records, RECORD_SCHEMA)

    def _is_due(self, row: dict[str, Any]) -> bool:
        lane = partition_of(row["tweet_id"].encode("utf-8", "replace"), self.restoration.processed_partitions)
        return bool(row["kafka_offset"] < self.restoration.limit(row["kafka_partition"], lane))
