"""Trainers with one interface: word counts in, topics with their ids out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from twitter_topics.topic_models.scoring.topic_model import IntArray, TopicModel
from twitter_topics.topic_models.training.alignment import Identities, Predecessor, align, first_identities
from twitter_topics.topic_models.training.corpus import Corpus, recolumn
from twitter_topics.topic_models.training.gsdmm import CLUSTER_PRIOR, WORD_PRIOR, Clusters, sample_clusters

MIN_TOPIC_SHARE = 0.002
"""Topics with a smaller share of the documents are dropped as noise."""

_CONCENTRATION = 1e6
_ALPHA_SCALE = 0.05

_FEW_DOCUMENTS = 20_000
_PRIOR_OF_FEW = 2.5
"""In words: the least weight of a tweet's prior while documents are few. Topics of few documents are uncertain, and a
lighter prior takes them for certain: with one word (20 topics), 5 of 16 models of 2,000 real tweets and 9 of 12 of
3,000 predict worse than word frequencies alone; with 2.5, none does."""


@dataclass(frozen=True)
class Trained:
    """A model without labels, and where its topic ids come from."""

    model: TopicModel
    identities: Identities


class Trainer(Protocol):
    """Trains topics. The same arguments give the same result."""

    def fit(
        self, corpus: Corpus, *, k: int, iterations: int, seed: int, champion: Predecessor | None = None
    ) -> Trained:
        """Return the topics of a corpus, at most `k`, largest first.

        Args:
            champion: the topics whose ids the new ones keep where they continue them; without it ids are 0, 1, 2…
        """
        ...


@dataclass(frozen=True)
class GsdmmTrainer:
    """GSDMM, sampled in this process: the best topics for tweets, and the fastest training."""

    def fit(
        self, corpus: Corpus, *, k: int, iterations: int, seed: int, champion: Predecessor | None = None
    ) -> Trained:
        start = None if champion is None else starting_topics(corpus, champion.model, k, seed)
        clusters = sample_clusters(corpus.counts, k, sweeps=iterations, seed=seed, start=start)
        return aligned(_as_model(corpus, clusters), champion)


def aligned(model: TopicModel, champion: Predecessor | None) -> Trained:
    """Give a model that was trained from a random start the champion's ids, by the Hungarian method."""
    identities = first_identities(model) if champion is None else align(model, champion)
    return Trained(model.with_identity(identities.topic_ids, ()), identities)


def starting_topics(corpus: Corpus, model: TopicModel, k: int, seed: int) -> IntArray:
    """Return an earlier model's topic for each document, to continue from it; -1 ("any") where it knows no word.

    A sampler hardly ever opens an empty topic. So where `k` is larger than the model's number of topics, the documents
    that the model explains worst start in the free ones, which makes room for new subjects.
    """
    position = {word: index for index, word in enumerate(model.vocabulary)}
    pairs = [(index, position[word]) for index, word in enumerate(corpus.vocabulary) if word in position]
    if not pairs:
        return np.full(corpus.documents, -1, dtype=np.int64)
    here, there = np.array(pairs, dtype=np.int64).T
    counts = recolumn(corpus.counts, here, there, len(model.vocabulary))
    used = min(model.k, k)
    shares = model.word_shares[:used]
    fit = counts @ np.log(shares).T + np.log(model.documents[:used] + CLUSTER_PRIOR)
    topics: IntArray = np.argmax(fit, axis=1).astype(np.int64)
    length = np.asarray(counts.sum(axis=1)).ravel()
    topics[length == 0] = -1
    free = k - used
    if free:
        per_word = fit.max(axis=1) / np.maximum(length, 1)
        worst = np.argsort(per_word, kind="stable")[: corpus.documents * free // k]
        topics[worst] = np.random.default_rng(seed).integers(used, k, len(worst))
    return topics


def _as_model(corpus: Corpus, clusters: Clusters) -> TopicModel:
    """Return the mixture as an LDA model, so that standard Spark can run it.

    Very concentrated topics (their distribution times 10^6) make Spark's expected log probabilities equal the
    mixture's, and a prior proportional to each topic's size replaces the mixture's weights. Chosen from 17 variants by
    the perplexity of held-out tweets; a flat prior of 1, Spark's usual advice, makes a tweet's shares almost uniform.
    """
    few = corpus.documents < _FEW_DOCUMENTS
    large = clusters.documents >= MIN_TOPIC_SHARE * corpus.documents
    order = np.argsort(-clusters.documents, kind="stable")
    order = order[large[order]]
    documents = clusters.documents[order].astype(np.int64)
    weights = (documents + CLUSTER_PRIOR) / (documents + CLUSTER_PRIOR).sum()
    return TopicModel(
        vocabulary=corpus.vocabulary,
        topics_matrix=np.ascontiguousarray(clusters.word_shares[order] * _CONCENTRATION),
        alpha=max(_ALPHA_SCALE * len(order), _PRIOR_OF_FEW if few else 0.0) * weights,
        eta=WORD_PRIOR,
        documents=documents,
        word_counts=corpus.word_counts,
        topic_ids=np.arange(len(order), dtype=np.int64),
    )
