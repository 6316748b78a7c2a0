"""Retries of what runs outside Spark's streaming queries: one policy, always with a deadline."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import tenacity

from twitter_topics.errors import RetryableError

log = logging.getLogger(__name__)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Repeats a call that raises RetryableError; every other error passes at once.

    The waits double from `first_s` to `longest_s`. A service that names a time to retry
    (`RetryableError.retry_in_s`) is obeyed instead.

    Attributes:
        deadline_s: no attempt begins later than this after the first; 0 allows a single attempt.
        first_s, longest_s: seconds.
        jitter: share by which a wait varies, so that clients do not come back together.
        monotonic, sleep: other clocks, for tests.
    """

    deadline_s: float
    first_s: float = 0.5
    longest_s: float = 30.0
    jitter: float = 0.2
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def run(self, call: Callable[[], _T]) -> _T:
        """The result of `call`.

        Raises:
            RetryableError: the last attempt failed too, and the next one would be too late.
        """
        began = self.monotonic()
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(RetryableError),
            wait=self._wait,
            stop=lambda state: self.monotonic() + state.upcoming_sleep - began > self.deadline_s,
            before_sleep=_report,
            sleep=self.sleep,
            reraise=True,
        )
        return attempts(call)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        asked = _error(state).retry_in_s
        if asked is not None:
            return asked
        seconds = min(self.longest_s, self.first_s * 2.0 ** min(state.attempt_number - 1, 30))
        return seconds * random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 - not a secret


def _report(state: tenacity.RetryCallState) -> None:
    # short waits are usual while a server starts
    level = logging.WARNING if state.upcoming_sleep >= 1 else logging.INFO
    log.log(level, "%s; next attempt in %.1f s", _error(state), state.upcoming_sleep)


def _error(state: tenacity.RetryCallState) -> RetryableError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, RetryableError):
        raise TypeError(f"only a RetryableError is repeated, not {error!r}")
    return error
