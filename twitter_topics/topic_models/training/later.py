"""A challenger on tweets after its window: how its topics age, which the held-out ones cannot show."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from twitter_topics.topic_models.registry.metrics import LATER, MeasuredSlice
from twitter_topics.topic_models.registry.version import created_at
from twitter_topics.topic_models.training.metrics import Contest, SliceTweets, judged, measured_slice
from twitter_topics.topic_models.training.tweets import ArchivedTweets, TrainingTweets, read_tweets

if TYPE_CHECKING:
    from datetime import datetime

    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings
    from twitter_topics.topic_models.registry.gate import Comparison, Metrics
    from twitter_topics.topic_models.scoring.text_rules import TextRules
    from twitter_topics.topic_models.training.request import TrainingRequest

MIN_LATER = 2_000
"""Tweets after the window from which on models are measured on them too."""

MAX_LATER = 100_000
"""Of more, the newest are measured."""


@dataclass(frozen=True)
class Later:
    """A challenger on tweets after its window. It is reported, and no model is judged by it."""

    measured: MeasuredSlice
    metrics: Metrics
    comparison: Comparison | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for evaluation.json."""
        span = {"start": self.measured.start.isoformat(), "end": self.measured.end.isoformat()}
        compared = asdict(self.comparison) if self.comparison else None
        return {**span, "metrics": asdict(self.metrics), "comparison": compared}


def measure_later(
    spark: SparkSession,
    settings: Settings,
    request: TrainingRequest,
    contest: Contest,
    languages: tuple[str, ...],
    *,
    snapshot: int,
    now: datetime,
) -> Later | None:
    """Measure on tweets after the training's window and before `now`, at most as many hours of them as it has; None for
    fewer than MIN_LATER.

    Args:
        languages: as of `evaluation.judged_languages`.
        snapshot: of the archive.
    """
    start, end = request.end, min(request.end + (request.end - request.start), now)
    if contest.champion_version:  # it may know tweets after a past window
        start = max(start, created_at(contest.champion_version))
    if start >= end:
        return None

    def read(rules: TextRules) -> ArchivedTweets:
        most = min(MAX_LATER, request.max_documents)
        return read_tweets(spark, settings, snapshot=snapshot, start=start, end=end, max_tweets=most, rules=rules)

    def judged_of(found: ArchivedTweets) -> TrainingTweets:
        return found.in_languages(languages) if languages else found

    found = read(contest.challenger.rules)
    mine = theirs = judged_of(found)
    if mine.count < MIN_LATER:
        return None
    if contest.champion is not None and contest.champion.rules != contest.challenger.rules:
        theirs = judged_of(read(contest.champion.rules))
    tweets = SliceTweets(LATER, found.extent.start, found.extent.end, mine.words, theirs.words, mine.languages)
    metrics, comparison = judged(contest, tweets)
    measured, _ = measured_slice(contest, tweets, metrics, comparison)
    return Later(measured, metrics, comparison)
