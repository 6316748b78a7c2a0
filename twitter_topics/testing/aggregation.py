"""A classifier's log in memory, the truth by brute force, and a store that breaks off where it is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from twitter_topics.counts.aggregation import Aggregation, BatchCounts
from twitter_topics.counts.aggregator import to_counts
from twitter_topics.counts.partial_sums import partial_sums
from twitter_topics.counts.series import PANE_MS, WINDOW_MS, HourPoint, Lane, Pane, Series, Sums
from twitter_topics.testing.series import MemorySeriesStore

TOPIC = "processed"
LABELS = {1: "storm", 2: "football"}

_SCHEMA = pa.schema(
    [
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("event_time", pa.int64()),
        ("model_version", pa.string()),
        ("topics", pa.list_(pa.struct([("topic_id", pa.int32()), ("probability", pa.float64())]))),
        ("compound", pa.float64()),
        ("raw_partition", pa.int32()),
        ("raw_offset", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Tweet:
    """A processed tweet. Its lane is (raw_partition, processed partition)."""

    lane: Lane
    raw_offset: int
    event_time: int
    topic_id: int = 1
    model_version: str = "m1"

    def record(self, offset: int) -> dict[str, Any]:
        other = 3 - self.topic_id
        return {
            "partition": self.lane[1],
            "offset": offset,
            "event_time": self.event_time,
            "model_version": self.model_version,
            "topics": [{"topic_id": self.topic_id, "probability": 0.7}, {"topic_id": other, "probability": 0.3}],
            "compound": 0.25,
            "raw_partition": self.lane[0],
            "raw_offset": self.raw_offset,
        }


def read_batch(
    log: dict[int, list[Tweet]], start: dict[int, int], sizes: dict[int, int], marks: dict[Lane, int]
) -> BatchCounts:
    """The next records of each processed partition, each partition a task of its own."""
    tables = []
    for partition, tweets in log.items():
        first = start.get(partition, 0)
        rows = [tweet.record(first + at) for at, tweet in enumerate(tweets[first : first + sizes[partition]])]
        batches = [pa.RecordBatch.from_pylist(rows, schema=_SCHEMA)]
        tables += [pa.Table.from_batches([part]) for part in partial_sums(batches, marks)]
    return to_counts(pa.concat_tables(tables))


def true_panes(tweets: Iterable[Tweet]) -> dict[tuple[int, Series], Sums]:
    """Sums by pane from the distinct tweets."""
    panes: dict[tuple[int, Series], Sums] = defaultdict(Sums)
    for tweet in set(tweets):
        start = tweet.event_time // PANE_MS * PANE_MS
        own = Series(tweet.topic_id, LABELS[tweet.topic_id], tweet.model_version)
        other = Series(3 - tweet.topic_id, LABELS[3 - tweet.topic_id], tweet.model_version)
        panes[start, own] = panes[start, own].plus(Sums(1, 700_000, 250_000))
        panes[start, other] = panes[start, other].plus(Sums(0, 300_000, 0))
    return dict(panes)


def true_hours(panes: dict[tuple[int, Series], Sums]) -> dict[tuple[int, Series], Sums]:
    """Every hour that holds a pane, up to the newest end, and the first empty one after it."""
    hours: dict[tuple[int, Series], Sums] = defaultdict(Sums)
    newest_end = max((start for start, _ in panes), default=0) + PANE_MS
    for (start, series), sums in panes.items():
        for end in range(start + PANE_MS, min(start + WINDOW_MS, newest_end) + 1, PANE_MS):
            hours[end, series] = hours[end, series].plus(sums)
    after = [(end + PANE_MS, series) for end, series in hours if end + PANE_MS <= newest_end]
    for key in after:
        hours.setdefault(key, Sums())
    return dict(hours)


class Killed(Exception):  # noqa: N818 - an event of a test, not an error of the program
    """Stands for kill -9."""


@dataclass
class BreakingStore(MemorySeriesStore):
    """Dies at the n-th point or statement written, with all before it stored."""

    fuse: int = -1
    written: int = field(default=0)

    def __post_init__(self) -> None:
        super().__init__()

    def _burn(self) -> None:
        if self.fuse == 0:
            raise Killed
        self.fuse -= 1
        self.written += 1

    def write_panes(self, panes: Iterable[Pane]) -> None:
        for pane in panes:
            self._burn()
            super().write_panes([pane])

    def write_hours(self, points: Iterable[HourPoint]) -> None:
        # a few lumps are enough to be cut between, and there are thousands of points
        points = list(points)
        for at in range(0, len(points), 500):
            self._burn()
            super().write_hours(points[at : at + 500])

    def write_intent(self, intent: Any) -> None:
        self._burn()
        super().write_intent(intent)

    def write_ledger(self, entry: Any) -> None:
        self._burn()
        super().write_ledger(entry)


def opened(store: MemorySeriesStore) -> Aggregation:
    aggregation = Aggregation(store, TOPIC, lambda _version: LABELS)
    aggregation.open()
    return aggregation
