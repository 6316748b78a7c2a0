"""Maintenance of the archive: fewer files, fewer snapshots, no orphan files, and proof that no row was lost."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as fn

from twitter_topics import failpoints
from twitter_topics.archive.archiver import checkpoint_of
from twitter_topics.archive.rows import current_snapshot, raw_table
from twitter_topics.archive.schema import MODEL_METRICS_TABLE, NAMESPACE, RAW_TABLE, TOPIC_HOUR_TABLE
from twitter_topics.backends.sql import statement
from twitter_topics.errors import ConflictError, ProofError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)

RETAINED_SNAPSHOTS = 10
MIN_EXPIRE_AGE = timedelta(hours=1)
MIN_ORPHAN_AGE = timedelta(hours=24)
TABLES = tuple(f"{NAMESPACE}.{name}" for name in (RAW_TABLE, TOPIC_HOUR_TABLE, MODEL_METRICS_TABLE))

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ClosedHours:
    """The archive's closed hours at one snapshot."""

    snapshot_id: int
    files: int
    rows: int


@dataclass(frozen=True, slots=True)
class Compaction:
    """`late_rows` arrived in closed hours since `before`; `after.rows == before.rows + late_rows`."""

    before: ClosedHours
    after: ClosedHours
    late_rows: int


def compact_archive(
    spark: SparkSession, settings: Settings, *, snapshot: int, closed_before: datetime, min_files: int
) -> Compaction:
    """Rewrite the small files of hours that ended at `closed_before` or earlier.

    Args:
        snapshot: what the closed hours are compared with. A retry passes that of the first attempt, which may have
            written before it failed.
        closed_before: aware, on the hour.
        min_files: an hour with fewer files is left alone; at least 2.

    Raises:
        ConflictError: `snapshot` has expired, or the archive was rolled back to an older one. Nothing was changed.
        ProofError: rows of the closed hours were lost or duplicated. The message names the snapshot before, which
            still has them, and how to roll back to it.
    """
    _check_known(spark, settings, snapshot)
    before = closed_state(spark, settings, snapshot, closed_before)
    failpoints.reach("compactor.planned")
    spark.sql(
        statement("maintenance/rewrite_data_files", catalog=settings.archive.catalog_name),
        args={"closed": f"event_time < TIMESTAMP '{closed_before.isoformat()}'", "min_files": str(min_files)},
    ).collect()
    failpoints.reach("compactor.committed")
    newest = current_snapshot(spark, settings)
    if newest is None:
        raise ProofError(f"the archive lost its snapshots; the newest known one is {snapshot}")
    after = closed_state(spark, settings, newest, closed_before)
    late = _appended(spark, settings, snapshot, newest, closed_before)
    if after.rows != before.rows + late:
        msg = (
            f"compaction changed the closed hours: {before.rows} rows at snapshot {snapshot}, {late} late "
            f"rows, {after.rows} rows at snapshot {newest}. Nothing was expired. To roll back: "
            f"{_rollback(settings, snapshot)}"
        )
        raise ProofError(msg)
    log.info("compacted: %d files -> %d, %d rows, %d late", before.files, after.files, after.rows, late)
    return Compaction(before, after, late)


def closed_state(spark: SparkSession, settings: Settings, snapshot: int, closed_before: datetime) -> ClosedHours:
    """Return files and rows of the closed hours at a snapshot, from metadata."""
    files = spark.read.option("versionAsOf", snapshot).table(f"{raw_table(settings)}.data_files")
    closed = files.where(fn.col("partition.event_time_hour") < (closed_before - _EPOCH) // timedelta(hours=1))
    row = closed.agg(fn.count("*").alias("files"), fn.coalesce(fn.sum("record_count"), fn.lit(0)).alias("rows")).first()
    return ClosedHours(snapshot, int(row["files"]), int(row["rows"]))


def expire_snapshots(spark: SparkSession, settings: Settings, *, older_than: datetime, now: datetime) -> int:
    """Expire snapshots of all tables except the newest ten. Returns the number of data files deleted.

    Raises:
        ValueError: `older_than` is less than an hour before `now`: a running reader may still need the snapshot.
    """
    if now - older_than < MIN_EXPIRE_AGE:
        msg = f"older_than={older_than.isoformat()}: snapshots younger than {MIN_EXPIRE_AGE} may be in use"
        raise ValueError(msg)
    deleted = 0
    for table in TABLES:
        row = spark.sql(
            statement("maintenance/expire_snapshots", catalog=settings.archive.catalog_name),
            args={"table": table, "older_than": older_than, "retain_last": RETAINED_SNAPSHOTS},
        ).first()
        deleted += int(row["deleted_data_files_count"])
    log.info("snapshots expired: %d data files deleted", deleted)
    return deleted


def remove_orphans(spark: SparkSession, settings: Settings, *, older_than: datetime, now: datetime) -> int:
    """Delete files that no snapshot references. Returns their number.

    Raises:
        ValueError: `older_than` is less than a day before `now`.
    """
    if now - older_than < MIN_ORPHAN_AGE:
        msg = f"older_than={older_than.isoformat()}: files younger than {MIN_ORPHAN_AGE} may belong to a running job"
        raise ValueError(msg)
    deleted = 0
    for table in TABLES:
        deleted += spark.sql(
            statement("maintenance/remove_orphan_files", catalog=settings.archive.catalog_name),
            args={"table": table, "older_than": older_than},
        ).count()
    log.info("%d orphan files deleted", deleted)
    return deleted


def _check_known(spark: SparkSession, settings: Settings, snapshot: int) -> None:
    history = spark.table(f"{raw_table(settings)}.history").where("is_current_ancestor")
    if history.where(fn.col("snapshot_id") == snapshot).first() is None:
        raise ConflictError(f"snapshot {snapshot} has expired or was rolled back: there is nothing to compare with")


def _rollback(settings: Settings, snapshot_id: int) -> str:
    """Return the steps. The archiver's checkpoint is past the batches that a rollback drops, so it has to go."""
    catalog = settings.archive.catalog_name
    return (
        "1. `twitter-topics stop classify-tweets`; "
        f"2. CALL {catalog}.system.rollback_to_snapshot('{NAMESPACE}.{RAW_TABLE}', {snapshot_id}); "
        f"3. delete {checkpoint_of(settings)}; "
        "4. `twitter-topics up`: it reads on from the end of the archive, and Kafka must still have what came since"
    )


def _appended(spark: SparkSession, settings: Settings, start: int, end: int, closed_before: datetime) -> int:
    if start == end:
        return 0
    appended = (  # Iceberg's incremental read sees only appends, not rewritten files
        spark.read.format("iceberg")
        .option("start-snapshot-id", start)
        .option("end-snapshot-id", end)
        .load(raw_table(settings))
    )
    return int(appended.where(fn.col("event_time") < fn.lit(closed_before)).count())
