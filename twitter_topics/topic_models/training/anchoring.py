"""Topics that continue a champion's, so that an analyst's topic is the same topic after the next training.

The champion's counts, scaled to the new corpus, stay in the sampler as if they were documents, so its topics cannot
wander off: column j of the sampler is the champion's topic j. A few free columns are for new subjects.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from twitter_topics.topic_models.scoring.topic_model import FloatArray, IntArray, TopicModel
from twitter_topics.topic_models.training.alignment import NEW, Identities, Predecessor, recognised
from twitter_topics.topic_models.training.births import (
    LIKENESS_TO_RETURN,
    MIN_LIKENESS,
    SMALL_SHARE,
    TRAININGS_TO_RETIRE,
    Birth,
    births_of,
    likeness,
)
from twitter_topics.topic_models.training.corpus import Corpus, common_words, recolumn
from twitter_topics.topic_models.training.gsdmm import Anchor, Clusters, log_fits, sample_clusters

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

log = logging.getLogger(__name__)

WEIGHT = 1.0
"""How many documents the champion's counts stand for, as a multiple of the new corpus."""

MIN_FREE = 2
"""Columns for new subjects, even if the champion has as many topics as are asked for."""

_SWEEPS, _GREEDY = 5, 2
_UNKNOWN_WORD = 12.0
"""How much a word that the champion does not know counts against the fit of a document, in nats."""


def continue_topics(
    corpus: Corpus, champion: Predecessor, *, k: int, seed: int, weight: float = WEIGHT
) -> tuple[Clusters, Identities]:
    """Sample topics that continue the champion's; return at most `k`, largest first, and their ids.

    Args:
        weight: see WEIGHT. A larger one keeps more documents in their topic and learns less from new ones.
    """
    model, births = champion.model, _births(champion)
    columns = model.k + max(MIN_FREE, k - model.k)
    anchor = anchor_of(corpus, model, columns, weight)
    start = starting_topics(corpus, model, columns, seed)
    sampled = sample_clusters(corpus.counts, columns, sweeps=_SWEEPS, seed=seed, start=start, anchor=anchor)
    chosen, topic_ids = survivors(corpus, champion, births, sampled, k)
    settled = _settled(corpus, sampled, chosen, anchor, seed)
    order = np.argsort(-settled.documents, kind="stable")
    clusters = settled.chosen(order)
    known = list(births.values())
    return clusters, recognised(
        clusters.word_shares, corpus.vocabulary, topic_ids[order], known, champion.next_topic_id
    )


def starting_topics(corpus: Corpus, model: TopicModel, columns: int, seed: int) -> IntArray:
    """Return the model's best topic for each document, or a free column for those that it explains worst; -1 ("any")
    where it knows no word.

    A sampler hardly ever opens an empty topic, so new subjects are found only where a topic already has some of their
    documents.
    """
    here, there = common_words(corpus.vocabulary, model.vocabulary)
    known = recolumn(corpus.counts, here, there, len(model.vocabulary))
    fit = log_fits(known, model.word_shares, model.documents)
    topics: IntArray = np.argmax(fit, axis=1).astype(np.int64)
    words, known_words = (np.asarray(counts.sum(axis=1)).ravel() for counts in (corpus.counts, known))
    topics[known_words == 0] = -1
    free = columns - model.k
    per_word = (fit.max(axis=1) - _UNKNOWN_WORD * (words - known_words)) / np.maximum(words, 1)
    worst = np.argsort(per_word, kind="stable")[: corpus.documents * free // columns]
    topics[worst] = np.random.default_rng(seed).integers(model.k, columns, len(worst))
    return topics


def anchor_of(corpus: Corpus, model: TopicModel, columns: int, weight: float) -> Anchor:
    """Rebuild the model's counts from its shares. A topic without documents keeps the weight of a small one, so that
    it can come back."""
    here, there = common_words(corpus.vocabulary, model.vocabulary)
    shares = weight * np.maximum(model.topic_shares, SMALL_SHARE)
    documents, word_counts = np.zeros(columns), np.zeros((len(corpus.vocabulary), columns))
    documents[: model.k] = shares * corpus.documents
    word_counts[here, : model.k] = model.word_shares[:, there].T * (shares * corpus.counts.sum())
    return Anchor(documents, word_counts)


def survivors(
    corpus: Corpus, champion: Predecessor, births: dict[int, Birth], sampled: Clusters, k: int
) -> tuple[IntArray, IntArray]:
    """Return the columns that stay, at most `k`, and their ids (NEW where they need one)."""
    model = champion.model
    living = [births[topic_id] for topic_id in model.topic_ids.tolist()]
    small = sampled.documents < SMALL_SHARE * corpus.documents
    changed = _own_likeness(sampled.word_shares[: model.k], corpus.vocabulary, living) < MIN_LIKENESS
    rests = np.array([birth.small_trainings + 1 >= TRAININGS_TO_RETIRE for birth in living]) & small[: model.k]

    topic_ids = np.full(len(small), NEW, dtype=np.int64)
    topic_ids[: model.k][~changed] = model.topic_ids[~changed]
    new, goes_on = topic_ids == NEW, topic_ids != NEW
    goes_on[: model.k] &= ~rests
    twin_of = _twins(sampled, new, goes_on)
    documents = np.bincount(twin_of, sampled.documents, minlength=len(small))
    stays = goes_on | (new & (documents >= SMALL_SHARE * corpus.documents))
    columns = np.flatnonzero(stays)
    columns = columns[np.argsort(-documents[columns], kind="stable")]
    columns = columns[:k]
    for column in np.flatnonzero(changed | ~np.isin(np.arange(model.k), columns)).tolist():
        topic_id, tweets = int(model.topic_ids[column]), int(sampled.documents[column])
        why = "is about something else now" if changed[column] else "is given up"
        log.info("topic %s (%s) %s: %s tweets", topic_id, champion.labels.get(topic_id, ""), why, tweets)
    return columns, topic_ids[columns]


def _twins(sampled: Clusters, new: BoolArray, goes_on: BoolArray) -> IntArray:
    """Return for each new column the most similar one that is about the same, among those that go on and larger new
    ones; for others themselves. Half of the documents of a new subject may start in each of two free columns."""
    directions = sampled.word_shares / np.linalg.norm(sampled.word_shares, axis=1, keepdims=True)
    likenesses = directions @ directions.T
    others, twin_of = goes_on.copy(), np.arange(len(new))
    for column in np.argsort(-sampled.documents, kind="stable").tolist():
        if new[column]:
            closest = int(np.argmax(np.where(others, likenesses[column], -1.0)))
            if others[closest] and likenesses[column, closest] >= LIKENESS_TO_RETURN:
                twin_of[column] = closest
            else:
                others[column] = True
    return twin_of


def _settled(corpus: Corpus, sampled: Clusters, columns: IntArray, anchor: Anchor, seed: int) -> Clusters:
    """Give each document its best topic among these columns."""
    kept = sampled.chosen(columns)
    start = kept.topic_of.copy()
    homeless = np.flatnonzero(start < 0)
    start[homeless] = np.argmax(log_fits(corpus.counts[homeless], kept.word_shares, kept.documents), axis=1)
    rest = Anchor(anchor.documents[columns], np.ascontiguousarray(anchor.word_counts[:, columns]))
    return sample_clusters(corpus.counts, len(columns), sweeps=0, greedy=_GREEDY, seed=seed, start=start, anchor=rest)


def _births(champion: Predecessor) -> dict[int, Birth]:
    """By topic id. A champion from before births were kept has none: its topics are taken as they are."""
    return {birth.topic_id: birth for birth in (*births_of(champion.model, ""), *champion.births)}


def _own_likeness(shares: FloatArray, vocabulary: tuple[str, ...], births: list[Birth]) -> FloatArray:
    own: FloatArray = likeness(shares, vocabulary, births).diagonal()
    return own
