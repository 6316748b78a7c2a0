"""Measurements of the series store (InfluxDB). Times are integers with an explicit precision."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import NamedTuple

PANE_MS = 10_000
"""Slide of the rolling window: a pane is ten seconds of event time, aligned to the epoch."""

WINDOW_MS = 3_600_000
"""Length of the rolling window: one hour."""

TOPIC_PANE = "topic_pane"
"""Totals of one pane. Tags topic_id, topic_label, model_version; fields tweets i, mass f, sentiment f (sum of
compounds), base_tweets i, base_mass f, base_sentiment f (totals before the last batch), sequence i (that batch);
time = pane start."""

TOPIC_LAST_HOUR = "topic_last_hour"
"""The hour that ends at the point's time. Tags topic_id, topic_label, model_version; fields tweets i, mass f,
sentiment f (mean VADER compound of those tweets, 0 where there is none)."""

AGGREGATOR_LEDGER = "aggregator_ledger"
"""What is counted. Time = sequence (ns). Before a batch's panes: first_ms i, last_ms i (which panes it will touch).
After its last write, in the same point: sequence i, position "json". Without a sequence, a batch broke off."""

TOPIC_HOUR_FINAL = "topic_hour_final"
"""Exact counts of a closed hour from the archive. Tags topic_id, topic_label, model_version; fields tweets i, mass f,
sentiment f (mean); time = hour start."""

MILLION = 1_000_000
"""Mass and sentiment are summed as integers, in millionths: integers add up to the same total in any order."""


class Sums(NamedTuple):
    """What is counted of a series: tweets whose dominant topic it is, its mass over all tweets, and the sum of the
    compounds of its tweets (the last two in millionths)."""

    tweets: int = 0
    mass: int = 0
    sentiment: int = 0

    def plus(self, other: Sums) -> Sums:
        return Sums(self.tweets + other.tweets, self.mass + other.mass, self.sentiment + other.sentiment)

    @property
    def mean_sentiment(self) -> float:
        """Mean compound of the tweets, 0 where there is none."""
        return self.sentiment / self.tweets / MILLION if self.tweets else 0.0


class Series(NamedTuple):
    """The tags of a count."""

    topic_id: int
    label: str
    model_version: str


class Pane(NamedTuple):
    """Totals of ten seconds of event time, and what they were before `sequence`, the last batch that added to them."""

    start_ms: int
    series: Series
    total: Sums
    base: Sums
    sequence: int

    def as_of(self, sequence: int) -> Sums:
        """Totals after the batch `sequence`; only the newest change can be taken back."""
        return self.total if self.sequence <= sequence else self.base


class HourPoint(NamedTuple):
    """Counts of the hour [end_ms - WINDOW_MS, end_ms)."""

    end_ms: int
    series: Series
    sums: Sums


class Intent(NamedTuple):
    """A batch that was begun: it changes no pane outside [first_ms, last_ms]."""

    sequence: int
    first_ms: int
    last_ms: int


Lane = tuple[int, int]
"""(partition of the raw topic, partition of the processed topic). In a lane, raw offsets rise, but for repeats."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far the processed topic is counted.

    `offsets`: next offset of each partition. `lanes`: highest raw offset counted in each lane. `newest_ms`: start of
    the newest pane, None before the first. `tweets`: counted so far. `refused`: records that were no processed tweets.
    """

    topic: str
    offsets: dict[int, int] = field(default_factory=dict)
    lanes: dict[Lane, int] = field(default_factory=dict)
    newest_ms: int | None = None
    tweets: int = 0
    refused: int = 0

    def to_json(self) -> str:
        fields = {
            "topic": self.topic,
            "offsets": {str(partition): offset for partition, offset in sorted(self.offsets.items())},
            "lanes": {f"{raw}:{processed}": mark for (raw, processed), mark in sorted(self.lanes.items())},
            "newest_ms": self.newest_ms,
            "tweets": self.tweets,
            "refused": self.refused,
        }
        return json.dumps(fields, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Position:
        """Raises ValueError or KeyError for any other text."""
        fields = json.loads(text)
        lanes: dict[Lane, int] = {}
        for lane, mark in fields.pop("lanes").items():
            raw, processed = lane.split(":")
            lanes[int(raw), int(processed)] = mark
        offsets = {int(partition): offset for partition, offset in fields.pop("offsets").items()}
        return replace(cls(**fields), offsets=offsets, lanes=lanes)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """The last batch whose writes are complete."""

    sequence: int
    position: Position


class TopicCount(NamedTuple):
    """One topic over an hour, all model versions together. `mass` in tweets, `sentiment` the mean compound."""

    topic_id: int
    label: str
    tweets: int
    mass: float
    sentiment: float


class LastHour(NamedTuple):
    """The newest complete hour: its end and its topics, most tweets first."""

    end_ms: int
    topics: list[TopicCount]
