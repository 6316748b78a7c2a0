"""From lost connections to gaps: from when to when nothing was received, why, and how many posts may be missing."""

from __future__ import annotations

import math
from threading import Lock

from producer.position import SourcePosition
from producer.source import Context, Event
from twitter_topics.records.gap import Gap

_RATE_SECONDS = 300.0
"""Time constant of the post rate: exponential weights fall to 1/e over it."""


class GapWatch:
    """Tracks whether a live source is connected. One instance per source, used by its reading thread.

    A stop of the whole producer is a gap too: it begins when the last run was last alive. The next run starts at
    `status.alive_ms`, so that must not get ahead of what was handed on: a source with a queue in between calls
    `alive(…, handed_on=False)` when it receives and `handed_on(…)` when the post has left the queue.
    """

    def __init__(self, source: str, start: SourcePosition, context: Context) -> None:
        self._source = source
        self._now_ms = context.now_ms
        self._monotonic = context.monotonic
        self._status = context.status
        self._status.rate = start.rate
        self._status.alive_ms = start.alive_ms
        self._alive_ms = self._since_ms = start.alive_ms
        self._since = self._monotonic()
        self._cause = "stopped"
        self._measured_at = self._since
        self._measured_s = _RATE_SECONDS if start.rate else 0.0
        self._posts = 0
        self._counting = Lock()

    @property
    def alive_ms(self) -> int:
        """The last sign of life, received but perhaps not handed on; 0 before the first."""
        return self._alive_ms

    def connected(self, at_ms: int | None = None) -> Event | None:
        """The source delivers (again) since `at_ms` or now: return the gap that ends then, None when none was open."""
        now = self._now_ms() if at_ms is None else at_ms
        self._measured_at = self._monotonic()
        self._take_count()
        self._status.connected, self._status.sentence = True, ""
        since, self._since_ms = self._since_ms, 0
        if now < since:  # the clock was set back: the monotonic clock knows how much time passed
            now = since + int((self._monotonic() - self._since) * 1000)
        self._alive_ms = max(self._alive_ms, now)
        if not since or now <= since:
            return None
        return self.missed(since, now, self._cause)

    def resumed(self) -> None:
        """Like `connected`, for a source that resumes where it stopped: nothing was missed."""
        self._since_ms = 0
        self.connected()

    def missed(self, from_ms: int, to_ms: int, cause: str) -> Event:
        """Return a gap that the source itself detected."""
        gap = Gap(self._source, from_ms, to_ms, cause, round(self._status.rate * (to_ms - from_ms) / 1000))
        self._status.gap_seconds += gap.seconds
        return Event("gap", gap.key(), gap.value(), from_ms)

    def alive(self, posts: int = 0, handed_on: bool = True) -> int:
        """Record a sign of life; `posts` count towards the rate. Return its time in Unix milliseconds."""
        self._alive_ms = self._now_ms()
        if handed_on:
            self._status.alive_ms = self._alive_ms
        self.count(posts)
        elapsed = self._monotonic() - self._measured_at
        if elapsed >= 1:
            self._measured_s = min(self._measured_s + elapsed, _RATE_SECONDS)
            weight = 1 - math.exp(-elapsed / self._measured_s) if self._measured_s > elapsed else 1.0
            self._status.rate += weight * (self._take_count() / elapsed - self._status.rate)
            self._measured_at = self._monotonic()
        return self._alive_ms

    def count(self, posts: int) -> None:
        """Count posts towards the rate. May be called from another thread."""
        with self._counting:
            self._posts += posts

    def handed_on(self, at_ms: int) -> None:
        """Everything received up to `at_ms` has left the source. May be called from another thread."""
        self._status.alive_ms = max(at_ms, self._status.alive_ms)

    def lost(self, cause: str, sentence: str) -> None:
        """The connection is lost. The gap began with the last sign of life; repeated losses extend it."""
        self._status.reconnects[cause] += 1
        self.paused(cause, sentence)

    def paused(self, cause: str, sentence: str) -> None:
        """Like `lost`, while no reconnection is attempted."""
        self._status.connected, self._status.sentence = False, sentence
        if not self._since_ms:
            self._since_ms, self._cause = self._alive_ms or self._now_ms(), cause
            self._since = self._monotonic()

    def _take_count(self) -> int:
        with self._counting:
            posts, self._posts = self._posts, 0
        return posts
