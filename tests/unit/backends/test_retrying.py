"""The retry policy, on a fake clock."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from twitter_topics.backends.retrying import RetryPolicy
from twitter_topics.errors import ConfigurationError, RetryableError


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def policy(self, deadline_s: float, *, first_s: float = 1, longest_s: float = 8, jitter: float = 0) -> RetryPolicy:
        return RetryPolicy(deadline_s, first_s, longest_s, jitter, self.monotonic, self.sleep)


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Service:
    """Raises these errors, one per call, then returns the number of calls."""

    def __init__(self, *errors: Exception) -> None:
        self._errors: Iterator[Exception] = iter(errors)
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        for error in self._errors:
            raise error
        return self.calls


def busy(count: int, retry_in_s: float | None = None) -> list[RetryableError]:
    return [RetryableError(f"busy {number}", retry_in_s=retry_in_s) for number in range(1, count + 1)]


def test_waits_double_up_to_the_longest(clock: Clock) -> None:
    assert clock.policy(1000).run(Service(*busy(6))) == 7
    assert clock.waits == [1, 2, 4, 8, 8, 8]


def test_no_attempt_begins_after_the_deadline(clock: Clock) -> None:
    service = Service(*busy(100))
    with pytest.raises(RetryableError, match="busy 4"):
        clock.policy(14.9).run(service)
    assert clock.waits == [1, 2, 4], "the next attempt would begin after 15 s"
    assert service.calls == 4


def test_without_patience_there_is_one_attempt(clock: Clock) -> None:
    service = Service(*busy(1))
    with pytest.raises(RetryableError):
        clock.policy(0).run(service)
    assert (service.calls, clock.waits) == (1, [])


def test_time_in_the_call_counts(clock: Clock) -> None:
    def slow() -> None:
        clock.now += 10
        raise RetryableError("timed out")

    with pytest.raises(RetryableError):
        clock.policy(25).run(slow)
    assert clock.waits == [1, 2], "three attempts of ten seconds"


def test_a_service_can_name_the_wait_and_the_deadline_holds(clock: Clock) -> None:
    assert clock.policy(100).run(Service(*busy(1, retry_in_s=91), *busy(1))) == 3
    assert clock.waits == [91, 2]
    with pytest.raises(RetryableError):
        clock.policy(90).run(Service(*busy(1, retry_in_s=91)))
    assert clock.waits == [91, 2]


def test_other_errors_pass_at_once(clock: Clock) -> None:
    service = Service(ConfigurationError("X: wrong"))
    with pytest.raises(ConfigurationError):
        clock.policy(1000).run(service)
    assert (service.calls, clock.waits) == (1, [])


def test_jitter_spreads_the_waits_within_its_share(clock: Clock) -> None:
    for _ in range(50):
        clock.policy(1000, jitter=0.2).run(Service(*busy(1)))
    assert all(0.8 <= wait <= 1.2 for wait in clock.waits)
    assert len(set(clock.waits)) > 1


def test_only_waits_of_a_second_and_more_are_warnings(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock.policy(1000, first_s=0.5).run(Service(*busy(2)))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "busy 1; next attempt in 0.5 s"),
        ("WARNING", "busy 2; next attempt in 1.0 s"),
    ]
