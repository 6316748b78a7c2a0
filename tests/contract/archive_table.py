"""The table of raw records, written without Spark, for tests that read it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import HourTransform
from pyiceberg.types import BinaryType, IntegerType, LongType, NestedField, StringType, TimestamptzType

from twitter_topics.archive.catalog import open_catalog
from twitter_topics.archive.reader import ArchiveStore, tweets_per_day
from twitter_topics.archive.schema import DELETED
from twitter_topics.settings import Settings

SCHEMA = Schema(
    NestedField(1, "tweet_id", StringType()),
    NestedField(2, "event_time", TimestamptzType(), required=True),
    NestedField(3, "source", StringType()),
    NestedField(4, "payload", BinaryType()),
    NestedField(5, "reject_reason", StringType()),
    NestedField(6, "kafka_partition", IntegerType(), required=True),
    NestedField(7, "kafka_offset", LongType(), required=True),
    NestedField(8, "kafka_timestamp", TimestamptzType(), required=True),
)
BY_HOUR = PartitionSpec(PartitionField(2, 1000, HourTransform(), "event_time_hour"))


class Record(NamedTuple):
    """One row; without a tweet id it is a reject, and a deleted one has no text. Kafka receives it at its event time if
    not told otherwise."""

    partition: int
    offset: int
    tweet_id: str | None
    at: datetime
    deleted: bool = False
    source: str = "twitter"
    payload: bytes = b"{}"
    received: datetime | None = None


class ArchiveCounts(NamedTuple):
    """Rows, distinct rejected records, distinct records, distinct tweets, and these by the UTC day of their first
    record. Deleted tweets are included."""

    rows: int = 0
    rejects: int = 0
    records: int = 0
    tweets: int = 0
    tweets_per_day: Mapping[date, int] = MappingProxyType({})


def counts_of(store: ArchiveStore) -> ArchiveCounts:
    """Count what a reader finds."""
    records = store.records()
    distinct, owners = records.distinct(), records.owners()
    rejects = int((distinct.tweet < 0).sum())
    return ArchiveCounts(len(records), rejects, len(distinct), len(owners), tweets_per_day(owners))


def make_table(settings: Settings, warehouse: str) -> Table:
    """An empty table in the catalog of the settings."""
    catalog = open_catalog(settings.archive, settings.s3, warehouse=warehouse)
    catalog.create_tables()
    catalog.create_namespace("tweets")
    return catalog.create_table("tweets.raw", SCHEMA, partition_spec=BY_HOUR, properties={"format-version": "2"})


def append(table: Table, records: list[Record]) -> None:
    """Commit records as one snapshot, a data file for each hour."""
    hours: dict[datetime, list[Record]] = {}
    for record in records:
        hours.setdefault(record.at.replace(minute=0, second=0, microsecond=0), []).append(record)
    table.add_files([_data_file(table, group) for group in hours.values()], check_duplicate_files=False)


def redact(table: Table, *tweet_ids: str) -> None:
    """Remove the text from all rows of some tweets, as tweet_deletions does."""
    rows = [Record(*row) for row in _rows(table)]
    table.delete("kafka_offset >= 0")
    append(table, [row._replace(deleted=row.deleted or row.tweet_id in tweet_ids) for row in rows])


def _rows(table: Table) -> list[tuple[Any, ...]]:
    columns = ("kafka_partition", "kafka_offset", "tweet_id", "event_time")
    found = table.scan(selected_fields=(*columns, "reject_reason", "source")).to_arrow().to_pylist()
    return [
        (*(row[name] for name in columns), bool(row["tweet_id"] and row["reject_reason"]), row["source"])
        for row in found
    ]


def _reason(record: Record) -> str | None:
    if record.deleted:
        return f"{DELETED}delete"
    return None if record.tweet_id else "json: broken"


def _data_file(table: Table, records: list[Record]) -> str:
    # pyiceberg needs an extra package to write tables partitioned by hour
    columns: dict[str, list[Any]] = {
        "tweet_id": [record.tweet_id for record in records],
        "event_time": [record.at for record in records],
        "source": [record.source if record.tweet_id else None for record in records],
        "payload": [None if record.deleted else record.payload for record in records],
        "reject_reason": [_reason(record) for record in records],
        "kafka_partition": [record.partition for record in records],
        "kafka_offset": [record.offset for record in records],
        "kafka_timestamp": [record.received or record.at for record in records],
    }
    path = f"{table.location()}/data/{uuid.uuid4()}.parquet"
    schema = pa.schema([field.remove_metadata() for field in SCHEMA.as_arrow()])
    with table.io.new_output(path).create() as file:
        pq.write_table(pa.table(columns, schema=schema), file)
    return path
