"""Compaction, expiry and clean-up on real Iceberg tables."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spark_apps.batch.maintain_archive import prepare
from twitter_topics.archive import maintenance
from twitter_topics.archive.archiver import checkpoint_of
from twitter_topics.archive.maintenance import (
    ClosedHours,
    Compaction,
    closed_state,
    compact_archive,
    expire_snapshots,
    remove_orphans,
)
from twitter_topics.archive.rows import current_snapshot, raw_table
from twitter_topics.archive.schema import RAW_SCHEMA
from twitter_topics.backends.sql import statement
from twitter_topics.counts.recount import topic_hour_table
from twitter_topics.errors import ConflictError, ProofError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings

pytestmark = pytest.mark.spark

HOUR = datetime(2026, 11, 1, 10, tzinfo=UTC)
CLOSED_BEFORE = HOUR + timedelta(hours=1)


def append(spark: SparkSession, settings: Settings, offsets: range, *, hour: datetime = HOUR) -> None:
    """One commit, one file: rows of one event hour."""
    rows = [(str(n), hour + timedelta(seconds=n % 3600), "t", b"{}", None, 0, n, hour, "post") for n in offsets]
    spark.createDataFrame(rows, RAW_SCHEMA).coalesce(1).writeTo(raw_table(settings)).append()


def places(spark: SparkSession, settings: Settings) -> tuple[int, int]:
    """(rows, distinct Kafka offsets) of the whole table."""
    table = spark.table(raw_table(settings))
    return table.count(), table.select("kafka_partition", "kafka_offset").distinct().count()


def snapshot_of(spark: SparkSession, settings: Settings) -> int:
    newest = current_snapshot(spark, settings)
    assert newest is not None
    return newest


def state(spark: SparkSession, settings: Settings, closed_before: datetime) -> ClosedHours:
    return closed_state(spark, settings, snapshot_of(spark, settings), closed_before)


def compact(spark: SparkSession, settings: Settings, *, min_files: int = 2, snapshot: int | None = None) -> Compaction:
    """Compact HOUR, as planned at a snapshot, by default the newest one."""
    planned = snapshot_of(spark, settings) if snapshot is None else snapshot
    return compact_archive(spark, settings, snapshot=planned, closed_before=CLOSED_BEFORE, min_files=min_files)


def test_a_snapshot_that_the_archive_does_not_have_ends_the_run(spark: SparkSession, local_archive: Settings) -> None:
    append(spark, local_archive, range(10))
    append(spark, local_archive, range(10, 20))
    first, second = (row["snapshot_id"] for row in history(spark, local_archive))
    rollback = f"CALL {local_archive.archive.catalog_name}.system.rollback_to_snapshot('tweets.raw', {first})"
    spark.sql(rollback).collect()
    for unknown in (7, second):
        with pytest.raises(ConflictError, match=f"snapshot {unknown} has expired or was rolled back"):
            compact(spark, local_archive, snapshot=unknown)
    assert compact(spark, local_archive, snapshot=first).after.rows == 10


def history(spark: SparkSession, settings: Settings) -> list[Any]:
    return spark.table(f"{raw_table(settings)}.history").orderBy("made_current_at").collect()


def test_small_files_of_closed_hours_are_merged_with_every_row(spark: SparkSession, local_archive: Settings) -> None:
    for start in range(0, 60, 10):
        append(spark, local_archive, range(start, start + 10))
    append(spark, local_archive, range(60, 70), hour=CLOSED_BEFORE)
    append(spark, local_archive, range(70, 80), hour=CLOSED_BEFORE)

    done = compact(spark, local_archive, min_files=3)

    assert (done.before.files, done.after.files) == (6, 1)
    assert done.before.rows == done.after.rows == 60
    assert done.late_rows == 0
    assert places(spark, local_archive) == (80, 80)
    whole = state(spark, local_archive, CLOSED_BEFORE + timedelta(hours=1))
    assert whole.files == 3, "the two files of the open hour must stay"


def test_the_job_that_airflow_submits(spark: SparkSession, local_archive: Settings) -> None:
    hour = datetime(2024, 11, 1, 10, tzinfo=UTC)
    for start in range(0, 30, 10):
        append(spark, local_archive, range(start, start + 10), hour=hour)
    limits = ["--min-files", "2", "--expire-hours", "24", "--orphan-hours", "72"]

    planned = ["--snapshot", str(snapshot_of(spark, local_archive)), "--closed-before", "2024-11-01T11:00Z"]
    prepare(local_archive, [*planned, *limits])(spark)

    merged = state(spark, local_archive, hour + timedelta(hours=1))
    assert (merged.files, merged.rows) == (1, 30)


def test_an_hour_with_few_files_is_left_alone(spark: SparkSession, local_archive: Settings) -> None:
    append(spark, local_archive, range(10))
    append(spark, local_archive, range(10, 20))
    snapshot = current_snapshot(spark, local_archive)

    done = compact(spark, local_archive, min_files=3)

    assert done.after.files == 2
    assert current_snapshot(spark, local_archive) == snapshot


def test_appends_during_the_compaction_are_kept(spark: SparkSession, local_archive: Settings) -> None:
    for start in range(0, 60, 10):
        append(spark, local_archive, range(start, start + 10))
    stop, appended = threading.Event(), [60]

    def keep_appending() -> None:
        while not stop.is_set():
            append(spark, local_archive, range(appended[0], appended[0] + 10))
            appended[0] += 10

    writer = threading.Thread(target=keep_appending)
    writer.start()
    try:
        done = [compact(spark, local_archive) for _ in range(2)]
    finally:
        stop.set()
        writer.join()

    assert all(one.after.rows == one.before.rows + one.late_rows for one in done)
    assert appended[0] > 60, "no append came in between: the test shows nothing"
    assert places(spark, local_archive) == (appended[0], appended[0])


def lose_a_row(spark: SparkSession, settings: Settings, patch: pytest.MonkeyPatch) -> None:
    """Make every rewrite lose a row."""

    def deleting(name: str, **identifiers: str) -> str:
        spark.sql(f"DELETE FROM {raw_table(settings)} WHERE kafka_offset = 7")  # noqa: S608 - a test's own table
        return statement(name, **identifiers)

    patch.setattr(maintenance, "statement", deleting)


def test_lost_rows_are_detected(spark: SparkSession, local_archive: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for start in range(0, 40, 10):
        append(spark, local_archive, range(start, start + 10))
    lose_a_row(spark, local_archive, monkeypatch)
    before = current_snapshot(spark, local_archive)
    with pytest.raises(ProofError, match=r"40 rows at snapshot .* 39 rows at snapshot") as caught:
        compact(spark, local_archive)
    _, steps = str(caught.value).split("To roll back: ")
    assert [step[:2] for step in steps.split("; ")] == ["1.", "2.", "3.", "4."]
    assert f"rollback_to_snapshot('tweets.raw', {before})" in steps
    assert checkpoint_of(local_archive) in steps
    assert steps.index("`twitter-topics stop classify-tweets`") < steps.index("`twitter-topics up`")


def test_a_retry_compares_with_the_plan_and_not_with_what_a_killed_attempt_left(
    spark: SparkSession, local_archive: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for start in range(0, 40, 10):
        append(spark, local_archive, range(start, start + 10))
    planned = snapshot_of(spark, local_archive)
    append(spark, local_archive, range(40, 50))

    def killed(point: str) -> None:
        if point == "compactor.committed":
            raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        lose_a_row(spark, local_archive, patch)
        patch.setattr("twitter_topics.archive.maintenance.failpoints.reach", killed)
        with pytest.raises(RuntimeError, match="killed"):
            compact(spark, local_archive, snapshot=planned)

    with pytest.raises(ProofError, match=rf"40 rows at snapshot {planned}, 10 late rows, 49 rows at snapshot"):
        compact(spark, local_archive, snapshot=planned)


def test_expiry_keeps_the_newest_snapshots_and_every_row(spark: SparkSession, local_archive: Settings) -> None:
    for start in range(0, 120, 10):
        append(spark, local_archive, range(start, start + 10))
    compact(spark, local_archive)
    later = datetime.now(UTC) + timedelta(hours=2)

    deleted = expire_snapshots(spark, local_archive, older_than=later - timedelta(hours=1), now=later)

    assert spark.table(f"{raw_table(local_archive)}.snapshots").count() == maintenance.RETAINED_SNAPSHOTS
    assert deleted == 0, "the ten newest snapshots still need the small files"
    assert places(spark, local_archive) == (120, 120)


def test_expiry_and_clean_up_reject_ages_that_could_be_in_use(spark: SparkSession, local_archive: Settings) -> None:
    now = datetime.now(UTC)
    with pytest.raises(ValueError, match="may be in use"):
        expire_snapshots(spark, local_archive, older_than=now - timedelta(minutes=59), now=now)
    with pytest.raises(ValueError, match="running job"):
        remove_orphans(spark, local_archive, older_than=now - timedelta(hours=23), now=now)


def test_clean_up_deletes_only_old_orphan_files(spark: SparkSession, local_archive: Settings, tmp_path: Path) -> None:
    append(spark, local_archive, range(10))
    spark.sql(
        f"INSERT INTO {topic_hour_table(local_archive)} "  # noqa: S608 - a test's own table
        "VALUES (TIMESTAMP '2026-11-01 10:00:00', 1, 'a', 'v', 1, 1.0, 0.0, 1)"
    )
    folder = next((tmp_path / "lake").rglob("*.parquet")).parent
    now = datetime.now(UTC)
    old, young = folder / "old.parquet", folder / "young.parquet"
    for path in (old, young):
        path.write_bytes(b"left behind")
    os.utime(old, (now.timestamp() - 48 * 3600,) * 2)

    assert remove_orphans(spark, local_archive, older_than=now - timedelta(hours=25), now=now) == 1
    assert not old.exists()
    assert young.exists()
    assert places(spark, local_archive) == (10, 10)
