"""How far the tweets of a day are from those that the champion was trained on."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twitter_topics.archive.rows import current_snapshot
from twitter_topics.errors import TooFewTweetsError
from twitter_topics.topic_models.registry import json_objects
from twitter_topics.topic_models.registry.drift import MIN_TWEETS, trained_until, unseen_part
from twitter_topics.topic_models.registry.metrics import (
    ALL_LANGUAGES,
    DAY,
    HELD_OUT,
    MEASURED,
    MeasuredSlice,
    Metric,
    day_of_version,
    slices_from,
)
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.training.corpus import (
    MAX_SHARE_OF_WORD,
    MIN_DOCUMENTS_OF_WORD,
    count_known,
    of_two_words,
)
from twitter_topics.topic_models.training.metrics import parts_of, serve, served_metrics
from twitter_topics.topic_models.training.record import record
from twitter_topics.topic_models.training.tweets import TrainingTweets, read_sample

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings
    from twitter_topics.topic_models.registry.store import ModelStore
    from twitter_topics.topic_models.scoring.topic_model import IntArray, TopicModel

log = logging.getLogger(__name__)

MAX_TWEETS = 100_000
"""Of a larger day, a sample of so many is measured."""

_DRAWS = 20
_SEED = 7


@dataclass(frozen=True)
class Reference:
    """What a day is compared with besides the training's word frequencies: the version's own held-out tweets.

    topic_documents: their number in each topic. The scorer shares tweets out a little differently than the trainer.
    known_words: share of their words that the model knows, by language and for all; empty if it was not measured.
    """

    topic_documents: IntArray
    known_words: Mapping[str, float]


def divergence(first: IntArray, second: IntArray) -> float:
    """Return the Jensen-Shannon divergence of the frequencies in two vectors of counts, in bits: 0 for equal ones, 1
    for those that have nothing in common. Lin, "Divergence measures based on the Shannon entropy" (1991)."""
    shares = np.array([first / first.sum(), second / second.sum()])
    middle = shares.mean(axis=0)
    present = shares > 0
    return float((shares[present] * np.log2((shares / np.where(middle > 0, middle, 1))[present])).sum() / 2)


def drift(first: IntArray, second: IntArray) -> float:
    """Return by how much the divergence exceeds that of two samples of the same source, in bits; 0 if by nothing.

    The divergence alone measures the sizes: of the same real tweets, 60,000 and 500 differ by .34 bits, 60,000 and
    20,000 by .03. What chance explains is the mean of random draws of the same sizes from the frequencies of both
    together.
    """
    draw = np.random.default_rng(_SEED)
    together = (first + second) / (first + second).sum()
    sizes = int(first.sum()), int(second.sum())
    by_chance = [divergence(*(draw.multinomial(size, together) for size in sizes)) for _ in range(_DRAWS)]
    return max(0.0, divergence(first, second) - float(np.mean(by_chance)))


def measure_day(
    spark: SparkSession, settings: Settings, store: ModelStore, version: str, day: date, measured_at: datetime
) -> None:
    """Measure a version on the tweets of a UTC day after those that it was trained on, and write the result to
    `tweets.model_metrics`. A repeat replaces it.

    Raises:
        IntegrityError: the version is not registered, or it is damaged.
        TooFewTweetsError: fewer than MIN_TWEETS.
    """
    manifest = store.manifest(version)
    start, end = unseen_part(manifest, day)
    scorer = Scorer.load(store.load_arrays(version))
    snapshot, tweets = current_snapshot(spark, settings), None
    if snapshot is not None:
        tweets = read_sample(
            spark, settings, snapshot=snapshot, start=start, end=end, most=MAX_TWEETS, rules=scorer.rules
        )
    if tweets is None or tweets.count < MIN_TWEETS:
        msg = f"{tweets.count if tweets else 0:,} tweets between {start} and {end}; {MIN_TWEETS:,} are required"
        raise TooFewTweetsError(msg)
    age_days = (end - trained_until(manifest)) / timedelta(days=1)
    before = _reference(store, manifest, scorer.model)
    metrics = tuple(day_metrics(version, scorer, tweets, before, age_days))
    record(spark, settings, day_of_version(version, day), [MeasuredSlice(DAY, start, end, metrics)], measured_at)
    log.info("%s on %s: %d numbers about %d tweets", version, day, len(metrics), tweets.count)


def day_metrics(
    version: str, scorer: Scorer, tweets: TrainingTweets, before: Reference, age_days: float
) -> Iterator[Metric]:
    """Yield what is measured of a champion on a day."""
    words, languages, model = tweets.words, tweets.languages, scorer.model
    yield Metric(version, "champion", ALL_LANGUAGES, "age_days", age_days, tweets.count)
    yield Metric(version, "champion", ALL_LANGUAGES, "tweets", tweets.count, tweets.count)
    served = serve(scorer, words, languages)
    yield from served_metrics(version, "champion", served)
    yield from _against(version, ALL_LANGUAGES, "topic", served.documents, before.topic_documents, tweets.count)
    parts = list(parts_of(model, words, languages)) or [(ALL_LANGUAGES, model, words)]
    vectors = [_compared_words(part, own, before.known_words.get(language)) for language, part, own in parts]
    for (language, _, own), (now, trained) in zip(parts, vectors, strict=True):
        yield from _against(version, language, "word", now, trained, len(own))
    if model.languages:
        now, trained = (np.concatenate(side) for side in zip(*vectors, strict=True))
        yield from _against(version, ALL_LANGUAGES, "word", now, trained, tweets.count)


def _against(
    version: str, language: str, what: str, now: IntArray, before: IntArray, documents: int
) -> Iterator[Metric]:
    if now.any() and before.any():
        yield Metric(version, "champion", language, f"{what}_divergence", divergence(now, before), documents)
        yield Metric(version, "champion", language, f"{what}_drift", drift(now, before), documents)


def _compared_words(model: TopicModel, words: pa.ListArray, known_before: float | None) -> tuple[IntArray, IntArray]:
    """Return occurrences on the day and in training of: the words of a model; those that are new, each by itself; and
    all other unknown ones as one.

    Args:
        known_before: share of the words that the model knew on its held-out tweets; None if it was not measured.
    """
    counts = count_known(words, model.vocabulary)
    now = np.asarray(of_two_words(counts).sum(axis=0)).ravel().astype(np.int64)  # as training counts
    trained = model.word_counts
    new = _new_words(words, model.vocabulary, int(trained.sum()) / max(int(now.sum()), 1))
    rest = [0, 0]
    if known_before:
        known, every = float(counts.sum()), len(words.flatten())
        unknown = round(now.sum() * (every / known - 1)) if known else every
        rest = [max(unknown - int(new.sum()), 0), round(trained.sum() * (1 / known_before - 1))]
    return np.concatenate((now, new, rest[:1])), np.concatenate((trained, np.zeros_like(new), rest[1:]))


def _new_words(words: pa.ListArray, vocabulary: tuple[str, ...], growth: float) -> IntArray:
    """Return occurrences of each unknown word that would be known, had it been as frequent in training.

    Args:
        growth: words of the training for each of the day.
    """
    found = words.flatten().value_counts()
    unknown = found.filter(pc.invert(pc.is_in(found.field("values"), value_set=pa.array(vocabulary, pa.string()))))
    counts: IntArray = unknown.field("counts").to_numpy().astype(np.int64)
    # a word in very many tweets may have been too common for the vocabulary
    frequent = counts >= MIN_DOCUMENTS_OF_WORD * max(2.0, 4 / growth if growth else np.inf)
    return counts[frequent & (counts <= MAX_SHARE_OF_WORD / 2 * len(words))]


def _reference(store: ModelStore, manifest: dict[str, Any], model: TopicModel) -> Reference:
    if MEASURED not in manifest["files"]:  # a version from before evaluations were kept
        return Reference(model.documents, {})
    content = json_objects.decode(store.read(manifest["version"], MEASURED), MEASURED)
    held_out = next(one for one in slices_from(content) if one.name == HELD_OUT)
    known = {
        one.language: one.value for one in held_out.metrics if (one.role, one.metric) == ("challenger", "known_words")
    }
    return Reference(np.array(content["topic_documents"], dtype=np.int64), known)
