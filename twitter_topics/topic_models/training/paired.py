"""Two models on the same words of the same tweets, and how sure the result is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from twitter_topics.topic_models.registry.gate import Interval
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.training.topic_quality import (
    documents_of,
    halves,
    hidden_logs,
    perplexity,
    unigram_logs,
)

if TYPE_CHECKING:
    import scipy.sparse as sparse

    from twitter_topics.topic_models.scoring.topic_model import FloatArray, IntArray, TopicModel

MIN_DOCUMENTS = 30
"""From fewer, the bootstrap's interval is too narrow."""

_RESAMPLES = 1000
_SEED = 5


@dataclass(frozen=True)
class Paired:
    """N documents with two or more words that both models know, half of which were hidden.

    words: hidden words of each document. challenger, champion: the sum of their log probabilities in each model, after
    it has seen the other half. All N float64.
    """

    words: FloatArray
    challenger: FloatArray
    champion: FloatArray

    @property
    def perplexities(self) -> tuple[float, float]:
        """The challenger's and the champion's; NaN without a document."""
        return perplexity(self.challenger, self.words), perplexity(self.champion, self.words)

    def ratio_interval(self) -> Interval | None:
        """Return the 95 % interval of challenger's perplexity / champion's; None for fewer than MIN_DOCUMENTS.

        A paired bootstrap over documents: what both models find hard cancels out, so it is much narrower than the
        intervals of the two perplexities. Efron and Tibshirani, "An introduction to the bootstrap" (1993).
        """
        if len(self.words) < MIN_DOCUMENTS:
            return None
        draw = np.random.default_rng(_SEED)
        lost, ratios = self.champion - self.challenger, np.empty(_RESAMPLES)
        for resample in range(_RESAMPLES):
            chosen = draw.integers(0, len(lost), len(lost))
            ratios[resample] = lost[chosen].sum() / self.words[chosen].sum()
        low, high = np.exp(np.quantile(ratios, (0.025, 0.975)))
        return Interval(float(low), float(high))


def together(parts: list[Paired]) -> Paired:
    """Return the documents of several languages as one sample."""
    nothing = np.empty(0)
    return Paired(
        np.concatenate([nothing, *(one.words for one in parts)]),
        np.concatenate([nothing, *(one.challenger for one in parts)]),
        np.concatenate([nothing, *(one.champion for one in parts)]),
    )


def restricted(model: TopicModel, words: IntArray) -> TopicModel:
    """Return the model of a language that has only these words, so that none wins because it knows fewer."""
    return replace(
        model,
        vocabulary=tuple(model.vocabulary[word] for word in words),
        topics_matrix=np.ascontiguousarray(model.topics_matrix[:, words]),
        word_counts=model.word_counts[words],
    )


def complete(challenger: TopicModel, champion: TopicModel, documents: sparse.csr_matrix) -> Paired:
    """Predict half of each document's words from the other half, the same halves with both models.

    Args:
        documents: documents × the vocabulary of both models.
    """
    seen, hidden = halves(documents)
    mine, theirs = (_log_probabilities(Scorer(model), seen, hidden) for model in (challenger, champion))
    return Paired(_lengths(hidden), mine, theirs)


def against_unigram(scorer: Scorer, documents: sparse.csr_matrix) -> Paired:
    """Predict half of each document's words by the model, and by word frequencies alone instead of a champion.

    Args:
        documents: documents × the model's vocabulary.
    """
    seen, hidden = halves(documents)
    unigram = _by_document(hidden, unigram_logs(scorer.model, hidden))
    return Paired(_lengths(hidden), _log_probabilities(scorer, seen, hidden), unigram)


def _log_probabilities(scorer: Scorer, seen: sparse.csr_matrix, hidden: sparse.csr_matrix) -> FloatArray:
    return _by_document(hidden, hidden_logs(scorer, seen, hidden)) if hidden.shape[0] else np.empty(0)


def _lengths(documents: sparse.csr_matrix) -> FloatArray:
    lengths: FloatArray = np.asarray(documents.sum(axis=1), dtype=np.float64).ravel()
    return lengths


def _by_document(documents: sparse.csr_matrix, logs: FloatArray) -> FloatArray:
    sums: FloatArray = np.bincount(documents_of(documents), logs, minlength=documents.shape[0]).astype(np.float64)
    return sums
