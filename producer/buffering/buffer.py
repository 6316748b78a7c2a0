"""Records received and not yet acknowledged: the port between receiving and sending, and its in-memory form."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Condition, Lock
from typing import NamedTuple, Protocol

from producer.source import Event

BATCH_RECORDS = 2_000
BATCH_BYTES = 1024 * 1024
GATHER_S = 0.005
"""Under load, records are gathered for this long before they are taken; the first after a pause is taken at once."""


class EventBatch(NamedTuple):
    """Events in order, numbered from `first` to `last` without holes over the life of a buffer.

    They arrived within milliseconds of each other, the first at `received_ms` (Unix). A batch may stand for more
    records than it has events: a single event then reports that they can no longer be read.
    """

    first: int
    last: int
    received_ms: int
    events: list[Event]

    @property
    def size(self) -> int:
        """Approximate size in bytes."""
        return sum([len(event[1]) + len(event[2]) + 64 for event in self.events])


class Recovered(NamedTuple):
    """What earlier runs left in a buffer: the records after `forgotten`, up to `last`.

    `newest` is the last batch of them that can be read; None when there is none.
    """

    forgotten: int = 0
    last: int = 0
    newest: EventBatch | None = None


class Buffer(Protocol):
    """Filled by the receiving thread (`put`), emptied by the sending one (`take`, `confirm`, `rewind`)."""

    def put(self, event: Event) -> bool:
        """Add an event, waiting while the buffer is full. Return False after `finish`: the event was not added."""
        ...

    def finish(self) -> None:
        """Accept no more events. Those already buffered can still be taken."""
        ...

    def take(self, seconds: float) -> EventBatch | None:
        """Return the next batch, waiting up to `seconds` for it; None when there is none (yet)."""
        ...

    @property
    def exhausted(self) -> bool:
        """Whether it is finished and everything was taken."""
        ...

    def confirm(self, number: int) -> None:
        """Records up to this one are acknowledged: never return them again in this run."""
        ...

    def rewind(self) -> None:
        """Start over at the first record that is not confirmed."""
        ...

    def forget(self, number: int) -> None:
        """The position after this record is saved: never return records up to it again, in any run.

        Raises:
            OSError: that cannot be noted on disk. Call it again.
        """
        ...

    def backlog(self) -> tuple[int, int]:
        """Return how many records are received and not confirmed, and their bytes. Called from any thread."""
        ...

    @property
    def problem(self) -> str:
        """A sentence when the buffer itself cannot accept events, else empty."""
        ...

    def close(self) -> None:
        """Release files and threads."""
        ...


class Intake:
    """Events in order, bounded by number and bytes, added one at a time and taken all at once."""

    def __init__(
        self, now_ms: Callable[[], int], max_records: int = BATCH_RECORDS, max_bytes: int = BATCH_BYTES
    ) -> None:
        self._now_ms = now_ms
        self._max_records, self._max_bytes = max_records, max_bytes
        self._lock = Lock()
        self._changed = Condition(self._lock)
        self._events: list[Event] = []
        self._bytes = 0
        self._received_ms = 0
        self._taken_at = 0.0
        self._waiting = 0
        self.finished = False

    @property
    def drained(self) -> bool:
        """Whether it is finished and empty, and no event is being added."""
        with self._lock:
            return self._is_drained()

    def __len__(self) -> int:
        return len(self._events)

    @property
    def bytes(self) -> int:
        return self._bytes

    def put(self, event: Event) -> bool:
        """See `Buffer`."""
        with self._lock:
            if self.finished:
                return False
            self._waiting += 1  # an event that is waiting at the end is still let in: it was received
            while self._is_full() and not self.finished:
                self._changed.wait()
            self._waiting -= 1
            if not self._events:
                self._received_ms = self._now_ms()
                self._changed.notify_all()
            self._events.append(event)
            self._bytes += len(event[1]) + len(event[2])
            if self._is_full() or self.finished:
                self._changed.notify_all()
        return True

    def take(self, seconds: float) -> tuple[int, list[Event]] | None:
        """Return when the first event arrived (Unix milliseconds), and all events; None when none came in time."""
        with self._lock:
            if not self._events and not self._is_drained():
                self._changed.wait(seconds)
            if not self._events:
                return None
            remaining = self._taken_at + GATHER_S - time.monotonic()
            if remaining > 0:
                self._changed.wait_for(lambda: self._is_full() or self.finished, remaining)
            taken, self._events = self._events, []
            self._bytes = 0
            self._taken_at = time.monotonic()
            self._changed.notify_all()
            return self._received_ms, taken

    def finish(self) -> None:
        """See `Buffer`."""
        with self._lock:
            self.finished = True
            self._changed.notify_all()

    def _is_drained(self) -> bool:
        return self.finished and not self._events and not self._waiting

    def _is_full(self) -> bool:
        return len(self._events) >= self._max_records or self._bytes >= self._max_bytes


class MemoryBuffer:
    """For sources that can be read again: bounded, and lost with the process.

    It holds the batch being filled and those already taken; the consumer bounds how many these are.
    """

    problem = ""

    def __init__(self, after: int, now_ms: Callable[[], int]) -> None:
        """Number the first record `after` + 1."""
        self._intake = Intake(now_ms)
        self._taken: deque[EventBatch] = deque()
        self._again: deque[EventBatch] = deque()
        self._last = self._confirmed = after

    def put(self, event: Event) -> bool:
        return self._intake.put(event)

    def finish(self) -> None:
        self._intake.finish()

    def take(self, seconds: float) -> EventBatch | None:
        if self._again:
            batch = self._again.popleft()
        else:
            taken = self._intake.take(seconds)
            if taken is None:
                return None
            received_ms, events = taken
            first, self._last = self._last + 1, self._last + len(events)
            batch = EventBatch(first, self._last, received_ms, events)
        self._taken.append(batch)
        return batch

    @property
    def exhausted(self) -> bool:
        return self._intake.drained and not self._again

    def confirm(self, number: int) -> None:
        self._confirmed = number
        while self._taken and self._taken[0].last <= number:
            self._taken.popleft()

    def rewind(self) -> None:
        self._again = self._taken + self._again
        self._taken = deque()

    def forget(self, number: int) -> None:
        """Do nothing: `confirm` already drops the batches."""

    def backlog(self) -> tuple[int, int]:
        held = sum(batch.size for batch in (*self._taken.copy(), *self._again.copy()))
        return self._last - self._confirmed + len(self._intake), held + self._intake.bytes

    def close(self) -> None:
        self.finish()
