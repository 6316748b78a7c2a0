"""Turns chunks of stored bytes into numbered lines: decompression, line ends, bounded memory.

None, meaning "nothing yet", passes through every step, so that a waiting reader hands back control.
"""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple, Protocol

from twitter_topics.errors import IntegrityError

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line is not kept."""

HEAD_BYTES = 4096
"""How much of a too long line is kept."""

_PIECE_BYTES = 64 * 1024
_GZIP_WINDOW = 31
_ZSTD_WINDOW = 2**31  # multi-year archives are packed with --long


class Line(NamedTuple):
    """A line without its line end, numbered from 1. `too_long`: its length in bytes when only the head was kept.
    `ended` is False for a last line without a line end (yet)."""

    number: int
    raw: bytes
    too_long: int = 0
    ended: bool = True


class _Engine(Protocol):
    """What zlib, bz2 and zstandard have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


def inflated(chunks: Iterable[bytes | None], name: str) -> Iterator[bytes | None]:
    """Yield the chunks, decompressed if `name` ends with .gz, .bz2 or .zst; consecutive members form one text.

    Raises:
        IntegrityError: damaged or truncated; everything before that is yielded.
    """
    make = _ENGINES.get(PurePosixPath(name).suffix.lower())
    if make is None:
        yield from chunks
        return
    engine: _Engine | None = None
    for chunk in chunks:
        if chunk is None:
            yield None
            continue
        for begin in range(0, len(chunk), _PIECE_BYTES):
            data = chunk[begin : begin + _PIECE_BYTES]
            while data:
                if engine is None:
                    data = data.lstrip(b"\0")  # some tools pad the last block
                    engine = make() if data else None
                    continue
                try:
                    yield engine.decompress(data)
                except (zlib.error, OSError, EOFError, _zstd_error()) as error:
                    raise IntegrityError(f"{name} is damaged: {error}") from error
                data, engine = (engine.unused_data, None) if engine.eof else (b"", engine)
    if engine is not None:
        raise IntegrityError(f"{name} is truncated")


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


def _zstd() -> _Engine:
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()


def _zstd_error() -> type[Exception]:
    import zstandard

    return zstandard.ZstdError


_ENGINES: dict[str, Callable[[], _Engine]] = {
    ".gz": lambda: zlib.decompressobj(_GZIP_WINDOW),
    ".bz2": bz2.BZ2Decompressor,
    ".zst": _zstd,
}
