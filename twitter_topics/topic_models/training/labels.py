"""Topic labels for people."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from twitter_topics.topic_models.scoring.text import is_emoji
from twitter_topics.topic_models.scoring.topic_model import FloatArray, TopicModel

WORDS_IN_LABEL = 3
_CANDIDATES = 40
_SEPARATOR = " · "
_ENDINGS = ("", "s", "es", "ed", "ing")


def top_words(model: TopicModel, count: int = 15) -> list[list[str]]:
    """Return the most probable words of each topic, most probable first."""
    order = np.argsort(-model.word_shares, axis=1, kind="stable")[:, :count]
    return [[model.vocabulary[word] for word in row] for row in order]


def topic_labels(model: TopicModel, earlier: Mapping[int, str] | None = None) -> tuple[str, ...]:
    """Return a distinct label for each topic: its three most distinctive words, such as `storm · flood · wind`.

    Words are ranked by p(w|k) log(p(w|k) / p(w)), their share of the topic's divergence from all tweets: frequent in
    the topic and rare elsewhere. A form of a word already chosen (a plural, its own hashtag) is skipped, as are emoji;
    further hashtags come after all words. A label that another topic already has is extended by one word.

    Args:
        earlier: labels by topic id, which stay as long as all of their words are among the 40 most distinctive ones.
    """
    shares = model.word_shares
    overall = model.word_counts / model.word_counts.sum()
    telling = shares * np.log(shares / np.maximum(overall, 1e-12))
    labels = _still_true(model, telling, earlier or {})
    for topic in np.argsort(-model.documents, kind="stable").tolist():
        if labels[topic]:
            continue
        words = _label_words(telling[topic], model.vocabulary)
        length = WORDS_IN_LABEL
        while (label := _SEPARATOR.join(words[:length])) in labels and length < len(words):
            length += 1
        labels[topic] = label if label and label not in labels else f"{label} {int(model.topic_ids[topic])}".strip()
    return tuple(labels)


def _still_true(model: TopicModel, telling: FloatArray, earlier: Mapping[int, str]) -> list[str]:
    labels = [""] * model.k
    for topic, topic_id in enumerate(model.topic_ids.tolist()):
        label = earlier.get(topic_id, "")
        top = np.argsort(-telling[topic], kind="stable")[:_CANDIDATES].tolist()
        told = {model.vocabulary[word] for word in top if telling[topic, word] > 0}
        if label not in labels and told.issuperset(label.split(_SEPARATOR)):
            labels[topic] = label
    return labels


def _label_words(telling: FloatArray, vocabulary: tuple[str, ...]) -> list[str]:
    taken: list[str] = []
    more_hashtags: list[str] = []
    for word in np.argsort(-telling, kind="stable")[:_CANDIDATES].tolist():
        spelling = vocabulary[word]
        if telling[word] <= 0 or is_emoji(spelling) or _repeats(spelling, taken + more_hashtags):
            continue
        if spelling.startswith("#") and any(other.startswith("#") for other in taken):
            more_hashtags.append(spelling)
        else:
            taken.append(spelling)
    return taken + more_hashtags


def _repeats(spelling: str, taken: list[str]) -> bool:
    """Return whether it is a form of a chosen word, or a hashtag of two of them. `rain` is no form of `train`."""
    bare, others = spelling.lstrip("#"), [other.lstrip("#") for other in taken]
    same = any(bare == other + ending or other == bare + ending for other in others for ending in _ENDINGS)
    return same or any(bare == first + second for first in others for second in others)
