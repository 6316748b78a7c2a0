"""The series store in memory. It passes the same tests as the real one."""

from __future__ import annotations

from collections.abc import Iterable

from twitter_topics.counts.series import (
    PANE_MS,
    HourPoint,
    Intent,
    LastHour,
    LedgerEntry,
    Pane,
    Series,
    TopicCount,
)
from twitter_topics.counts.store import topics_of


class MemorySeriesStore:
    """Points in dicts, keyed as in InfluxDB: the later write of a point wins."""

    def __init__(self) -> None:
        self.stored_panes: dict[tuple[int, Series], Pane] = {}
        self.stored_hours: dict[tuple[int, Series], HourPoint] = {}
        self.stored_intents: dict[int, Intent] = {}
        self.entries: dict[int, LedgerEntry] = {}

    def ensure_database(self) -> None:
        """Always there."""

    def write_intent(self, intent: Intent) -> None:
        self.stored_intents[intent.sequence] = intent

    def write_panes(self, panes: Iterable[Pane]) -> None:
        self.stored_panes |= {(pane.start_ms, pane.series): pane for pane in panes}

    def write_hours(self, points: Iterable[HourPoint]) -> None:
        self.stored_hours |= {(point.end_ms, point.series): point for point in points}

    def write_ledger(self, entry: LedgerEntry) -> None:
        self.entries[entry.sequence] = entry

    def forget_ledger_before(self, sequence: int) -> None:
        self.entries = {number: entry for number, entry in self.entries.items() if number >= sequence}
        self.stored_intents = {number: intent for number, intent in self.stored_intents.items() if number >= sequence}

    def reset_counts(self) -> None:
        for points in (self.stored_panes, self.stored_hours, self.stored_intents, self.entries):
            points.clear()

    def ledger(self) -> LedgerEntry | None:
        return self.entries[max(self.entries)] if self.entries else None

    def intents(self, after: int) -> list[Intent]:
        return [intent for number, intent in sorted(self.stored_intents.items()) if number > after]

    def panes(self, from_ms: int, to_ms: int) -> list[Pane]:
        return [pane for (start, _), pane in self.stored_panes.items() if from_ms <= start < to_ms]

    def hours(self, from_ms: int, to_ms: int) -> list[HourPoint]:
        return [point for (end, _), point in self.stored_hours.items() if from_ms <= end < to_ms]

    def counted(self) -> int:
        entry = self.ledger()
        return 0 if entry is None else sum(pane.as_of(entry.sequence).tweets for pane in self.stored_panes.values())

    def last_hour(self, now_ms: int | None = None) -> LastHour | None:
        entry = self.ledger()
        if entry is None or entry.position.newest_ms is None:
            return None
        end_ms = entry.position.newest_ms + PANE_MS
        if now_ms is not None:
            end_ms = min(end_ms, now_ms - now_ms % PANE_MS)
        topics: list[TopicCount] = topics_of(self.hours(end_ms, end_ms + PANE_MS))
        return LastHour(end_ms, topics)
