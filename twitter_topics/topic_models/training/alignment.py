"""Stable topic ids from one model to the next.

A topic's index in an LDA model is arbitrary: the next training shuffles it. So each new topic is matched to at most
one topic of the champion by the assignment that maximizes the sum of similarities (Hungarian method; Kuhn, 1955).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from twitter_topics.topic_models.scoring.topic_model import FloatArray, IntArray, TopicModel

MIN_SIMILARITY = 0.3
"""A less similar pair is not a match: the new topic gets a new id."""


@dataclass(frozen=True)
class Identities:
    """topic_ids: one id per topic of the new model. kept: whether the champion had it. next_topic_id: greater than
    every id ever used."""

    topic_ids: IntArray
    kept: tuple[bool, ...]
    next_topic_id: int


@dataclass(frozen=True)
class Predecessor:
    """The topics that a training continues: all of the champion's, or those of one of its languages.

    next_topic_id: the smallest id that no model has used.
    """

    model: TopicModel
    next_topic_id: int


def first_identities(model: TopicModel) -> Identities:
    """Return ids 0, 1, 2… for the very first model."""
    return Identities(np.arange(model.k, dtype=np.int64), (False,) * model.k, model.k)


def align(model: TopicModel, champion: Predecessor) -> Identities:
    """Give each topic of `model` the id of the champion's topic that it continues, and new ids to the rest."""
    alike = similarity(model, champion.model)
    alike[alike < MIN_SIMILARITY] = 0.0  # otherwise the sum may prefer a pair that is no match to one that is
    rows, columns = linear_sum_assignment(-alike)
    topic_ids = np.full(model.k, -1, dtype=np.int64)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if alike[row, column] >= MIN_SIMILARITY:
            topic_ids[row] = champion.model.topic_ids[column]
    kept = topic_ids >= 0
    new = int((~kept).sum())
    topic_ids[~kept] = np.arange(champion.next_topic_id, champion.next_topic_id + new)
    return Identities(topic_ids, tuple(kept.tolist()), champion.next_topic_id + new)


def similarity(first: TopicModel, second: TopicModel) -> FloatArray:
    """Return K1 × K2 cosines between the topics' word distributions, on the union of both vocabularies."""
    left, right = first.word_shares, second.word_shares
    here, there = shared_words(first, second)
    dots = left[:, here] @ right[:, there].T
    norms = np.outer(np.linalg.norm(left, axis=1), np.linalg.norm(right, axis=1))
    cosines: FloatArray = dots / norms
    return cosines


def shared_words(first: TopicModel, second: TopicModel) -> tuple[IntArray, IntArray]:
    """Return the indices of the words that both models know, in the first and the second vocabulary."""
    position = {word: index for index, word in enumerate(second.vocabulary)}
    pairs = [(index, position[word]) for index, word in enumerate(first.vocabulary) if word in position]
    if not pairs:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    here, there = np.array(pairs, dtype=np.int64).T
    return here, there
