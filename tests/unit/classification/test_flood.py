"""The brake works on what happened over time, not on one batch."""

from __future__ import annotations

import pytest

from twitter_topics.classification.flood import MIN_REJECTED, WINDOW_SECONDS, RecentTally, Tally


@pytest.mark.parametrize(
    ("records", "rejected", "flood"),
    [(0, 0, False), (10, 10, False), (MIN_REJECTED, MIN_REJECTED, True), (200, 100, False), (199, 100, True)],
)
def test_a_flood_is_a_large_share_of_many(records: int, rejected: int, flood: bool) -> None:
    assert Tally(records, rejected).is_flood(0.5) is flood


def test_two_tweets_a_second_are_a_flood_after_minutes() -> None:
    now = 0.0
    recent = RecentTally(clock=lambda: now)
    while not recent.total().is_flood(0.5):
        recent.add(Tally(4, 3))
        now += 2
        assert now < WINDOW_SECONDS
    assert recent.total().rejected >= MIN_REJECTED


def test_old_batches_are_forgotten() -> None:
    now = 0.0
    recent = RecentTally(clock=lambda: now)
    recent.add(Tally(10, 9))
    now = WINDOW_SECONDS
    recent.add(Tally(5, 1))
    assert recent.total() == Tally(15, 10)
    now += 1
    assert recent.total() == Tally(5, 1)
