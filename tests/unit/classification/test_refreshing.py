"""The refresh interval follows the stream."""

from __future__ import annotations

from twitter_topics.classification.refreshing import BEHIND_SECONDS, BUSY_SECONDS, Refreshing
from twitter_topics.errors import RetryableError
from twitter_topics.search.store import REFRESH_SECONDS


class Store:
    def __init__(self) -> None:
        self.asked: list[int] = []
        self.is_down = False

    def refresh_every(self, seconds: int) -> None:
        if self.is_down:
            raise RetryableError("down")
        self.asked.append(seconds)


def test_a_backlog_is_refreshed_seldom_and_a_live_stream_at_once() -> None:
    store = Store()
    refreshing = Refreshing(store, full_batch=1_000)
    for records in (3, 700, 1_000, 998, 950, 700, 3):
        refreshing.note(records)
    assert store.asked == [REFRESH_SECONDS, BEHIND_SECONDS, REFRESH_SECONDS], "the end of a backlog is no full batch"


def test_a_fast_stream_is_refreshed_less_often_than_a_slow_one() -> None:
    store = Store()
    refreshing = Refreshing(store, full_batch=50_000)
    for records in (1_000, 9_000, 12_000, 40_000, 50_000, 12_000, 1_000):
        refreshing.note(records)
    assert store.asked == [REFRESH_SECONDS, BUSY_SECONDS, BEHIND_SECONDS, BUSY_SECONDS, REFRESH_SECONDS]


def test_a_store_that_is_down_is_asked_again_after_the_next_batch() -> None:
    store = Store()
    refreshing = Refreshing(store, full_batch=1_000)
    store.is_down = True
    refreshing.note(1_000)
    store.is_down = False
    refreshing.note(1_000)
    refreshing.note(1_000)
    assert store.asked == [BEHIND_SECONDS]


def test_the_first_batch_sets_it_whatever_was_set_before() -> None:
    store = Store()
    refreshing = Refreshing(store, full_batch=1_000)
    refreshing.note(700)
    refreshing.note(700)
    refreshing.forget()
    refreshing.note(700)
    assert store.asked == [REFRESH_SECONDS] * 2
