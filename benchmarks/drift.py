"""A stream that drifts: real tweets whose subjects come and go, and planted topics that rise, fall and return."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from twitter_topics.topic_models.training.tweets import TrainingTweets

BLOCKS = 9
WINDOW = 3
"""Blocks in a window. The next window begins one block later, so two thirds of it are known."""

PLANTED: dict[str, list[float]] = {
    "rises": [0, 0, 0, 9, 3, 3, 3, 3, 3],
    "rises later": [0, 0, 0, 0, 0, 9, 3, 3, 3],
    "returns": [3, 3, 3, 0, 0, 0, 0, 0, 9],
    "fades": [3, 3, 2, 1, 0.5, 0.2, 0, 0, 0],
}
"""Percent of each block. A topic that begins with 9 % of a block has 3 % of the window."""

_SUBJECTS, _WAVE = 60, 1.2
_VOCABULARY, _OWN_WORDS, _LEAST_WORDS = 60, 0.6, 5
_REFERENCE_ONE_IN = 4


@dataclass(frozen=True)
class Stream:
    """words: of each tweet. block: from 0 to BLOCKS - 1. planted: index of its topic in PLANTED, or -1. reference:
    whether no model is trained on it."""

    words: pa.ListArray
    block: np.ndarray[Any, np.dtype[np.int64]]
    planted: np.ndarray[Any, np.dtype[np.int64]]
    reference: np.ndarray[Any, np.dtype[np.bool_]]

    def window(self, generation: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return which tweets are in the window of a generation, from 0 to BLOCKS - WINDOW."""
        inside: np.ndarray[Any, np.dtype[np.bool_]] = (self.block >= generation) & (self.block < generation + WINDOW)
        return inside

    def take(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> pa.ListArray:
        return self.words.filter(pa.array(chosen))


def drifting(tweets: TrainingTweets, seed: int) -> Stream:
    """Deal real tweets into blocks and plant topics.

    Each of the 60 most frequent words has a wave of its own: a tweet's probability to be in a block is proportional to
    the product of its words' waves, which between peak and trough differ by a factor of 11. Planted tweets are real
    ones, three in five of whose words are replaced by words of the topic's own.
    """
    draw = np.random.default_rng(seed)
    words = tweets.words.to_pylist()
    frequent = Counter(word for one in words for word in set(one)).most_common(_SUBJECTS)
    subject = {word: number for number, (word, _) in enumerate(frequent)}
    phase = draw.uniform(0, 2 * np.pi, _SUBJECTS)
    waves = np.exp(_WAVE * np.sin(2 * np.pi * np.arange(BLOCKS) / BLOCKS + phase[:, None]))
    block = np.empty(len(words), dtype=np.int64)
    for number, one in enumerate(words):
        weights = waves[[subject[word] for word in set(one) if word in subject]].prod(axis=0)
        block[number] = draw.choice(BLOCKS, p=weights / weights.sum())
    planted = np.full(len(words), -1)
    reference = tweets.slices % _REFERENCE_ONE_IN == 0
    long_enough = np.array([len(one) >= _LEAST_WORDS for one in words])
    for topic, shares in enumerate(PLANTED.values()):
        for number, percent in enumerate(shares):
            inside = block[: len(tweets.slices)] == number
            size = round(percent / 100 * inside.sum())
            patterns = draw.choice(np.flatnonzero(inside & long_enough), size, replace=False)
            words += [about(words[pattern], topic, draw) for pattern in patterns.tolist()]
            block = np.append(block, np.full(size, number))
            planted = np.append(planted, np.full(size, topic))
            reference = np.append(reference, draw.random(size) < 1 / _REFERENCE_ONE_IN)
    return Stream(pa.array(words, pa.list_(pa.string())), block, planted, reference)


def about(pattern: list[str], topic: int, draw: np.random.Generator) -> list[str]:
    """Return a tweet with the words of a planted topic in place of three in five of its own, at least of two."""
    own = [f"{chr(ord('a') + topic)}planted{number}" for number in range(_VOCABULARY)]
    frequency = 1 / np.arange(1, _VOCABULARY + 1)
    spoken = draw.choice(own, len(pattern), p=frequency / frequency.sum()).tolist()
    replaced = draw.random(len(pattern)) < _OWN_WORDS
    replaced[:2] = True
    return [str(mine) if here else word for mine, here, word in zip(spoken, replaced, pattern, strict=True)]
