"""The queue between two threads: order, bounds, and no thread that waits forever."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.receiving.inbox import Inbox
from tests.fakes.script import nothing_left_behind
from tests.waiting import until


def test_items_are_taken_once_and_in_order() -> None:
    inbox: Inbox[bytes] = Inbox()
    assert inbox.put([b"a", b"b"])
    assert inbox.put([b"c"])
    assert inbox.take(0) == [b"a", b"b", b"c"]
    assert inbox.take(0) == []


@pytest.mark.parametrize(("max_items", "max_bytes"), [(3, 10**9), (10**9, 30), (1, 1)])
def test_two_threads_pass_everything_on_and_the_bound_holds(max_items: int, max_bytes: int) -> None:
    inbox: Inbox[bytes] = Inbox(max_items, max_bytes)
    sent = [f"{number:010}".encode() for number in range(2000)]
    taken: list[bytes] = []
    with nothing_left_behind(), ThreadPoolExecutor(1) as pool:
        reader = pool.submit(lambda: [inbox.put(sent[begin : begin + 7]) for begin in range(0, len(sent), 7)])
        while len(taken) < len(sent):
            batch = inbox.take(5)
            assert len(batch) <= max(1, min(max_items, max_bytes // 10 + 1))
            taken += batch
        assert all(reader.result(5))
    assert taken == sent


def test_an_item_larger_than_the_bound_goes_through_alone() -> None:
    inbox: Inbox[bytes] = Inbox(10, 5)
    with ThreadPoolExecutor(1) as pool:
        put = pool.submit(inbox.put, [b"x" * 100, b"y"])
        assert inbox.take(5) == [b"x" * 100]
        assert inbox.take(5) == [b"y"]
        assert put.result(5)


def test_closing_wakes_both_sides() -> None:
    full: Inbox[bytes] = Inbox(1)
    empty: Inbox[bytes] = Inbox()
    full.put([b"a"])
    with ThreadPoolExecutor(2) as pool:
        put, take = pool.submit(full.put, [b"b"]), pool.submit(empty.take, 600)
        until(lambda: full._changed._waiters and empty._changed._waiters)  # type: ignore[attr-defined]
        full.close()
        empty.close()
        assert put.result(5) is False
        assert take.result(5) == []
    assert full.take(0) == [b"a"]  # items inside can still be taken
    assert full.put([b"c"]) is False


@given(st.lists(st.one_of(st.lists(st.binary(max_size=20), max_size=5), st.none()), max_size=40))
@settings(max_examples=100)
def test_any_mixture_of_puts_and_takes_keeps_order(actions: list[list[bytes] | None]) -> None:
    inbox: Inbox[bytes] = Inbox()
    put: list[bytes] = []
    taken: list[bytes] = []
    for action in actions:
        if action is None:
            taken += inbox.take(0)
        else:
            put += action
            assert inbox.put(action)
    assert taken + inbox.take(0) == put
