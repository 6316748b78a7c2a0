"""The aggregator's query: processed tweets from Kafka into an `Aggregation`.

No watermark and no state store of Spark's: what was counted is in the counts database, so Spark's own checkpoint is
temporary and a start always begins at the offsets of the database.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from twitter_topics.backends.kafka_offsets import TopicEnds, lag, require_reached, topic_ranges
from twitter_topics.backends.kafka_topics import topic_id
from twitter_topics.backends.query_keeper import NotReady, Query
from twitter_topics.backends.reachable import unreachable_message
from twitter_topics.backends.spark_kafka import read_stream, start_batches, starting_offsets
from twitter_topics.counts.aggregation import Aggregation
from twitter_topics.counts.batch import BatchCounts, Lane, Marks, TopicPane
from twitter_topics.counts.panes import Sums
from twitter_topics.counts.partial_sums import PARTIAL_SCHEMA, add_up
from twitter_topics.counts.processed_records import count_values
from twitter_topics.counts.restoration import Scope
from twitter_topics.errors import IntegrityError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming import StreamingQuery

    from twitter_topics.counts.position import Position
    from twitter_topics.counts.publication import Publisher
    from twitter_topics.counts.restorer import Restorer
    from twitter_topics.settings import Settings

QUERY_NAME = "aggregator"


def aggregator_query(
    spark: SparkSession, settings: Settings, aggregation: Aggregation, publisher: Publisher, restorer: Restorer
) -> Query:
    """Every processed tweet into the counts, exactly once."""
    ends = TopicEnds(settings.kafka, settings.kafka.processed_topic)
    return Query(
        QUERY_NAME,
        start=lambda: start_aggregator(spark, settings, aggregation),
        lag=lambda _started: lag(ends.read(), aggregation.counted_offsets),
        describe_fault=lambda: (
            publisher.problem or restorer.fault or unreachable_message("InfluxDB", settings.influx.url)
        ),
        describe_stale=lambda: aggregation.stale,
        check_beside=publisher.check,
        describe_notice=lambda: "; ".join(filter(None, (aggregation.notice, restorer.notice))),
    )


def start_aggregator(spark: SparkSession, settings: Settings, aggregation: Aggregation) -> StreamingQuery:
    """Open the aggregation and read on from where it stands.

    Raises:
        NotReady: a topic does not exist yet, or the archive is to be counted first.
        RetryableError, ConfigurationError: as `Aggregation.open`.
        IntegrityError: Kafka has less than was counted.
    """
    topic = settings.kafka.processed_topic
    position = aggregation.open(_existing(settings, topic), _existing(settings, settings.kafka.raw_topic))
    if position.restoration is not None and position.restoration.scope is Scope.all:
        raise NotReady("the archive is counted first")
    held = topic_ranges(settings.kafka, topic)
    require_reached(topic, held, position.offsets)
    partitions = {partition: offsets.end for partition, offsets in held.items()}
    records = read_stream(
        spark,
        settings.kafka,
        topic,
        max_records=settings.speed.max_records_per_aggregation,
        starting=starting_offsets(position.topic, position.offsets, partitions),
    )

    def count_batch(batch: DataFrame, _batch_id: int) -> None:
        aggregation.count(batch_counts(batch, aggregation.position))

    # without a checkpointLocation, Spark makes one for this start alone and deletes it afterwards
    writer = records.writeStream.queryName(QUERY_NAME).foreachBatch(count_batch)
    return start_batches(spark, writer.trigger(processingTime=f"{settings.speed.aggregate_trigger_seconds} seconds"))


def _existing(settings: Settings, topic: str) -> str:
    found = topic_id(settings.kafka, topic)
    if not found:
        raise NotReady(f"topic {topic} does not exist yet")
    return found


def batch_counts(batch: DataFrame, position: Position) -> BatchCounts:
    """Count a batch in one job of one stage: each task reads one processed partition in order.

    Args:
        batch: columns of Spark's Kafka source.
        position: what was counted before.

    Raises:
        IntegrityError: two tasks shared a lane, so that its order is lost (Spark's `minPartitions` does this).
    """
    marks = {lane: marks.high for lane, marks in position.lanes.items()}
    count = partial(count_values, raw_topic_id=position.raw_topic_id, high_water_marks=marks)
    return to_counts(batch.select("partition", "offset", "value").mapInArrow(count, PARTIAL_SCHEMA).toArrow())


def to_counts(rows: pa.Table) -> BatchCounts:
    """Add up the rows of PARTIAL_SCHEMA of all tasks.

    Raises:
        IntegrityError: as `batch_counts`.
    """
    counts = BatchCounts()
    kinds = {
        kind: rows.filter(pa.compute.equal(rows["kind"], kind)) for kind in ("sums", "lane", "partition", "shares")
    }
    for row in kinds["lane"].to_pylist():
        lane = Lane(row["raw_topic_id"], row["raw_partition"], row["partition"])
        if lane in counts.lanes:
            msg = f"lane {lane} was read by two tasks: its order is lost, so repeats cannot be told from new records"
            raise IntegrityError(msg)
        counts.lanes[lane] = Marks(row["low"], row["high"])
    for row in kinds["partition"].to_pylist():
        counts.starts[row["partition"]] = row["low"]
        counts.offsets[row["partition"]] = row["high"]
        counts.records += row["records"]
        counts.rejected += row["rejected"]
    counts.shares = sum(row["shares"] for row in kinds["shares"].to_pylist())
    columns = [column.to_pylist() for column in add_up(kinds["sums"]).columns]
    for pane, topic, label, version, *sums in zip(*columns, strict=True):
        counts.sums[TopicPane(pane, topic, label, version)] = Sums(*sums)
    return counts
