"""Quality of topics on tweets not used for training.

Document-completion perplexity: Wallach et al., "Evaluation methods for topic models" (2009). NPMI coherence: Bouma
(2009), Lau et al. (2014). Diversity: Dieng et al. (2020).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sparse
from scipy.special import logsumexp

from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.topic_model import FloatArray, TopicModel
from twitter_topics.topic_models.training.corpus import of_two_words
from twitter_topics.topic_models.training.gsdmm import log_fits

_COHERENCE_WORDS = 10
_DIVERSITY_WORDS = 25
_SMOOTHING = 0.1
_SPLIT_SEED = 3


def completion_perplexity(scorer: Scorer, held_out: sparse.csr_matrix) -> float:
    """Return how surprising half of each tweet's words are after the model has seen the other half; lower is better.

    Args:
        held_out: documents × the model's vocabulary.

    Returns:
        NaN when no document has two known words.
    """
    seen, hidden = halves(held_out)
    return perplexity(hidden_logs(scorer, seen, hidden), hidden.data)


def unigram_perplexity(model: TopicModel, held_out: sparse.csr_matrix) -> float:
    """Return the same for a model that knows only the word frequencies of each language: the baseline that topics must
    beat."""
    _, hidden = halves(held_out)
    return perplexity(unigram_logs(model, hidden), hidden.data)


def coherence(model: TopicModel, documents: sparse.csr_matrix) -> float:
    """Return the mean NPMI of the pairs of each topic's ten top words, from -1 (never together) to 1 (always)."""
    present = (documents > 0).astype(np.float64).tocsc()
    total = documents.shape[0]
    values = [_topic_coherence(present, words, total) for words in _top(model, _COHERENCE_WORDS)]
    return float(np.mean(values))


def diversity(model: TopicModel) -> float:
    """Return the share of distinct words among the 25 top words of all topics: 1 is best, 1/K if all are the same."""
    top = _top(model, _DIVERSITY_WORDS)
    return float(len(np.unique(top)) / top.size)


def coverage(documents: sparse.csr_matrix) -> float:
    """Return the share of documents with at least one word that the model knows."""
    return float(np.mean(np.diff(documents.indptr) > 0)) if documents.shape[0] else 0.0


def share_kept(first: np.ndarray[Any, np.dtype[Any]], second: np.ndarray[Any, np.dtype[Any]], no_topic: int) -> float:
    """Return the share of documents with the same topic id in both models, among those with a topic in both."""
    both = (first != no_topic) & (second != no_topic)
    return float(np.mean(first[both] == second[both])) if both.any() else 0.0


def confidence(model: TopicModel, documents: sparse.csr_matrix) -> FloatArray:
    """Return, for each document, the posterior probability of its most probable topic, if it has exactly one."""
    logs = log_fits(documents, model.word_shares, model.documents)
    highest: FloatArray = np.exp(logs.max(axis=1) - logsumexp(logs, axis=1))
    return highest


def _topic_coherence(present: sparse.csc_matrix, words: np.ndarray[Any, np.dtype[Any]], total: int) -> float:
    chosen = present[:, words]
    together = (chosen.T @ chosen).toarray() / total
    alone = np.diag(together)
    first, second = np.triu_indices(len(words), 1)
    joint = together[first, second]
    values = np.full(len(joint), -1.0)  # a pair that never co-occurs
    meets = (joint > 0) & (joint < 1)
    expected = alone[first][meets] * alone[second][meets]
    values[meets] = np.log(joint[meets] / expected) / -np.log(joint[meets])
    values[joint >= 1] = 1.0
    return float(values.mean())


def _top(model: TopicModel, count: int) -> np.ndarray[Any, np.dtype[Any]]:
    return np.argsort(-model.word_shares, axis=1, kind="stable")[:, :count]


def halves(documents: sparse.csr_matrix) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Split the words of each document of two or more words into two halves, by a fixed random seed."""
    documents = of_two_words(documents)
    repeats = documents.data.astype(np.int64)
    words = np.repeat(documents.indices, repeats)
    rows = np.repeat(np.repeat(np.arange(documents.shape[0]), np.diff(documents.indptr)), repeats)
    shuffled = np.random.default_rng(_SPLIT_SEED).permutation(len(words))
    shuffled = shuffled[np.argsort(rows[shuffled], kind="stable")]
    words, rows = words[shuffled], rows[shuffled]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    seen = rank % 2 == 0
    return _counted(rows[seen], words[seen], documents.shape), _counted(rows[~seen], words[~seen], documents.shape)


def hidden_logs(scorer: Scorer, seen: sparse.csr_matrix, hidden: sparse.csr_matrix) -> FloatArray:
    """Return, for each entry of `hidden`, its count times the log probability of its word, after the model has seen the
    other half of its document."""
    theta = scorer.theta_of(seen)
    shares = scorer.model.word_shares
    rows = documents_of(hidden)
    probability = np.einsum("ik,ki->i", theta[rows], shares[:, hidden.indices]) if len(rows) else np.empty(0)
    return _weighted_logs(probability, hidden.data)


def unigram_logs(model: TopicModel, hidden: sparse.csr_matrix) -> FloatArray:
    """Return the same by the word frequencies of each language in training."""
    smoothed, language = model.word_counts + _SMOOTHING, model.language_of_word
    frequency = smoothed / np.bincount(language, weights=smoothed)[language]
    return _weighted_logs(frequency[hidden.indices], hidden.data)


def documents_of(counts: sparse.csr_matrix) -> np.ndarray[Any, np.dtype[Any]]:
    """Return the document of each entry."""
    return np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))


def _counted(
    rows: np.ndarray[Any, np.dtype[Any]], words: np.ndarray[Any, np.dtype[Any]], shape: tuple[int, int]
) -> sparse.csr_matrix:
    return sparse.coo_matrix((np.ones(len(rows)), (rows, words)), shape=shape).tocsr()


def perplexity(logs: FloatArray, words: FloatArray) -> float:
    """Return exp(-sum of log probabilities / number of words); NaN without words."""
    return float(np.exp(-logs.sum() / words.sum())) if len(words) else float("nan")


def _weighted_logs(probability: FloatArray, counts: FloatArray) -> FloatArray:
    logs: FloatArray = counts * np.log(np.maximum(probability, 1e-300))
    return logs
