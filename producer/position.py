"""How much of a source Kafka has acknowledged, on disk.

There is one file per source. It advances only after the acknowledgement, so a crash in between repeats records and
never skips one; the tweet id makes the repetition harmless downstream.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from producer.durable import replace_durably
from twitter_topics.errors import IntegrityError


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """`count` records of the stream described by `identity` are acknowledged.

    Attributes:
        identity: the settings that define the stream. Another identity is another stream.
        origin: values fixed when the stream was first opened (its begin, its shift), in milliseconds.
        count: records acknowledged since then.
        number: number of the last of them in the buffer, whose numbering continues when another stream begins.
        cursor: the source's own position after the last of them.
        event_time_ms: event time of the newest acknowledged record, 0 for none.
        alive_ms: when the source was last known to deliver; 0 before its first connection. Of a replay, when the last
            run began.
        rate: posts a second lately, to estimate how many a gap has cost.
    """

    identity: Mapping[str, Any]
    origin: Mapping[str, int] = field(default_factory=dict)
    count: int = 0
    number: int = 0
    cursor: int | str = 0
    event_time_ms: int = 0
    alive_ms: int = 0
    rate: float = 0.0

    @classmethod
    def of_stream(cls, identity: Mapping[str, Any], saved: SourcePosition | None) -> SourcePosition:
        """Return the saved position if it belongs to the stream, else the beginning of the stream."""
        return saved if saved is not None and saved.belongs_to(identity) else cls(identity)

    def belongs_to(self, identity: Mapping[str, Any]) -> bool:
        """Whether it is a position in the stream described by `identity`."""
        return dict(self.identity) == dict(identity)

    def advanced(self, records: int, cursor: int | str, event_time_ms: int | None) -> SourcePosition:
        """Return the position after `records` more records. A cursor of 0 keeps the old one."""
        newest = max(self.event_time_ms, event_time_ms or 0)
        return replace(self, count=self.count + records, cursor=cursor or self.cursor, event_time_ms=newest)


class PositionFile:
    """The position of one source in `<directory>/<source>.json`."""

    def __init__(self, directory: Path, source: str) -> None:
        self.path = directory / f"{source}.json"

    def load(self) -> SourcePosition | None:
        """Return the saved position, or None at the very first start.

        Raises:
            IntegrityError: the file does not hold a position. Starting over on our own would send everything again.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return SourcePosition(**json.loads(content))
        except (ValueError, TypeError) as error:
            msg = (
                f"{self.path} is not a position ({error}). Restore it, or delete it to send the source from its start."
            )
            raise IntegrityError(msg) from error

    def save(self, position: SourcePosition) -> None:
        """Replace the file; when this returns, the new position survives a power cut.

        Raises:
            OSError: the folder is not writable.
        """
        replace_durably(self.path, json.dumps(asdict(position)))
