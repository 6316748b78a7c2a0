"""The port between the producer and what it follows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol

from producer.position import Position

Kind = Literal["tweet", "deletion"]


class SourceTweet(NamedTuple):
    """One record on its way to Kafka.

    `key` is the tweet id, `value` the v1.1 object as bytes. `event_time_ms` (Unix, UTC) is None where the source does
    not know it. `position` counts the source's records up to and including this one: when this record and all before
    it are acknowledged, it is what must be persisted.
    """

    key: bytes
    value: bytes
    event_time_ms: int | None
    position: int
    kind: Kind = "tweet"


class Source(Protocol):
    """Something that yields tweets in order, from a position on.

    `name` goes into the header `source`. `start` is the position this run begins at, together with what identifies the
    stream, ready to be saved again with a higher count.
    """

    @property
    def name(self) -> str: ...

    @property
    def start(self) -> Position: ...

    def tweets(self) -> Iterator[SourceTweet | None]:
        """Tweets in order. None, at least once a second while waiting, hands control back to the caller.

        Raises:
            ConfigurationError: the source refuses what the settings say.
            IntegrityError: the source no longer is what the position was counted in.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections. Safe to call more than once."""
        ...
