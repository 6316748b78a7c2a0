"""Tweets too old for the speed layer, which rejects them on arrival."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

GLANCE_TWEETS = 2_000
"""When none of the first is too old, the rest is not counted before the start."""

COUNT_SECONDS = 10.0
"""How long counting may take."""

_DAY_MS = 86_400_000
_SPARE_DAYS = 2
_CHECK_EVERY = 1_000


def days_for(oldest_ms: int, now_ms: int) -> int:
    """Return the limit on age at which the oldest tweet is not too old, with days to spare: retention counts whole UTC
    days, and a replay takes a while."""
    return (now_ms - oldest_ms) // _DAY_MS + _SPARE_DAYS


@dataclass
class Ages:
    """Counts tweets and those before `cutoff_ms`, in Unix milliseconds."""

    cutoff_ms: int
    max_days: int
    tweets: int = 0
    old: int = 0
    oldest_ms: int = 0

    @classmethod
    def of(cls, now_ms: int, max_days: int) -> Ages:
        """Count from now on. `max_days`: SPEED_MAX_AGE_DAYS."""
        return cls(now_ms - max_days * _DAY_MS, max_days)

    def add(self, time_ms: int) -> None:
        """Count a tweet."""
        self.tweets += 1
        if time_ms < self.cutoff_ms:
            self.oldest_ms = min(time_ms, self.oldest_ms) if self.old else time_ms
            self.old += 1

    def count(self, times_ms: Iterable[int], monotonic: Callable[[], float]) -> bool:
        """Count them; return whether all were. It ends after a glance without an old one, or after `COUNT_SECONDS`."""
        until = monotonic() + COUNT_SECONDS
        for time_ms in times_ms:
            if self.tweets >= GLANCE_TWEETS and not self.old:
                return False
            if not self.tweets % _CHECK_EVERY and monotonic() > until:
                return False
            self.add(time_ms)
        return True

    def sentence(self, of: str) -> str:
        """Return how many of the tweets are too old and what to do; empty when none is."""
        if not self.old:
            return ""
        days = days_for(self.oldest_ms, self.cutoff_ms + self.max_days * _DAY_MS)
        return (
            f"{self.old:,} of {of} are older than SPEED_MAX_AGE_DAYS ({self.max_days}) and will be rejected: set "
            f"SPEED_MAX_AGE_DAYS={days} (and ELASTICSEARCH_RETENTION_DAYS={days}, to keep them in search) and restart "
            "the stack (`twitter-topics down`, `twitter-topics up`; `--whole-history` sets both for a run), or set "
            "PRODUCER_REPLAY_TIMES=shift"
        )
