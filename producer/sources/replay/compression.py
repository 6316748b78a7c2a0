"""Decompression, recognised by a file's first bytes and bounded in memory, whatever the file claims to be.

None, meaning "nothing yet", passes through every step, so that a waiting reader hands back control.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import chain
from typing import Protocol

import zstandard

from producer.sources.replay.material import DamagedError, TruncatedError

MAX_PIECE_BYTES = 256 * 1024
"""How much is decompressed at once."""

MAX_WINDOW_BYTES = 2**27
"""Largest window of a zstd frame, zstd's own default. A frame that asks for 2 GiB would get them."""

_MAX_XZ_BYTES = 2**28
_MAX_LAYERS = 3
_GZIP_WINDOW = 31
_ZSTD_INPUT_BYTES = 1024
"""zstd cannot limit its output; a block of 128 KiB takes at least 4 bytes, so this gives at most 32 MiB."""

Chunks = Iterator[bytes | None]


def peek(chunks: Iterable[bytes | None], size: int) -> Generator[None, None, tuple[bytes, Chunks]]:
    """Return the first `size` bytes or more, fewer only at the end, and chunks that still begin with them.

    An error in the head is raised behind it.
    """
    rest, parts, length = iter(chunks), [], 0
    try:
        for chunk in rest:
            if chunk is None:
                yield None
                continue
            parts.append(chunk)
            length += len(chunk)
            if length >= size:
                break
    except DamagedError as error:
        rest = failing(error)
    head = b"".join(parts)
    return head, chain((head,), rest)


def failing(error: DamagedError) -> Chunks:
    """Raise an error where the bytes would have followed."""
    yield None
    raise error


def inflated(chunks: Iterable[bytes | None], name: str, layers: int = _MAX_LAYERS) -> Chunks:
    """Yield the chunks, decompressed if they are gzip, bzip2, xz or zstd; consecutive members form one text.

    Raises:
        DamagedError: damaged or truncated; everything before that is yielded.
    """
    head, chunks = yield from peek(chunks, 6)
    make = next((make for magic, make in _ENGINES if magic.match(head)), None)
    if make is None or not layers:
        yield from chunks
    else:
        yield from inflated(_decompressed(chunks, name, make), name, layers - 1)


class _Engine(Protocol):
    """One member: `eof` is True after its end, `unused_data` is what follows it."""

    eof: bool
    unused_data: bytes

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Decompress the next bytes of the member."""
        ...


def _decompressed(chunks: Iterable[bytes | None], name: str, make: Callable[[], _Engine]) -> Chunks:
    engine: _Engine | None = None
    for chunk in chunks:
        if chunk is None:
            yield None
            continue
        data = chunk
        while data:
            if engine is None:
                data = data.lstrip(b"\0")  # some tools pad the last block
                engine = make() if data else None
                continue
            try:
                yield from engine.pieces(data)
            except (zlib.error, lzma.LZMAError, OSError, EOFError, zstandard.ZstdError) as error:
                raise DamagedError(f"{name} is damaged: {_explained(error)}") from error
            data, engine = (engine.unused_data, None) if engine.eof else (b"", engine)
    if engine is not None:
        raise TruncatedError(f"{name} is truncated")


def _explained(error: Exception) -> str:
    if "too much memory" in str(error):
        return (
            f"its zstd window is larger than {MAX_WINDOW_BYTES >> 20} MiB; "
            "repack it with `zstd -d --long=31 --stdout FILE | zstd -o NEW.zst`"
        )
    return str(error)


class _Zlib:
    def __init__(self) -> None:
        self._engine = zlib.decompressobj(_GZIP_WINDOW)
        self.eof, self.unused_data = False, b""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        engine = self._engine
        while True:
            piece = engine.decompress(data, MAX_PIECE_BYTES)
            data = engine.unconsumed_tail
            yield piece
            if engine.eof or (not data and len(piece) < MAX_PIECE_BYTES):
                break
        self.eof, self.unused_data = engine.eof, engine.unused_data


class _Bounded:
    """bz2 and lzma, whose interface is the same."""

    def __init__(self, engine: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> None:
        self._engine = engine
        self.eof, self.unused_data = False, b""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        engine = self._engine
        yield engine.decompress(data, MAX_PIECE_BYTES)
        while not engine.eof and not engine.needs_input:
            yield engine.decompress(b"", MAX_PIECE_BYTES)
        self.eof, self.unused_data = engine.eof, engine.unused_data


class _Zstd:
    def __init__(self) -> None:
        self._engine = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).decompressobj()
        self.eof, self.unused_data = False, b""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        engine, parts, length = self._engine, [], 0
        for begin in range(0, len(data), _ZSTD_INPUT_BYTES):
            piece = engine.decompress(data[begin : begin + _ZSTD_INPUT_BYTES])
            parts.append(piece)
            length += len(piece)
            if engine.eof:
                self.eof, self.unused_data = True, engine.unused_data + data[begin + _ZSTD_INPUT_BYTES :]
                break
            if length >= MAX_PIECE_BYTES:
                yield b"".join(parts)
                parts, length = [], 0
        yield b"".join(parts)


_ENGINES: tuple[tuple[re.Pattern[bytes], Callable[[], _Engine]], ...] = (
    (re.compile(rb"\x1f\x8b"), _Zlib),
    (re.compile(rb"BZh[1-9]"), lambda: _Bounded(bz2.BZ2Decompressor())),
    (re.compile(rb"\xfd7zXZ\0"), lambda: _Bounded(lzma.LZMADecompressor(memlimit=_MAX_XZ_BYTES))),
    (re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", re.DOTALL), _Zstd),
)
