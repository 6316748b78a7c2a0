"""Values of the topic `source_gaps` and of the measurement `source_gap`: periods in which nothing was received."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Gap:
    """Nothing was received from `source` in [from_ms, to_ms).

    `cause` is a stable word: `network`, `stall`, `http-503`, `rate-limit`, `stopped`, `spend-cap`, `clamped`, `slow`.
    `estimated_posts`: the rate before the gap times its duration.
    """

    source: str
    from_ms: int
    to_ms: int
    cause: str
    estimated_posts: int

    @property
    def seconds(self) -> float:
        return (self.to_ms - self.from_ms) / 1000

    def key(self) -> bytes:
        return f"{self.source}:{self.from_ms}:{self.cause}".encode()

    def value(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_value(cls, value: bytes) -> Gap:
        """Parse a value. Raises ValueError or TypeError for anything else."""
        return cls(**json.loads(value))
