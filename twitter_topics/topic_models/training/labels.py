"""Topic labels for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from twitter_topics.topic_models.scoring.text import is_emoji, pieces_of_pair, tokens
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training.pairs import Contexts, has_pairs

if TYPE_CHECKING:
    from twitter_topics.topic_models.training.tweets import TrainingTweets

WORDS_IN_LABEL = 3
_CANDIDATES = 40
_SEPARATOR = " · "
_FOREIGN = 4
"""A word that is so many times as frequent in another language of the model is none of this one."""

_STEMMERS = {
    "da": "danish", "de": "german", "en": "english", "es": "spanish", "fi": "finnish", "fr": "french",
    "hu": "hungarian", "it": "italian", "nl": "dutch", "no": "norwegian", "pt": "portuguese", "ro": "romanian",
    "ru": "russian", "sv": "swedish",
}  # fmt: skip


def top_words(model: TopicModel, count: int = 15) -> list[list[str]]:
    """Return the most probable words of each topic, most probable first."""
    order = np.argsort(-model.word_shares, axis=1, kind="stable")[:, :count]
    return [[model.words[word] for word in row] for row in order]


def topic_labels(
    model: TopicModel, earlier: Mapping[int, str] | None = None, tweets: TrainingTweets | None = None
) -> tuple[str, ...]:
    """Return a distinct label for each topic: its three most distinctive words, such as `storm · flood · wind`.

    Words are ranked by p(w|k) log(p(w|k) / p(w)), their share of the topic's divergence from all tweets of its
    language: frequent in the topic and rare elsewhere. A form of a word already chosen (by Snowball's stems, or its own
    hashtag) is skipped, as are emoji and words of another language; further hashtags come after all words. A label that
    another topic already has is extended by one word.

    Args:
        earlier: labels by topic id, which stay as long as all of their words are among the 40 most distinctive ones.
        tweets: those of the training. In them overlapping pairs are found to be parts of words.
    """
    telling = [words for language in model.languages or ("",) for words in _telling_words(model, language)]
    labels = _still_true(model, telling, earlier or {})
    spoken = model.languages or ("",)
    words_of = {language: _words_of(model, language, tweets) for language in spoken}
    for topic in np.lexsort((-model.documents, model.language_of_topic)).tolist():
        if labels[topic]:
            continue
        language = spoken[model.language_of_topic[topic]]
        words = _label_words(_with_words(telling[topic], words_of[language]), _stems(language))
        length = WORDS_IN_LABEL
        while (label := _SEPARATOR.join(words[:length])) in labels and length < len(words):
            length += 1
        labels[topic] = label if label and label not in labels else f"{label} {int(model.topic_ids[topic])}".strip()
    return tuple(labels)


def _telling_words(model: TopicModel, language: str) -> list[list[str]]:
    """Return the most distinctive words of each topic of a language, most telling first."""
    part, foreign = model.part(language), _foreign_words(model, language)
    shares = part.word_shares
    overall = part.word_counts / part.word_counts.sum()
    telling = shares * np.log(shares / np.maximum(overall, 1e-12))
    best = np.argsort(-telling, axis=1, kind="stable")[:, :_CANDIDATES].tolist()
    return [
        [spelling for word in words if row[word] > 0 and (spelling := part.vocabulary[word]) not in foreign]
        for row, words in zip(telling, best, strict=True)
    ]


def _foreign_words(model: TopicModel, language: str) -> set[str]:
    """Return the words that another language uses much more often."""
    if not language:
        return set()
    frequencies = [
        dict(zip(part.vocabulary, (part.word_counts / part.word_counts.sum()).tolist(), strict=True))
        for part in map(model.part, (language, *(one for one in model.languages if one != language)))
    ]
    own, *others = frequencies
    return {word for other in others for word in own.keys() & other.keys() if other[word] > _FOREIGN * own[word]}


def _still_true(model: TopicModel, telling: list[list[str]], earlier: Mapping[int, str]) -> list[str]:
    labels = [""] * model.k
    for topic, topic_id in enumerate(model.topic_ids.tolist()):
        label = earlier.get(topic_id, "")
        if label and label not in labels and all(_tells(word, telling[topic]) for word in label.split(_SEPARATOR)):
            labels[topic] = label
    return labels


def _tells(word: str, telling: list[str]) -> bool:
    """Return whether a word is among the telling ones, or half of the pairs that it consists of are."""
    pairs = [one for one in tokens(word) if pieces_of_pair(one)]
    return word in telling or (bool(pairs) and 2 * sum(one in telling for one in pairs) >= len(pairs))


def _words_of(model: TopicModel, language: str, tweets: TrainingTweets | None) -> Callable[[str], list[str]]:
    """Return what finds the words that a pair is from."""
    words = pa.array([], pa.list_(pa.string()))
    if tweets is not None and has_pairs(model.part(language).vocabulary):
        words = (tweets.in_languages((language,)) if language else tweets).words
    return lru_cache(maxsize=None)(Contexts(words).words)


def _with_words(telling: list[str], words_of: Callable[[str], list[str]]) -> list[str]:
    """Replace pairs by their words; pairs of no word come last."""
    words = [word for one in telling for word in (words_of(one) if pieces_of_pair(one) else [one])]
    return words + [one for one in telling if pieces_of_pair(one) and not words_of(one)]


def _label_words(spellings: list[str], stem: Callable[[str], str]) -> list[str]:
    taken: list[str] = []
    more_hashtags: list[str] = []
    for spelling in spellings:
        if is_emoji(spelling) or _repeats(spelling, taken + more_hashtags, stem):
            continue
        if spelling.startswith("#") and any(other.startswith("#") for other in taken):
            more_hashtags.append(spelling)
        else:
            taken.append(spelling)
    return taken + more_hashtags


def _repeats(spelling: str, taken: list[str], stem: Callable[[str], str]) -> bool:
    """Return whether it is a form of a chosen word, a part of one or contains one in a script without spaces, or a
    hashtag of two of them. `rain` is no form of `train`."""
    bare, others = spelling.lstrip("#"), [other.lstrip("#") for other in taken]
    if any(pieces_of_pair(one) for one in tokens(bare)) and any(bare in other or other in bare for other in others):
        return True
    same = any(stem(bare) == stem(other) for other in others)
    return same or any(bare == first + second for first in others for second in others)


def _stems(language: str) -> Callable[[str], str]:
    """Return what finds the stem of a word; English ones if the language is not known, none for many languages."""
    if language and language not in _STEMMERS:
        return str
    from nltk.stem.snowball import SnowballStemmer  # imports slowly

    stem: Callable[[str], str] = lru_cache(maxsize=None)(SnowballStemmer(_STEMMERS[language or "en"]).stem)
    return stem
