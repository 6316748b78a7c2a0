"""The port between the replay source and what it replays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from producer.position import SourcePosition
from producer.receiving.rules import WaitRules
from twitter_topics.errors import IntegrityError, RetryableError

if TYPE_CHECKING:
    from producer.sources.replay.records import ReplayRecord

STORE = WaitRules(0.25, 16.0, 1.0, 16.0, 1.0, 16.0, stall_s=60.0, jitter=0.25)
"""Waits for the object store and the catalog. Our own choice: S3 asks for growing waits but gives no numbers."""


class StoppedError(RetryableError):
    """The producer was asked to stop in the middle of a wait."""


class DamagedError(IntegrityError):
    """Part of a file is damaged or missing. The message names the file."""


class TruncatedError(DamagedError):
    """The end of a file is missing."""


class Material(Protocol):
    """Records in a stable order.

    `identity` is what makes it the same stream in a later run.
    """

    @property
    def identity(self) -> Mapping[str, Any]: ...

    def origin(self) -> Mapping[str, int]:
        """Return the values to fix when the stream is first opened."""
        ...

    def describe(self, start: SourcePosition) -> str:
        """Return its size, and what is left out after a position, as a sentence for the log."""
        ...

    def records(self, start: SourcePosition) -> Iterator[ReplayRecord | None]:
        """Yield the records after a position, and None at least once a second while waiting.

        Raises:
            ConfigurationError: what the settings name cannot be read.
            IntegrityError: it is damaged, or shorter than what was already sent.
            RetryableError: the store is unavailable; StoppedError while waiting for it.
        """
        ...

    def bytes_after(self, start: SourcePosition) -> int:
        """Return how many stored bytes will be read, counted in `Status.read_bytes`; 0 if that is unknown."""
        ...

    def tweet_times(self, start: SourcePosition) -> Iterator[int]:
        """Yield the event times of the tweets after a position, in Unix milliseconds, at least approximately."""
        ...

    def newest_ms(self, start: SourcePosition, limit: int) -> int | None:
        """Return the event time of the newest tweet (of the first `limit` records unless 0); None without tweets."""
        ...

    def close(self) -> None:
        """Release what is open."""
        ...


def time_text(time_ms: int | None) -> str:
    """Return `2026-11-01T00:00:03Z`, or "an unknown time" when it is missing or out of range."""
    try:
        return "an unknown time" if time_ms is None else f"{datetime.fromtimestamp(time_ms // 1000, UTC):%FT%TZ}"
    except (ValueError, OverflowError, OSError):
        return "an unknown time"
