"""A classifier's log in memory, and the truth by brute force."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from sqlalchemy.engine import URL

from twitter_topics.counts.aggregation import Aggregation
from twitter_topics.counts.aggregator import to_counts
from twitter_topics.counts.batch import BatchCounts, Lane, Marks
from twitter_topics.counts.panes import PANE_MS, WINDOW_MS, Series, Sums, pane_start
from twitter_topics.counts.partial_sums import RECORD_SCHEMA, partial_sums, sums_of_all
from twitter_topics.counts.publication import Publisher
from twitter_topics.counts.state import CountsState
from twitter_topics.testing.counts import BreakingDatabase, Fuse, Killed, MemoryView

TOPIC = "processed"
RAW = "raw-1"
T0 = 1_790_000_000_000
PARTITIONS = 2
LABELS = {1: "storm", 2: "football"}


@dataclass(frozen=True)
class Tweet:
    """A processed tweet. `scored`: it has a sentiment. `labelled`: its record carries all labels, not only one."""

    lane: Lane
    raw_offset: int
    event_time: int
    topic_id: int = 1
    model_version: str = "m1"
    scored: bool = True
    labelled: bool = True

    def record(self, offset: int) -> dict[str, Any]:
        other = 3 - self.topic_id
        labels = LABELS if self.labelled else {}
        return {
            "partition": self.lane.partition,
            "offset": offset,
            "event_time": self.event_time,
            "model_version": self.model_version,
            "topics": [
                {"topic_id": self.topic_id, "label": labels.get(self.topic_id), "probability": 0.7},
                {"topic_id": other, "label": labels.get(other), "probability": 0.3},
            ],
            "topic_label": LABELS[self.topic_id],
            "compound": 0.25 if self.scored else None,
            "raw_topic_id": self.lane.raw_topic_id,
            "raw_partition": self.lane.raw_partition,
            "raw_offset": self.raw_offset,
        }


def read_batch(
    log: Mapping[int, list[Tweet]], start: Mapping[int, int], sizes: Mapping[int, int], lanes: Mapping[Lane, Marks]
) -> BatchCounts:
    """The next records of each processed partition, each partition a task of its own."""
    marks = {lane: one.high for lane, one in lanes.items()}
    tables = []
    for partition, tweets in log.items():
        first = start.get(partition, 0)
        rows = [tweet.record(first + at) for at, tweet in enumerate(tweets[first : first + sizes[partition]])]
        batches = [pa.RecordBatch.from_pylist(rows, schema=RECORD_SCHEMA)]
        tables += [pa.Table.from_batches([part]) for part in partial_sums(batches, marks)]
    return to_counts(pa.concat_tables(tables))


def to_batch(tweets: Iterable[Tweet]) -> BatchCounts:
    """The sums of tweets that are all to be counted."""
    records = pa.RecordBatch.from_pylist([tweet.record(0) for tweet in tweets], schema=RECORD_SCHEMA)
    return to_counts(pa.Table.from_batches(list(sums_of_all([records]))))


def true_panes(tweets: Iterable[Tweet]) -> dict[tuple[int, Series], Sums]:
    """Sums by pane from the distinct tweets."""
    panes: dict[tuple[int, Series], Sums] = defaultdict(Sums)
    for tweet in set(tweets):
        start = pane_start(tweet.event_time)
        own = Series(tweet.topic_id, LABELS[tweet.topic_id], tweet.model_version)
        other = Series(3 - tweet.topic_id, LABELS[3 - tweet.topic_id], tweet.model_version)
        scored = int(tweet.scored)
        panes[start, own] = panes[start, own].plus(Sums(1, scored, 700_000, scored * 250_000))
        panes[start, other] = panes[start, other].plus(Sums(0, 0, 300_000, 0))
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


class NoPublication:
    """For tests that publish themselves."""

    def wake(self, *, behind: bool) -> None:
        pass


def opened(state: CountsState, processed_id: str = "processed-1", raw_id: str = RAW) -> Aggregation:
    """An aggregation that has claimed the state."""
    aggregation = Aggregation(state, NoPublication())
    aggregation.open(processed_id, raw_id)
    return aggregation


def minutes(count: int, lane: Lane) -> list[Tweet]:
    """A tweet a minute."""
    return [Tweet(lane, at, T0 + at * 60_000) for at in range(count)]


def shown(view: MemoryView) -> dict[tuple[int, Series], Sums]:
    """Every rolling hour as a reader of the view sees it."""
    return {(point.end_ms, point.series): point.sums for point in view.hours(0, 2**62)}


def follow(
    log: Mapping[int, list[Tweet]],
    url: URL,
    view: MemoryView,
    draw: Callable[[int], int],
    fuses: Iterable[int],
    fuse: Fuse | None = None,
) -> CountsState:
    """Read the log to its end and publish after each batch, dying when a fuse has burnt down and starting again.

    Args:
        draw: a number from 0 to its argument: how many records of a partition a batch takes.
        fuses: for each life, how many writes it lives.
        fuse: burns at each write.
    """
    fuse, lives = fuse or Fuse(), list(fuses)
    view.fuse = fuse
    while True:
        fuse.left = lives.pop() if lives else -1
        database = BreakingDatabase("COUNTS_DATABASE_URI", url, fuse)
        state = CountsState(database, TOPIC)
        try:
            aggregation, publisher = opened(state), Publisher(state, view)
            publisher.publish()
            while any(aggregation.position.offsets.get(p, 0) < len(rows) for p, rows in log.items()):
                sizes = {partition: draw(12) for partition in log}
                if not any(sizes.values()):
                    sizes = dict.fromkeys(log, 1)
                position = aggregation.position
                aggregation.count(read_batch(log, position.offsets, sizes, position.lanes))
                publisher.publish()
        except Killed:
            database.close()
            continue
        fuse.left = -1
        return state


@st.composite
def processed_logs(draw: Any, raw_topics: Sequence[str] = (RAW, "raw-2")) -> dict[int, list[Tweet]]:
    """Processed partitions: each lane in order of raw offsets, with repeats that start again from an earlier point."""
    far = st.sampled_from([0, 0, 0, -3 * 24 * 3_600_000, 5 * 3_600_000])
    near = st.integers(-4_000_000, 4_000_000)
    log: dict[int, list[Tweet]] = {partition: [] for partition in range(PARTITIONS)}
    lanes = [(RAW, 0, 0), (RAW, 0, 1), (RAW, 1, 0), (RAW, 1, 1), ("raw-2", 0, 0)]
    for raw_topic, raw, processed in [lane for lane in lanes if lane[0] in raw_topics]:
        offsets = sorted(draw(st.sets(st.integers(0, 300), max_size=8)))
        own = [
            Tweet(
                Lane(raw_topic, raw, processed),
                offset,
                T0 + draw(far) + draw(near),
                draw(st.sampled_from([1, 2])),
                draw(st.sampled_from(["m1", "m2"])),
                draw(st.booleans()),
            )
            for offset in offsets
        ]
        if own and draw(st.booleans()):
            end = draw(st.integers(1, len(own)))
            own = own[:end] + own[draw(st.integers(0, end - 1)) :]
        log[processed] += own
    return log
