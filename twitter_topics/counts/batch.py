"""What a batch of processed tweets adds to the counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from twitter_topics.counts.panes import Sums


class Lane(NamedTuple):
    """In a lane, raw offsets rise, but for repeats. `raw_topic_id` is Kafka's: a topic made anew has
    lanes of its own."""

    raw_topic_id: str
    raw_partition: int
    partition: int


class Marks(NamedTuple):
    """Lowest and highest raw offset that were counted in a lane."""

    low: int
    high: int


class TopicPane(NamedTuple):
    """Key of a batch's sums. `label` is None where the records do not carry it."""

    start_ms: int
    topic_id: int
    label: str | None
    model_version: str


@dataclass(slots=True)
class BatchCounts:
    """What a batch adds. `starts` and `offsets`: by partition the first offset read, and the next one to read.
    `rejected` of its `records` were not processed tweets; the others have `shares` shares of topics in all."""

    sums: dict[TopicPane, Sums] = field(default_factory=dict)
    lanes: dict[Lane, Marks] = field(default_factory=dict)
    starts: dict[int, int] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)
    records: int = 0
    rejected: int = 0
    shares: int = 0
