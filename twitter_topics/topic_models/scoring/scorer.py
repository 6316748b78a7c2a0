"""Topics of texts without a JVM: Spark's LDA inference, equal to its `topicDistribution`, many times faster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import digamma

from twitter_topics.records.language import UNKNOWN
from twitter_topics.records.processed import MIN_PROBABILITY, NO_TOPIC, NO_TOPIC_LABEL
from twitter_topics.topic_models.scoring.inference import infer
from twitter_topics.topic_models.scoring.memo import Memo
from twitter_topics.topic_models.scoring.start_vector import spark_start_vector
from twitter_topics.topic_models.scoring.text import TEXT_RULES
from twitter_topics.topic_models.scoring.text_rules import TextRules
from twitter_topics.topic_models.scoring.topic_model import FloatArray, TopicModel

if TYPE_CHECKING:
    import scipy.sparse as sparse

Float32Array = np.ndarray[Any, np.dtype[np.float32]]
IndexArray = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Scores:
    """theta: n × K float32, topic shares in the model's order (zeros for a text without a known word).
    known_words: n int32, number of words of each text that the model knows. A text whose language is unknown is read in
    each of the model's languages, so a word may count several times."""

    theta: Float32Array
    known_words: IndexArray


class Scorer:
    """A topic model ready to score texts. Thread-safe: all that it remembers are the words of pieces of texts."""

    def __init__(self, model: TopicModel) -> None:
        self.model = model
        self.rules = TEXT_RULES[model.text_rules]
        self.labels: dict[int, str] = {NO_TOPIC: NO_TOPIC_LABEL}
        self.labels |= {int(i): label for i, label in zip(model.topic_ids, model.labels, strict=False)}
        self._topic_ids = model.topic_ids.astype(np.int32)
        # in float32, so that shares of either type give the same topic
        self._min_shares = (np.zeros(model.k) if model.min_shares is None else model.min_shares).astype(np.float32)
        self._readings, self._otherwise = _readings(model)
        ends = np.cumsum(np.bincount(model.language_of_topic))
        self._end_topic = ends[model.language_of_word]
        self._first_topic = np.concatenate(([0], ends))[model.language_of_word]
        self._word_weights = _word_weights(model)
        self._start = spark_start_vector(model.k)

    @classmethod
    def load(cls, arrays: bytes) -> Scorer:
        """Load the content of `arrays.npz`.

        Raises:
            IntegrityError: the content is damaged.
        """
        return cls(TopicModel.from_bytes(arrays))

    def score(self, texts: list[str], languages: list[str] | None = None) -> Scores:
        """Return the topic shares of texts, in their order. `languages` are `und` if they are missing."""
        starts, indices = self._word_indices(texts, languages or [UNKNOWN] * len(texts))
        theta = self.theta(starts, indices, np.ones(len(indices)))
        return Scores(theta.astype(np.float32), np.diff(starts).astype(np.int32))

    def theta(self, starts: IndexArray, indices: IndexArray, counts: IndexArray) -> FloatArray:
        """Return topic shares (n × K float64) of documents in CSR form; zeros for a document without a word."""
        gamma = np.empty((len(starts) - 1, self.model.k))
        infer(
            starts.astype(np.int64),
            indices.astype(np.int32),
            counts.astype(np.float64),
            self._word_weights,
            self._first_topic,
            self._end_topic,
            self.model.alpha,
            self._start,
            gamma,
        )
        return in_own_languages(self.model, gamma, starts, indices)

    def theta_of(self, documents: sparse.csr_matrix) -> FloatArray:
        """Return the same (n × K float64) of documents that are counted in the model's words (n × V)."""
        return self.theta(documents.indptr, documents.indices, documents.data)

    def score_batch(self, texts: list[str], languages: list[str] | None = None) -> list[list[tuple[int, float]]]:
        """Return the topics of each text as (topic_id, share), dominant first. Shares below MIN_PROBABILITY are dropped
        (never the largest) and the rest scaled to sum to 1. `[(NO_TOPIC, 1.0)]` for a text without a known word, or
        whose largest share is below that of a clear topic."""
        return self.topics_of(self.score(texts, languages).theta)

    def topics(self, theta_row: Float32Array) -> list[tuple[int, float]]:
        """`topics_of` for one row."""
        return self.topics_of(theta_row.reshape(1, -1))[0]

    def topics_of(self, theta: Float32Array) -> list[list[tuple[int, float]]]:
        """Return rows of topic shares as lists of (topic_id, share); see `score_batch`."""
        largest, clear = self._largest(theta)
        least = np.where(clear, np.minimum(largest, MIN_PROBABILITY), np.inf)
        kept = np.where(theta >= least[:, None], theta, 0.0).astype(np.float64)
        lengths = np.count_nonzero(kept, axis=1)
        kept /= np.maximum(kept.sum(axis=1, keepdims=True), 1e-12)
        order = np.argsort(-kept, axis=1, kind="stable")
        present = np.arange(theta.shape[1]) < lengths[:, None]
        ids = self._topic_ids[order][present].tolist()
        shares = np.take_along_axis(kept, order, axis=1)[present].tolist()
        pairs = list(zip(ids, shares, strict=True))
        ends = np.cumsum(lengths).tolist()
        return [
            pairs[end - length : end] if length else [(NO_TOPIC, 1.0)]
            for end, length in zip(ends, lengths.tolist(), strict=True)
        ]

    def dominant(self, theta: Float32Array | FloatArray) -> IndexArray:
        """Return the topic id of each row as it is served (int32): the first one of `topics_of`."""
        return np.where(self._largest(theta)[1], self.largest(theta), np.int32(NO_TOPIC))

    def largest(self, theta: Float32Array | FloatArray) -> IndexArray:
        """Return the topic id of the largest share in each row (int32), clear or not; NO_TOPIC for a row of zeros."""
        ids = self._topic_ids[np.argmax(theta, axis=1)]
        return np.where(theta.any(axis=1), ids, np.int32(NO_TOPIC))

    def _largest(self, theta: Float32Array | FloatArray) -> tuple[Float32Array | FloatArray, IndexArray]:
        """Return the largest share of each row, and whether it is that of a clear topic."""
        topics = np.argmax(theta, axis=1)
        largest = theta[np.arange(len(theta)), topics]
        return largest, (largest > 0) & (largest.astype(np.float32) >= self._min_shares[topics])

    def _word_indices(self, texts: list[str], languages: Sequence[str | None]) -> tuple[IndexArray, IndexArray]:
        indices: list[int] = []
        starts = [0]
        for text, language in zip(texts, languages, strict=True):
            readings = self._readings.get(language, self._otherwise)
            pieces = self.rules.pieces(text) if readings else []
            for known, stop in readings:
                found = chain.from_iterable(map(known.__getitem__, pieces))
                indices += [index for index in found if index not in stop]
            starts.append(len(indices))
        return np.array(starts, dtype=np.int64), np.array(indices, dtype=np.int32)


def in_own_languages(model: TopicModel, theta: FloatArray, starts: IndexArray, indices: IndexArray) -> FloatArray:
    """Return the topic shares (n × K float64) of documents in CSR form, scaled to sum to 1, without the topics of
    languages of which a document has no word; zeros for a document without a word.

    In Spark's LDA those topics have the share of their prior, which says nothing about the document.
    """
    speaks = np.zeros((len(starts) - 1, max(len(model.languages), 1)), dtype=bool)
    speaks[np.repeat(np.arange(len(speaks)), np.diff(starts)), model.language_of_word[indices]] = True
    theta = theta * speaks[:, model.language_of_topic]
    theta /= np.maximum(theta.sum(axis=1, keepdims=True), 1e-300)
    return theta


def _word_weights(model: TopicModel) -> FloatArray:
    """Return exp(E[log p(w|k)]) as V × K. It is 0 for a word in a topic of another language."""
    weights = np.zeros((len(model.vocabulary), model.k))
    totals = digamma(model.topics_matrix.sum(axis=1, keepdims=True))
    for number in range(max(len(model.languages), 1)):
        topics, words = (np.flatnonzero(of == number) for of in (model.language_of_topic, model.language_of_word))
        own = model.topics_matrix[np.ix_(topics, words)]
        weights[np.ix_(words, topics)] = np.exp(digamma(own) - totals[topics]).T
    return weights


_Reading = tuple[Memo[tuple[int, ...]], frozenset[int]]
"""From a piece of a text to the indices of its words in the vocabulary, and those of stop words."""


def _readings(model: TopicModel) -> tuple[dict[str | None, tuple[_Reading, ...]], tuple[_Reading, ...]]:
    """Return how texts are read, by their language, and how those of any other language are."""
    rules = TEXT_RULES[model.text_rules]
    readings: dict[str | None, tuple[_Reading, ...]] = {}
    if not model.languages:
        position = {word: index for index, word in enumerate(model.vocabulary)}
        indices = _indices(rules, position)
        for language, words in rules.stop_words().items():
            readings[language] = ((indices, _known(words, position)),)
        return readings, readings[UNKNOWN]
    for number, language in enumerate(model.languages):
        position = {model.words[index]: index for index in np.flatnonzero(model.language_of_word == number).tolist()}
        readings[language] = ((_indices(rules, position), _known(rules.stop_words_of(language), position)),)
    in_all = tuple(reading for (reading,) in readings.values())
    return readings | {UNKNOWN: in_all, None: in_all}, ()


def _indices(rules: TextRules, position: dict[str, int]) -> Memo[tuple[int, ...]]:
    return Memo(lambda piece: tuple([position[word] for word in rules.tokens(piece) if word in position]))


def _known(words: frozenset[str], position: dict[str, int]) -> frozenset[int]:
    return frozenset(position[word] for word in words if word in position)
