"""The state of the counts: what is counted, up to where, and what the view does not show yet. One transaction a batch.

Tables: `counts_meta` (one row), `counts_offset`, `counts_lane`, `counts_series`, `counts_pane`, `counts_unpublished`,
`counts_restoration` (no row or one).
"""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from twitter_topics.backends.database import Database, database_url
from twitter_topics.counts import lane_rows, pane_rows
from twitter_topics.counts import tables as t
from twitter_topics.counts.batch import BatchCounts
from twitter_topics.counts.panes import (
    PANE_MS,
    Ends,
    HourPoint,
    Pane,
    Sums,
    changed_ends,
    merge,
    rolling_hours,
)
from twitter_topics.counts.position import Position, Unpublished
from twitter_topics.counts.restoration import Restoration, Scope
from twitter_topics.counts.revision import revision_at
from twitter_topics.errors import ConfigurationError, ConflictError, RetryableError

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


_RESET = "the counts were reset: they begin again with what Kafka has"


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
        url = database_url(SETTING, counts.database_uri, counts.database_username, counts.database_password, counts.tls)
        return cls(Database(SETTING, url), settings.kafka.processed_topic)

    @property
    def where(self) -> str:
        """Address of the database without its password."""
        return self._database.where

    def require(self) -> None:
        """Make sure that looking at the state does not make its file.

        Raises:
            RetryableError: the file does not exist yet.
        """
        if self._database.is_missing():
            raise RetryableError(f"{self.where} does not exist: the aggregator makes it at its first start (make up)")

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
            # a state that was restored from a copy has published later revisions, perhaps with other values
            revision = max(meta.revision, self._fresh_revision())
            connection.execute(sa.update(t.META).values(owner=owner, topic_id=topic_id, revision=revision))
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
            self._check_fits(connection, batch)
            for partition, offset in batch.offsets.items():
                values = {"kafka_partition": partition, "next_offset": offset}
                connection.execute(t.replace(t.OFFSET, connection.dialect.name, ["next_offset"]), values)
            lane_rows.raise_marks(connection, batch.lanes)
            self._add_sums(connection, meta, batch)
            return self._position(connection)

    def begin_restoration(
        self, held: Position, raw_topic_id: str, archived: Mapping[int, int], expired: Iterable[int], partitions: int
    ) -> Restoration | None:
        """Fix which archived tweets are to be counted, and mark them as counted in lanes that Kafka had nothing of.
        Returns None if nothing is to be restored. Arguments as of `Restoration.begin`.

        Args:
            held: a position of the state that is restored.

        Raises:
            ConflictError: as `add`.
            RetryableError: that state was reset in the meantime.
        """
        with self._database.transaction() as connection:
            self._still(connection, held)
            position = self._position(connection)
            due = position.restoration
            if due is None or due.begun:
                return due
            begun = due.begin(position.lanes, raw_topic_id, archived, expired, partitions)
            lane_rows.raise_marks(connection, begun.new_lanes())
            self._note_restoration(connection, begun)
            return begun

    def add_restored(self, held: Position, day: int, batch: BatchCounts) -> None:
        """Add the archived tweets of a day (since 1970-01-01); a day that was added before changes nothing.

        Raises:
            ConflictError, RetryableError: as `begin_restoration`.
        """
        with self._database.transaction() as connection:
            meta = self._still(connection, held)
            restoration = self._restoration(connection)
            if restoration is not None and restoration.next_day <= day:
                self._add_sums(connection, meta, batch)
                self._note_restoration(connection, replace(restoration, next_day=day + 1))

    def end_restoration(self, held: Position) -> None:
        """Everything that was due is counted.

        Raises:
            ConflictError, RetryableError: as `begin_restoration`.
        """
        with self._database.transaction() as connection:
            self._still(connection, held)
            connection.execute(sa.delete(t.RESTORATION))

    def reset(self, scope: Scope = Scope.expired) -> None:
        """Forget all but the topic: whoever reads next begins with what Kafka has, and restores `scope` from the
        archive. The owner has to claim again.

        Raises:
            RetryableError: everything is to be restored, and there is no state yet.
        """
        with self._database.transaction() as connection:
            t.METADATA.create_all(connection)
            meta = self._meta(connection) if scope is Scope.expired else self._required(connection)
            for table in reversed(t.METADATA.sorted_tables):
                connection.execute(sa.delete(table))
            if meta is not None:
                self._create(connection, meta.topic_id, meta.raw_topic_id, scope, above=meta.revision)

    def publish_all(self) -> int:
        """Mark every hour as not published, at a revision above any before. Returns that revision.

        Raises:
            RetryableError: there is no state yet.
        """
        with self._database.snapshot() as connection:  # years of panes: nobody waits for them to be read
            before = self._meta_if_any(connection)
            touched = pane_rows.starts_by_series(connection) if before else {}
        with self._database.transaction() as connection:
            meta = self._required(connection)
            if before is None or before.state_id != meta.state_id:
                touched = pane_rows.starts_by_series(connection)
            revision: int = max(meta.revision + 1, self._fresh_revision())
            connection.execute(sa.update(t.META).values(revision=revision))
            if meta.newest_ms is not None:
                changed = changed_ends(touched, (), None, meta.newest_ms)
                pane_rows.note_unpublished(connection, changed, self._clock())
            return revision

    def unpublished(self) -> Unpublished | None:
        """The oldest points that the view lacks, at most CHUNK_ENDS ends of hours; None when it lacks none.

        Values are computed from the snapshot that the revision is read from, so a revision of an hour has one value,
        whoever computes it.
        """
        with self._database.snapshot() as connection:
            meta = self._meta_if_any(connection)
            if meta is None:
                return None
            table = t.UNPUBLISHED.c
            first, mark = connection.execute(sa.select(sa.func.min(table.first_end_ms), sa.func.max(table.id))).one()
            if first is None:
                return None
            until = first + (CHUNK_ENDS - 1) * PANE_MS
            due: dict[int, list[Ends]] = defaultdict(list)
            rows = sa.select(t.UNPUBLISHED).where(table.first_end_ms <= until)  # after days, far from all of them
            for row in connection.execute(rows):
                due[row.series_id].append(Ends(row.first_end_ms, min(row.last_end_ms, until)))
            points = pane_rows.points(connection, {series: merge(ends) for series, ends in due.items()})
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
            return pane_rows.panes(connection, from_ms, to_ms)

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

    def topics(self, from_ms: int, to_ms: int) -> dict[tuple[int, str], int]:
        """Tweets of the panes that start in [from_ms, to_ms), by (topic id, model version)."""
        with self._database.snapshot() as connection:
            return pane_rows.topics(connection, from_ms, to_ms)

    def tweets_by_hour(self) -> dict[int, int]:
        """Tweets of the panes by the hour (Unix ms of its start) of their event time."""
        with self._database.snapshot() as connection:
            return {} if self._meta_if_any(connection) is None else pane_rows.tweets_by_hour(connection)

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
            raise RetryableError(_RESET)
        return meta

    def _still(self, connection: Connection, held: Position) -> Any:
        """As `_owned`; a state that was reset since `held`, and claimed by the same owner again, is another one."""
        meta = self._owned(connection, held.owner)
        if meta.state_id != held.state_id:
            raise RetryableError(_RESET)
        return meta

    def _create(
        self, connection: Connection, topic_id: str, raw_topic_id: str, scope: Scope = Scope.expired, *, above: int = 0
    ) -> Any:
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
        self._note_restoration(connection, Restoration(scope))
        return self._meta(connection)

    def _fresh_revision(self) -> int:
        return revision_at(self._clock())

    def _position(self, connection: Connection) -> Position:
        meta = self._meta(connection, lock=False)
        offsets = {row.kafka_partition: row.next_offset for row in connection.execute(sa.select(t.OFFSET))}
        values = {name: getattr(meta, name) for name in _POSITION_COLUMNS}
        return Position(
            **values, offsets=offsets, lanes=lane_rows.lanes(connection), restoration=self._restoration(connection)
        )

    def _restoration(self, connection: Connection) -> Restoration | None:
        # a database from before restorations is read before anybody claims it
        if not sa.inspect(connection).has_table(t.RESTORATION.name):
            return None
        text = connection.execute(sa.select(t.RESTORATION.c.restoration)).scalar()
        return Restoration.of_text(text) if text else None

    def _note_restoration(self, connection: Connection, restoration: Restoration) -> None:
        values = {"id": 1, "restoration": restoration.text()}
        connection.execute(t.replace(t.RESTORATION, connection.dialect.name, ["restoration"]), values)

    def _add_sums(self, connection: Connection, meta: Any, batch: BatchCounts) -> None:
        deltas = pane_rows.with_series(connection, batch.sums)
        newest = pane_rows.add_panes(connection, deltas, meta.newest_ms, self._clock())
        connection.execute(
            sa.update(t.META).values(
                revision=meta.revision + 1,
                newest_ms=newest,
                tweets=meta.tweets + sum(sums.tweets for sums in deltas.values()),
                rejected=meta.rejected + batch.rejected,
                shares=meta.shares + batch.shares,
            )
        )

    def _check_fits(self, connection: Connection, batch: BatchCounts) -> None:
        for row in connection.execute(sa.select(t.OFFSET)):
            start = batch.starts.get(row.kafka_partition, row.next_offset)
            if start < row.next_offset:
                raise RetryableError(
                    f"partition {row.kafka_partition} of {self._topic} is counted up to {row.next_offset}, "
                    f"and the batch begins at {start}"
                )
        for lane, before in lane_rows.lanes(connection).items():
            if lane in batch.lanes and batch.lanes[lane].low <= before.high:
                raise RetryableError(
                    f"raw partition {lane.raw_partition} is counted up to offset {before.high}, "
                    f"and the batch begins at {batch.lanes[lane].low}"
                )
