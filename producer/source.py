"""The port between the producer and the source it follows."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import Literal, NamedTuple, Protocol

from producer.position import SourcePosition
from producer.status import Status

EventKind = Literal["post", "edit", "notice", "gap", "unreadable"]
"""`post` and `edit` go to the raw topic, `notice` to the deletion topic, `gap` to the gap topic, `unreadable` to the
dead-letter topic."""

Cursor = int | str
"""What a source needs to resume after a record: a line number, a time, a sequence number. 0 = nothing."""


class Event(NamedTuple):
    """One record on its way to Kafka.

    `key` is the id that makes a repetition harmless. `value` is the v1.1 object, the notice or the gap, as bytes; for
    `unreadable` it is the bytes as received, and `reason` is a stable word, a colon and the details. `event_time_ms`
    (Unix, UTC) is None where the source does not know it. `cursor` is what to save once this record and all before it
    are acknowledged.
    """

    kind: EventKind
    key: bytes
    value: bytes
    event_time_ms: int | None = None
    cursor: Cursor = 0
    reason: str = ""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Context:
    """What a source gets at start: stop flag, status, clocks and randomness, so that tests can inject their own.

    `stop` is set to end the producer. The source reports about itself in `status`. `now_ms` returns Unix milliseconds,
    `monotonic` seconds; `pause` replaces `stop.wait` in tests with an injected clock.
    """

    stop: Flag = field(default_factory=Flag)
    status: Status = field(default_factory=Status)
    now_ms: Callable[[], int] = _now_ms
    monotonic: Callable[[], float] = time.monotonic
    random: random.Random = field(default_factory=random.Random)
    pause: Callable[[float], bool] | None = None

    def wait(self, seconds: float) -> bool:
        """Wait for `seconds` or until asked to stop; return whether a stop was requested."""
        return (self.pause or self.stop.wait)(seconds)


class Source(Protocol):
    """Yields events in order, starting at a position.

    `name` goes into the header `source`. `start` is the position this run begins at, including what identifies the
    stream; it is saved again as the run advances. `live` means that missed posts cannot be requested again, so
    everything is written to disk before it waits for Kafka.
    """

    name: str
    live: bool

    @property
    def start(self) -> SourcePosition: ...

    def check(self) -> str:
        """Ask the server, cheaply, whether it will serve us; return a sentence for the log.

        Raises:
            ConfigurationError: it will not: wrong key, no access, a wrong clock. The message has the fix.
            RetryableError: it does not answer.
        """
        ...

    def events(self) -> Iterator[Event | None]:
        """Yield events in order, and None at least once a second while waiting, to hand control back to the caller.
        Once `stop` is set, a live source ends by itself, after all it has received; others are left where they are.

        Raises:
            ConfigurationError: the source rejects the settings.
            IntegrityError: the source is no longer the one that the position refers to.
        """
        ...

    def close(self) -> None:
        """Release files, threads and connections. Safe to call more than once."""
        ...
