"""Compare counted hours with the documents of the search index, by topic."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from twitter_topics.counts.panes import PANE_MS, WINDOW_MS
from twitter_topics.counts.position import Position

RECENT_ENDS = 24
"""Ends of hours of the last two hours, one every five minutes."""

OLDER_ENDS = 100
"""Up to this many older hours with tweets, drawn at random: the whole hour, and one that overlaps it."""

COUNTED_WITHIN_SECONDS = 15
"""By then a live tweet that is searchable is counted: three intervals of the aggregator."""

_TRIES = 5

Topics = Mapping[tuple[int, str], int]
"""Tweets by (topic id, model version)."""


class HourDifference(NamedTuple):
    """An hour whose counts differ from its documents, in one topic or, where `topic_id` is None, in all."""

    end_ms: int
    topic_id: int | None
    counted: int
    indexed: int

    @property
    def is_surplus(self) -> bool:
        """Whether there are more documents than counted tweets."""
        return self.topic_id is None and self.indexed > self.counted

    @property
    def text(self) -> str:
        end = datetime.fromtimestamp(self.end_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        topic = "all topics" if self.topic_id is None else f"topic {self.topic_id}"
        return f"{topic}, hour until {end}: counted {self.counted:,}, documents {self.indexed:,}"


class IndexComparison(NamedTuple):
    """The number of compared hours, and those that differ."""

    compared: int = 0
    different: tuple[HourDifference, ...] = ()


class CountedTopics(Protocol):
    """The state of the counts, as far as the comparison needs it."""

    def position(self) -> Position | None: ...
    def topics(self, from_ms: int, to_ms: int) -> dict[tuple[int, str], int]: ...
    def tweets_by_hour(self) -> dict[int, int]: ...


ReadDocuments = Callable[[Sequence[int]], Mapping[int, Topics]]
"""Returns the documents of the hours that end at some times (Unix ms)."""


def compare_index(
    state: CountedTopics,
    documents: ReadDocuments,
    *,
    oldest_ms: int,
    seed: int = 0,
    pause: Callable[[float], None] = time.sleep,
) -> IndexComparison:
    """Compare a sample of hours.

    Tweets are indexed before they are counted, so more documents than counts may be in flight, and more counts than
    documents never are. Those in flight get `COUNTED_WITHIN_SECONDS` to be counted. Counts and documents may name
    different models, because counts that were lost are counted again with the present one: topics are compared where
    both name the same models. Hours that are counted just now are left out.

    Args:
        documents: reads the index.
        oldest_ms: start of the oldest day whose index must exist.
        seed: seed of the sample.
    """
    position = state.position()
    if position is None or position.newest_ms is None:
        return IndexComparison()
    ends = _sample(position.newest_ms + PANE_MS, state.tweets_by_hour(), oldest_ms, seed)
    for _ in range(_TRIES if ends else 0):
        counted, found, now = _topics(state, ends), documents(ends), _topics(state, ends)
        still = [end for end in ends if counted[end] == now[end]]
        if still:
            different = [one for end in still for one in _differences(end, counted[end], found.get(end, {}))]
            return IndexComparison(len(still), _uncounted(state, different, pause))
    return IndexComparison()


def _topics(state: CountedTopics, ends: Sequence[int]) -> dict[int, Topics]:
    return {end: state.topics(end - WINDOW_MS, end) for end in ends}


def query(ends: Sequence[int]) -> dict[str, Any]:
    """Return the aggregations that count the documents of hours by the model and topic they were counted with.

    Documents of mapping version 1 do not say it; they show it.
    """
    ranges = {str(end): {"range": {"created_at": {"gte": end - WINDOW_MS, "lt": end}}} for end in ends}
    says = {"exists": {"field": "counted_topic_id"}}
    kinds = {
        "counted": {"filter": says, "aggs": _by("counted_model_version", "counted_topic_id")},
        "shown": {"filter": {"bool": {"must_not": says}}, "aggs": _by("model_version", "topic_id")},
    }
    return {"ends": {"filters": {"filters": ranges}, "aggs": kinds}}


def answer(aggregations: Mapping[str, Any]) -> dict[int, dict[tuple[int, str], int]]:
    """Read the answer to `query`."""
    found: dict[int, dict[tuple[int, str], int]] = {}
    for end, bucket in aggregations["ends"]["buckets"].items():
        topics: Counter[tuple[int, str]] = Counter()
        for kind in ("counted", "shown"):
            for model in bucket[kind]["models"]["buckets"]:
                for topic in model["topics"]["buckets"]:
                    topics[topic["key"], model["key"]] += topic["doc_count"]
        found[int(end)] = dict(topics)
    return found


def _by(model: str, topic: str) -> dict[str, Any]:
    topics = {"terms": {"field": topic, "size": 10_000}}
    return {"models": {"terms": {"field": model, "size": 1_000}, "aggs": {"topics": topics}}}


def _sample(newest_end_ms: int, by_hour: Mapping[int, int], oldest_ms: int, seed: int) -> list[int]:
    recent = [newest_end_ms - place * 2 * WINDOW_MS // RECENT_ENDS // PANE_MS * PANE_MS for place in range(RECENT_ENDS)]
    chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
    hours = sorted(start for start in by_hour if start >= oldest_ms)
    chosen = sorted(chance.sample(hours, min(OLDER_ENDS, len(hours))))
    older = [start + WINDOW_MS for start in chosen]
    older += [start + chance.randrange(PANE_MS, 2 * WINDOW_MS, PANE_MS) for start in chosen]
    return sorted({end for end in recent + older if oldest_ms + WINDOW_MS <= end <= newest_end_ms})


def _differences(end: int, counted: Topics, indexed: Topics) -> list[HourDifference]:
    all_counted, all_indexed = sum(counted.values()), sum(indexed.values())
    if all_counted != all_indexed:
        return [HourDifference(end, None, all_counted, all_indexed)]
    if _by_model(counted) != _by_model(indexed):
        return []
    pairs = [(key, counted.get(key, 0), indexed.get(key, 0)) for key in sorted(counted.keys() | indexed.keys())]
    return [HourDifference(end, key[0], one, other) for key, one, other in pairs if one != other]


def _uncounted(
    state: CountedTopics, different: Sequence[HourDifference], pause: Callable[[float], None]
) -> tuple[HourDifference, ...]:
    """Return the differences that stay: without hours whose surplus of documents is counted a little later."""
    left = list(different)
    for _ in range(COUNTED_WITHIN_SECONDS):
        if not any(one.is_surplus for one in left):
            break
        pause(1)
        left = [one for one in left if not (one.is_surplus and _tweets(state, one.end_ms) >= one.indexed)]
    return tuple(left)


def _tweets(state: CountedTopics, end_ms: int) -> int:
    return sum(state.topics(end_ms - WINDOW_MS, end_ms).values())


def _by_model(topics: Topics) -> dict[str, int]:
    models: Counter[str] = Counter()
    for (_, version), tweets in topics.items():
        models[version] += tweets
    return {version: tweets for version, tweets in models.items() if tweets}
