"""What happens in the day that the dashboards are shown: every value that a panel shows follows from it.

Times are fixed, so that tables and pictures are the same each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from twitter_topics.audit.balance import Day, Facts, Report, balance
from twitter_topics.backends.dead_letters import Letter
from twitter_topics.records.gap import Gap
from twitter_topics.records.processed import processed_fields

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
DAY = 1_789_948_800_000
"""2026-09-21 00:00 UTC."""

M1, M2 = "20260920T040000Z-gsdmm", "20260921T101000Z-gsdmm"
PROMOTED = {M1: DAY - 19 * HOUR, M2: DAY + 10 * HOUR + 20 * MINUTE}
LABELS = {
    M1: {1: "storm · rain", 2: "football · goal", 3: "ramen · noodles", -1: "no topic"},
    M2: {1: "storm · wind", 2: "football · goal", 3: "ramen · noodles", -1: "no topic"},
}
"""The second model labels topic 1 differently; the labels of the others stay."""

GAP_FROM, GAP_TO = DAY + 11 * HOUR, DAY + 12 * HOUR + 10 * MINUTE


@dataclass(frozen=True)
class Seed:
    """A tweet. `topic` is the dominant one, with three quarters of the mass; the rest is topic 3's.

    `compound` is None for a language without sentiment.
    """

    number: int
    at_ms: int
    topic: int
    model: str
    lang: str = "en"
    compound: float | None = 0.5
    source: str = "bluesky"
    user: int = 0
    edited: bool = False

    @property
    def label(self) -> str:
        return LABELS[self.model][self.topic]

    @property
    def shares(self) -> list[tuple[int, float]]:
        return [(self.topic, 1.0)] if self.topic in (3, -1) else [(self.topic, 0.75), (3, 0.25)]

    def processed(self) -> dict[str, Any]:
        """The value of `processed_tweets`."""
        return processed_fields(
            tweet_id=f"{self.source}:{self.number}",
            event_time_ms=self.at_ms,
            model_version=self.model,
            topics=self.shares,
            labels=LABELS[self.model],
            sentiment=None if self.compound is None else self.felt,
            raw_topic_id="raw-1",
            raw_partition=0,
            raw_offset=self.number,
        )

    @property
    def felt(self) -> dict[str, float]:
        return {"compound": self.compound or 0.0, "polarity": 0.0, "subjectivity": 0.0}


def _every(first: int, last: int, step: int, **fields: Any) -> Iterator[Seed]:
    """Tweets from `first` to before `last`, every `step` ms. The model is the champion of that moment."""
    for number, at_ms in enumerate(range(first, last, step)):
        model = M2 if at_ms >= PROMOTED[M2] else M1
        yield Seed(0, at_ms, model=model, user=number % 7, **fields)


def tweets() -> list[Seed]:
    """All tweets of the day, by time. Their numbers are the order of arrival."""
    eight = DAY + 8 * HOUR
    stream = [
        *_every(eight + 3_000, GAP_FROM, 40 * SECOND, topic=1, compound=-0.6),
        *_every(GAP_TO, DAY + 13 * HOUR, 50 * SECOND, topic=1, compound=-0.2, source="mastodon"),
        *_every(eight, eight + 40 * MINUTE, 25 * SECOND, topic=2, compound=0.8),
        *_every(eight + HOUR + 2 * SECOND, eight + 150 * MINUTE, 90 * SECOND, topic=3, lang="ja", compound=None),
        *_every(
            eight + 20 * MINUTE + SECOND, GAP_FROM, 7 * MINUTE, topic=-1, lang="de", compound=0.0, source="mastodon"
        ),
    ]
    stream.sort(key=lambda one: one.at_ms)
    return [replace(one, number=number) for number, one in enumerate(stream)]


def batches() -> list[list[Seed]]:
    """The tweets in the order of counting: two batches bring tweets of 08:10 to 08:20 late, so that the ends of their
    hours are corrected twice; one ends at the promotion, and one at the gap."""
    late: list[list[Seed]] = [[], []]
    early: list[Seed] = []
    model1: list[Seed] = []
    model2: list[Seed] = []
    after_gap: list[Seed] = []
    for one in tweets():
        within_ten = DAY + 8 * HOUR + 10 * MINUTE <= one.at_ms < DAY + 8 * HOUR + 20 * MINUTE
        if within_ten and one.number % 3:
            late[one.number % 3 - 1].append(one)
        elif one.at_ms < DAY + 9 * HOUR:
            early.append(one)
        elif one.at_ms < PROMOTED[M2]:
            model1.append(one)
        elif one.at_ms < GAP_FROM:
            model2.append(one)
        else:
            after_gap.append(one)
    return [early, *late, model1, model2, after_gap]


EXTRA = [Seed(9_000 + number, DAY + 9 * HOUR + number * MINUTE, 2, M1) for number in range(5)]
"""Tweets that only the archive has: the recount finds them, and the speed layer does not."""

MOVED = 4
"""So many tweets of topic 1, of the hour from 09:00, are topic 3 for the model of the recount."""


# --- what the parts report


@dataclass(frozen=True)
class Health:
    """A report of a part."""

    part: str
    at_ms: int
    rate: float
    lag: int
    batch_seconds: float
    restarts: int = 0
    state: str = "running"
    error: str = ""


SILENT_FROM = DAY + 12 * HOUR + 30 * MINUTE
BEHIND_FROM = DAY + 12 * HOUR + 20 * MINUTE


def health() -> list[Health]:
    """Reports every 30 s from 08:00 to 14:01. The classifier falls silent, the aggregator falls behind."""
    found = []
    for at_ms in range(DAY + 8 * HOUR, DAY + 14 * HOUR + MINUTE, 30 * SECOND):
        tick = (at_ms - DAY) // (6 * MINUTE)
        found.append(Health("producer-bluesky", at_ms, 2.0 + tick % 3, tick % 5, 0.0))
        found.append(Health("archiver", at_ms, 2.5, 10 + tick % 7, 1.5, restarts=1))
        if at_ms < SILENT_FROM:
            found.append(Health("classifier", at_ms, 1.5, 20 + tick % 11, 2.0 + tick % 2))
        behind = at_ms >= BEHIND_FROM
        error = "InfluxDB at influx:8086 did not write: timed out" if behind else ""
        found.append(Health("aggregator", at_ms, 1.0, 25_000 + tick if behind else tick % 4, 0.5, error=error))
    return found


GAPS = [
    Gap("bluesky", GAP_FROM, GAP_TO, "network", 2_100),
    Gap("mastodon", DAY + 9 * HOUR, DAY + 9 * HOUR + 90 * SECOND, "http-503", 12),
]

VIEW_BEHIND = [(DAY + 9 * HOUR, 0.0), (DAY + 10 * HOUR, 12.5), (DAY + 12 * HOUR + 40 * MINUTE, 312.0)]
"""(when measured, seconds behind)."""

DEAD_LETTERS = [
    (DAY + 9 * HOUR, 10, {("parse", "json"): 2}),
    (DAY + 10 * HOUR, 900, {("parse", "json"): 3, ("index", "HTTP 400"): 1}),
    (DAY + 12 * HOUR + 30 * MINUTE, 1_000, {("parse", "time"): 60}),
]
"""(when measured, raw records of that hour, dead letters by stage and reason)."""


def letters(reasons: dict[tuple[str, str], int], at_ms: int) -> list[Letter]:
    """The dead letters behind such numbers."""
    return [
        Letter(stage, f"{reason}: number {number}", "raw_tweets", 0, number, 10, "", b"", at_ms)
        for (stage, reason), count in reasons.items()
        for number in range(count)
    ]


CHAMPION_SEEN = [DAY + 9 * HOUR, DAY + 11 * HOUR, DAY + 9 * 24 * HOUR]
"""When the champion's age was measured: the last time, the second model is old."""

METRICS = {
    M1: {"perplexity": 512.25, "coherence": 0.21, "diversity": 0.8, "coverage": 0.94},
    M2: {"perplexity": 498.5, "coherence": 0.24, "diversity": 0.83, "coverage": 0.95},
}
DOCUMENTS, TOPICS, UNIGRAM = 5_000, 4, 900.0
REASONS = {M1: "there is no champion yet", M2: "perplexity 498.5 is 2.7% below the champion's"}

AUDITED = {DAY + 6 * HOUR + 45 * MINUTE: 0, DAY + 12 * HOUR + 45 * MINUTE: 3}
"""When the audit ran, and how many records it found missing in the archive."""


def report(lost: int) -> Report:
    """An audit of a thousand records, of which some are lost."""
    kept = 1_000 - lost
    tweets = kept - 2
    days = (Day(date(2026, 9, 21), tweets, tweets, tweets, tweets),)
    rejected = {"parse": 2}
    return balance(
        Facts(1_000, kept, kept, tweets, tweets, tweets, 0, archive_holes=lost, dead_letters=rejected, days=days)
    )
