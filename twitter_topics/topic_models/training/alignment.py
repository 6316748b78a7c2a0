"""Topic ids from one model to the next, and for a trainer that cannot continue given topics, their alignment.

The index of a topic that was trained from a random start is arbitrary. So each new topic is matched to at most one
topic of the champion by the assignment that maximizes the sum of similarities (Hungarian method; Kuhn, 1955).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from twitter_topics.topic_models.scoring.topic_model import FloatArray, IntArray, TopicModel
from twitter_topics.topic_models.training.births import LIKENESS_TO_RETURN, Birth, likeness
from twitter_topics.topic_models.training.corpus import common_words

log = logging.getLogger(__name__)

NEW = -1
"""Stands for the id of a topic that needs one."""

MIN_SIMILARITY = 0.3
"""A less similar pair is not a match: the new topic gets a new id."""


@dataclass(frozen=True)
class Identities:
    """topic_ids: one id per topic of the new model. kept: whether an earlier model had it. next_topic_id: greater than
    every id ever used."""

    topic_ids: IntArray
    kept: tuple[bool, ...]
    next_topic_id: int


@dataclass(frozen=True)
class Predecessor:
    """The topics that a training continues: all of the champion's, or those of one of its languages.

    model: with labels, if there are any. next_topic_id: the smallest id that no model has used. births: of its topics
    and of those retired before; empty for a model from before they were kept.
    """

    model: TopicModel
    next_topic_id: int
    births: tuple[Birth, ...] = ()

    @property
    def labels(self) -> dict[int, str]:
        """The model's labels by topic id; of retired topics, those at their birth."""
        now = dict(zip(self.model.topic_ids.tolist(), self.model.labels, strict=False))
        return {birth.topic_id: birth.label for birth in self.births} | now


def first_identities(model: TopicModel) -> Identities:
    """Return ids 0, 1, 2… for the very first model."""
    return Identities(np.arange(model.k, dtype=np.int64), (False,) * model.k, model.k)


def align(model: TopicModel, champion: Predecessor) -> Identities:
    """Give each topic of `model` the id of the champion's topic that it continues, and new ids to the rest."""
    topic_ids = np.full(model.k, NEW, dtype=np.int64)
    for row, column in matches(similarity(model, champion.model), MIN_SIMILARITY):
        topic_ids[row] = champion.model.topic_ids[column]
    return _numbered(topic_ids, champion.next_topic_id)


def recognised(
    shares: FloatArray, vocabulary: tuple[str, ...], topic_ids: IntArray, births: Sequence[Birth], next_topic_id: int
) -> Identities:
    """Give new topics an id: their old one if they come back, else one that was never used.

    Args:
        shares: K × V word shares.
        topic_ids: of the K topics, NEW for those without one.
        births: of all earlier topics.
    """
    topic_ids = topic_ids.copy()
    new = np.flatnonzero(topic_ids == NEW)
    absent = [birth for birth in births if birth.topic_id not in topic_ids]
    for row, column in matches(likeness(shares[new], vocabulary, absent), LIKENESS_TO_RETURN):
        topic_ids[new[row]] = absent[column].topic_id
        log.info("topic %s (%s) is back", absent[column].topic_id, absent[column].label)
    return _numbered(topic_ids, next_topic_id)


def _numbered(topic_ids: IntArray, next_topic_id: int) -> Identities:
    """Number the new topics from an id that no model has used."""
    kept = topic_ids != NEW
    end = next_topic_id + int((~kept).sum())
    topic_ids[~kept] = np.arange(next_topic_id, end)
    return Identities(topic_ids, tuple(kept.tolist()), end)


def matches(alike: FloatArray, least: float) -> list[tuple[int, int]]:
    """Return the pairs (row, column) of the assignment with the largest sum of similarities, without those below
    `least`."""
    counted = np.where(alike < least, 0.0, alike)  # otherwise the sum may prefer a pair that is no match to one that is
    pairs = zip(*linear_sum_assignment(-counted), strict=True)
    return [(int(row), int(column)) for row, column in pairs if counted[row, column] > 0]


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
    return common_words(first.vocabulary, second.vocabulary)
