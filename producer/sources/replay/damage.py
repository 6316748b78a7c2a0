"""Damaged parts of files as gaps."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from producer.reporting.words import printable
from producer.source import Event
from twitter_topics.records.gap import Gap

_log = logging.getLogger(__name__)


class Gaps:
    """Each gap reaches from the last tweet before the damage to the first one after it. Its cause names the file.

    `opened` holds what is damaged, in words, and `last_ms` the time of the last tweet, also of an earlier run: damage
    that is read again is then the same gap. Times are those in the files; those of the gaps are `shift_ms` later.
    """

    def __init__(self, source: str, now_ms: Callable[[], int], shift_ms: int, last_ms: int | None) -> None:
        self._source, self._now_ms, self._shift_ms = source, now_ms, shift_ms
        self.last_ms = last_ms
        self.opened: list[str] = []

    def open(self, damage: str) -> None:
        """Note damage."""
        damage = printable(damage)
        _log.error("%s: what follows in it is left out", damage)
        self.opened.append(damage)

    def closed(self, time_ms: int | None) -> Iterator[Event]:
        """Yield the gaps that a tweet with this time ends, or the end of everything (None)."""
        known = [one + self._shift_ms for one in (self.last_ms, time_ms) if one is not None] or [self._now_ms()]
        for damage in self.opened:
            gap = Gap(self._source, min(known), max(known), f"damaged: {damage}", 0)
            yield Event("gap", gap.key(), gap.value(), gap.from_ms)
        self.opened.clear()
