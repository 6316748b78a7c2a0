"""What a training has read of the archive, so that it can be read again when tweets have been deleted since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from twitter_topics.errors import ConflictError


@dataclass(frozen=True, slots=True)
class Offsets:
    """Records of one partition of the raw topic: the first and the last offset (inclusive), and how many were read."""

    first: int
    last: int
    count: int


@dataclass(frozen=True, slots=True)
class Extent:
    """Event times from `start` (inclusive) to `end` (exclusive), and the records read, by partition.

    The archiver appends the records of a partition in their order. So what is archived later has offsets after `last`,
    and what is missing up to there was deleted: compaction and the expiry of snapshots change nothing.
    """

    start: datetime
    end: datetime
    offsets: Mapping[int, Offsets]

    @property
    def tweets(self) -> int:
        return sum(one.count for one in self.offsets.values())

    def deleted_until(self, later: Extent) -> int:
        """Return how many of the tweets were deleted before they were read again.

        Raises:
            ConflictError: there are more than before.
        """
        for partition, now in later.offsets.items():
            if now.count > self.offsets[partition].count:
                msg = (
                    f"partition {partition} has {now.count:,} tweets up to offset {self.offsets[partition].last}, the "
                    f"training read {self.offsets[partition].count:,}: the raw topic was created again; train again"
                )
                raise ConflictError(msg)
        return self.tweets - later.tweets

    def as_json(self) -> dict[str, Any]:
        """Return {window: {start, end} in ISO 8601, offsets: {partition: {first, last, count}}}."""
        return {
            "window": {"start": self.start.isoformat(), "end": self.end.isoformat()},
            "offsets": {str(partition): asdict(one) for partition, one in sorted(self.offsets.items())},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Extent:
        """Read what `as_json` returned."""
        window = {name: datetime.fromisoformat(moment) for name, moment in content["window"].items()}
        return cls(offsets={int(name): Offsets(**one) for name, one in content["offsets"].items()}, **window)
