"""Replays the project's own archive: the tweets of `tweets.raw`, hour by hour."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice, repeat
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

import numpy as np

from producer.position import SourcePosition
from producer.receiving.rules import Backoff
from producer.source import Context, Cursor
from producer.sources.replay.material import STORE, StoppedError
from producer.sources.replay.records import ReplayRecord
from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.archive.schema import NAMESPACE, RAW_TABLE
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from twitter_topics.settings import Settings

PIECE_ROWS = 100_000
"""Rows read at once: about 100 MB."""

POLL_S = 0.5
_HOUR = timedelta(hours=1)
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
_COLUMNS = ("tweet_id", "event_time", "payload", "kafka_partition", "kafka_offset", "kafka_timestamp")
_EVENT = "event"
"""Only in younger archives. In older ones every record is a post."""

_KEY = ("kafka_partition", "kafka_offset")
_NUMBERS = frozenset({"event_time", "kafka_partition", "kafka_offset", "kafka_timestamp"})
_AT_ONCE = 10_000
_Rows = dict[str, Any]
"""Columns by name."""

_log = logging.getLogger(__name__)


class _RowPosition(NamedTuple):
    """Position of a row. The Kafka timestamp (microseconds) distinguishes rows after the topic was re-created."""

    hour: datetime
    partition: int = -1
    offset: int = -1
    stamp: int = -1

    @classmethod
    def of(cls, cursor: Cursor) -> _RowPosition:
        """Parse `<hour>\\t<partition>\\t<offset>\\t<timestamp>`; 0 is before everything."""
        if not cursor:
            return cls(_EARLIEST)
        hour, *numbers = str(cursor).split("\t")
        return cls(datetime.fromisoformat(hour), *map(int, numbers))


class _Piece(NamedTuple):
    """A range of offsets of a Kafka partition."""

    partition: int
    first: int
    last: int
    condition: str

    @classmethod
    def of(cls, partition: int, first: int, last: int) -> _Piece:
        asked = f" AND kafka_partition = {partition} AND kafka_offset >= {first} AND kafka_offset <= {last}"
        return cls(partition, first, last, asked)


_LAST = 2**63
_WHOLE = [_Piece(_LAST, 0, _LAST, "")]


class ArchivedTweets:
    """`Material` of the archive: payloads as received, edits as edits, in the order of (event hour, Kafka
    partition, offset).

    Rejected and redacted tweets are left out. The rows come from the snapshot at the first start, so tweets that the
    replay itself adds to the archive are not replayed again. Once that snapshot has expired, the newest is used,
    without rows that reached Kafka after the first start. At most `PIECE_ROWS` of an hour are held in memory.
    """

    def __init__(self, store: ArchiveStore, begin: datetime, end: datetime, context: Context) -> None:
        self._store, self._begin, self._end, self._context = store, begin, end, context
        self._warned = False

    @classmethod
    def open(cls, settings: Settings, context: Context) -> Self:
        """Open the hours from PRODUCER_REPLAY_FROM (inclusive) to PRODUCER_REPLAY_TO (exclusive).

        Raises:
            ConfigurationError: these are not hours, or the archive has no rows in them.
            RetryableError: the catalog or the bucket does not answer.
        """
        chosen = settings.producer
        begin = _hour("PRODUCER_REPLAY_FROM", chosen.replay_from) or _EARLIEST
        end = _hour("PRODUCER_REPLAY_TO", chosen.replay_to) or _LATEST
        if begin >= end:
            raise ConfigurationError("PRODUCER_REPLAY_TO must be later than PRODUCER_REPLAY_FROM")
        material = cls(ArchiveStore(settings), begin, end, context)
        if not material._rows_per_hour({}):
            raise ConfigurationError("PRODUCER_REPLAY_FILE=archive: the archive has no rows (in these hours)")
        return material

    @property
    def identity(self) -> Mapping[str, Any]:
        table = str(self._table().metadata.table_uuid)
        return {"archive": table, "from": _text(self._begin), "to": _text(self._end)}

    def origin(self) -> Mapping[str, int]:
        snapshot = self._table().current_snapshot()
        return {"snapshot_id": snapshot.snapshot_id if snapshot else 0, "opened_ms": self._context.now_ms()}

    def describe(self, start: SourcePosition) -> str:  # noqa: ARG002 - all of its rows are in one order
        rows = self._rows_per_hour({})
        hours = f"{len(rows):,} hours from {_text(min(rows))}" if rows else "no hours"
        return f"the archive: at most {sum(rows.values()):,} tweets of {hours}"

    def records(self, start: SourcePosition) -> Iterator[ReplayRecord | None]:
        after = _RowPosition.of(start.cursor)
        hours = yield from self._tried(partial(self._rows_per_hour, start.origin))
        for hour in sorted(hours):
            if hour < after.hour:
                continue
            pieces = _WHOLE
            if hours[hour] > PIECE_ROWS:
                keys = yield from self._tried(partial(self._read, hour, start.origin, _KEY))
                pieces = _pieces(keys)
            for piece in pieces:
                if (hour, piece.partition, piece.last) >= after[:3]:
                    rows = yield from self._tried(
                        partial(self._read, hour, start.origin, (*_COLUMNS, _EVENT), piece.condition)
                    )
                    yield from _records(hour, rows, after)

    def bytes_after(self, start: SourcePosition) -> int:  # noqa: ARG002 - rows are read by columns
        return 0

    def tweet_times(self, start: SourcePosition) -> Iterator[int]:
        after = _RowPosition.of(start.cursor).hour
        for hour, rows in sorted(self._rows_per_hour(start.origin).items()):
            if hour >= after:
                yield from repeat(int(hour.timestamp() * 1000), rows)

    def newest_ms(self, start: SourcePosition, limit: int) -> int | None:
        if limit:
            times = (record.time_ms for record in islice(filter(None, self.records(start)), limit))
            return max((time_ms for time_ms in times if time_ms is not None), default=None)
        for hour in sorted(self._rows_per_hour(start.origin), reverse=True):
            times = self._read(hour, start.origin, ("event_time",))["event_time"]
            if len(times):
                return int(times.max()) // 1000
        return None

    def close(self) -> None:
        """Do nothing: nothing stays open between two hours."""

    def _table(self) -> Table:
        table = self._store.table()
        if table is None:
            raise ConfigurationError(f"PRODUCER_REPLAY_FILE=archive: there is no table {NAMESPACE}.{RAW_TABLE} yet")
        return table

    def _view(self, origin: Mapping[str, int]) -> tuple[Table, int | None, str]:
        """Return the table, the snapshot to read (None = the newest) and the row filter."""
        table, accepted = self._table(), "reject_reason IS NULL"
        if not origin or table.snapshot_by_id(origin["snapshot_id"]) is not None:
            return table, origin.get("snapshot_id"), accepted
        if not self._warned:
            _log.warning("the snapshot of the first start has expired, continuing with the newest")
            self._warned = True
        opened = datetime.fromtimestamp(origin["opened_ms"] / 1000, UTC)
        return table, None, f"{accepted} AND kafka_timestamp < '{opened.isoformat()}'"

    def _rows_per_hour(self, origin: Mapping[str, int]) -> dict[datetime, int]:
        """Return row counts, rejects included, by the start of their hour. Reads manifests, not data."""
        table, snapshot_id, _ = self._view(origin)
        if table.current_snapshot() is None:
            return {}
        with self._store.reading():
            rows = table.inspect.partitions(snapshot_id=snapshot_id).select(["partition", "record_count"]).to_pylist()
        hours = {_hour_of(row["partition"]["event_time_hour"]): int(row["record_count"]) for row in rows}
        return {hour: count for hour, count in hours.items() if self._begin <= hour < self._end}

    def _read(self, hour: datetime, origin: Mapping[str, int], columns: tuple[str, ...], further: str = "") -> _Rows:
        """Return the rows of an hour that meet a further condition, in any order."""
        for _ in range(2):
            table, snapshot_id, asked = self._view(origin)
            within = f"event_time >= '{_text(hour)}' AND event_time < '{_text(hour + _HOUR)}' AND {asked}{further}"
            scan = table.scan(within, snapshot_id=snapshot_id)
            known = tuple(name for name in columns if name != _EVENT or name in scan.projection().column_names)
            try:
                return _columns(scan.select(*known).to_arrow_batch_reader(), known)
            except FileNotFoundError as error:
                missing = error  # the snapshot may have expired since the table was loaded: retry
            except OSError as error:
                raise RetryableError(f"the archive's bucket does not answer: {error}") from error
        raise IntegrityError(f"the archive is missing a data file of {_text(hour)}: {missing}")

    def _tried(self, work: Callable[[], _Result]) -> Generator[None, None, _Result]:
        """Return the result of `work`, retried until catalog and bucket answer; yields control meanwhile."""
        backoff, status = Backoff(STORE, self._context.random), self._context.status
        while True:
            try:
                result = yield from _awaited(work)
            except RetryableError as error:
                seconds = backoff.network()
                status.connected, status.sentence = False, str(error)
                status.reconnects["network"] += 1
                _log.warning("%s; retrying in %.2f s", error, seconds)
                if self._context.wait(seconds):
                    raise StoppedError("stopped while the archive was unavailable") from error
            else:
                status.connected, status.sentence = True, ""
                return result


_Result = TypeVar("_Result")


def _awaited(work: Callable[[], _Result]) -> Generator[None, None, _Result]:
    future: Future[_Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - re-raised by `future.result()`
            future.set_exception(error)

    Thread(target=run, name="replay-archive", daemon=True).start()
    while not wait([future], POLL_S).done:
        yield None
    return future.result()


def _pieces(keys: _Rows) -> list[_Piece]:
    """Return ranges, in order, of `PIECE_ROWS` offsets each; only the keys have to fit into memory."""
    partitions, offsets = keys["kafka_partition"], keys["kafka_offset"]
    pieces = []
    for partition in np.unique(partitions).tolist():
        ordered = np.unique(offsets[partitions == partition])
        for begin in range(0, len(ordered), PIECE_ROWS):
            some = ordered[begin : begin + PIECE_ROWS]
            pieces.append(_Piece.of(partition, int(some[0]), int(some[-1])))
    return pieces


def _columns(batches: Iterable[Any], names: tuple[str, ...]) -> _Rows:
    """Return each column as one array, times in microseconds. Each batch is released before the next is read."""
    parts: dict[str, list[Any]] = {name: [np.empty(0, dtype=np.int64)] for name in names}
    for batch in batches:
        for name in names:
            column = batch[name].cast("int64") if name in _NUMBERS else batch[name]
            parts[name].append(column.to_numpy(zero_copy_only=False))
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _records(hour: datetime, rows: _Rows, after: _RowPosition) -> Iterator[ReplayRecord]:
    """Yield the records of an hour after a position, in order."""
    order = np.lexsort((rows["kafka_timestamp"], rows["kafka_offset"], rows["kafka_partition"]))
    text, events = _text(hour), rows.get(_EVENT)
    for begin in range(0, len(order), _AT_ONCE):
        some = order[begin : begin + _AT_ONCE]
        kinds = repeat(None, len(some)) if events is None else events[some].tolist()
        read = zip(kinds, *(rows[name][some].tolist() for name in _COLUMNS), strict=True)
        for kind, tweet_id, micros, payload, *at in read:
            if payload is not None and (hour, *at) > after:
                cursor = f"{text}\t{at[0]}\t{at[1]}\t{at[2]}"
                yield ReplayRecord(payload, cursor, tweet_id, micros // 1000, kind="edit" if kind == "edit" else "post")


def _hour(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{name}={text} is not an hour; write it as 2026-11-01T00:00Z") from None
    at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    if at != at.replace(minute=0, second=0, microsecond=0):
        raise ConfigurationError(f"{name}={text} is not a full hour; write it as 2026-11-01T00:00Z")
    return at


def _text(hour: datetime) -> str:
    return hour.isoformat()


def _hour_of(value: int | datetime) -> datetime:
    """Return the start of an hour that Iceberg stores as hours since the epoch."""
    return _EARLIEST + timedelta(hours=value) if isinstance(value, int) else value.replace(tzinfo=UTC)
