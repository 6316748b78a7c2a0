"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6."""

from __future__ import annotations

from typing import NamedTuple

MAX_DATA_BYTES = 16 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class ServerEvent(NamedTuple):
    """One event. `whole_length` is larger than `data` when only the beginning was kept."""

    name: str
    data: bytes
    whole_length: int


class Assembler:
    """Assembles lines into messages. Feed it an empty line between two connections."""

    def __init__(self, max_bytes: int = MAX_DATA_BYTES) -> None:
        self._max_bytes = max_bytes
        self._reset()

    def _reset(self) -> None:
        self._name = ""
        self._data: list[bytes] = []
        self._held = self._length = 0

    def feed(self, line: bytes) -> ServerEvent | None:
        """Return the message that ends with this line. One without data is dropped, and so are comments."""
        if not line:
            return self._dispatch()
        field, _, value = line.removeprefix(_BOM).partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value[:100].decode("utf-8", "replace")
        elif field == b"data":
            self._length += len(value) + 1
            if self._held <= self._max_bytes:
                self._data.append(value)
                self._held += len(value) + 1
        return None

    def _dispatch(self) -> ServerEvent | None:
        name, data, length = self._name, self._data, self._length
        self._reset()
        return ServerEvent(name or "message", b"\n".join(data), length - 1) if data else None
