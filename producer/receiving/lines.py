"""Turns chunks of a stream into complete lines, in bounded memory."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from producer.source import Event

MAX_LINE_BYTES = 16 * 1024 * 1024
HEAD_BYTES = 16 * 1024
"""How much of a too long line is kept."""


class LineBuffer:
    """Collects chunks into complete lines. One instance per connection: a line cut off by a disconnect is dropped.

    A line ends with LF or CR LF. One longer than `max_bytes` is not kept: it becomes an unreadable event with its head
    and its length.
    """

    def __init__(self, max_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._fragments: list[bytes] = []
        self.pending = 0
        """Bytes of the incomplete line."""

    def feed(self, chunk: bytes) -> list[bytes | Event]:
        """Return the lines completed by this chunk, without line ends; empty ones included."""
        first, *others = chunk.split(b"\n")
        if not others:
            self._keep(first)
            return []
        *whole, rest = others
        self._keep(first)
        lines = [self._finish(), *(self._line(line, len(line)) for line in whole)]
        self._keep(rest)
        return lines

    def _keep(self, fragment: bytes) -> None:
        if not fragment:
            return
        self.pending += len(fragment)
        self._fragments.append(fragment)
        if self.pending > self._max_bytes and (len(self._fragments) > 1 or len(fragment) > HEAD_BYTES):
            self._fragments = [b"".join(self._fragments)[:HEAD_BYTES]]

    def _finish(self) -> bytes | Event:
        line, length = b"".join(self._fragments), self.pending
        self._fragments, self.pending = [], 0
        return self._line(line, length)

    def _line(self, line: bytes, length: int) -> bytes | Event:
        return line.removesuffix(b"\r") if length <= self._max_bytes else too_long(line[:HEAD_BYTES], length)


def unreadable(line: bytes, reason: str) -> Event:
    """Return a dead letter. The same line always has the same key."""
    key = f"line-{hashlib.sha256(line).hexdigest()[:32]}"
    return Event("unreadable", key.encode(), line, reason=reason.encode("utf-8", "replace").decode())


def too_long(head: bytes, length: int) -> Event:
    return unreadable(head, f"size: a line of {length} bytes, of which only the head was kept")


def json_object(line: bytes) -> dict[str, Any] | str:
    """Return the JSON object in a line, or the reason why the line is unreadable."""
    try:
        body = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return f"encoding: not UTF-8 at byte {error.start}"
    except (ValueError, RecursionError) as error:
        return f"json: {str(error)[:200]}"
    return body if isinstance(body, dict) else f"json: a {type(body).__name__}, not an object"
