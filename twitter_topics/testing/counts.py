"""A view in memory that remembers every write, and a database that fails on cue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection

from twitter_topics.backends.database import Database
from twitter_topics.counts.panes import PANE_MS, WINDOW_MS, HourPoint, Series, Sums, pane_start
from twitter_topics.counts.revision import revision_at
from twitter_topics.counts.view import LastHour, topics_of


class Killed(Exception):  # noqa: N818 - an event of a test; a BaseException would hang Spark's callbacks
    """Stands for kill -9."""


@dataclass
class Fuse:
    """Burns at each write; at zero the process dies. Negative: it never does."""

    left: int = -1
    burnt: int = 0

    def burn(self, *_: Any) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1
        self.burnt += 1


class BreakingDatabase(Database):
    """Dies before a statement, before a commit, or right after it."""

    def __init__(self, setting: str, url: Any, fuse: Fuse) -> None:
        super().__init__(setting, url)
        self._fuse = fuse

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with super().transaction() as connection:
            event.listen(connection, "before_cursor_execute", self._fuse.burn)
            yield connection
            self._fuse.burn()
        self._fuse.burn()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        self._fuse.burn()
        with super().snapshot() as connection:
            yield connection


Key = tuple[str, int, Series, int]
"""(measurement, time in ms, series, revision)."""


@dataclass
class MemoryView:
    """Points in a dict, keyed as in InfluxDB. Passes the tests of the real view.

    Raises AssertionError when a point is written again with another value.
    """

    fuse: Fuse = field(default_factory=Fuse)
    points: dict[Key, Sums] = field(default_factory=dict)
    published: dict[int, int] = field(default_factory=dict)
    shown_state: str | None = None
    databases: int = 0

    def ensure_database(self) -> None:
        self.databases += 1

    def begin(self, state_id: str, revision: int) -> None:  # noqa: ARG002 - as of the real one
        if self.shown_state != state_id:
            self.points = {key: sums for key, sums in self.points.items() if key[0] != "hour"}
            self.published.clear()
            self.shown_state = state_id

    def state_id(self) -> str | None:
        return self.shown_state

    def end(self, newest_end_ms: int, revision: int) -> None:
        if self.published.setdefault(revision, newest_end_ms) != newest_end_ms:
            raise AssertionError(f"revision {revision} has two newest ends")
        self.fuse.burn()

    def write_hours(self, points: Iterable[HourPoint], revision: int) -> None:
        self._write("hour", points, 0, revision)

    def next_final_revision(self, from_ms: int, to_ms: int, unix_seconds: float) -> int:
        held = (
            revision + 1 for name, time_ms, _, revision in self.points if name == "final" and from_ms <= time_ms < to_ms
        )
        return max([revision_at(unix_seconds), *held])

    def write_final_hours(self, points: Iterable[HourPoint], from_ms: int, to_ms: int, revision: int) -> None:
        new = list(points)
        written = {(one.end_ms, one.series) for one in new}
        shown = self.final_hours(from_ms, to_ms)
        gone = [one._replace(sums=Sums()) for one in shown if (one.end_ms, one.series) not in written]
        self._write("final", [*new, *(one for one in gone)], -WINDOW_MS, revision)

    def _write(self, measurement: str, points: Iterable[HourPoint], shift_ms: int, revision: int) -> None:
        for number, point in enumerate(points):
            if number % 500 == 0:  # a few lumps are enough to be cut between, and there are thousands of points
                self.fuse.burn()
            key = (measurement, point.end_ms + shift_ms, point.series, revision)
            if self.points.setdefault(key, point.sums) != point.sums:
                raise AssertionError(f"{key} has two values")

    def last_hour(self, now_ms: int | None = None) -> LastHour | None:
        if not self.published:
            return None
        end_ms = self.published[max(self.published)]
        if now_ms is not None:
            end_ms = min(end_ms, pane_start(now_ms))
        return LastHour(end_ms, topics_of(self.hours(end_ms, end_ms + PANE_MS)))

    def hours(self, from_ms: int, to_ms: int) -> list[HourPoint]:
        return self._last("hour", from_ms, to_ms, 0)

    def final_hours(self, from_ms: int, to_ms: int) -> list[HourPoint]:
        return self._last("final", from_ms, to_ms, WINDOW_MS)

    def _last(self, measurement: str, from_ms: int, to_ms: int, to_end_ms: int) -> list[HourPoint]:
        newest: dict[tuple[int, Series], tuple[int, Sums]] = {}
        for (name, time_ms, series, revision), sums in self.points.items():
            if name == measurement and from_ms <= time_ms < to_ms:
                newest[time_ms, series] = max(newest.get((time_ms, series), (-1, sums)), (revision, sums))
        return [HourPoint(time_ms + to_end_ms, series, sums) for (time_ms, series), (_, sums) in newest.items()]
