"""Requests on their way while the next one is prepared."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Set
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Prepared = TypeVar("_Prepared")
_Answer = TypeVar("_Answer")


def overlapped(
    prepared: Iterable[_Prepared],
    request: Callable[[_Prepared], _Answer],
    *,
    ids: Callable[[_Prepared], Set[str]],
    limit: int,
) -> Iterator[tuple[_Prepared, _Answer]]:
    """Make a request of each, up to `limit` at a time, in threads; yield each with its answer, in order.

    Two with an id in common are never on their way together, so that the first one arrives first. Whatever ends the
    iterator, no request outlives it.

    Raises: what the oldest request raises.
    """
    started: deque[tuple[_Prepared, Set[str], Future[_Answer]]] = deque()

    def oldest() -> tuple[_Prepared, _Answer]:
        one, _, answer = started.popleft()
        return one, answer.result()

    with ThreadPoolExecutor(limit) as threads:
        for one in prepared:
            own = ids(one)
            while len(started) == limit or not all(own.isdisjoint(others) for _, others, _ in started):
                yield oldest()
            started.append((one, own, threads.submit(request, one)))
        while started:
            yield oldest()
