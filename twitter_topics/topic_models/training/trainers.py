"""Trainers with one interface: word counts in, topics with their ids out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training.alignment import Identities, Predecessor, align, first_identities
from twitter_topics.topic_models.training.anchoring import WEIGHT, continue_topics
from twitter_topics.topic_models.training.births import SMALL_SHARE
from twitter_topics.topic_models.training.corpus import Corpus
from twitter_topics.topic_models.training.gsdmm import CLUSTER_PRIOR, WORD_PRIOR, Clusters, sample_clusters

SEEDS = 2
"""Random starts of a training without a champion; the most likely one counts."""

FINER = 3
"""A random start has so many times the topics that are wanted, and merges them: a sampler hardly ever divides a topic
in which two subjects have met."""

_SETTLING = 1 / 3
"""Sweeps after the merging, as a share of those before it."""

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
    """GSDMM, sampled in this process: the best topics for tweets, and the fastest training.

    anchored: whether the champion's topics go on; otherwise training starts at random and matches them afterwards.
    """

    anchored: bool = True
    anchor_weight: float = WEIGHT

    def fit(
        self, corpus: Corpus, *, k: int, iterations: int, seed: int, champion: Predecessor | None = None
    ) -> Trained:
        """See `Trainer.fit`. A champion's topics are continued in a few sweeps, so `iterations` are those of a random
        start."""
        if champion is None or not self.anchored:
            return aligned(as_model(corpus, _best_start(corpus, k, iterations, seed)), champion)
        clusters, identities = continue_topics(corpus, champion, k=k, seed=seed, weight=self.anchor_weight)
        return Trained(as_model(corpus, clusters).with_identity(identities.topic_ids, ()), identities)


def _best_start(corpus: Corpus, k: int, iterations: int, seed: int) -> Clusters:
    """Return the most likely of several random starts."""

    def settled(one: int) -> Clusters:
        merged = sample_clusters(corpus.counts, FINER * k, sweeps=iterations, seed=one).merged(k)
        return sample_clusters(corpus.counts, k, sweeps=int(_SETTLING * iterations), seed=one, start=merged.topic_of)

    seeds = [seed, *np.random.SeedSequence(seed).generate_state(SEEDS - 1).tolist()]
    with ThreadPoolExecutor(SEEDS) as threads:
        return without_noise(max(threads.map(settled, seeds), key=Clusters.log_likelihood))


def without_noise(clusters: Clusters) -> Clusters:
    """Return the clusters that are not small, largest first."""
    order = np.argsort(-clusters.documents, kind="stable")
    return clusters.chosen(order[clusters.documents[order] >= SMALL_SHARE * clusters.documents.sum()])


def aligned(model: TopicModel, champion: Predecessor | None) -> Trained:
    """Give a model that was trained from a random start the champion's ids, by the Hungarian method."""
    identities = first_identities(model) if champion is None else align(model, champion)
    return Trained(model.with_identity(identities.topic_ids, ()), identities)


def as_model(corpus: Corpus, clusters: Clusters) -> TopicModel:
    """Return the mixture as an LDA model, so that standard Spark can run it.

    Very concentrated topics (their distribution times 10^6) make Spark's expected log probabilities equal the
    mixture's, and a prior proportional to each topic's size replaces the mixture's weights. Chosen from 17 variants by
    the perplexity of held-out tweets; a flat prior of 1, Spark's usual advice, makes a tweet's shares almost uniform.
    """
    few = corpus.documents < _FEW_DOCUMENTS
    documents = clusters.documents.astype(np.int64)
    weights = (documents + CLUSTER_PRIOR) / (documents + CLUSTER_PRIOR).sum()
    return TopicModel(
        vocabulary=corpus.vocabulary,
        topics_matrix=np.ascontiguousarray(clusters.word_shares * _CONCENTRATION),
        alpha=max(_ALPHA_SCALE * len(documents), _PRIOR_OF_FEW if few else 0.0) * weights,
        eta=WORD_PRIOR,
        documents=documents,
        word_counts=corpus.word_counts,
        topic_ids=np.arange(len(documents), dtype=np.int64),
    )
