"""The state of the counts in a real PostgreSQL: kills at any write, two owners, a server that is down."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL

from tests.postgresql import running_postgresql
from twitter_topics.backends.database import Database
from twitter_topics.counts.batch import Lane
from twitter_topics.counts.state import CountsState
from twitter_topics.errors import ConfigurationError, ConflictError, RetryableError
from twitter_topics.settings import Settings
from twitter_topics.testing.aggregation import (
    RAW,
    T0,
    TOPIC,
    Tweet,
    follow,
    opened,
    read_batch,
    shown,
    true_hours,
    true_panes,
)
from twitter_topics.testing.counts import MemoryView

pytestmark = pytest.mark.contract

LANE = Lane(RAW, 0, 0)


@pytest.fixture(scope="module")
def server() -> Iterator[URL]:
    """A cluster of its own."""
    with running_postgresql() as url:
        yield url


@pytest.fixture
def url(server: URL) -> URL:
    """A database of its own."""
    name = f"counts{random.randrange(10**9)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.set(database=name)


@pytest.mark.parametrize("seed", range(6))
def test_state_and_view_equal_brute_force_through_kills(url: URL, seed: int) -> None:
    chance = random.Random(seed)
    lanes = [Lane(RAW, raw, processed) for raw in range(2) for processed in range(2)]
    log: dict[int, list[Tweet]] = {0: [], 1: []}
    for lane in lanes:
        offsets = sorted(chance.sample(range(100), 8))
        near = [T0 + chance.randrange(-4_000_000, 4_000_000) for _ in offsets]
        own = [Tweet(lane, *pair, chance.choice([1, 2])) for pair in zip(offsets, near, strict=True)]
        cut = chance.randrange(1, 8)
        log[lane.partition] += own[:cut] + own[chance.randrange(cut) :]
    view = MemoryView()
    state = follow(log, url, view, lambda most: chance.randint(0, most), [chance.randrange(60) for _ in range(4)])
    tweets = {tweet for rows in log.values() for tweet in rows}
    expected = true_panes(tweets)
    assert {(pane.start_ms, pane.series): pane.sums for pane in state.panes(0, 2**62)} == expected
    assert shown(view) == true_hours(expected)
    counted = state.counted()
    assert counted
    assert counted[0].tweets == counted[1].tweets == len(tweets)
    state.close()


def test_a_second_owner_takes_over(url: URL) -> None:
    log = {0: [Tweet(LANE, at, T0 + at) for at in range(4)]}
    one, other = (CountsState(Database("X", url), TOPIC) for _ in range(2))
    first = opened(one)
    first.count(read_batch(log, {}, {0: 2}, {}))
    second = opened(other)
    with pytest.raises(ConflictError, match="another aggregator"):
        first.count(read_batch(log, {0: 2}, {0: 2}, first.position.lanes))
    second.count(read_batch(log, second.position.offsets, {0: 2}, second.position.lanes))
    assert second.position.tweets == 4
    one.close()
    other.close()


def test_a_database_that_is_down_is_retryable_and_a_missing_one_names_the_setting(server: URL) -> None:
    down = Settings({"COUNTS_DATABASE_URI": "postgresql://counts@127.0.0.1:9/counts"})
    with pytest.raises(RetryableError, match=r"127\.0\.0\.1:9"):
        CountsState.of(down).position()
    missing = Settings({"COUNTS_DATABASE_URI": server.set(database="nowhere").render_as_string()})
    with pytest.raises(ConfigurationError, match=r"COUNTS_DATABASE_URI.*nowhere"):
        CountsState.of(missing).position()
