"""A slow start gets more time while it makes progress."""

from __future__ import annotations

from twitter_topics.local.patience import LONGEST_SECONDS, STILL_SECONDS, Patience


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_start_that_makes_progress_may_take_longer() -> None:
    clock = Clock()
    patience = Patience(clock)
    for step in range(5):
        assert not patience.is_over(step)
        clock.now += STILL_SECONDS - 1
    assert patience.seconds == 5 * (STILL_SECONDS - 1)


def test_a_start_that_stands_still_is_over() -> None:
    clock = Clock()
    patience = Patience(clock)
    assert not patience.is_over("same")
    clock.now += STILL_SECONDS
    assert not patience.is_over("same")
    clock.now += 1
    assert patience.is_over("same")


def test_a_start_that_never_ends_is_over_too() -> None:
    clock = Clock()
    patience = Patience(clock)
    steps = 0
    while not patience.is_over(steps):
        clock.now += 10
        steps += 1
    assert LONGEST_SECONDS < clock.now - 100 <= LONGEST_SECONDS + 10
