"""How far a source was acknowledged by Kafka, on disk.

There is one file per source. It is advanced only after the acknowledgement, so a crash in between repeats records and
never skips one; the tweet id makes the repetition harmless downstream.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from twitter_topics.errors import IntegrityError


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """`count` records of the stream described by `identity` are acknowledged.

    Attributes:
        identity: the settings that make the stream what it is. Another identity is another stream.
        origin: facts fixed when the stream was first opened (its begin, its shift), in milliseconds.
        count: records acknowledged since then.
        number: of the last of them in the buffer, which numbers on when another stream begins.
        cursor: the source's own place after the last of them.
        event_time_ms: event time of the newest acknowledged record, 0 for none.
        alive_ms: when the source was last known to bring what there is; 0 before its first connection.
        rate: posts a second that it brought lately, to estimate what a gap has cost.
    """

    identity: Mapping[str, Any]
    origin: Mapping[str, int] = field(default_factory=dict)
    count: int = 0
    number: int = 0
    cursor: int | str = 0
    event_time_ms: int = 0
    alive_ms: int = 0
    rate: float = 0.0

    def advanced(self, records: int, cursor: int | str, event_time_ms: int | None) -> SourcePosition:
        """The position after so many more records. A cursor of 0 says nothing: the old one holds."""
        newest = max(self.event_time_ms, event_time_ms or 0)
        return replace(self, count=self.count + records, cursor=cursor or self.cursor, event_time_ms=newest)


class PositionFile:
    """The position of one source in `<directory>/<source>.json`."""

    def __init__(self, directory: Path, source: str) -> None:
        self.path = directory / f"{source}.json"

    def load(self) -> SourcePosition | None:
        """The saved position, or None at the very first start.

        Raises:
            IntegrityError: the file is there and is no position. Starting anew by itself would send everything again.
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
            OSError: the folder cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(asdict(position), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
