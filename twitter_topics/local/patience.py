"""How long a start may take: as long as it makes progress."""

from __future__ import annotations

import time
from collections.abc import Callable

STILL_SECONDS = 300
LONGEST_SECONDS = 1_800


class Patience:
    """Ends when nothing has changed for STILL_SECONDS, and after LONGEST_SECONDS in any case."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._changed = clock()
        self._seen: object = None

    @property
    def seconds(self) -> float:
        """Return the time since the start."""
        return self._clock() - self._began

    def is_over(self, seen: object) -> bool:
        """Return whether to give up.

        Args:
            seen: a value that changes while the start makes progress.
        """
        now = self._clock()
        if seen != self._seen:
            self._seen, self._changed = seen, now
        return now - self._changed > STILL_SECONDS or now - self._began > LONGEST_SECONDS
