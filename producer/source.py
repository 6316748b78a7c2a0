"""The port between the producer and what it follows."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import Literal, NamedTuple, Protocol

from producer.position import SourcePosition
from producer.status import Status

Kind = Literal["post", "edit", "notice", "gap", "unreadable"]
"""`post` and `edit` go to the raw topic, `notice` to the deletions, `gap` to the gaps, `unreadable` to the dead
letters."""

Cursor = int | str
"""What a source needs to go on after a record: a line number, a time, a sequence number. 0 = nothing."""


class Event(NamedTuple):
    """One record on its way to Kafka.

    `key` is the id that makes a repetition harmless; `value` the v1.1 object, the notice or the gap, as bytes; for what
    is `unreadable`, the bytes as received and in `reason` a stable word, a colon and the rest. `event_time_ms` (Unix,
    UTC) is None where the source does not know it. When this record and all before it are acknowledged, `cursor` is
    what must be remembered.
    """

    kind: Kind
    key: bytes
    value: bytes
    event_time_ms: int | None = None
    cursor: Cursor = 0
    reason: str = ""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Context:
    """What a source takes from the outside, so that a test can give it another.

    `stop` is set when the producer shall end. `status` is what the source tells about itself. `now_ms` Unix
    milliseconds; `monotonic` seconds; `pause` stands for `stop.wait` in tests with an injected clock.
    """

    stop: Flag = field(default_factory=Flag)
    status: Status = field(default_factory=Status)
    now_ms: Callable[[], int] = _now_ms
    monotonic: Callable[[], float] = time.monotonic
    random: random.Random = field(default_factory=random.Random)
    pause: Callable[[float], bool] | None = None

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until asked to stop; returns whether it was."""
        return (self.pause or self.stop.wait)(seconds)


class Source(Protocol):
    """Something that yields events in order, from a position on.

    `name` goes into the header `source`. `start` is the position this run begins at, together with what identifies the
    stream, ready to be saved again further on. `live` says that what is missed cannot be asked for again, so that
    everything is written to disk before it waits for Kafka.
    """

    name: str
    live: bool

    @property
    def start(self) -> SourcePosition: ...

    def check(self) -> str:
        """Ask the other side, cheaply, whether it will serve us; a sentence for the log.

        Raises:
            ConfigurationError: it will not: wrong key, no access, a wrong clock. Says which, and the fix.
            RetryableError: it does not answer.
        """
        ...

    def events(self) -> Iterator[Event | None]:
        """Events in order. None, at least once a second while waiting, hands control back to the caller.

        Raises:
            ConfigurationError: the source refuses what the settings say.
            IntegrityError: the source no longer is what the position was counted in.
        """
        ...

    def close(self) -> None:
        """Let go of files, threads and connections. Safe to call more than once."""
        ...
