"""The bounded queue between the thread that reads a socket and the one that passes its items on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import Condition
from typing import Generic, Protocol, TypeVar


class _Sized(Protocol):
    def __len__(self) -> int: ...


Item = TypeVar("Item", bound=_Sized)

MAX_ITEMS = 20_000
MAX_BYTES = 64 * 1024 * 1024


class Inbox(Generic[Item]):
    """Items in order, bounded by number and total length, and taken many at a time.

    An empty inbox accepts one item of any size, so it holds at most the bound plus one item.
    """

    def __init__(self, max_items: int = MAX_ITEMS, max_bytes: int = MAX_BYTES) -> None:
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._max_items, self._max_bytes = max_items, max_bytes
        self._changed = Condition()
        self._closed = False

    def put(self, items: Sequence[Item]) -> bool:
        """Add items, waiting while it is full. Return False once it is closed: the rest was not added."""
        with self._changed:
            for item in items:
                while self._is_full() and not self._closed:
                    self._changed.notify_all()
                    self._changed.wait()
                if self._closed:
                    return False
                self._items.append(item)
                self._bytes += len(item)
            self._changed.notify_all()
        return True

    def take(self, seconds: float) -> list[Item]:
        """Return everything there is, waiting up to `seconds` for a first item. Empty when there is none (yet)."""
        with self._changed:
            if not self._items and not self._closed:
                self._changed.wait(seconds)
            taken = list(self._items)
            self._items.clear()
            self._bytes = 0
            self._changed.notify_all()
        return taken

    def items(self, seconds: float, ended: Callable[[], bool]) -> Iterator[Item | None]:
        """Yield items until the thread that puts them has ended and all are taken; None after `seconds` without one.

        Args:
            ended: asked before each look into the inbox, so that no last item is missed.
        """
        while True:
            last = ended()
            taken = self.take(seconds)
            yield from taken
            if not taken:
                if last:
                    return
                yield None

    def close(self) -> None:
        """Accept no more items and wake all waiters; items already inside can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_full(self) -> bool:
        return bool(self._items) and (len(self._items) >= self._max_items or self._bytes >= self._max_bytes)
