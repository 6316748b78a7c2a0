"""Topic labels for people."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from twitter_topics.topic_models.scoring.text import is_emoji
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training.pairs import is_part_of, join_pairs

WORDS_IN_LABEL = 3
_CANDIDATES = 40
_SEPARATOR = " · "
_ENDINGS = ("", "s", "es", "ed", "ing")


def top_words(model: TopicModel, count: int = 15) -> list[list[str]]:
    """Return the most probable words of each topic, most probable first."""
    order = np.argsort(-model.word_shares, axis=1, kind="stable")[:, :count]
    return [[model.words[word] for word in row] for row in order]


def topic_labels(model: TopicModel, earlier: Mapping[int, str] | None = None) -> tuple[str, ...]:
    """Return a distinct label for each topic: its three most distinctive words, such as `storm · flood · wind`.

    Words are ranked by p(w|k) log(p(w|k) / p(w)), their share of the topic's divergence from all tweets of its
    language: frequent in the topic and rare elsewhere. A form of a word already chosen (a plural, its own hashtag) is
    skipped, as are emoji; further hashtags come after all words; overlapping pairs become the word that they are from.
    A label that another topic already has is extended by one word.

    Args:
        earlier: labels by topic id, which stay as long as all of their words are among the 40 most distinctive ones.
    """
    telling = [words for language in model.languages or ("",) for words in _telling_words(model.part(language))]
    labels = _still_true(model, telling, earlier or {})
    for topic in np.lexsort((-model.documents, model.language_of_topic)).tolist():
        if labels[topic]:
            continue
        words = _label_words(telling[topic])
        length = WORDS_IN_LABEL
        while (label := _SEPARATOR.join(words[:length])) in labels and length < len(words):
            length += 1
        labels[topic] = label if label and label not in labels else f"{label} {int(model.topic_ids[topic])}".strip()
    return tuple(labels)


def _telling_words(model: TopicModel) -> list[list[str]]:
    """Return the most distinctive words of each topic, most telling first."""
    shares = model.word_shares
    overall = model.word_counts / model.word_counts.sum()
    telling = shares * np.log(shares / np.maximum(overall, 1e-12))
    found = []
    for row, share in zip(telling, shares, strict=True):
        best = [word for word in np.argsort(-row, kind="stable")[:_CANDIDATES].tolist() if row[word] > 0]
        found.append(join_pairs({model.vocabulary[word]: float(share[word]) for word in best}))
    return found


def _still_true(model: TopicModel, telling: list[list[str]], earlier: Mapping[int, str]) -> list[str]:
    labels = [""] * model.k
    for topic, topic_id in enumerate(model.topic_ids.tolist()):
        label = earlier.get(topic_id, "")
        if label not in labels and set(telling[topic]).issuperset(label.split(_SEPARATOR)):
            labels[topic] = label
    return labels


def _label_words(spellings: list[str]) -> list[str]:
    taken: list[str] = []
    more_hashtags: list[str] = []
    for spelling in spellings:
        if is_emoji(spelling) or _repeats(spelling, taken + more_hashtags):
            continue
        if spelling.startswith("#") and any(other.startswith("#") for other in taken):
            more_hashtags.append(spelling)
        else:
            taken.append(spelling)
    return taken + more_hashtags


def _repeats(spelling: str, taken: list[str]) -> bool:
    """Return whether it is a form of a chosen word, a pair from one, or a hashtag of two of them. `rain` is no form of
    `train`."""
    bare, others = spelling.lstrip("#"), [other.lstrip("#") for other in taken]
    same = any(bare == other + ending or other == bare + ending for other in others for ending in _ENDINGS)
    return same or is_part_of(spelling, taken) or any(bare == first + second for first in others for second in others)
