"""The brake on a flood of dead letters: if most records of the last minutes are rejected, the code must be wrong."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

WINDOW_SECONDS = 600
MIN_REJECTED = 100
"""Fewer rejected records are no flood, whatever their share."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Records and the rejected ones among them."""

    records: int = 0
    rejected: int = 0

    def plus(self, other: Tally) -> Tally:
        return Tally(self.records + other.records, self.rejected + other.rejected)

    def minus(self, other: Tally) -> Tally:
        return Tally(self.records - other.records, self.rejected - other.rejected)

    def is_flood(self, max_share: float) -> bool:
        """Return whether more than `max_share` were rejected, and at least MIN_REJECTED."""
        return self.rejected >= MIN_REJECTED and self.rejected > max_share * self.records


class RecentTally:
    """The tally of the finished batches of the last WINDOW_SECONDS. In the driver."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._batches: deque[tuple[float, Tally]] = deque()

    def add(self, tally: Tally) -> None:
        """Note a finished batch."""
        self._batches.append((self._clock(), tally))

    def total(self) -> Tally:
        """Return the sum over the window."""
        while self._batches and self._batches[0][0] < self._clock() - WINDOW_SECONDS:
            self._batches.popleft()
        total = Tally()
        for _, tally in self._batches:
            total = total.plus(tally)
        return total
