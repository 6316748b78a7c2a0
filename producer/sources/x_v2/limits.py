"""X's limits for a pay-per-use project: https://docs.x.com/x-api/fundamentals/rate-limits, "Filtered stream"."""

from __future__ import annotations

from collections import deque

from requests.structures import CaseInsensitiveDict

from producer.receiving.http_stream import Pause
from producer.source import Context
from twitter_topics.backends.http_answers import reset_in_s

MAX_CONNECTS, CONNECTS_WINDOW_S = 50, 15 * 60.0
MAX_POSTS_PER_SECOND = 250
MAX_RULES, MAX_RULE_CHARACTERS = 1_000, 1_024
MAX_BACKFILL_S = 5 * 60.0
"""X cannot backfill a longer gap (Enterprise only): .../recovery-and-redundancy, "Backfill"."""


class Connects:
    """Limits the attempts in any window to what X allows; X's headers account for earlier runs."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._taken: deque[float] = deque(maxlen=MAX_CONNECTS)
        self._closed_until = 0.0

    def pause(self) -> Pause | None:
        """Return how long to wait before the next attempt, None for no wait."""
        now = self._context.monotonic()
        free_at = self._taken[0] + CONNECTS_WINDOW_S if len(self._taken) == MAX_CONNECTS else 0.0
        seconds = max(free_at, self._closed_until) - now
        if seconds <= 0:
            return None
        sentence = f"X allows {MAX_CONNECTS} connections in 15 minutes, and all are used"
        return Pause(seconds, "rate-limit", sentence)

    def taken(self) -> None:
        """Count an attempt that X may have seen."""
        self._taken.append(self._context.monotonic())

    def heed(self, headers: CaseInsensitiveDict[str]) -> None:
        """Heed the attempts left according to a response."""
        seconds = reset_in_s(headers, self._context.now_ms())
        if headers.get("x-rate-limit-remaining") == "0" and seconds is not None:
            self._closed_until = self._context.monotonic() + seconds
