"""Documents with known topics, for tests of training."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from twitter_topics.topic_models.scoring.topic_model import FloatArray, IntArray

_THEMES = """
storm: storm wind rain flood river bridge power outage shelter gust warning coast thunder lightning surge
football: goal match penalty striker keeper final stadium referee league coach fans derby corner trophy pitch
kitchen: recipe oven dough butter garlic onion roast sauce basil pasta bake flour simmer brunch pancake
space: rocket launch orbit moon crew capsule booster telescope astronaut payload mars lander satellite nebula probe
"""
THEMES = {name: words.split() for name, words in (line.split(":") for line in _THEMES.strip().splitlines())}
COMMON = ["love", "good", "time", "night", "week", "morning"]
"""Words that every theme uses."""


def planted_documents(count: int, seed: int, themes: list[str] | None = None) -> tuple[list[list[str]], IntArray]:
    """Return documents of 5 to 9 words, four in five from one theme, and the theme number of each."""
    draw = np.random.default_rng(seed)
    names = themes or list(THEMES)
    truth = draw.integers(0, len(names), count)
    documents = []
    for theme in truth:
        words = THEMES[names[theme]]
        length = int(draw.integers(5, 10))
        documents.append([str(draw.choice(words if draw.random() < 0.8 else COMMON)) for _ in range(length)])
    return documents, truth


def in_language(documents: list[list[str]], language: str) -> list[list[str]]:
    """Return the documents in another language: its words have other spellings, but COMMON ones are the same."""
    return [[word if word in COMMON else f"{word}{language}" for word in words] for words in documents]


def as_lists(documents: list[list[str]]) -> pa.ListArray:
    """Return documents as the Arrow column that the jobs use."""
    return pa.array(documents, pa.list_(pa.string()))


def purity(found: IntArray, truth: IntArray) -> float:
    """Return the share of documents whose theme is the most frequent one in their cluster."""
    return float(sum(np.bincount(truth[found == cluster]).max() for cluster in np.unique(found)) / len(truth))


def normalised_mutual_information(found: IntArray, truth: IntArray) -> float:
    """Return 0 for independent labellings, 1 for equal ones."""
    joint = np.zeros((found.max() + 1, truth.max() + 1))
    np.add.at(joint, (found, truth), 1 / len(found))
    rows, columns = joint.sum(1), joint.sum(0)
    present = joint > 0
    mutual = (joint[present] * np.log((joint / np.maximum(np.outer(rows, columns), 1e-300))[present])).sum()

    def entropy(shares: FloatArray) -> float:
        return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())

    return float(2 * mutual / (entropy(rows) + entropy(columns)))
