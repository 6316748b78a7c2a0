"""Results of a function of a string, remembered in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

LIMIT = 1 << 16
LONGEST_KEY = 32


class Memo(dict[str, Value]):
    """The values of a pure function: `memo[key]` computes those it does not hold.

    It forgets everything when it holds `LIMIT` values, so that words in use replace those of yesterday. Keys of more
    than `LONGEST_KEY` characters are not kept: they are rarely repeated, and their size has no bound.
    """

    def __init__(self, function: Callable[[str], Value]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, key: str) -> Value:
        value = self._function(key)
        if len(key) <= LONGEST_KEY:
            if len(self) >= LIMIT:
                self.clear()
            self[key] = value
        return value
