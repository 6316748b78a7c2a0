"""How late a Jetstream host is."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

from producer.sources.bluesky.tid import tid_time_us
from producer.sources.bluesky.wire import JetstreamMessage

MAX_COMMITS = 255
RECENT_US = 60 * 1_000_000


class Lateness:
    """The median time from a commit (its rev) to the host's first sight of it, over the newest commits.

    A median, because some authors' servers have wrong clocks; of the newest only, because it changes as a host falls
    behind and catches up.

    Args:
        most_us: a later commit says nothing about the host: it is sent again, or its time is made up.
    """

    def __init__(self, most_us: int) -> None:
        self._most_us = most_us
        self._newest: deque[tuple[int, int]] = deque()
        self._sorted: list[int] = []

    def learn(self, message: JetstreamMessage) -> None:
        """Take a message into account if it is a commit."""
        committed_us = tid_time_us(message.body.get("rev")) if message.kind == "commit" else None
        newest, seen_us = self._newest, message.time_us
        if committed_us is None or seen_us - committed_us > self._most_us:
            return
        while newest and (len(newest) == MAX_COMMITS or seen_us - newest[0][0] > RECENT_US):
            del self._sorted[bisect_left(self._sorted, newest.popleft()[1])]
        newest.append((seen_us, seen_us - committed_us))
        insort(self._sorted, seen_us - committed_us)

    def median_us(self) -> int | None:
        """Return it in microseconds, at least 0; None before the first commit."""
        return max(self._sorted[len(self._sorted) // 2], 0) if self._sorted else None
