"""Turns chunks of text into numbered lines, in bounded memory.

None, meaning "nothing yet", passes through, so that a waiting reader hands back control.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line is not kept."""

HEAD_BYTES = 4096
"""How much of a too long line is kept."""


class Line(NamedTuple):
    """A line without its line end, or a JSON value, numbered from 1. `too_long`: its length in bytes when only the head
    was kept. `ended` is False for a last line without a line end (yet)."""

    number: int
    raw: bytes
    too_long: int = 0
    ended: bool = True


def is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def numbered(chunks: Iterable[bytes | None]) -> Iterator[Line | None]:
    """Yield all lines, blank ones included. At most one chunk and `MAX_LINE_BYTES` are held."""
    number, rest, dropped = 0, b"", 0
    for chunk in chunks:
        if chunk is None:
            yield None
            continue
        *lines, rest = (rest + chunk).split(b"\n")
        for raw in lines:
            number += 1
            if dropped or len(raw) > MAX_LINE_BYTES:
                yield Line(number, raw[:HEAD_BYTES], len(raw) + dropped)
                dropped = 0
            else:
                yield Line(number, raw.rstrip(b"\r"))
        if len(rest) > MAX_LINE_BYTES:
            dropped += len(rest) - HEAD_BYTES
            rest = rest[:HEAD_BYTES]
    if dropped:
        yield Line(number + 1, rest[:HEAD_BYTES], len(rest) + dropped, ended=False)
    elif rest:
        yield Line(number + 1, rest.rstrip(b"\r"), ended=False)
