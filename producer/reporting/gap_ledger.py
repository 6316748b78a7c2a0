"""Gaps on their way to InfluxDB: kept on disk until they are written."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Self

from producer.reporting.background import Background
from twitter_topics.errors import IntegrityError
from twitter_topics.records.gap import Gap
from twitter_topics.settings import Settings

MAX_GAPS = 10_000
"""Bound of what is kept for InfluxDB; beyond it the oldest are dropped. The gap topic has them all."""

_LAST_GAPS_SECONDS = 3.0

_log = logging.getLogger(__name__)


class GapLedger:
    """Writes every gap to InfluxDB, in its own thread, retrying until it succeeds.

    One instance per producer. Call `add(event.value)` for each event of kind `gap` when it is handed to Kafka, before
    the position after it is saved: a crash then repeats the event, and a gap that is added or written twice is the same
    point. `add` returns when the gap is on disk; it waits for no server and raises nothing.

    Args:
        path: of the file, `<state_dir>/<source>-gaps.jsonl`: one gap per line. Its gaps are written first.
        write: writes a gap to InfluxDB.
        release: called at the end.
    """

    def __init__(
        self,
        path: Path,
        write: Callable[[Gap], None],
        max_gaps: int = MAX_GAPS,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self._path, self._write, self._max_gaps, self._release = path, write, max_gaps, release
        self._lock = Lock()
        self._pending = _read(path)
        self._background = Background("gaps in InfluxDB", self._send)
        if self._pending:
            self._background.wake()

    @classmethod
    def open(cls, settings: Settings, name: str) -> Self:
        """Open the ledger of the source `name`."""
        from twitter_topics.backends.influx import SHORT_TIMEOUT_S  # its client imports pandas: a second
        from twitter_topics.health.points import HealthPoints

        points = HealthPoints(settings.influx, timeout_s=SHORT_TIMEOUT_S)
        return cls(settings.producer.state_dir / f"{name}-gaps.jsonl", points.write_gap, release=points.close)

    def add(self, value: bytes) -> None:
        """Keep a gap, given as the value of its event, until it is written."""
        try:
            gap = Gap.from_value(value)
            with self._lock:
                self._pending[gap.key()] = gap
                self._append(gap)
        except (ValueError, TypeError) as error:
            _log.warning("not a gap, not written to InfluxDB: %s", error)
        except OSError as error:
            _log.warning("%s: %s; keeping a gap in memory only", self._path, error)
        self._background.wake()

    def close(self) -> None:
        """End the thread; unwritten gaps stay in the file. Safe to call more than once."""
        self._background.close(_LAST_GAPS_SECONDS)
        self._release()

    def _send(self) -> None:
        with self._lock:
            waiting = list(self._pending.values())
        done = []
        try:
            for gap in waiting:
                try:
                    self._write(gap)
                except (IntegrityError, TypeError, ValueError) as error:
                    _log.error("InfluxDB rejects a gap, which stays in the gap topic: %s", error)
                done.append(gap)
        finally:
            self._forget(done)

    def _forget(self, done: list[Gap]) -> None:
        """Replace the file with what is left. After a kill the old file remains, and its gaps are written again."""
        with self._lock:
            for gap in done:
                if self._pending.get(gap.key()) == gap:
                    del self._pending[gap.key()]
            if done:
                self._rewrite()

    def _append(self, gap: Gap) -> None:
        if len(self._pending) > self._max_gaps:
            oldest = next(iter(self._pending))
            del self._pending[oldest]
            self._rewrite()
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            _put(file, [gap])

    def _rewrite(self) -> None:
        temporary = self._path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            _put(file, self._pending.values())
        temporary.replace(self._path)


def _put(file: BinaryIO, gaps: Iterable[Gap]) -> None:
    file.writelines(gap.value() + b"\n" for gap in gaps)
    file.flush()
    os.fsync(file.fileno())


def _read(path: Path) -> dict[bytes, Gap]:
    """Return the gaps in the file, without a line torn by a kill; the next gap starts a new line."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        _log.warning("%s: %s; its gaps are not written to InfluxDB", path, error)
        return {}
    found = {}
    for text in content.splitlines():
        try:
            gap = Gap.from_value(text)
        except (ValueError, TypeError) as error:
            _log.warning("%s: a line is not a gap: %s", path, error)
        else:
            found[gap.key()] = gap
    if content and not content.endswith(b"\n"):
        with suppress(OSError), path.open("ab") as file:  # a full disk costs the next gap
            file.write(b"\n")
    return found
