"""How clear a tweet's topic is: the probability that another seed serves the same one, estimated from its share.

The second seed samples as long as a training from scratch, but it starts from the model's topics, so that a topic
keeps its column. Topics from other random starts cut the same tweets differently: of generated tweets, whose topics
are clear, two in three would agree. Topics anchored to the same champion can hardly differ: of real tweets, four in
five of the least clear ones would agree. Each language has a confidence of its own: with fewer tweets, the same share
says more.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from twitter_topics.records.processed import NO_TOPIC
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.training.anchoring import starting_topics
from twitter_topics.topic_models.training.corpus import Corpus, count_known, of_two_words
from twitter_topics.topic_models.training.gsdmm import sample_clusters
from twitter_topics.topic_models.training.languages import ALL
from twitter_topics.topic_models.training.trainers import as_model

if TYPE_CHECKING:
    from twitter_topics.topic_models.scoring.topic_model import FloatArray, IntArray, TopicModel
    from twitter_topics.topic_models.training.request import TrainingRequest
    from twitter_topics.topic_models.training.tweets import TrainingTweets

log = logging.getLogger(__name__)

MIN_HELD_OUT = 500
"""From fewer tweets the estimate is too noisy: there is no threshold."""

MAX_UNCLEAR = 0.25
"""A threshold takes the topic of at most so many tweets, however unclear they are: a model has to say something about
most of them, and without a limit the counts of all topics would fall at each training on few tweets."""

_STEPS = 20


@dataclass(frozen=True)
class Confidence:
    """P(another seed serves the same topic) as a step function of a tweet's largest share, which never falls.

    shares: where each step begins, ascending. chances: of each step. agreement: share of all tweets that agreed.
    tweets: how many there were. limit: the largest threshold that MAX_UNCLEAR allows.
    """

    shares: FloatArray
    chances: FloatArray
    agreement: float
    tweets: int
    limit: float

    def of(self, shares: FloatArray | float) -> FloatArray:
        """Return the confidence in tweets with these largest shares."""
        steps = np.searchsorted(self.shares, shares, side="right") - 1
        confidence: FloatArray = self.chances[np.maximum(steps, 0)]
        return confidence

    def min_share(self, min_confidence: float) -> float:
        """Return the smallest share of a clear topic; 0 if every tweet is clear enough."""
        sure = np.flatnonzero(self.chances >= min_confidence)
        if len(sure) and sure[0] == 0:
            return 0.0
        wanted = float(self.shares[sure[0]]) if len(sure) else 1.0
        if wanted > self.limit:
            log.warning(
                "more than %.0f %% of the tweets are below a confidence of %g; the least clear quarter gets no topic",
                100 * MAX_UNCLEAR,
                min_confidence,
            )
        return min(wanted, self.limit)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `training.json`; the curve is a list of [share, confidence]."""
        curve = np.round(np.column_stack([self.shares, self.chances]), 4).tolist()
        return {"tweets": self.tweets, "agreement": round(self.agreement, 4), "curve": curve}


def with_clear_topics(
    model: TopicModel, tweets: TrainingTweets, held_out_one_in: int, request: TrainingRequest
) -> tuple[TopicModel, dict[str, Any]]:
    """Return the model with the smallest share of a clear topic in each language, and where they come from: for
    `training.json`, by language (`all` for one set of topics).

    A language with too few held-out tweets is left out, and all of its topics are clear. The model stays as it is if no
    confidence is asked for, and for spark-lda, which cannot start from given topics.
    """
    if request.trainer != "gsdmm" or not request.min_confidence:
        return model, {}
    found, min_shares = {}, np.zeros(model.k)
    for number, language in enumerate(model.languages or (ALL,)):
        own = tweets.in_languages((language,)) if model.languages else tweets
        words = own.to_train(held_out_one_in), own.to_judge(held_out_one_in)
        confidence = calibrate(model.part(language), *words, sweeps=request.iterations, seed=request.seed + 1)
        if confidence is None:
            log.info("%s: too few held-out tweets to tell which topics are clear", language)
            continue
        at = confidence.min_share(request.min_confidence)
        min_shares[model.language_of_topic == number] = at
        found[language] = confidence.as_dict() | {"min_share": at, "confidence": round(float(confidence.of(at)), 4)}
        agreement = 100 * confidence.agreement
        log.info(
            "%s: another seed agrees on %.1f %% of the tweets; a topic is clear from a share of %.3f",
            language,
            agreement,
            at,
        )
    return (replace(model, min_shares=min_shares) if found else model), found


def calibrate(
    model: TopicModel, trained: pa.ListArray, held_out: pa.ListArray, *, sweeps: int, seed: int
) -> Confidence | None:
    """Estimate the confidence in the topics of held-out tweets by another seed; None for fewer than MIN_HELD_OUT.

    Args:
        model: the topics of one language, or of all. trained: words of its training documents.
        sweeps: of the second seed: as many as those of a training from scratch.
    """
    served, shares = largest_shares(model, held_out)
    known = served != NO_TOPIC
    if known.sum() < MIN_HELD_OUT:
        return None
    again, _ = largest_shares(another_seed(model, trained, sweeps=sweeps, seed=seed), held_out)
    return fitted(shares[known], (served == again)[known])


def fitted(shares: FloatArray, agrees: np.ndarray[Any, np.dtype[np.bool_]]) -> Confidence:
    """Return the confidence by share: the share of tweets that agree in bins of equal counts, made monotone.

    Isotonic regression by pool-adjacent-violators; Zadrozny and Elkan, "Transforming classifier scores into accurate
    multiclass probability estimates" (2002).
    """
    order = np.argsort(shares, kind="stable")
    bins = [part for part in np.array_split(order, _STEPS) if len(part)]
    rates, sizes = np.array([agrees[part].mean() for part in bins]), np.array([len(part) for part in bins])
    starts = np.array([np.float32(shares[part[0]]) for part in bins], dtype=np.float64)
    limit = float(np.float32(shares[order[int(MAX_UNCLEAR * len(order))]]))
    return Confidence(starts, _rising(rates, sizes), float(agrees.mean()), len(shares), limit)


def another_seed(model: TopicModel, words: pa.ListArray, *, sweeps: int, seed: int) -> TopicModel:
    """Return what becomes of a model's topics when another seed samples their training documents freely.

    Args:
        model: the topics of one language, or of all. words: of its training documents.
    """
    counts = count_known(words, model.vocabulary)
    corpus = Corpus(of_two_words(counts), model.vocabulary)
    start = starting_topics(corpus, model, model.k, seed)
    clusters = sample_clusters(corpus.counts, model.k, sweeps=sweeps, seed=seed, start=start)
    return as_model(corpus, clusters).with_identity(model.topic_ids, ())


def largest_shares(model: TopicModel, words: pa.ListArray) -> tuple[IntArray, FloatArray]:
    """Return the topic id of the largest share of each tweet, and that share."""
    scorer, counts = Scorer(model), count_known(words, model.vocabulary)
    theta = scorer.theta_of(counts)
    return scorer.largest(theta).astype(np.int64), theta.max(axis=1)


def _rising(rates: FloatArray, sizes: IntArray) -> FloatArray:
    """Pool neighbours until no rate is below the one before it."""
    pools: list[tuple[float, int, int]] = []
    for rate, size in zip(rates.tolist(), sizes.tolist(), strict=True):
        agreeing, tweets, steps = rate * size, size, 1
        while pools and pools[-1][0] * tweets >= agreeing * pools[-1][1]:
            before = pools.pop()
            agreeing, tweets, steps = agreeing + before[0], tweets + before[1], steps + before[2]
        pools.append((agreeing, tweets, steps))
    return np.repeat([agreeing / tweets for agreeing, tweets, _ in pools], [steps for *_, steps in pools])
