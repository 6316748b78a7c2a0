"""Counts that were lost come back: from Kafka what it has, from the archive the rest, each tweet once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import URL

from twitter_topics.counts.aggregation import Aggregation
from twitter_topics.counts.batch import BatchCounts, Lane, Marks
from twitter_topics.counts.position import Position
from twitter_topics.counts.restoration import Restoration, Scope
from twitter_topics.counts.state import CountsState
from twitter_topics.errors import RetryableError
from twitter_topics.testing.aggregation import (
    PARTITIONS,
    RAW,
    TOPIC,
    Tweet,
    minutes,
    opened,
    processed_logs,
    read_batch,
    to_batch,
    true_panes,
)
from twitter_topics.testing.counts import BreakingDatabase, Fuse, Killed

DAY_MS = 86_400_000
LANE = Lane(RAW, 0, 0)


def state_at(url: URL, fuse: Fuse | None = None) -> CountsState:
    return CountsState(BreakingDatabase("COUNTS_DATABASE_URI", url, fuse or Fuse()), TOPIC)


def read(aggregation: Aggregation, log: Mapping[int, list[Tweet]], begins: Mapping[int, int], step: int) -> None:
    """Count all that Kafka has: the records from `begins` on."""
    while any(aggregation.position.offsets.get(p, begins[p]) < len(rows) for p, rows in log.items()):
        position = aggregation.position
        starts = {p: position.offsets.get(p, begins[p]) for p in log}
        aggregation.count(read_batch(log, starts, dict.fromkeys(log, step), position.lanes))


def restore(state: CountsState, held: Position, archive: Iterable[Tweet], expired: Iterable[int]) -> None:
    """Do what the restorer does, with an archive in memory."""
    tweets = set(archive)
    archived = dict.fromkeys({tweet.lane.raw_partition for tweet in tweets}, 0)
    for tweet in tweets:
        archived[tweet.lane.raw_partition] = max(archived[tweet.lane.raw_partition], tweet.raw_offset + 1)
    plan = state.begin_restoration(held, RAW, archived, expired, PARTITIONS)
    if plan is None:
        return
    days = sorted({tweet.event_time // DAY_MS for tweet in tweets})
    for day in days:
        due = [
            tweet
            for tweet in tweets
            if tweet.event_time // DAY_MS == day
            and tweet.raw_offset < plan.limit(tweet.lane.raw_partition, tweet.lane.partition)
        ]
        state.add_restored(held, day, to_batch(due))
    state.end_restoration(held)


def ends(tweets: Iterable[Tweet]) -> dict[int, int]:
    """The offset after the last one, by raw partition."""
    found: dict[int, int] = {}
    for tweet in tweets:
        raw = tweet.lane.raw_partition
        found[raw] = max(found.get(raw, 0), tweet.raw_offset + 1)
    return found


def assert_counted(state: CountsState, tweets: Iterable[Tweet]) -> None:
    found = state.counted()
    assert found
    position, sums = found
    assert sums.tweets == position.tweets == len(set(tweets))
    assert {(pane.start_ms, pane.series): pane.sums for pane in state.panes(-(2**62), 2**62)} == true_panes(tweets)
    assert position.restoration is None


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(processed_logs(raw_topics=[RAW]), st.lists(st.integers(0, 40), max_size=4), st.sampled_from(Scope), st.data())
def test_each_tweet_counts_once_whatever_kafka_still_has_and_whenever_it_dies(
    fresh: Callable[[], URL], log: dict[int, list[Tweet]], fuses: list[int], scope: Scope, data: st.DataObject
) -> None:
    url = fresh()
    every = [tweet for rows in log.values() for tweet in rows]
    begins = {p: data.draw(st.integers(0, len(rows))) for p, rows in log.items()}
    seen = {p: data.draw(st.integers(begins[p], len(rows))) for p, rows in log.items()}
    now = {p: rows[: seen[p]] for p, rows in log.items()}
    archived = ends(tweet for rows in now.values() for tweet in rows)
    archive = [tweet for tweet in every if tweet.raw_offset < archived.get(tweet.lane.raw_partition, 0)]
    expired = [p for p, begin in begins.items() if begin]
    opened(state_at(url))
    state_at(url).reset(scope)
    lives, restored = list(fuses), False
    while True:
        fuse = Fuse()
        fuse.left = lives.pop() if lives else -1
        state = state_at(url, fuse)
        try:
            aggregation = opened(state)
            if scope is Scope.expired:
                read(aggregation, now, begins, 5)
            if aggregation.position.restoration is not None:
                restore(state, aggregation.position, archive, expired)
            restored = True
            aggregation = opened(state)
            read(aggregation, log, begins, 7)
        except Killed:
            continue
        break
    assert restored
    fuse.left = -1
    assert_counted(state_at(url), every)


def test_a_batch_that_was_read_before_the_restoration_began_is_read_again(fresh: Callable[[], URL]) -> None:
    url, tweets = fresh(), minutes(4, LANE)
    aggregation = opened(state_at(url))
    late = read_batch({0: tweets}, {}, {0: 4}, aggregation.position.lanes)
    restore(state_at(url), aggregation.position, tweets, [0])
    with pytest.raises(RetryableError, match="counted up to offset 3"):
        aggregation.count(late)
    again = opened(state_at(url))
    again.count(read_batch({0: tweets}, {}, {0: 4}, again.position.lanes))
    assert_counted(state_at(url), tweets)


def test_nothing_is_due_while_kafka_has_everything() -> None:
    plan = Restoration(Scope.expired).begin({LANE: Marks(3, 9)}, RAW, {0: 20, 1: 5}, [], 2)
    assert plan.limits() == {0: 0, 1: 0}
    assert plan.new_lanes() == {}


def test_what_kafka_deleted_is_due_up_to_what_it_still_has() -> None:
    lanes = {LANE: Marks(7, 9), Lane(RAW, 0, 1): Marks(2, 8), Lane("raw-2", 1, 0): Marks(1, 1)}
    plan = Restoration(Scope.expired).begin(lanes, RAW, {0: 20, 1: 5}, [0], 2)
    assert [plan.limit(raw, processed) for raw in (0, 1) for processed in (0, 1)] == [7, 0, 5, 0]
    assert plan.limits() == {0: 7, 1: 5}
    assert plan.new_lanes() == {Lane(RAW, 1, 0): Marks(0, 4)}
    assert Restoration.of_text(plan.text()) == plan


def test_a_new_state_asks_for_what_kafka_deleted_and_an_older_database_for_nothing(fresh: Callable[[], URL]) -> None:
    url = fresh()
    position = opened(state_at(url)).position
    assert position.restoration == Restoration(Scope.expired)
    state_at(url).reset(Scope.all)
    assert opened(state_at(url)).position.restoration == Restoration(Scope.all)


def test_a_day_is_added_once(fresh: Callable[[], URL]) -> None:
    url, tweets = fresh(), minutes(4, LANE)
    state, day = state_at(url), tweets[0].event_time // DAY_MS
    held = opened(state).position
    state.begin_restoration(held, RAW, {0: 4}, [0], PARTITIONS)
    for _ in range(2):
        state.add_restored(held, day, to_batch(tweets))
    state.add_restored(held, day - 1, to_batch(tweets))
    found = state.counted()
    assert found
    assert found[1].tweets == 4


def test_a_restoration_does_not_go_on_in_a_state_that_was_reset_meanwhile(fresh: Callable[[], URL]) -> None:
    url, tweets = fresh(), minutes(4, LANE)
    state, day = state_at(url), tweets[0].event_time // DAY_MS
    aggregation = opened(state)
    held = aggregation.position
    state.begin_restoration(held, RAW, {0: 4}, [0], PARTITIONS)
    state.reset(Scope.all)
    aggregation.open("processed-1", RAW)  # the same process claims the new state
    late: tuple[Callable[[], object], ...] = (
        lambda: state.begin_restoration(held, RAW, {0: 4}, [0], PARTITIONS),
        lambda: state.add_restored(held, day, to_batch(tweets)),
        lambda: state.end_restoration(held),
    )
    for step in late:
        with pytest.raises(RetryableError, match="were reset"):
            step()
    assert aggregation.position.tweets == 0
    found = state.position()
    assert found
    assert found.restoration == Restoration(Scope.all)


def test_restoring_everything_needs_a_state(fresh: Callable[[], URL]) -> None:
    with pytest.raises(RetryableError, match="has no counts yet"):
        state_at(fresh()).reset(Scope.all)
    assert isinstance(to_batch([]), BatchCounts)


def test_counts_that_were_reset_or_lost_are_opened_again_without_a_batch(fresh: Callable[[], URL]) -> None:
    url = fresh()
    aggregation = opened(state_at(url))
    assert aggregation.stale == ""
    state_at(url).reset()
    assert "reset" in aggregation.stale
    aggregation.open("processed-1", RAW)
    assert aggregation.stale == ""
    Path(str(url.database)).unlink()
    assert aggregation.stale
