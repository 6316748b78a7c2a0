"""What can be replayed, seen from the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from producer.position import SourcePosition
from producer.receiving.rules import WaitRules
from producer.sources.replay.records import ReplayRecord
from twitter_topics.errors import RetryableError

STORE = WaitRules(0.25, 16.0, 1.0, 16.0, 1.0, 16.0, stall_s=60.0, jitter=0.25)
"""Waits for the object store and the catalog. Our own choice: S3 asks for growing waits and names no numbers."""


class StoppedError(RetryableError):
    """The producer shall end, in the middle of a wait."""


class Material(Protocol):
    """Records in an order that is always the same.

    `identity` says what makes it the same stream again.
    """

    @property
    def identity(self) -> Mapping[str, Any]: ...

    def origin(self) -> Mapping[str, int]:
        """Facts to be fixed when the stream is first opened."""
        ...

    def describe(self) -> str:
        """How much it is, for the log."""
        ...

    def records(self, start: SourcePosition) -> Iterator[ReplayRecord | None]:
        """The records after a position. None hands back control, at least once a second while waiting.

        Raises:
            ConfigurationError: what the settings name cannot be read.
            IntegrityError: damaged, or less than was already sent.
            RetryableError: the other side is away; StoppedError while waiting for it.
        """
        ...

    def newest_ms(self, start: SourcePosition, limit: int) -> int | None:
        """Event time of the newest tweet, of the first `limit` records when that is not 0. None when there is none."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


def time_text(time_ms: int | None) -> str:
    """`2026-11-01T00:00:03Z`, or words when it is not known or no date."""
    try:
        return "an unknown time" if time_ms is None else f"{datetime.fromtimestamp(time_ms // 1000, UTC):%FT%TZ}"
    except (ValueError, OverflowError, OSError):
        return "an unknown time"
