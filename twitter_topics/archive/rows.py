"""The archive in Spark: its tables, and the conversion of a Kafka record to a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from twitter_topics.archive.schema import NAMESPACE, RAW_SCHEMA, RAW_TABLE, TOPIC_HOUR_TABLE
from twitter_topics.backends.spark_kafka import EVENT
from twitter_topics.backends.sql import statement
from twitter_topics.records.decoding import IdentityFields
from twitter_topics.records.tweet import Rejection, TimeBounds, Tweet, read_tweet

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from twitter_topics.settings import Settings

_LATER_COLUMNS = ((RAW_TABLE, "event", "add_raw_event"), (TOPIC_HOUR_TABLE, "scored", "add_topic_hour_scored"))
"""Table, column, and the statement that adds it to a table from before it had this column."""

_QUERY, _BATCH = "spark.sql.streaming.queryid", "spark.sql.streaming.epochid"


def ensure_tables(spark: SparkSession, settings: Settings) -> None:
    """Create the namespace and the tables if they are missing, and the columns that an older table lacks."""
    catalog = settings.archive.catalog_name
    spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {catalog}.{NAMESPACE}")
    for name in ("create_raw", "create_topic_hour", "create_model_metrics"):
        spark.sql(statement(name, catalog=catalog))
    for table, column, addition in _LATER_COLUMNS:
        if column not in spark.table(f"{catalog}.{NAMESPACE}.{table}").columns:
            spark.sql(statement(addition, catalog=catalog))


def raw_table(settings: Settings) -> str:
    """Return the full name of the table of raw tweets."""
    return f"{settings.archive.catalog_name}.{NAMESPACE}.{RAW_TABLE}"


def current_snapshot(spark: SparkSession, settings: Settings) -> int | None:
    """Id of the raw table's newest snapshot; None while the table is empty."""
    main = spark.table(f"{raw_table(settings)}.refs").where("name = 'main'").select("snapshot_id").first()
    return None if main is None else int(main["snapshot_id"])


def time_bounds(settings: Settings) -> TimeBounds:
    """Return the allowed distance between event time and arrival, from the settings."""
    return TimeBounds(settings.speed.max_future_minutes * 60_000, settings.speed.max_age_days * 86_400_000)


def archive_rows(records: DataFrame, bounds: TimeBounds) -> DataFrame:
    """Convert records (columns of Spark's Kafka source, with headers) to rows of `tweets.raw`, rejects too."""
    columns = records.selectExpr("value", "partition", "offset", "timestamp", EVENT)
    return columns.mapInArrow(_archiver(bounds), RAW_SCHEMA)


def newest_batch(spark: SparkSession, settings: Settings) -> int:
    """Return the number of the newest archived batch of a streaming query, -1 if there is none. Called in
    `foreachBatch`."""
    archived = statement("archived_batch", catalog=settings.archive.catalog_name)
    newest = spark.sql(archived, args={"query": _query_id(spark)}).first()
    return -1 if newest is None or newest["batch"] is None else int(newest["batch"])


def append_batch(rows: DataFrame, settings: Settings, batch_id: int) -> None:
    """Append a batch of a streaming query to `tweets.raw`. Called in `foreachBatch`.

    The snapshot names query and batch, see archived_batch.sql.
    """
    (
        rows.sortWithinPartitions("event_time")  # one open file at a time: a batch may span hundreds of event hours
        .write.format("iceberg")
        .mode("append")
        .option("fanout-enabled", "false")
        .option("check-nullability", "false")  # mapInArrow cannot declare NOT NULL; Iceberg checks the values
        .option(f"snapshot-property.{_QUERY}", _query_id(rows.sparkSession))
        .option(f"snapshot-property.{_BATCH}", str(batch_id))
        .saveAsTable(raw_table(settings))
    )


def _query_id(spark: SparkSession) -> str:
    return str(spark.sparkContext.getLocalProperty("sql.streaming.queryId"))


def _archiver(bounds: TimeBounds) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    return lambda batches: (_row_batch(batch, bounds) for batch in batches)


def _row_batch(records: pa.RecordBatch, bounds: TimeBounds) -> pa.RecordBatch:
    values = records.column("value").to_pylist()
    received_us = records.column("timestamp").cast(pa.int64()).to_pylist()
    read = [
        read_tweet(value, us // 1000, bounds, IdentityFields) for value, us in zip(values, received_us, strict=True)
    ]
    parsed = [_row(one, us) for one, us in zip(read, received_us, strict=True)]
    tweet_ids, event_times, sources, reasons = zip(*parsed, strict=True) if parsed else ((), (), (), ())
    return pa.RecordBatch.from_arrays(
        [
            pa.array(tweet_ids, pa.string()),
            pa.array(event_times, _STAMP),
            pa.array(sources, pa.string()),
            records.column("value").cast(pa.binary()),
            pa.array(reasons, pa.string()),
            records.column("partition").cast(pa.int32()),
            records.column("offset").cast(pa.int64()),
            records.column("timestamp").cast(_STAMP),
            records.column("event"),
        ],
        names=_NAMES,
    )


def _row(read: Tweet | Rejection, received_us: int) -> tuple[str | None, int, str | None, str | None]:
    """Return (tweet_id, event time in microseconds, source, reject reason); a reject gets its arrival as event time."""
    if isinstance(read, Rejection):
        return None, received_us, None, read.reason
    return read.tweet_id, read.event_time_ms * 1000, read.source, None


_STAMP = pa.timestamp("us", tz="UTC")
_NAMES = [field.split()[0] for field in RAW_SCHEMA.split(", ")]
