"""pyiceberg reads, without a JVM, what Spark writes into the archive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.contract.archive_table import ArchiveCounts, counts_of
from twitter_topics.archive.reader import ArchivedRecord, ArchiveStore, HourFiles
from twitter_topics.archive.rows import append_batch, ensure_tables, raw_table
from twitter_topics.archive.schema import RAW_SCHEMA

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings

pytestmark = pytest.mark.spark

NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)


def test_pyiceberg_reads_sparks_table_and_deletes(spark: SparkSession, local_archive: Settings) -> None:
    store, table = ArchiveStore(local_archive), raw_table(local_archive)
    assert counts_of(store) == ArchiveCounts()
    rows = [
        ("7", NOON, "twitter", b"{}", None, 0, 0, NOON, "post"),
        (None, NOON, None, b"x", "json: x", 0, 1, NOON, "post"),
    ]
    spark.createDataFrame(rows, RAW_SCHEMA).coalesce(1).writeTo(table).append()
    edit = ("8", NOON, "twitter", b"{}", None, 1, 0, NOON, "edit")
    spark.createDataFrame([edit], RAW_SCHEMA).writeTo(table).append()
    assert store.record(1, 0) == ArchivedRecord("twitter", b"{}", int(NOON.timestamp() * 1000), is_edit=True)
    assert store.record(1, 1) is None
    assert store.usable_tweets(NOON, NOON + timedelta(hours=1), enough=9) == 2
    assert counts_of(store) == ArchiveCounts(3, 1, 3, 2, {NOON.date(): 2})
    assert store.files_per_hour() == {NOON: HourFiles(2, 3)}
    spark.sql(f"DELETE FROM {table} WHERE tweet_id = '7'")  # noqa: S608 - a name of this test
    assert counts_of(store) == ArchiveCounts(2, 1, 2, 1, {NOON.date(): 1})


def test_an_older_table_gains_the_column_of_events(spark: SparkSession, local_archive: Settings) -> None:
    table = raw_table(local_archive)
    spark.sql(f"ALTER TABLE {table} DROP COLUMN event")
    columns = ", ".join(RAW_SCHEMA.split(", ")[:-1])
    spark.createDataFrame([("7", NOON, "twitter", b"{}", None, 0, 0, NOON)], columns).writeTo(table).append()
    assert ArchiveStore(local_archive).record(0, 0) == ArchivedRecord(
        "twitter", b"{}", int(NOON.timestamp() * 1000), is_edit=False
    )
    for _ in range(2):
        ensure_tables(spark, local_archive)
    row = spark.table(table).select("tweet_id", "event").first()
    assert row is not None
    assert tuple(row) == ("7", None)


def test_a_batch_of_two_months_of_hours_needs_no_memory_for_each(spark: SparkSession, local_archive: Settings) -> None:
    """With a file open for each hour, 720 hours took the gibibyte of a streaming app."""
    rows = [
        (str(at), NOON - timedelta(hours=at * 733 % 1500), "twitter", b"{}", None, 0, at, NOON, "post")
        for at in range(1500)
    ]
    append_batch(spark.createDataFrame(rows, RAW_SCHEMA).coalesce(1), local_archive, 0)
    hours = ArchiveStore(local_archive).files_per_hour()
    assert len(hours) == 1500
    assert set(hours.values()) == {HourFiles(1, 1)}
