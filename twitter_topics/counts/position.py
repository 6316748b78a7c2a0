"""How far the counts are, and what the view does not show yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from twitter_topics.counts.batch import Lane, Marks
from twitter_topics.counts.panes import HourPoint
from twitter_topics.counts.restoration import Restoration


@dataclass(frozen=True, slots=True)
class Position:
    """How far the processed topic is counted.

    `state_id` names this state for good. `topic_id` is Kafka's id of the processed topic, `raw_topic_id` that of the
    raw topic when the state was made: records that do not name theirs belong to it. `revision` is the number of the
    last change. `newest_ms`: start of the newest pane, None before the first. `tweets`: counted so far.
    `rejected`: records that were not processed tweets. `shares`: topic shares that make up the mass.
    `restoration`: what is still to be counted from the archive.
    """

    state_id: str
    topic: str
    topic_id: str
    raw_topic_id: str
    revision: int
    owner: str
    newest_ms: int | None
    tweets: int
    rejected: int
    shares: int
    offsets: Mapping[int, int]
    lanes: Mapping[Lane, Marks]
    restoration: Restoration | None = None


class Unpublished(NamedTuple):
    """Points that the view lacks, those of its oldest hours, as of `revision`.

    `newest_end_ms` is the newest end of an hour at that revision; `mark` and `until_ms` are for `note_published`.
    """

    state_id: str
    revision: int
    newest_end_ms: int
    points: list[HourPoint]
    mark: int
    until_ms: int
