"""What people call topics, and which topics they look at together. It changes what is shown and nothing else.

models/topic_names/<number>.json      all names after a change; the largest number counts

A change creates the next number, so of two people who write at once one is told, and starts from what the other wrote.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from twitter_topics.backends.numbered import numbered, numbers
from twitter_topics.errors import ConflictError, IntegrityError
from twitter_topics.topic_models.registry import json_objects
from twitter_topics.topic_models.registry.store import ROOT

if TYPE_CHECKING:
    from twitter_topics.topic_models.registry.store import ModelStore

TOPIC_NAMES = ROOT + "topic_names/"
MAX_NAME, MAX_REASON = 60, 500
"""Characters."""

KEPT_CHANGES = 200
KEPT_STATES = 100

_ATTEMPTS = 20
_SUFFIX = ".json"
_JOINERS = "\u200c\u200d"
"""Not printable by themselves, but part of words in Persian and Hindi and of emoji."""


@dataclass(frozen=True, slots=True)
class Naming:
    """How a topic is shown from a moment on (`at`, ISO 8601, UTC): by a name, empty for the model's label; as a part of
    the topic `shown_with`, None for by itself."""

    topic_id: int
    name: str
    shown_with: int | None
    by: str
    at: str
    reason: str


@dataclass(frozen=True)
class TopicNames:
    """`topics`: the last naming of each topic that is not shown by its label and by itself. `history`: the last
    KEPT_CHANGES, oldest first."""

    topics: Mapping[int, Naming] = field(default_factory=dict)
    history: tuple[Naming, ...] = ()

    def name(self, topic_id: int) -> str:
        """Return what people call a topic; empty if they call it by its label."""
        naming = self.topics.get(topic_id)
        return naming.name if naming else ""

    def shown_with(self, topic_id: int) -> int | None:
        """Return the topic that this one is shown as a part of; None if it is shown by itself."""
        naming = self.topics.get(topic_id)
        return naming.shown_with if naming else None

    def after(self, naming: Naming) -> TopicNames:
        """Return the names after a change.

        Raises:
            ValueError: the name is not one, or a part would have parts.
        """
        named = checked(naming)
        others = {topic_id: one for topic_id, one in self.topics.items() if topic_id != named.topic_id}
        is_shown_otherwise = named.name or named.shown_with is not None
        topics = others | ({named.topic_id: named} if is_shown_otherwise else {})
        _require_no_chain(topics, named)
        return TopicNames(topics, (*self.history, named)[-KEPT_CHANGES:])


def checked(naming: Naming) -> Naming:
    """Return a naming without blanks around its name and reason, in NFC.

    Raises:
        ValueError: an id is no whole number, the name is longer than MAX_NAME, has more than one line or control
            characters, the reason is longer than MAX_REASON, or the topic is to be shown with itself.
    """
    for topic_id in (naming.topic_id, naming.topic_id if naming.shown_with is None else naming.shown_with):
        if type(topic_id) is not int:
            raise ValueError(f"the id of a topic is a whole number, not {topic_id!r}")
    name, reason = (unicodedata.normalize("NFC", text).strip() for text in (naming.name, naming.reason))
    if len(name) > MAX_NAME:
        raise ValueError(f"a name has at most {MAX_NAME} characters; this one has {len(name)}")
    if naming.name and not name:
        raise ValueError("a name of blanks only; leave it empty to take the name away")
    if not all(character.isprintable() or character in _JOINERS for character in name):
        raise ValueError("a name is one line without control characters")
    if len(reason) > MAX_REASON:
        raise ValueError(f"a reason has at most {MAX_REASON} characters; this one has {len(reason)}")
    if naming.shown_with == naming.topic_id:
        raise ValueError(f"topic {naming.topic_id} cannot be shown with itself")
    return Naming(naming.topic_id, name, naming.shown_with, naming.by, naming.at, reason)


def read_names(models: ModelStore) -> TopicNames:
    """Return what people call topics now.

    Raises:
        IntegrityError: the object is damaged; the message says how to go back to the one before.
        RetryableError: S3 is unavailable.
    """
    return _newest(models)[1]


def set_naming(
    models: ModelStore, topic_id: int, *, name: str, shown_with: int | None, by: str, at: datetime, reason: str
) -> TopicNames:
    """Name a topic, or show it with another one, in place of what was said of it before.

    Args:
        name: empty: by the label of the model. shown_with: None: by itself.
        by: who asked.

    Raises:
        ValueError: see TopicNames.after; or no model has ever had one of the topics.
        IntegrityError: the names are damaged; nothing was written.
        ConflictError: others are changing names all the time.
    """
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds")
    naming = checked(Naming(topic_id, name, shown_with, by, moment, reason))
    _require_known(models, naming)
    for _ in range(_ATTEMPTS):
        number, names = _newest(models)
        if naming in names.history:  # written by an attempt whose answer was lost
            return names
        changed = names.after(naming)
        try:
            models.objects.put_new(numbered(TOPIC_NAMES, number + 1, _SUFFIX), json_objects.encode(_as_json(changed)))
        except ConflictError:
            continue
        for old in _states(models)[:-KEPT_STATES]:
            models.objects.delete(numbered(TOPIC_NAMES, old, _SUFFIX))
        return changed
    raise ConflictError("others are changing the names of topics at the same time; nothing was written, try again")


def sentence(names: TopicNames, topic_id: int) -> str:
    """Return how a topic is shown now."""
    name, head = names.name(topic_id), names.shown_with(topic_id)
    by = f"by the name {name!r}" if name else "by its label"
    return f"topic {topic_id} is shown {by}, {'by itself' if head is None else f'as a part of topic {head}'}"


def _require_known(models: ModelStore, naming: Naming) -> None:
    end = models.next_topic_id()
    for topic_id in (naming.topic_id, naming.shown_with):
        if topic_id is not None and not 0 <= topic_id < end:
            had = f"ids so far are 0 to {end - 1}" if end else "there is no model yet"
            raise ValueError(f"no model has ever had a topic {topic_id}: {had}")


def _require_no_chain(topics: Mapping[int, Naming], naming: Naming) -> None:
    """So that no part has parts of its own, and there is no circle."""
    head = naming.shown_with
    if head is None:
        return
    if head in topics and (farther := topics[head].shown_with) is not None:
        raise ValueError(f"topic {head} is itself shown with topic {farther}: choose {farther}")
    parts = sorted(topic_id for topic_id, one in topics.items() if one.shown_with == naming.topic_id)
    if parts:
        shown = ", ".join(map(str, parts))
        raise ValueError(f"topic {naming.topic_id} has parts of its own ({shown}): show them with topic {head} first")


def _newest(models: ModelStore) -> tuple[int, TopicNames]:
    """Return the names, and the number of their object; 0 before the first."""
    states = _states(models)
    if not states:
        return 0, TopicNames()
    key = numbered(TOPIC_NAMES, states[-1], _SUFFIX)
    found = models.objects.get(key)
    try:
        names = _from_json(json_objects.decode(found.body if found else b"", key))
    except (IntegrityError, KeyError, TypeError, ValueError, AttributeError):
        msg = f"{key} is damaged: topics are shown by their labels. Delete it to go back to the names before"
        raise IntegrityError(msg) from None
    return states[-1], names


def _states(models: ModelStore) -> list[int]:
    return numbers(models.objects.keys(TOPIC_NAMES), TOPIC_NAMES, _SUFFIX)


def _as_json(names: TopicNames) -> dict[str, Any]:
    topics = {str(topic_id): asdict(one) for topic_id, one in sorted(names.topics.items())}
    return {"topics": topics, "history": [asdict(one) for one in names.history]}


def _from_json(content: Mapping[str, Any]) -> TopicNames:
    topics = {int(topic_id): _naming(one) for topic_id, one in content["topics"].items()}
    for topic_id, naming in topics.items():
        if naming.topic_id != topic_id:
            raise ValueError(f"topic {topic_id} has the name of topic {naming.topic_id}")
        _require_no_chain(topics, naming)
    return TopicNames(topics, tuple(_naming(one) for one in content["history"]))


def _naming(content: Mapping[str, Any]) -> Naming:
    naming = checked(Naming(**content))
    if not all(isinstance(text, str) for text in (naming.name, naming.by, naming.at, naming.reason)):
        raise TypeError("a value of another type")
    return naming
