"""What a person hears about counting the archive again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.waiting import until
from twitter_topics.backends.query_life import NotReady
from twitter_topics.counts import restorer as module
from twitter_topics.counts.restorer import Restorer
from twitter_topics.errors import IntegrityError
from twitter_topics.settings import Settings


class Ending(Restorer):
    """Its attempts end as told."""

    def __init__(self, *ends: Exception | None) -> None:
        nothing: Any = None
        super().__init__(nothing, Settings({}), nothing, nothing)
        self._attempts = iter(ends)
        self.done = 0

    def restore(self) -> None:
        end = next(self._attempts)
        self.done += 1
        if end is not None:
            raise end


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(module, "_RETRY_SECONDS", 60.0)


@pytest.mark.parametrize(
    ("end", "fault", "notice"),
    [
        (IntegrityError("the topic was created again"), "the topic was created again", ""),
        (NotReady("the first model has not been promoted yet"), "", "the first model has not been promoted yet"),
    ],
)
def test_a_failure_is_a_fault_and_waiting_is_not(end: Exception, fault: str, notice: str) -> None:
    restorer = Ending(end, *[end] * 10_000)
    restorer.start()
    until(lambda: restorer.fault or restorer.notice)
    restorer.close()
    assert [bool(restorer.fault), bool(restorer.notice)] == [bool(fault), bool(notice)]
    assert restorer.fault.endswith(fault)
    assert restorer.notice.endswith(notice)


def test_an_attempt_that_succeeds_ends_the_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.001)
    restorer = Ending(IntegrityError("S3 is down"), *[None] * 10_000)
    restorer.start()
    until(lambda: restorer.done > 1)
    restorer.close()
    assert restorer.fault == ""
