"""Requests on their way while the next one is prepared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from twitter_topics.classification.overlap import overlapped

SECONDS = 10
"""How long a test waits for what has to happen."""


def of_itself(name: str) -> frozenset[str]:
    return frozenset(name)


def run(names: list[str], request: Callable[[str], str], limit: int = 2) -> Iterator[tuple[str, str]]:
    return overlapped(names, request, ids=of_itself, limit=limit)


def test_answers_come_in_order_whichever_is_first() -> None:
    later = threading.Event()

    def request(name: str) -> str:
        if name == "a":
            assert later.wait(SECONDS), "the second request waited for the first"
        else:
            later.set()
        return name.upper()

    assert list(run(["a", "b", "c"], request)) == [("a", "A"), ("b", "B"), ("c", "C")]


def test_the_next_one_is_prepared_while_a_request_is_on_its_way() -> None:
    prepared = threading.Event()

    def names() -> Iterator[str]:
        yield "a"
        prepared.set()
        yield "b"

    def request(name: str) -> bool:
        return prepared.wait(SECONDS)

    assert list(overlapped(names(), request, ids=of_itself, limit=1)) == [("a", True), ("b", True)]


def test_no_more_than_the_limit_are_on_their_way() -> None:
    lock, now, most = threading.Lock(), 0, 0
    full = threading.Barrier(2)

    def request(name: str) -> str:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        full.wait(SECONDS)
        with lock:
            now -= 1
        return name

    assert len(list(run(list("abcdef"), request))) == 6
    assert most == 2


@pytest.mark.parametrize(("names", "limit"), [(["ax", "bx"], 2), (["ax", "b", "cx"], 3)])
def test_an_id_on_its_way_holds_back_later_requests(names: list[str], limit: int) -> None:
    last, arrived = threading.Event(), []

    def request(name: str) -> str:
        if name == names[0]:
            assert not last.wait(0.2), "both were on their way together"
        elif name == names[-1]:
            last.set()
        arrived.append(name)
        return name

    assert [one for one, _ in run(names, request, limit)] == names
    assert arrived.index(names[0]) < arrived.index(names[-1])


def test_an_error_ends_it_after_the_answers_before_and_no_request_outlives_it() -> None:
    before = set(threading.enumerate())
    finished: list[str] = []
    failed = threading.Event()

    def request(name: str) -> str:
        if name == "b":
            failed.set()
            raise OSError("down")
        if name == "c":
            assert failed.wait(SECONDS)
        finished.append(name)
        return name

    answers = run(["a", "b", "c", "d"], request)
    assert next(answers) == ("a", "a")
    with pytest.raises(OSError, match="down"):
        next(answers)
    assert finished in (["a"], ["a", "c"])
    assert not set(threading.enumerate()) - before


def test_leaving_it_early_waits_for_what_is_on_its_way() -> None:
    finished: list[str] = []

    def request(name: str) -> str:
        finished.append(name)
        return name

    answers = run(["a", "b", "c"], request)
    assert next(answers) == ("a", "a")
    answers.close()  # type: ignore[attr-defined]
    assert sorted(finished) in (["a", "b"], ["a", "b", "c"])
