"""The births of topics: what each topic was about when it got its id, by which it is recognised and retired.

They are a file of each version, carried on from champion to challenger, so that they follow a rollback.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from twitter_topics.errors import IntegrityError
from twitter_topics.topic_models.scoring.topic_model import FloatArray, TopicModel

SMALL_SHARE = 0.002
"""A topic with a smaller share of the documents of its language is small: a new one is dropped as noise."""

TRAININGS_TO_RETIRE = 3
"""A topic that is small in so many trainings in a row is retired."""

MIN_LIKENESS = 0.4
"""Cosine of a topic's words and those at its birth. Below, the topic is about something else and gets another id. Over
six trainings on drifting tweets nearly all stay above 0.5; different topics of one model are below it in 95 %."""

LIKENESS_TO_RETURN = 0.7
"""A new topic that is so similar to the birth of a retired one gets its id back."""

_WORDS = 200
_REMEMBERED = 500


@dataclass(frozen=True)
class Birth:
    """A topic when it got its id.

    version: where it was born. words: its most probable words, with their shares. small_trainings: in how many
    trainings in a row it was small. retired: the version that gave it up, or None.
    """

    topic_id: int
    version: str
    label: str
    words: tuple[str, ...]
    shares: tuple[float, ...]
    small_trainings: int = 0
    retired: str | None = None


def births_of(model: TopicModel, version: str) -> tuple[Birth, ...]:
    """Return the topics of a model as if all of them were born in it."""
    return after((), model, version)


def after(births: Iterable[Birth], model: TopicModel, version: str) -> tuple[Birth, ...]:
    """Return the births after a training, by topic id: those of new topics, and what became of the earlier ones. Of the
    retired ones the 500 retired last are remembered.

    Args:
        births: the champion's.
        model: with ids and labels.
    """
    known = {birth.topic_id: birth for birth in births}
    found = {topic_id: replace(birth, retired=birth.retired or version) for topic_id, birth in known.items()}
    shares = model.word_shares
    spoken = np.bincount(model.language_of_topic, weights=model.documents)
    small = (model.documents < SMALL_SHARE * spoken[model.language_of_topic]).tolist()
    for topic, topic_id in enumerate(model.topic_ids.tolist()):
        birth = known.get(topic_id) or _born(model, topic, shares[topic], version)
        found[topic_id] = replace(birth, small_trainings=(birth.small_trainings + 1) * small[topic], retired=None)
    retired = sorted((birth.retired, birth.topic_id) for birth in found.values() if birth.retired is not None)
    for _, topic_id in retired[:-_REMEMBERED]:
        del found[topic_id]
    return tuple(found[topic_id] for topic_id in sorted(found))


def likeness(shares: FloatArray, vocabulary: tuple[str, ...], births: Sequence[Birth]) -> FloatArray:
    """Return the cosines of K topics (K × V word shares) and B births (K × B)."""
    position = {word: index for index, word in enumerate(vocabulary)}
    norms = np.linalg.norm(shares, axis=1)
    cosines = np.zeros((len(shares), len(births)))
    for column, birth in enumerate(births):
        places = np.array([position.get(word, -1) for word in birth.words], dtype=np.int64)
        then = np.array(birth.shares)
        common = places >= 0
        cosines[:, column] = shares[:, places[common]] @ then[common] / (norms * np.linalg.norm(then))
    return cosines


def as_json(births: Iterable[Birth]) -> dict[str, Any]:
    """Return the content of `births.json`."""
    return {"births": [asdict(birth) for birth in births]}


def from_json(content: Mapping[str, Any]) -> tuple[Birth, ...]:
    """Read `births.json`.

    Raises:
        IntegrityError: it lacks something.
    """
    try:
        return tuple(
            Birth(**{**birth, "words": tuple(birth["words"]), "shares": tuple(birth["shares"])})
            for birth in content["births"]
        )
    except (KeyError, TypeError) as error:
        msg = f"births.json is damaged: {error}"
        raise IntegrityError(msg) from None


def _born(model: TopicModel, topic: int, shares: FloatArray, version: str) -> Birth:
    top = np.argsort(-shares, kind="stable")[:_WORDS]
    words = tuple(model.vocabulary[word] for word in top.tolist())
    label = model.labels[topic] if model.labels else ""
    return Birth(int(model.topic_ids[topic]), version, label, words, tuple(np.round(shares[top], 7).tolist()))
