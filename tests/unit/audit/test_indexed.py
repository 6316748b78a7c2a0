"""Counted hours beside the documents of the index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
    revisions: list[int] = field(default_factory=lambda: [5])

    def position(self) -> Position | None:
        return position(self.revisions.pop(0) if len(self.revisions) > 1 else self.revisions[0])

    def topics(self, from_ms: int, to_ms: int) -> dict[tuple[int, str], int]:
        assert to_ms - from_ms == WINDOW_MS
        return dict(in_hour(self.tweets, to_ms))

    def tweets_by_hour(self) -> dict[int, int]:
        return dict(Counter(at // WINDOW_MS * WINDOW_MS for at, _, _ in self.tweets))


def in_hour(tweets: Sequence[Tweet], end: int) -> Counter[tuple[int, str]]:
    return Counter((topic, model) for at, topic, model in tweets if end - WINDOW_MS <= at < end)


def made_up() -> list[Tweet]:
    return [(NEWEST - number * 7 * 60_000, number % 3, "m1") for number in range(300)]


def compared(counted: list[Tweet], indexed: list[Tweet], revisions: list[int] | None = None) -> IndexComparison:
    def documents(ends: Sequence[int]) -> Mapping[int, Mapping[tuple[int, str], int]]:
        return {end: in_hour(indexed, end) for end in ends}

    return compare_index(Counts(counted, revisions or [5]), documents, oldest_ms=OLDEST, pause=lambda _: None)


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


def test_counts_that_move_are_compared_again() -> None:
    assert compared(made_up(), made_up(), [1, 2, 2, 3, 4, 4]).compared > 0
    assert compared(made_up(), made_up()[1:], list(range(100))) == IndexComparison()


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
