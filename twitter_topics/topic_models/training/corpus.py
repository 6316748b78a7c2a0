"""From lists of words to the counts that trainers use."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sparse

SLICES = 20
"""Tweets are divided into so many slices by a hash of their id; of a retweet it is the id of the original, because both
have the same text. Held-out tweets, on which models are judged, are whole slices."""

FEW_TWEETS = 20_000
"""Below, one tweet in five is held out, else one in twenty: the larger share contains the smaller one."""

MIN_DOCUMENTS_OF_WORD = 5
MAX_SHARE_OF_WORD = 0.25
"""A word in fewer documents is too rare to learn from; a word in more of them does not separate topics."""


def slice_of(tweet_id: str) -> int:
    """Return the slice of a tweet, from 0 to SLICES - 1. The answer never changes."""
    return zlib.crc32(tweet_id.encode("utf-8", "replace")) % SLICES


def held_out_one_in(tweets: int) -> int:
    """Return the n of "one in n", a divisor of SLICES, for a window of so many tweets."""
    return 5 if tweets < FEW_TWEETS else SLICES


@dataclass(frozen=True)
class Corpus:
    """Word counts: `counts[d, w]` (float32 CSR, documents × words) is how often document d contains
    `vocabulary[w]`."""

    counts: sparse.csr_matrix
    vocabulary: tuple[str, ...]

    @property
    def documents(self) -> int:
        return int(self.counts.shape[0])

    @property
    def word_counts(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Occurrences of each word in all documents."""
        return np.asarray(self.counts.sum(axis=0)).ravel().astype(np.int64)


def build_corpus(
    words: pa.ListArray, *, min_documents: int = MIN_DOCUMENTS_OF_WORD, max_share: float = MAX_SHARE_OF_WORD
) -> Corpus:
    """Choose the vocabulary of the documents and count it. Word 0 is the most frequent; ties are alphabetical.

    Documents with fewer than two known words are dropped: they do not show which words occur together.
    """
    encoded = words.flatten().dictionary_encode()
    spellings = np.array(encoded.dictionary.to_pylist(), dtype=object)
    counts = _count(encoded.indices.to_numpy(), np.diff(words.offsets.to_numpy()), len(spellings))
    documents_of = np.bincount(counts.indices, minlength=len(spellings))
    known = np.flatnonzero((documents_of >= min_documents) & (documents_of <= max_share * counts.shape[0]))
    known = known[np.lexsort((spellings[known].astype(str), -documents_of[known]))]
    chosen = counts[:, known].tocsr()
    chosen = of_two_words(chosen)
    chosen.sort_indices()
    return Corpus(chosen, tuple(spellings[known].tolist()))


def of_two_words(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return the documents (rows) with two words or more."""
    return counts[np.asarray(counts.sum(axis=1)).ravel() >= 2]


def count_known(words: pa.ListArray, vocabulary: tuple[str, ...]) -> sparse.csr_matrix:
    """Count documents in a given vocabulary; documents without a known word are kept."""
    encoded = words.flatten().dictionary_encode()
    position = {word: index for index, word in enumerate(vocabulary)}
    spellings = encoded.dictionary.to_pylist()
    target = np.array([position.get(word, -1) for word in spellings], dtype=np.int64)
    counts = _count(encoded.indices.to_numpy(), np.diff(words.offsets.to_numpy()), len(spellings))
    known = np.flatnonzero(target >= 0)
    return recolumn(counts, known, target[known], len(vocabulary))


def common_words(
    first: tuple[str, ...], second: tuple[str, ...]
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int64]]]:
    """Return the indices of the words that both vocabularies have, in the first and in the second one."""
    position = {word: index for index, word in enumerate(second)}
    pairs = [(index, position[word]) for index, word in enumerate(first) if word in position]
    here, there = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return here, there


def spoken(words: pa.ListArray, languages: pa.Array) -> pa.ListArray:
    """Return the words with the language of their document, as a model with topics per language spells them."""
    lengths = words.value_lengths().to_numpy()
    codes = languages.take(pa.array(np.repeat(np.arange(len(words)), lengths)))
    offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, pc.binary_join_element_wise(codes, words.flatten(), ":"))


def recolumn(
    counts: sparse.csr_matrix,
    source: np.ndarray[Any, np.dtype[np.int64]],
    target: np.ndarray[Any, np.dtype[np.int64]],
    width: int,
) -> sparse.csr_matrix:
    """Move column `source[i]` to column `target[i]` of a matrix with `width` columns; drop other columns."""
    ones = np.ones(len(source), dtype=np.float32)
    mapping = sparse.csr_matrix((ones, (source, target)), shape=(counts.shape[1], width))
    moved = (counts @ mapping).tocsr()
    moved.sort_indices()
    return moved


def _count(
    codes: np.ndarray[Any, np.dtype[np.int32]], lengths: np.ndarray[Any, np.dtype[np.int32]], width: int
) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(len(lengths)), lengths)
    ones = np.ones(len(codes), dtype=np.float32)
    return sparse.coo_matrix((ones, (rows, codes)), shape=(len(lengths), width)).tocsr()
