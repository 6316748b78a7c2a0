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
from twitter_topics.errors import IntegrityError

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
    """`late_rows` arrived in closed hours during the rewrite; `after.rows == before.rows + late_rows`."""

    before: ClosedHours
    after: ClosedHours
    late_rows: int


def compact_archive(
    spark: SparkSession, settings: Settings, *, closed_before: datetime, min_files: int
) -> Compaction | None:
    """Rewrite the small files of hours that ended at `closed_before` or earlier. None if the archive is empty.

    Args:
        closed_before: aware, on the hour.
        min_files: an hour with fewer files is left alone; at least 2.

    Raises:
        IntegrityError: rows of the closed hours were lost or duplicated. The message names the snapshot before, which
            still has them, and how to roll back to it.
    """
    before = closed_state(spark, settings, closed_before)
    if before is None:
        return None
    failpoints.reach("compactor.planned")
    spark.sql(
        statement("maintenance/rewrite_data_files", catalog=settings.archive.catalog_name),
        args={"closed": f"event_time < TIMESTAMP '{closed_before.isoformat()}'", "min_files": str(min_files)},
    ).collect()
    failpoints.reach("compactor.committed")
    after = closed_state(spark, settings, closed_before)
    if after is None:
        msg = f"the archive lost its snapshots; the newest known one is {before.snapshot_id}"
        raise IntegrityError(msg)
    late = _appended(spark, settings, before.snapshot_id, after.snapshot_id, closed_before)
    if after.rows != before.rows + late:
        msg = (
            f"compaction changed the closed hours: {before.rows} rows at snapshot {before.snapshot_id}, {late} late "
            f"rows, {after.rows} rows at snapshot {after.snapshot_id}. Nothing was expired. To roll back: "
            f"{_rollback(settings, before.snapshot_id)}"
        )
        raise IntegrityError(msg)
    log.info("compacted: %d files -> %d, %d rows, %d late", before.files, after.files, after.rows, late)
    return Compaction(before, after, late)


def closed_state(spark: SparkSession, settings: Settings, closed_before: datetime) -> ClosedHours | None:
    """Return files and rows of the closed hours at the current snapshot, from metadata; None without a snapshot."""
    snapshot_id = current_snapshot(spark, settings)
    if snapshot_id is None:
        return None
    files = spark.read.option("versionAsOf", snapshot_id).table(f"{raw_table(settings)}.data_files")
    closed = files.where(fn.col("partition.event_time_hour") < (closed_before - _EPOCH) // timedelta(hours=1))
    row = closed.agg(fn.count("*").alias("files"), fn.coalesce(fn.sum("record_count"), fn.lit(0)).alias("rows")).first()
    return ClosedHours(snapshot_id, int(row["files"]), int(row["rows"]))


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
