"""The archive without Spark: the Iceberg table of raw records, read through pyiceberg."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twitter_topics.archive.catalog import ArchiveTables
from twitter_topics.archive.schema import DELETED, RAW_TABLE
from twitter_topics.records.tweet import TWITTER

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from pyiceberg.table import Table

    from twitter_topics.settings import Settings

_HOUR = timedelta(hours=1)
_DAY_MICROS = 86_400_000_000
_DAYS = 2**20  # more than any date has
_EPOCH = date(1970, 1, 1)
_TWITTER_ID = "^[0-9]{1,19}$"
_COLUMNS = ("tweet_id", "event_time", "reject_reason", "kafka_partition", "kafka_offset")


@dataclass(frozen=True, slots=True)
class HourFiles:
    """Data files and rows of one event hour."""

    files: int
    rows: int


@dataclass(frozen=True, slots=True)
class ArchivedRecord:
    """A record as received; `source` is None for a reject. `received_ms` by Kafka, in Unix milliseconds."""

    source: str | None
    payload: bytes
    received_ms: int
    is_edit: bool


@dataclass(frozen=True)
class ArchiveRecords:
    """The archived records as columns of equal length, one entry per row, unordered.

    `tweet` is the index of the row's id in `tweet_ids`, or -1 for a reject; `day` counts days since 1970-01-01 (UTC);
    `deleted` marks the rows of deleted tweets, which have no text.
    """

    partition: NDArray[np.int64]
    offset: NDArray[np.int64]
    day: NDArray[np.int64]
    tweet: NDArray[np.int64]
    deleted: NDArray[np.bool_]
    tweet_ids: pa.Array

    def __len__(self) -> int:
        return len(self.offset)

    def select(self, rows: NDArray[Any]) -> ArchiveRecords:
        """Return some of the rows, by mask or by index, with the same `tweet_ids`."""
        pair = self.partition[rows], self.offset[rows]
        return ArchiveRecords(*pair, self.day[rows], self.tweet[rows], self.deleted[rows], self.tweet_ids)

    def distinct(self) -> ArchiveRecords:
        """Return one row per (partition, offset), in that order."""
        order = np.lexsort((self.offset, self.partition))
        ordered = self.select(order)
        first = np.ones(len(order), dtype=bool)
        first[1:] = (np.diff(ordered.partition) != 0) | (np.diff(ordered.offset) != 0)
        return ordered.select(first)

    def owners(self) -> ArchiveRecords:
        """Return the first record of each tweet: the one with the lowest partition, then offset. Rejects are left out.

        A tweet is an id and a day: the same id with another day's time, as a shifted replay sends it, is another one,
        in the index too. `deleted` marks tweets that have lost their text in any record.
        """
        records = self.distinct()
        records = replace(records, deleted=records.tweet_deleted()).select(records.tweet >= 0)
        _, first = np.unique(records.tweet * _DAYS + records.day, return_index=True)
        return records.select(np.sort(first))

    def tweet_deleted(self) -> NDArray[np.bool_]:
        """Mask of the rows of tweets that have lost their text in at least one row."""
        return np.isin(self.tweet, np.unique(self.tweet[self.deleted]))

    def ids(self) -> list[str]:
        """Return the tweet ids of the rows; only for rows that are not rejects."""
        return list(self.tweet_ids.take(pa.array(self.tweet)).to_pylist())

    def of_deleted_tweets(self) -> ArchiveRecords:
        """Return all rows of tweets that have lost their text in at least one row."""
        return self.select(self.tweet_deleted())

    @staticmethod
    def of(rows: Sequence[tuple[int, int, str | None, date]], deleted: Container[int] = ()) -> ArchiveRecords:
        """Records from (partition, offset, tweet id or None for a reject, day); `deleted` are indices in `rows`."""
        reasons = [f"{DELETED}delete" if at in deleted else None if row[2] else "no" for at, row in enumerate(rows)]
        table = pa.table(
            {
                "tweet_id": pa.array([row[2] for row in rows], pa.string()),
                "event_time": pa.array([day_number(row[3]) * _DAY_MICROS for row in rows], pa.int64()),
                "reject_reason": pa.array(reasons, pa.string()),
                "kafka_partition": pa.array([row[0] for row in rows], pa.int32()),
                "kafka_offset": pa.array([row[1] for row in rows], pa.int64()),
            }
        )
        return _columns(table)


class ArchiveStore:
    """Reads the table of raw records. A table that does not exist yet reads as empty.

    Every call reads the newest metadata and raises RetryableError if the catalog or the bucket does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._tables = ArchiveTables(settings.archive, settings.s3)

    def table(self) -> Table | None:
        """Return the table at its newest metadata; None if it does not exist yet."""
        return self._tables.table(RAW_TABLE)

    def uuid(self) -> str:
        """Return the table's UUID, which no other archive has; empty if it does not exist yet."""
        table = self.table()
        return str(table.metadata.table_uuid) if table else ""

    def reading(self) -> AbstractContextManager[None]:
        """Return what a read of the table's files is wrapped in: it raises RetryableError if the bucket does not
        answer."""
        return self._tables.reading()

    def current_snapshot_id(self) -> int | None:
        """Return the id of the snapshot that a reader sees now; None if there is none yet."""
        table = self.table()
        snapshot = table.current_snapshot() if table else None
        return snapshot.snapshot_id if snapshot else None

    def usable_tweets(
        self, start: datetime, end: datetime, *, enough: int, received_since: datetime | None = None
    ) -> int:
        """Return the number of distinct readable tweets with `start` <= event time < `end`, exact up to `enough`.

        Reads ids of the newest hours first, and no more once there are `enough`, so that the cost does not grow with
        the archive.

        Args:
            received_since: count only tweets that Kafka received at this time or later, and not before as well, as in a
                replay: if there are `enough` of them, those are left out that the same hours have from before.
        """
        table = self.table()
        hours = [(hour, held.rows) for hour, held in self.files_per_hour().items() if start - _HOUR < hour < end]
        found, until, wanted = pa.array([], pa.large_string()), end, enough
        while table is not None and hours and len(found) < enough:
            rows, since = 0, end
            while hours and rows < wanted:
                since, held = hours.pop()
                rows += held
            since = max(since, start)
            received = "" if received_since is None else f"kafka_timestamp >= '{received_since.isoformat()}'"
            found = _distinct([found, *self._usable_ids(table, since, until, received)])
            if received_since is not None and len(found) >= enough:
                before = f"kafka_timestamp < '{received_since.isoformat()}'"
                known = (ids.filter(pc.is_in(ids, found)) for ids in self._usable_ids(table, since, end, before))
                found = found.filter(pc.invert(pc.is_in(found, _distinct(known))))
            until, wanted = since, 2 * wanted  # rejects are rows too
        return len(found)

    def _usable_ids(self, table: Table, start: datetime, end: datetime, received: str = "") -> Iterator[pa.Array]:
        """Yield the ids of readable tweets of a range of event times, batch by batch."""
        usable = (
            "reject_reason IS NULL AND tweet_id IS NOT NULL"
            f" AND event_time >= '{start.isoformat()}' AND event_time < '{end.isoformat()}'"
            f"{' AND ' + received if received else ''}"
        )
        with self.reading():
            for batch in table.scan(row_filter=usable, selected_fields=("tweet_id",)).to_arrow_batch_reader():
                yield batch.column("tweet_id").cast(pa.large_string())

    def rows(self) -> int:
        """Return the number of rows from the table's metadata; reads no data files."""
        table = self.table()
        return _total_rows(table.current_snapshot()) if table else 0

    def files_per_hour(self) -> dict[datetime, HourFiles]:
        """Return data files and rows per event hour (its start, UTC), oldest first. Reads manifests, no data files."""
        table = self._filled()
        if table is None:
            return {}
        with self.reading():
            partitions = table.inspect.partitions().select(["partition", "file_count", "record_count"]).to_pylist()
        hours = {
            _hour(row["partition"]["event_time_hour"]): HourFiles(row["file_count"], row["record_count"])
            for row in partitions
        }
        return dict(sorted(hours.items()))

    def records(self) -> ArchiveRecords:
        """Return all rows at the newest snapshot. Needs about 60 bytes of memory per row and 30 per id."""
        table = self._filled()
        if table is None:
            return ArchiveRecords.of([])
        with self.reading():
            read = table.scan(selected_fields=_COLUMNS).to_arrow_batch_reader().read_all()
        return _columns(read)

    def next_offsets(self) -> dict[int, int]:
        """Return the offset after the last archived record of each partition of the raw topic."""
        table = self._filled()
        if table is None:
            return {}
        found: dict[int, int] = {}
        with self.reading():
            for batch in table.scan(selected_fields=("kafka_partition", "kafka_offset")).to_arrow_batch_reader():
                newest = pa.table(batch).group_by("kafka_partition").aggregate([("kafka_offset", "max")])
                for row in newest.to_pylist():
                    partition, offset = row["kafka_partition"], row["kafka_offset_max"]
                    found[partition] = max(found.get(partition, 0), offset + 1)
        return found

    def twitter_ids(self) -> pa.Array:
        """Return the distinct ids of readable tweets from Twitter, as text. Needs about 30 bytes of memory per id."""
        table = self._filled()
        if table is None:
            return pa.array([], pa.string())
        readable = f"reject_reason IS NULL AND source = '{TWITTER}'"
        with self.reading():
            scan = table.scan(row_filter=readable, selected_fields=("tweet_id",))
            ids = pc.unique(scan.to_arrow_batch_reader().read_all()["tweet_id"].cast(pa.large_string()))
        return ids.filter(pc.match_substring_regex(ids, _TWITTER_ID))

    def record(self, partition: int, offset: int) -> ArchivedRecord | None:
        """Return one record of the raw topic; None if it is not archived or its payload was deleted."""
        table = self._filled()
        if table is None:
            return None
        place = f"kafka_partition = {partition:d} AND kafka_offset = {offset:d}"
        with self.reading():
            fields = ("source", "payload", "kafka_timestamp", *({"event"} & set(table.schema().column_names)))
            rows = table.scan(row_filter=place, selected_fields=fields).to_arrow().to_pylist()
        if not rows or rows[0]["payload"] is None:
            return None
        received_ms = round(rows[0]["kafka_timestamp"].timestamp() * 1000)
        is_edit = rows[0].get("event") == "edit"
        return ArchivedRecord(rows[0]["source"], bytes(rows[0]["payload"]), received_ms, is_edit)

    def _filled(self) -> Table | None:
        """Return the table; None also if nothing has been written to it yet."""
        table = self.table()
        return table if table and table.current_snapshot() else None


def tweets_per_day(owners: ArchiveRecords) -> dict[date, int]:
    """Return the number of records per day, oldest first."""
    days, counts = np.unique(owners.day, return_counts=True)
    return {day_of(int(day)): int(count) for day, count in zip(days, counts, strict=True)}


def day_number(day: date) -> int:
    """Return the number of a day: days since 1970-01-01."""
    return (day - _EPOCH).days


def day_of(days_since_epoch: int) -> date:
    """Return the date of a day number."""
    return _EPOCH + timedelta(days=days_since_epoch)


def _total_rows(snapshot: Any) -> int:
    return int(snapshot.summary["total-records"]) if snapshot and snapshot.summary else 0


def _distinct(ids: Iterable[pa.Array]) -> pa.Array:
    return pc.unique(pa.chunked_array(ids, pa.large_string()))


def _hour(value: int | datetime) -> datetime:
    """Return the start of an hour, which Iceberg gives as hours since the epoch."""
    return datetime.fromtimestamp(value * 3600, UTC) if isinstance(value, int) else value.replace(tzinfo=UTC)


def _columns(table: pa.Table) -> ArchiveRecords:
    deleted = pc.fill_null(pc.starts_with(table["reject_reason"], DELETED), fill_value=False)
    is_tweet = pc.or_(pc.is_null(table["reject_reason"]), deleted)
    ids = pc.if_else(is_tweet, table["tweet_id"], pa.scalar(None, table["tweet_id"].type))
    encoded = pa.chunked_array(ids).cast(pa.large_string()).combine_chunks().dictionary_encode()
    micros = table["event_time"].cast(pa.int64()).to_numpy()
    return ArchiveRecords(
        partition=table["kafka_partition"].to_numpy().astype(np.int64),
        offset=table["kafka_offset"].to_numpy().astype(np.int64),
        day=np.floor_divide(micros, _DAY_MICROS),
        tweet=encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64),
        deleted=deleted.to_numpy().astype(bool),
        tweet_ids=encoded.dictionary,
    )
