"""A topic model as arrays: training returns it, `arrays.npz` stores it, the scorer loads it."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from twitter_topics.errors import IntegrityError
from twitter_topics.topic_models.scoring.text import NEWEST, TEXT_RULES

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
IntArray = np.ndarray[Any, np.dtype[np.int64]]

FORMAT, FORMAT_OF_ALL_LANGUAGES = 3, 2
"""Only a model with topics per language is written in format 3, so that earlier versions read all others. Format 1 did
not name its text rules, which were rules 1."""

_LANGUAGE = re.compile(r"[a-z]{2,3}")

_UNREADABLE = (
    ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error,
    NotImplementedError, RuntimeError,  # a zip file that seems to be of a newer kind, or encrypted
)  # fmt: skip


@dataclass(frozen=True)
class TopicModel:
    """K topics over V words. Row k of every array is topic number k of Spark's `topicDistribution`.

    topics_matrix: K × V float64, the parameters of each topic's Dirichlet distribution over words
        (Spark's `topicsMatrix`, transposed). Row k divided by its sum is the topic's distribution over words.
    alpha: K float64, Spark's `docConcentration`. eta: Spark's `topicConcentration`.
    documents: K int64, training documents of each topic.
    word_counts: V int64, occurrences of each word in training.
    topic_ids: K int64, stable across models (training/alignment.py). labels: K strings for people.
    text_rules: number of the rules that make its words (scoring/text.py).
    topic_languages: K codes, if each language has its own topics: those of a language stand together, largest first,
        and its words start with its code (`en:storm`). Empty: one set of topics for all languages, and bare words.
    min_shares: K float64 from 0 to 1: a text whose largest share is smaller than that topic's has no clear topic
        (training/confidence.py). None: every text with a known word has its largest topic.
    """

    vocabulary: tuple[str, ...]
    topics_matrix: FloatArray
    alpha: FloatArray
    eta: float
    documents: IntArray
    word_counts: IntArray
    topic_ids: IntArray
    labels: tuple[str, ...] = ()
    text_rules: int = NEWEST.number
    topic_languages: tuple[str, ...] = ()
    min_shares: FloatArray | None = None

    @property
    def k(self) -> int:
        return int(self.topics_matrix.shape[0])

    @property
    def word_shares(self) -> FloatArray:
        """K × V: probability of each word in each topic."""
        shares: FloatArray = self.topics_matrix / self.topics_matrix.sum(axis=1, keepdims=True)
        return shares

    @property
    def topic_shares(self) -> FloatArray:
        """K: share of the training documents in each topic."""
        shares: FloatArray = self.documents / max(int(self.documents.sum()), 1)
        return shares

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The languages with topics of their own, in the order of the topics; empty for one set of topics."""
        return tuple(dict.fromkeys(self.topic_languages))

    @cached_property
    def language_of_topic(self) -> IntArray:
        """K: index in `languages`; zeros for one set of topics."""
        position = {language: index for index, language in enumerate(self.languages)}
        return np.array([position[one] for one in self.topic_languages] or [0] * self.k, dtype=np.int64)

    @cached_property
    def language_of_word(self) -> IntArray:
        """V: index in `languages`; zeros for one set of topics."""
        if not self.topic_languages:
            return np.zeros(len(self.vocabulary), dtype=np.int64)
        position = {language: index for index, language in enumerate(self.languages)}
        return np.array([position[word.partition(":")[0]] for word in self.vocabulary], dtype=np.int64)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The vocabulary as people read it, without languages."""
        if not self.topic_languages:
            return self.vocabulary
        return tuple(word.partition(":")[2] for word in self.vocabulary)

    def part(self, language: str) -> TopicModel:
        """Return the topics of one language as a model of their own; one set of topics is that of every language."""
        if not self.topic_languages:
            return self
        number = self.languages.index(language)
        topics = np.flatnonzero(self.language_of_topic == number)
        words = np.flatnonzero(self.language_of_word == number)
        return replace(
            self,
            vocabulary=tuple(self.words[word] for word in words),
            topics_matrix=np.ascontiguousarray(self.topics_matrix[np.ix_(topics, words)]),
            alpha=self.alpha[topics],
            documents=self.documents[topics],
            word_counts=self.word_counts[words],
            topic_ids=self.topic_ids[topics],
            labels=tuple(self.labels[topic] for topic in topics) if self.labels else (),
            topic_languages=(),
            min_shares=None if self.min_shares is None else self.min_shares[topics],
        )

    def with_identity(self, topic_ids: IntArray, labels: tuple[str, ...]) -> TopicModel:
        """Return the same topics with other ids and labels."""
        return replace(self, topic_ids=topic_ids, labels=labels)

    def to_bytes(self) -> bytes:
        """Return the content of `arrays.npz`."""
        buffer = io.BytesIO()
        optional: dict[str, Any] = {}
        if self.topic_languages:
            optional["topic_languages"] = np.array(self.topic_languages, dtype=np.str_)
        if self.min_shares is not None:
            optional["min_shares"] = self.min_shares
        np.savez_compressed(
            buffer,
            format=np.int64(FORMAT if self.topic_languages else FORMAT_OF_ALL_LANGUAGES),
            vocabulary=np.array(self.vocabulary, dtype=np.str_),
            topics_matrix=self.topics_matrix,
            alpha=self.alpha,
            eta=np.float64(self.eta),
            documents=self.documents,
            word_counts=self.word_counts,
            topic_ids=self.topic_ids,
            labels=np.array(self.labels, dtype=np.str_),
            text_rules=np.int64(self.text_rules),
            **optional,
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> TopicModel:
        """Read `arrays.npz`.

        Raises:
            IntegrityError: not an npz file, an unknown format, unknown text rules, or inconsistent arrays.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                written_in = int(arrays["format"])
                if not 1 <= written_in <= FORMAT:
                    msg = f"arrays.npz has format {written_in}; this version reads formats 1 to {FORMAT}"
                    raise IntegrityError(msg)
                model = cls(
                    vocabulary=tuple(arrays["vocabulary"].tolist()),
                    topics_matrix=np.ascontiguousarray(arrays["topics_matrix"], dtype=np.float64),
                    alpha=np.ascontiguousarray(arrays["alpha"], dtype=np.float64),
                    eta=float(arrays["eta"]),
                    documents=arrays["documents"].astype(np.int64),
                    word_counts=arrays["word_counts"].astype(np.int64),
                    topic_ids=arrays["topic_ids"].astype(np.int64),
                    labels=tuple(arrays["labels"].tolist()),
                    text_rules=1 if written_in == 1 else int(arrays["text_rules"]),
                    topic_languages=tuple(arrays["topic_languages"].tolist()) if written_in >= FORMAT else (),
                    min_shares=arrays["min_shares"].astype(np.float64) if "min_shares" in arrays else None,
                )
        except _UNREADABLE as error:
            msg = f"arrays.npz is unreadable: {type(error).__name__}"
            raise IntegrityError(msg) from error
        model.check()
        return model

    def check(self) -> None:
        """Check that shapes and values are consistent.

        Raises:
            IntegrityError: names the inconsistent arrays, or the unknown text rules.
        """
        if self.text_rules not in TEXT_RULES:
            known = ", ".join(map(str, TEXT_RULES))
            msg = f"the topic model needs text rules {self.text_rules}; this version has {known}"
            raise IntegrityError(msg)
        k, words = self.topics_matrix.shape
        fits = {
            "vocabulary": len(self.vocabulary) == words == len(set(self.vocabulary)),
            "word_counts": self.word_counts.shape == (words,),
            "alpha": self.alpha.shape == (k,) and bool(np.all(self.alpha > 0)),
            "documents": self.documents.shape == (k,),
            "topic_ids": self.topic_ids.shape == (k,) and len(set(self.topic_ids.tolist())) == k,
            "labels": len(self.labels) in (0, k),
            "topics_matrix": k > 0 and bool(np.all(np.isfinite(self.topics_matrix)) and np.all(self.topics_matrix > 0)),
        }
        if self.topic_languages:
            fits |= {"topic_languages": self._languages_fit()}
        if self.min_shares is not None:
            within = (self.min_shares >= 0) & (self.min_shares <= 1)
            fits |= {"min_shares": self.min_shares.shape == (k,) and bool(within.all())}
        wrong = [name for name, ok in fits.items() if not ok]
        if wrong:
            msg = f"inconsistent arrays in the topic model: {', '.join(wrong)}"
            raise IntegrityError(msg)

    def _languages_fit(self) -> bool:
        """Whether each topic and each word has a language, and those of a language stand together."""
        topics, codes = self.topic_languages, self.languages
        changes = sum(one != other for one, other in pairwise(topics))
        return (
            len(topics) == self.k
            and changes == len(codes) - 1
            and all(_LANGUAGE.fullmatch(code) for code in codes)
            and all(word.partition(":")[0] in codes for word in self.vocabulary)
        )
