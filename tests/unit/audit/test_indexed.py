"""Counted hours beside the documents of the index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.unit.audit.test_shown import position
from twitter_topics.audit.indexed import (
    COUNTED_WITHIN_SECONDS,
    HourDifference,
    IndexComparison,
    answer,
    compare_index,
    query,
)
from twitter_topics.counts.panes import PANE_MS, WINDOW_MS
from twitter_topics.counts.position import Position

NEWEST = 1_790_000_000_000
OLDEST = NEWEST - 40 * WINDOW_MS
Tweet = tuple[int, int, str]
"""Time, topic, model."""


@dataclass
class Counts:
    """A state of some tweets."""

    tweets: list[Tweet]

    def position(self) -> Position | None:
        return position(5)

    def topics(self, from_ms: int, to_ms: int) -> dict[tuple[int, str], int]:
        assert to_ms - from_ms == WINDOW_MS
        return dict(in_hour(self.tweets, to_ms))

    def tweets_by_hour(self) -> dict[int, int]:
        return dict(Counter(at // WINDOW_MS * WINDOW_MS for at, _, _ in self.tweets))


def in_hour(tweets: Sequence[Tweet], end: int) -> Counter[tuple[int, str]]:
    return Counter((topic, model) for at, topic, model in tweets if end - WINDOW_MS <= at < end)


def made_up() -> list[Tweet]:
    return [(NEWEST - number * 7 * 60_000, number % 3, "m1") for number in range(300)]


def compared(counted: list[Tweet], indexed: list[Tweet]) -> IndexComparison:
    def documents(ends: Sequence[int]) -> Mapping[int, Mapping[tuple[int, str], int]]:
        return {end: in_hour(indexed, end) for end in ends}

    return compare_index(Counts(counted), documents, oldest_ms=OLDEST, pause=lambda _: None)


def test_equal_hours_are_compared_the_last_two_hours_and_older_ones() -> None:
    found = compared(made_up(), made_up())
    assert found.compared > 24 + 20
    assert found.different == ()


def test_a_missing_document_is_found_in_each_of_its_hours() -> None:
    found = compared(made_up(), made_up()[1:])
    assert found.different
    assert {(one.topic_id, one.counted - one.indexed) for one in found.different} == {(None, 1)}
    assert all(one.end_ms - WINDOW_MS <= NEWEST < one.end_ms for one in found.different)


def test_another_topic_is_named() -> None:
    other = [(NEWEST, 2, "m1"), *made_up()[1:]]
    found = compared(made_up(), other).different
    assert {(one.topic_id, one.counted - one.indexed) for one in found} == {(0, 1), (2, -1)}


def test_hours_that_were_counted_again_with_another_model_are_equal_in_sum() -> None:
    assert compared([(at, 9, "m2") for at, _, _ in made_up()], made_up()).different == ()


class Live(Counts):
    """A tweet is counted whenever somebody looks."""

    def topics(self, from_ms: int, to_ms: int) -> dict[tuple[int, str], int]:
        self.tweets = [(NEWEST, 1, "m1"), *self.tweets]
        return super().topics(from_ms, to_ms)


def test_while_tweets_are_counted_the_hours_before_are_compared() -> None:
    lost = NEWEST - 20 * WINDOW_MS
    documents = lambda ends: {end: in_hour(made_up(), end) for end in ends}  # noqa: E731
    found = compare_index(Live([(lost, 1, "m1"), *made_up()]), documents, oldest_ms=OLDEST, pause=lambda _: None)
    assert found.compared > 20
    assert found.different
    assert all(one.end_ms - WINDOW_MS <= lost < one.end_ms for one in found.different)


def test_older_hours_are_drawn_from_those_that_must_have_an_index() -> None:
    expired = [(OLDEST - number * WINDOW_MS, 1, "m1") for number in range(1, 2_000)]
    assert compared([*made_up(), *expired], made_up()) == compared(made_up(), made_up())


def test_days_without_an_index_are_left_out() -> None:
    late = [(NEWEST - 60 * WINDOW_MS, 1, "m1"), *made_up()]
    assert compared(late, made_up()).different == ()


def test_the_question_and_the_answer_of_elasticsearch() -> None:
    end = NEWEST + PANE_MS
    asked = query([end])["ends"]
    assert asked["filters"]["filters"] == {str(end): {"range": {"created_at": {"gte": end - WINDOW_MS, "lt": end}}}}
    new = {"models": {"buckets": [{"key": "m1", "topics": {"buckets": [{"key": 3, "doc_count": 8}]}}]}}
    old = {
        "models": {
            "buckets": [{"key": "m1", "topics": {"buckets": [{"key": 3, "doc_count": 2}, {"key": 4, "doc_count": 1}]}}]
        }
    }
    buckets = {str(end): {"counted": new, "shown": old}}
    assert answer({"ends": {"buckets": buckets}}) == {end: {(3, "m1"): 10, (4, "m1"): 1}}
    assert HourDifference(end, 3, 8, 7).text == "topic 3, hour until 2026-09-21 14:13:30: counted 8, documents 7"


def test_documents_that_are_counted_a_little_later_are_no_difference_and_others_stay() -> None:
    counts, lost, pauses = Counts(made_up()[1:]), (NEWEST - 5 * WINDOW_MS, 0, "m1"), []
    indexed = [*made_up(), lost]

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        counts.tweets = made_up()

    def documents(ends: Sequence[int]) -> Mapping[int, Mapping[tuple[int, str], int]]:
        return {end: in_hour(indexed, end) for end in ends}

    found = compare_index(counts, documents, oldest_ms=OLDEST, pause=pause).different
    assert found
    assert all(one.end_ms - WINDOW_MS <= lost[0] < one.end_ms for one in found)
    assert sum(pauses) == COUNTED_WITHIN_SECONDS
