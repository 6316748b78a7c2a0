"""The state of the counts: what is counted, up to where, and what the view does not show yet. One transaction a batch.

Tables: `counts_meta` (one row), `counts_offset`, `counts_lane`, `counts_series`, `counts_pane`, `counts_unpublished`.
"""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from twitter_topics.backends.database import Database, database_url
from twitter_topics.backends.influx import tag_text
from twitter_topics.counts import tables as t
from twitter_topics.counts.batch import BatchCounts, Lane, Marks, TopicPane
from twitter_topics.counts.panes import (
    PANE_MS,
    WINDOW_MS,
    Ends,
    HourPoint,
    Pane,
    Series,
    Sums,
    changed_ends,
    merge,
    rolling_hours,
)
from twitter_topics.counts.position import Position, Unpublished
from twitter_topics.errors import ConfigurationError, ConflictError, RetryableError
from twitter_topics.records.processed import NO_TOPIC, NO_TOPIC_LABEL

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from twitter_topics.settings import Settings

SETTING = "COUNTS_DATABASE_URI"
_POSITION_COLUMNS = (
    *("state_id", "topic", "topic_id", "raw_topic_id", "revision", "owner"),
    *("newest_ms", "tweets", "rejected", "shares"),
)
CHUNK_ENDS = 2_160
"""Ends of hours that are published at once: six hours, so that a rebuild of a month fits into memory."""

_EPOCH_SECONDS = 1_767_225_600
"""2026-01-01: revisions count from here, so that they stay below the ten seconds of nanoseconds of a pane."""


def revision_at(unix_seconds: float) -> int:
    """A revision above all before, also those of a state that is lost: a batch takes more than a second."""
    return max(1, int(unix_seconds) - _EPOCH_SECONDS)


class CountsState:
    """Panes, offsets, high-water marks and what is to be published, in a SQL database.

    Every method is one transaction, or one snapshot where it only reads. It raises RetryableError while the database
    does not answer, ConfigurationError when it rejects the settings.

    Args:
        database: where it is.
        topic: name of the processed topic; a state belongs to one.
        clock: Unix seconds.
    """

    def __init__(self, database: Database, topic: str, clock: Callable[[], float] = time.time) -> None:
        self._database, self._topic, self._clock = database, topic, clock

    @classmethod
    def of(cls, settings: Settings) -> CountsState:
        """The state of the settings.

        Raises:
            ConfigurationError: COUNTS_DATABASE_URI is not an address of a database.
        """
        counts = settings.counts
        url = database_url(SETTING, counts.database_uri, counts.database_username, counts.database_password)
        return cls(Database(SETTING, url), settings.kafka.processed_topic)

    @property
    def where(self) -> str:
        """Address of the database without its password."""
        return self._database.where

    def close(self) -> None:
        self._database.close()

    def claim(self, owner: str, topic_id: str, raw_topic_id: str) -> Position:
        """Become the one writer, and say where to read on. A state that does not exist yet is made, empty.

        Args:
            owner: token of this process. Whoever held the state before finds out at its next `add`.
            topic_id: Kafka's id of the processed topic. When it is another one than before, the topic was made anew and
                is read from its beginning; the lanes still know what was counted.
            raw_topic_id: Kafka's id of the raw topic; remembered by a new state.

        Raises:
            ConfigurationError: the state belongs to another topic, or a newer version of this program wrote it.
        """
        with self._database.transaction() as connection:
            t.METADATA.create_all(connection)
            meta = self._meta(connection) or self._create(connection, topic_id, raw_topic_id)
            if meta.topic_id != topic_id:
                connection.execute(sa.delete(t.OFFSET))
            connection.execute(sa.update(t.META).values(owner=owner, topic_id=topic_id))
            return self._position(connection)

    def position(self) -> Position | None:
        """What is counted now; None when nothing was ever counted here."""
        with self._database.snapshot() as connection:
            return None if self._meta_if_any(connection) is None else self._position(connection)

    def add(self, batch: BatchCounts, owner: str) -> Position:
        """Add a batch as a whole or not at all.

        Raises:
            ConflictError: another process has claimed the state.
            RetryableError: the batch does not begin where the state stands; read again from `position`.
        """
        with self._database.transaction() as connection:
            meta = self._owned(connection, owner)
            self._check_starts(connection, batch)
            deltas = self._with_series(connection, batch.sums)
            newest = self._add_panes(connection, deltas, meta.newest_ms)
            for partition, offset in batch.offsets.items():
                values = {"kafka_partition": partition, "next_offset": offset}
                connection.execute(t.replace(t.OFFSET, connection.dialect.name, ["next_offset"]), values)
            self._raise_marks(connection, batch.lanes)
            connection.execute(
                sa.update(t.META).values(
                    revision=meta.revision + 1,
                    newest_ms=newest,
                    tweets=meta.tweets + sum(sums.tweets for sums in deltas.values()),
                    rejected=meta.rejected + batch.rejected,
                    shares=meta.shares + batch.shares,
                )
            )
            return self._position(connection)

    def reset(self) -> None:
        """Forget all but the topic: whoever reads next begins with what Kafka has. The owner has to claim again."""
        with self._database.transaction() as connection:
            t.METADATA.create_all(connection)
            meta = self._meta(connection)
            for table in reversed(t.METADATA.sorted_tables):
                connection.execute(sa.delete(table))
            if meta is not None:
                self._create(connection, meta.topic_id, meta.raw_topic_id, above=meta.revision)

    def publish_all(self) -> int:
        """Mark every hour as not published, at a revision above any before. Returns that revision.

        Raises:
            RetryableError: there is no state yet.
        """
        with self._database.transaction() as connection:
            meta = self._required(connection)
            revision: int = max(meta.revision + 1, self._fresh_revision())
            connection.execute(sa.update(t.META).values(revision=revision))
            if meta.newest_ms is not None:
                starts = sa.select(t.PANE.c.series_id, t.PANE.c.start_ms).order_by(t.PANE.c.start_ms)
                touched: dict[int, list[int]] = defaultdict(list)
                for series_id, start in connection.execute(starts):
                    touched[series_id].append(start)
                self._note_unpublished(connection, changed_ends(touched, (), None, meta.newest_ms))
            return revision

    def unpublished(self) -> Unpublished | None:
        """The oldest points that the view lacks, at most CHUNK_ENDS ends of hours; None when it lacks none.

        Values are computed from the snapshot that the revision is read from, so a revision of an hour has one value,
        whoever computes it.
        """
        with self._database.snapshot() as connection:
            meta = self._meta_if_any(connection)
            rows = connection.execute(sa.select(t.UNPUBLISHED)).all() if meta else []
            if not rows:
                return None
            first = min(row.first_end_ms for row in rows)
            until = first + (CHUNK_ENDS - 1) * PANE_MS
            due: dict[int, list[Ends]] = defaultdict(list)
            for row in rows:
                if row.first_end_ms <= until:
                    due[row.series_id].append(Ends(row.first_end_ms, min(row.last_end_ms, until)))
            points = self._points(connection, {series: merge(ends) for series, ends in due.items()})
            mark = max(row.id for row in rows)
            return Unpublished(meta.state_id, meta.revision, meta.newest_ms + PANE_MS, points, mark, until)

    def note_published(self, part: Unpublished) -> None:
        """The view has these points."""
        table, until = t.UNPUBLISHED, part.until_ms
        known = table.c.id <= part.mark
        with self._database.transaction() as connection:
            connection.execute(sa.delete(table).where(known, table.c.last_end_ms <= until))
            rest = sa.update(table).where(known, table.c.first_end_ms <= until)
            connection.execute(rest.values(first_end_ms=until + PANE_MS))

    def unpublished_since(self) -> float | None:
        """Unix seconds of the oldest change that the view lacks, None when it lacks none."""
        with self._database.snapshot() as connection:
            if self._meta_if_any(connection) is None:
                return None
            oldest: float | None = connection.execute(sa.select(sa.func.min(t.UNPUBLISHED.c.noted_at))).scalar()
            return oldest

    def panes(self, from_ms: int, to_ms: int) -> list[Pane]:
        """Panes that start in [from_ms, to_ms), in order."""
        with self._database.snapshot() as connection:
            return self._panes(connection, from_ms, to_ms, None)

    def hours(self, ends: Ends) -> list[HourPoint]:
        """Rolling hours that end in `ends`, computed from the panes."""
        return rolling_hours(self.panes(ends.panes_from_ms, ends.last_ms), ends)

    def counted(self) -> tuple[Position, Sums] | None:
        """The position and the sums over all panes at one moment; None when nothing was ever counted here."""
        columns = [sa.func.coalesce(sa.func.sum(t.PANE.c[name]), 0) for name in Sums._fields]
        with self._database.snapshot() as connection:
            if self._meta_if_any(connection) is None:
                return None
            sums = Sums(*(int(value) for value in connection.execute(sa.select(*columns)).one()))
            return self._position(connection), sums

    def tweets_by_hour(self) -> dict[int, int]:
        """Tweets of the panes by the hour (Unix ms of its start) of their event time."""
        hour = t.PANE.c.start_ms - t.PANE.c.start_ms % WINDOW_MS
        with self._database.snapshot() as connection:
            if self._meta_if_any(connection) is None:
                return {}
            rows = connection.execute(sa.select(hour, sa.func.sum(t.PANE.c.tweets)).group_by(hour))
            return {int(start): int(tweets) for start, tweets in rows}

    # --- inside a transaction

    def _meta(self, connection: Connection, *, lock: bool = True) -> Any:
        row = connection.execute(sa.select(t.META).with_for_update() if lock else sa.select(t.META)).one_or_none()
        if row is None:
            return None
        if row.schema_version > t.SCHEMA_VERSION:
            raise ConfigurationError(
                f"{SETTING} ({self.where}) was written by a newer version of this program (schema "
                f"{row.schema_version}, this one knows {t.SCHEMA_VERSION}): upgrade, or give it another database"
            )
        if row.topic != self._topic:
            raise ConfigurationError(
                f"KAFKA_PROCESSED_TOPIC is {self._topic}, but the counts in {self.where} come from {row.topic}: "
                f"set it back, or give {SETTING} another database"
            )
        return row

    def _meta_if_any(self, connection: Connection, *, lock: bool = False) -> Any:
        return self._meta(connection, lock=lock) if sa.inspect(connection).has_table(t.META.name) else None

    def _required(self, connection: Connection) -> Any:
        meta = self._meta_if_any(connection, lock=True)
        if meta is None:
            raise RetryableError(f"{self.where} has no counts yet: the aggregator makes them at its first start")
        return meta

    def _owned(self, connection: Connection, owner: str) -> Any:
        meta = self._required(connection)
        if meta.owner and meta.owner != owner:
            raise ConflictError(f"another aggregator ({meta.owner}) has taken over the counts in {self.where}")
        if meta.owner != owner:
            raise RetryableError("the counts were reset: they begin again with what Kafka has")
        return meta

    def _create(self, connection: Connection, topic_id: str, raw_topic_id: str, *, above: int = 0) -> Any:
        row = {
            "id": 1,
            "schema_version": t.SCHEMA_VERSION,
            "state_id": uuid.uuid4().hex,
            "topic": self._topic,
            "topic_id": topic_id,
            "raw_topic_id": raw_topic_id,
            "revision": max(self._fresh_revision(), above + 1),
            "owner": "",
            "tweets": 0,
            "rejected": 0,
            "shares": 0,
        }
        connection.execute(sa.insert(t.META).values(row))
        return self._meta(connection)

    def _fresh_revision(self) -> int:
        return revision_at(self._clock())

    def _position(self, connection: Connection) -> Position:
        meta = self._meta(connection, lock=False)
        lanes = {
            Lane(row.raw_topic_id, row.raw_partition, row.kafka_partition): Marks(row.low_offset, row.high_water_mark)
            for row in connection.execute(sa.select(t.LANE))
        }
        offsets = {row.kafka_partition: row.next_offset for row in connection.execute(sa.select(t.OFFSET))}
        values = {name: getattr(meta, name) for name in _POSITION_COLUMNS}
        return Position(**values, offsets=offsets, lanes=lanes)

    def _check_starts(self, connection: Connection, batch: BatchCounts) -> None:
        for row in connection.execute(sa.select(t.OFFSET)):
            start = batch.starts.get(row.kafka_partition, row.next_offset)
            if start < row.next_offset:
                raise RetryableError(
                    f"partition {row.kafka_partition} of {self._topic} is counted up to {row.next_offset}, "
                    f"and the batch begins at {start}"
                )

    def _with_series(self, connection: Connection, sums: Mapping[TopicPane, Sums]) -> dict[tuple[int, int], Sums]:
        """Sums by (pane start, series id). A record without labels belongs to the first series of its topic."""
        known: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
        for row in connection.execute(sa.select(t.SERIES).order_by(t.SERIES.c.id)):
            known[row.topic_id, row.model_version][row.label] = row.id
        result: dict[tuple[int, int], Sums] = defaultdict(Sums)
        # labels first: a batch of old and new records has one series for both
        for pane in sorted(sums, key=lambda one: (one.label is None, one)):
            series = known[pane.topic_id, pane.model_version]
            label = tag_text(pane.label) if pane.label else next(iter(series), _label_of_old(pane.topic_id))
            if label not in series:
                values = {"topic_id": pane.topic_id, "label": label, "model_version": pane.model_version}
                key = connection.execute(sa.insert(t.SERIES).values(values)).inserted_primary_key
                series[label] = int(key[0]) if key else 0
            result[pane.start_ms, series[label]] = result[pane.start_ms, series[label]].plus(sums[pane])
        return dict(result)

    def _add_panes(
        self, connection: Connection, deltas: Mapping[tuple[int, int], Sums], previous_newest_ms: int | None
    ) -> int | None:
        """Add to the panes and note what the view lacks from now on; returns the newest pane."""
        if not deltas:
            return previous_newest_ms
        starts = {start for start, _ in deltas}
        newest = max(starts) if previous_newest_ms is None else max(previous_newest_ms, *starts)
        rows = [{"start_ms": start, "series_id": series} | sums._asdict() for (start, series), sums in deltas.items()]
        connection.execute(t.add_to(t.PANE, connection.dialect.name, Sums._fields), rows)
        touched: dict[int, list[int]] = defaultdict(list)
        for start, series in deltas:
            touched[series].append(start)
        alive: Iterable[int] = ()
        if previous_newest_ms is not None and previous_newest_ms < newest:
            recent = t.PANE.c.start_ms >= previous_newest_ms - WINDOW_MS
            alive = connection.execute(sa.select(t.PANE.c.series_id).where(recent).distinct()).scalars().all()
        self._note_unpublished(connection, changed_ends(touched, alive, previous_newest_ms, newest))
        return newest

    def _note_unpublished(self, connection: Connection, changed: Mapping[int, Iterable[Ends]]) -> None:
        now = self._clock()
        rows = [
            {"series_id": series, "first_end_ms": ends.first_ms, "last_end_ms": ends.last_ms, "noted_at": now}
            for series, intervals in changed.items()
            for ends in intervals
        ]
        if rows:
            connection.execute(sa.insert(t.UNPUBLISHED), rows)

    def _raise_marks(self, connection: Connection, lanes: Mapping[Lane, Marks]) -> None:
        for lane, marks in lanes.items():
            values = {
                "raw_topic_id": lane.raw_topic_id,
                "raw_partition": lane.raw_partition,
                "kafka_partition": lane.partition,
                "low_offset": marks.low,
                "high_water_mark": marks.high,
            }
            connection.execute(t.replace(t.LANE, connection.dialect.name, ["high_water_mark"]), values)

    def _points(self, connection: Connection, due: Mapping[int, list[Ends]]) -> list[HourPoint]:
        names = self._series_names(connection)
        by_name = {names[series]: ends for series, ends in due.items()}
        found = []
        for ends in merge(ends for intervals in due.values() for ends in intervals):
            panes = self._panes(connection, ends.panes_from_ms, ends.last_ms, due)
            found += [
                point
                for point in rolling_hours(panes, ends)
                if any(one.first_ms <= point.end_ms <= one.last_ms for one in by_name[point.series])
            ]
        return found

    def _panes(self, connection: Connection, from_ms: int, to_ms: int, series: Iterable[int] | None) -> list[Pane]:
        names = self._series_names(connection)
        query = sa.select(t.PANE).where(t.PANE.c.start_ms >= from_ms, t.PANE.c.start_ms < to_ms)
        if series is not None:
            query = query.where(t.PANE.c.series_id.in_(list(series)))
        rows = connection.execute(query.order_by(t.PANE.c.start_ms, t.PANE.c.series_id))
        return [Pane(start, names[one], Sums(*sums)) for start, one, *sums in rows]

    def _series_names(self, connection: Connection) -> dict[int, Series]:
        rows = connection.execute(sa.select(t.SERIES))
        return {row.id: Series(row.topic_id, row.label, row.model_version) for row in rows}


def _label_of_old(topic_id: int) -> str:
    """For a record without labels whose topic nobody has named yet."""
    return NO_TOPIC_LABEL if topic_id == NO_TOPIC else f"topic {topic_id}"
