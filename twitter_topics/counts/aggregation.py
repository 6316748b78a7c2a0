"""Counts of the last hour, each tweet once, through kill -9 at any point. Pure of Spark: rows in, writes out.

A batch writes, in this order: its intent (which panes it will touch), the panes, the rolling hours, the ledger. What is
counted is what the last ledger entry says. A batch that broke off left panes with a later sequence: they go back to
their base when the aggregation is opened, and the records are read again from the ledger's offsets.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from twitter_topics.backends.influx import tag_text
from twitter_topics.counts.panes import Ends, PaneKey, apply, ends_to_rewrite, rolling_hours
from twitter_topics.counts.series import (
    PANE_MS,
    HourPoint,
    Intent,
    Lane,
    LedgerEntry,
    Pane,
    Position,
    Series,
    Sums,
)
from twitter_topics.errors import ConfigurationError, IntegrityError
from twitter_topics.records.processed import NO_TOPIC, NO_TOPIC_LABEL

log = logging.getLogger(__name__)

KEEP_MS = 2 * 3_600_000
"""Panes this far behind the newest are kept in memory; older ones are read from the store when such a tweet arrives."""

LEDGER_POINTS = 1_000
"""Old ledger entries are of no use but for a person who looks; this many are left."""

_DAY_MS = 24 * 3_600_000
_BEFORE_ALL_MS = -(2**62) // 1_000_000
_MIN_JUDGED = 1_000

Labels = Callable[[str], Mapping[int, str]]
"""Labels of a model version by topic id."""


class Counts(Protocol):
    """What is needed of the series store."""

    def ensure_database(self) -> None: ...
    def ledger(self) -> LedgerEntry | None: ...
    def intents(self, after: int) -> list[Intent]: ...
    def panes(self, from_ms: int, to_ms: int) -> list[Pane]: ...
    def write_intent(self, intent: Intent) -> None: ...
    def write_panes(self, panes: Iterable[Pane]) -> None: ...
    def write_hours(self, points: Iterable[HourPoint]) -> None: ...
    def write_ledger(self, entry: LedgerEntry) -> None: ...
    def forget_ledger_before(self, sequence: int) -> None: ...
    def reset_counts(self) -> None: ...


@dataclass(slots=True)
class BatchCounts:
    """What a batch adds: `sums` by (pane ms, topic id, model version). `refused` of its `records` were no tweets."""

    sums: dict[tuple[int, int, str], Sums] = field(default_factory=dict)
    lanes: dict[Lane, int] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)
    records: int = 0
    refused: int = 0


class Aggregation:
    """The one writer of panes, rolling hours and ledger.

    Args:
        store: where they are kept.
        topic: name of the processed topic; the ledger belongs to it.
        labels: asked once for each model version.
        max_refused_share: share of a batch's records that may be no processed tweets.
    """

    def __init__(self, store: Counts, topic: str, labels: Labels, *, max_refused_share: float = 0.5) -> None:
        self._store = store
        self._topic = topic
        self._labels = labels
        self._max_refused_share = max_refused_share
        self._known_labels: dict[str, Mapping[int, str]] = {}
        self._panes: dict[PaneKey, Pane] = {}
        self._entry: LedgerEntry | None = None
        self._counted_offsets: dict[int, int] = {}

    @property
    def position(self) -> Position:
        """How far the topic is counted.

        Raises:
            IntegrityError: `open` was not called, or a batch broke off since.
        """
        if self._entry is None:
            msg = "the last batch broke off: open the aggregation again before it counts more"
            raise IntegrityError(msg)
        return self._entry.position

    @property
    def counted_offsets(self) -> dict[int, int]:
        """Next offset of each partition as last known, also while a batch is being written or has broken off."""
        return self._counted_offsets

    def open(self) -> Position:
        """Take back what a broken-off batch wrote and say where to read on.

        Without a ledger, panes account for nothing: they are dropped and the topic is to be counted from its beginning.

        Raises:
            ConfigurationError: the ledger belongs to another topic.
            RetryableError, IntegrityError: from the store.
        """
        self._entry = None
        self._panes = {}
        self._store.ensure_database()
        entry = self._store.ledger()
        if entry is None:
            self._store.reset_counts()
            return self._stand_at(LedgerEntry(0, Position(self._topic)))
        if entry.position.topic != self._topic:
            msg = (
                f"KAFKA_PROCESSED_TOPIC is {self._topic}, but the counts in INFLUXDB_DATABASE come from "
                f"{entry.position.topic}: set it back, or give INFLUXDB_DATABASE a new name"
            )
            raise ConfigurationError(msg)
        for intent in self._store.intents(entry.sequence):
            self._take_back(intent, entry)
        self._store.forget_ledger_before(entry.sequence - LEDGER_POINTS)
        if entry.position.newest_ms is not None:
            newest = entry.position.newest_ms
            kept = self._store.panes(newest - KEEP_MS, newest + PANE_MS)
            self._panes = {(pane.start_ms, pane.series): pane for pane in kept}
        return self._stand_at(entry)

    def count(self, batch: BatchCounts) -> None:
        """Add a batch: panes, then rolling hours, then the ledger. Batches come one after the other.

        Raises:
            RetryableError, IntegrityError: from the store or the labels. The batch has broken off: `open` again.
        """
        position = self.position
        before = LedgerEntry(self._entry.sequence if self._entry else 0, position)
        self._judge_refused(batch)
        deltas = {(pane, self._series(topic, model)): sums for (pane, topic, model), sums in batch.sums.items()}
        self._entry = None
        sequence = before.sequence + 1
        newest = position.newest_ms
        if deltas:
            newest = self._write_counts(deltas, sequence, position.newest_ms)
        after = replace(
            position,
            offsets=position.offsets | batch.offsets,
            lanes=position.lanes | batch.lanes,
            newest_ms=newest,
            tweets=position.tweets + sum(sums.tweets for sums in deltas.values()),
            refused=position.refused + batch.refused,
        )
        entry = LedgerEntry(sequence, after)
        self._store.write_ledger(entry)
        if sequence % LEDGER_POINTS == 0:
            self._store.forget_ledger_before(sequence - LEDGER_POINTS)
        self._forget_old_panes(newest)
        self._stand_at(entry)

    def _stand_at(self, entry: LedgerEntry) -> Position:
        self._entry = entry
        self._counted_offsets = entry.position.offsets
        return entry.position

    def _write_counts(self, deltas: Mapping[PaneKey, Sums], sequence: int, previous_newest_ms: int | None) -> int:
        """Write panes and hours; returns the newest pane."""
        starts = {start for start, _ in deltas}
        newest = max(starts) if previous_newest_ms is None else max(previous_newest_ms, *starts)
        memory_from = _BEFORE_ALL_MS if previous_newest_ms is None else previous_newest_ms - KEEP_MS
        self._store.write_intent(Intent(sequence, min(starts), max(starts)))
        for part in _by_day(deltas):
            changed = apply(self._current(part, memory_from), part, sequence)
            self._store.write_panes(changed.values())
            self._panes.update(changed)
        for ends in ends_to_rewrite(starts, previous_newest_ms, newest):
            self._store.write_hours(rolling_hours(self._between(ends, memory_from), ends))
        return newest

    def _current(self, deltas: Mapping[PaneKey, Sums], memory_from_ms: int) -> Mapping[PaneKey, Pane]:
        """The panes of `deltas` as they are now."""
        old = [start for start, _ in deltas if start < memory_from_ms]
        if not old:
            return self._panes
        stored = self._store.panes(min(old), max(old) + PANE_MS)
        return {(pane.start_ms, pane.series): pane for pane in stored} | self._panes

    def _between(self, ends: Ends, memory_from_ms: int) -> Iterable[Pane]:
        """All panes that the hours depend on. The store has them all, as a batch writes its panes first."""
        if ends.panes_from_ms >= memory_from_ms:
            return self._panes.values()
        return self._store.panes(ends.panes_from_ms, ends.last_ms)

    def _take_back(self, intent: Intent, entry: LedgerEntry) -> None:
        """Undo a broken-off batch, its rolling hours too. Safe to break off and to repeat."""
        stored = [
            pane
            for first, last in _days(intent.first_ms, intent.last_ms + PANE_MS)
            for pane in self._store.panes(first, last)
            if pane.sequence > entry.sequence
        ]
        if not stored:
            return
        log.warning("batch %d broke off: %d panes go back to their state before it", intent.sequence, len(stored))
        restored = [pane._replace(total=pane.as_of(entry.sequence)) for pane in stored]
        touched = [(pane.start_ms, pane.series) for pane in stored]
        starts = {start for start, _ in touched}
        newest = max(starts) if entry.position.newest_ms is None else max(entry.position.newest_ms, *starts)
        self._store.write_panes(restored)
        for ends in ends_to_rewrite(starts, None, newest):
            self._store.write_hours(rolling_hours(self._store.panes(ends.panes_from_ms, ends.last_ms), ends, touched))
        # only now do the panes lose the mark of the broken-off batch: a second break-off finds them again
        self._store.write_panes(pane._replace(base=pane.total, sequence=entry.sequence) for pane in restored)

    def _series(self, topic_id: int, model_version: str) -> Series:
        if topic_id == NO_TOPIC:
            return Series(topic_id, NO_TOPIC_LABEL, model_version)
        if model_version not in self._known_labels:
            self._known_labels[model_version] = self._labels(model_version)
        label = self._known_labels[model_version].get(topic_id, f"topic {topic_id}")
        return Series(topic_id, tag_text(label), model_version)

    def _judge_refused(self, batch: BatchCounts) -> None:
        if not batch.refused:
            return
        log.warning("%d records of %s are no processed tweets and are not counted", batch.refused, self._topic)
        if batch.records >= _MIN_JUDGED and batch.refused > self._max_refused_share * batch.records:
            msg = (
                f"{batch.refused} of {batch.records} records of {self._topic} are no processed tweets, more than "
                "SPEED_MAX_DEAD_LETTER_SHARE allows: is another program writing there?"
            )
            raise IntegrityError(msg)

    def _forget_old_panes(self, newest_ms: int | None) -> None:
        if newest_ms is not None:
            floor = newest_ms - KEEP_MS
            self._panes = {key: pane for key, pane in self._panes.items() if pane.start_ms >= floor}


def _by_day(deltas: Mapping[PaneKey, Sums]) -> Iterable[dict[PaneKey, Sums]]:
    """Parts of a day of event time, so that old data of a month does not bring a month of panes into memory."""
    days: dict[int, dict[PaneKey, Sums]] = defaultdict(dict)
    for key, sums in deltas.items():
        days[key[0] // _DAY_MS][key] = sums
    return [days[day] for day in sorted(days)]


def _days(from_ms: int, to_ms: int) -> Iterable[tuple[int, int]]:
    return [(start, min(start + _DAY_MS, to_ms)) for start in range(from_ms, to_ms, _DAY_MS)]
