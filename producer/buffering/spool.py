"""The buffer of live sources: on disk first, because a live source cannot be read again."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Condition, Thread
from threading import Event as Flag

from producer.buffering.buffer import EventBatch, Intake
from producer.buffering.segments import SEGMENT_BYTES, Segments
from producer.source import Event
from twitter_topics.errors import RetryableError

RECENT_BYTES = 16 * 1024 * 1024
"""Batches on disk that are also kept in memory, for a sender that keeps up. One that falls behind reads the disk."""

RESERVE_BYTES = 64 * 1024 * 1024
"""Free disk space that the spool leaves: without any, the position could not be saved, nor the spool emptied."""

_RETRY_S = 1.0
_LOOK_S = 1.0
_SEGMENTS = 8  # minimum in a full spool, so that space is freed in steps

_log = logging.getLogger(__name__)


class Spool:
    """A `Buffer` on disk. Its own thread writes: one write and one sync for everything that arrived meanwhile.

    Args:
        folder: one per source; a second process that opens it is rejected.
        max_bytes: beyond it, or with hardly any disk space left, `put` waits until Kafka has taken some, give or take a
            batch.
        now_ms: returns Unix milliseconds.
        after: records up to this number are no longer needed, according to the position.

    Raises:
        RetryableError: another producer uses the folder.
        OSError: the folder cannot be read or written.
    """

    def __init__(self, folder: Path, max_bytes: int, now_ms: Callable[[], int], after: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._guard = _only_user(folder)
        self._folder = folder
        self._segments = Segments.recover(folder, after, min(SEGMENT_BYTES, max_bytes // _SEGMENTS))
        self._max_bytes = max_bytes
        self.recovered = self._segments.recovered
        self._intake = Intake(now_ms)
        self._changed = Condition()
        self._recent: deque[EventBatch] = deque()
        self._recent_bytes = 0
        self._confirmed = self.recovered.forgotten
        self._next = self._confirmed + 1
        self._behind = self._next <= self.recovered.last
        self._reader: Iterator[EventBatch | None] | None = None
        self._room = Flag()
        self._failure: Exception | None = None
        self.problem = ""
        self._writer = Thread(target=self._write_all, name="spool", daemon=True)
        self._writer.start()

    def put(self, event: Event) -> bool:
        return self._intake.put(event)

    def finish(self) -> None:
        self._intake.finish()
        self._room.set()

    def take(self, seconds: float) -> EventBatch | None:
        with self._changed:
            if not self._recent and not self._behind and self._writer.is_alive():
                self._changed.wait(seconds)
            if self._recent:
                batch = self._recent.popleft()
                self._recent_bytes -= batch.size
                self._next = batch.last + 1
                return batch
            if self._failure is not None:
                raise self._failure
            if not self._behind:
                return None
        if self._reader is None:
            self._reader = self._segments.read(self._next)
        read = next(self._reader)
        with self._changed:
            if read is not None:
                self._next = read.last + 1
            elif self._next > self._segments.last:
                self._behind, self._reader = False, None
        return read

    @property
    def exhausted(self) -> bool:
        return not self._writer.is_alive() and self._next > self._segments.last

    def confirm(self, number: int) -> None:
        self._confirmed = number

    def rewind(self) -> None:
        with self._changed:
            self._recent.clear()
            self._recent_bytes = 0
            self._next = self._confirmed + 1
            self._behind, self._reader = True, None

    def forget(self, number: int) -> None:
        self._segments.forget(number)
        self._room.set()

    def backlog(self) -> tuple[int, int]:
        records = self._segments.last - self._confirmed + len(self._intake)
        return (records, self._segments.bytes + self._intake.bytes) if records > 0 else (0, 0)

    def close(self) -> None:
        """Write what is left and release everything. Safe to call more than once."""
        self.finish()
        self._writer.join()
        self._segments.close()
        if self._guard >= 0:
            os.close(self._guard)
            self._guard = -1

    def _write_all(self) -> None:
        try:
            while not self._intake.drained:
                taken = self._intake.take(_LOOK_S)
                if taken is not None:
                    received_ms, events = taken
                    first = self._segments.last + 1
                    self._write(EventBatch(first, first + len(events) - 1, received_ms, events))
        except Exception as error:  # noqa: BLE001 - `take` raises it where it is seen
            self._failure = error
            self._intake.finish()
        finally:
            with self._changed:
                self._changed.notify_all()

    def _write(self, batch: EventBatch) -> None:
        """Write to disk, however long that takes; the last batches of a stop may exceed the bound."""
        self._wait_for_room()
        while True:
            try:
                self._segments.append(batch)
                break
            except OSError as error:
                if self._intake.finished:
                    _log.error(
                        "%d records could not be written to the spool and are lost (%s)", len(batch.events), error
                    )
                    return
                self.problem = f"cannot write the spool, receiving has stopped: {error}"
                self._room.clear()
                self._room.wait(_RETRY_S)
        self.problem = ""
        with self._changed:
            if self._behind or batch.first < self._next:
                return
            if self._recent_bytes + batch.size > RECENT_BYTES and self._recent:
                self._behind = True
                return
            self._recent.append(batch)
            self._recent_bytes += batch.size
            self._changed.notify_all()

    def _wait_for_room(self) -> None:
        while (full := self._full()) and not self._intake.finished:
            self.problem = f"{full}, receiving has stopped"
            self._room.clear()
            if self._full() and not self._intake.finished:
                self._room.wait(_LOOK_S)

    def _full(self) -> str:
        """Return what is full, empty if nothing is. A spool without records accepts a batch in any case."""
        if self._segments.forgotten >= self._segments.last:
            return ""
        if self._segments.bytes >= self._max_bytes:
            return f"the spool is full (PRODUCER_SPOOL_MAX_MB={self._max_bytes >> 20})"
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError:
            return ""  # writing will name the problem
        return f"the disk of {self._folder} is full ({free >> 20} MiB left)" if free < RESERVE_BYTES else ""


def _only_user(folder: Path) -> int:
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise RetryableError(
            f"another producer uses {folder}: give each producer of the same source its own PRODUCER_STATE_DIR"
        ) from error
    return handle
