"""The topics as people see them: what the model calls them, what people call them, and their counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from twitter_topics.records.processed import NO_TOPIC, NO_TOPIC_LABEL

if TYPE_CHECKING:
    from twitter_topics.counts.view import LastHour, TopicCount
    from twitter_topics.topic_models.registry.topic_names import TopicNames


@dataclass(frozen=True, slots=True)
class TopicRow:
    """A topic in the last hour.

    `sentiment` is the mean compound of its `scored` tweets, None without any; `history` counts its tweets in each of
    the last hours, oldest first, and ends with `tweets`. `language` is empty unless languages have topics of their own.
    `label` is the model's, `name` what people call it, or empty. `shown_with` is the topic that it is shown as a part
    of; a row of several topics has them as `parts`, most tweets first.
    """

    topic_id: int
    label: str
    top_words: list[str]
    tweets: int
    scored: int
    sentiment: float | None
    history: list[int] = field(default_factory=list)
    language: str = ""
    name: str = ""
    shown_with: int | None = None
    parts: list[TopicRow] = field(default_factory=list)

    @property
    def called(self) -> str:
        return self.name or self.label or f"topic {self.topic_id}"


def topic_rows(
    known: Sequence[Mapping[str, Any]], hour: LastHour | None, history: Mapping[int, list[int]], names: TopicNames
) -> list[TopicRow]:
    """Return a row for each topic of a model, any other that was counted, and those that they are shown with, most
    tweets first.

    Args:
        known: topics of a manifest.
        history: tweets per hour of each topic.
    """
    counts = {count.topic_id: count for count in hour.topics} if hour else {}
    described = {int(topic["topic_id"]): topic for topic in known}
    alive = described.keys() | counts.keys()
    heads = {head for topic_id in alive if (head := names.shown_with(topic_id)) is not None}
    rows = [
        _row(topic_id, described.get(topic_id), counts.get(topic_id), history.get(topic_id, []), names)
        for topic_id in alive | heads
    ]
    return sorted(rows, key=_order)


def shown_together(rows: Sequence[TopicRow]) -> list[TopicRow]:
    """Return one row for topics that are shown together, most tweets first.

    Its tweets and history are sums, its sentiment is the mean of all scored tweets. Its name, label and words are those
    of the topic that the others are shown with; if no model has that any more, the words of the largest part.
    """
    groups: dict[int, list[TopicRow]] = {}
    for row in sorted(rows, key=_order):
        groups.setdefault(row.topic_id if row.shown_with is None else row.shown_with, []).append(row)
    return sorted((_together(head, parts) for head, parts in groups.items()), key=_order)


def _together(topic_id: int, parts: list[TopicRow]) -> TopicRow:
    if len(parts) == 1:
        return parts[0]
    head = next(part for part in parts if part.topic_id == topic_id)
    scored = sum(part.scored for part in parts)
    moods = sum(part.sentiment * part.scored for part in parts if part.sentiment is not None)
    return replace(
        head,
        top_words=head.top_words or parts[0].top_words,
        tweets=sum(part.tweets for part in parts),
        scored=scored,
        sentiment=round(moods / scored, 4) if scored else None,
        history=[sum(hours) for hours in zip(*(part.history for part in parts if part.history), strict=True)],
        language=", ".join(dict.fromkeys(part.language for part in parts if part.language)),
        parts=parts,
    )


def _order(row: TopicRow) -> tuple[bool, int, int]:
    return row.topic_id == NO_TOPIC, -row.tweets, row.topic_id


def _row(
    topic_id: int, topic: Mapping[str, Any] | None, count: TopicCount | None, history: list[int], names: TopicNames
) -> TopicRow:
    fallback = NO_TOPIC_LABEL if topic_id == NO_TOPIC else (count.label if count else "")
    return TopicRow(
        topic_id=topic_id,
        label=str(topic["label"]) if topic else fallback,
        top_words=[str(word) for word in topic.get("top_words", [])] if topic else [],
        tweets=count.tweets if count else 0,
        scored=count.scored if count else 0,
        sentiment=round(count.sentiment, 4) if count and count.sentiment is not None else None,
        history=history,
        language=str(topic.get("language", "")) if topic else "",
        name=names.name(topic_id),
        shown_with=names.shown_with(topic_id),
    )
