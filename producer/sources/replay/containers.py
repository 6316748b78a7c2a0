"""The texts in a file: itself, or the members of a zip or tar, however they are compressed and nested."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from itertools import count
from typing import IO, NamedTuple

from producer.sources.replay.compression import MAX_PIECE_BYTES, Chunks, failing, inflated, peek
from producer.sources.replay.material import DamagedError, TruncatedError

MAX_HEADER_BYTES = 16 * 1024 * 1024
"""Largest header of a tar member; tarfile reads it whole."""

_MAX_LAYERS = 4
_BLOCK = tarfile.BLOCKSIZE
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_UNSUPPORTED = "a zip member with an unsupported compression method: unzip it first"
_RECOGNISED = (zipfile.ZIP_BZIP2, 93)
"""Methods whose data begin with their own magic: bzip2 and zstd."""

_LENGTHS_AT = 26
"""Where a local header has the lengths of name and extra field, which follow it."""


class Text(NamedTuple):
    """A text under its name: the file's, or `<file>/<member>`. `refused` is why it cannot be read."""

    name: str
    chunks: Chunks
    refused: str = ""


Opener = Callable[[], IO[bytes]]
Wanted = Callable[[str], bool]
"""Whether the member of this name, or a member of it, is read."""


def texts(name: str, chunks: Chunks, wanted: Wanted, stored: Opener | None = None) -> Iterator[Text | None]:
    """Yield the texts of a file in their order, and None while waiting. Each is read before the next is asked for.

    Damage to one raises DamagedError from its chunks, and the next follows.

    Args:
        stored: opens the file, so that a zip, whose directory is at its end, need not be copied.
    """
    return _texts(name, chunks, wanted, stored, _MAX_LAYERS)


def _texts(name: str, chunks: Chunks, wanted: Wanted, stored: Opener | None, layers: int) -> Iterator[Text | None]:
    try:
        head, chunks = yield from peek(inflated(chunks, name), _BLOCK)
        if not layers:
            yield Text(name, chunks)
        elif head.startswith(_ZIP):
            yield from _zip_texts(name, chunks, wanted, stored, layers)
        elif is_tar(head):
            yield from _tar_texts(name, chunks, wanted, layers)
        else:
            yield Text(name, chunks)
    except DamagedError as error:
        yield Text(name, failing(error))


def is_tar(head: bytes) -> bool:
    """Whether a text that begins so is a tar file, by the checksum of its first header."""
    try:
        tarfile.TarInfo.frombuf(head[:_BLOCK], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _tar_texts(name: str, chunks: Chunks, wanted: Wanted, layers: int) -> Iterator[Text | None]:
    stored = _Forward(name, chunks)
    for number in count(1):  # `cat a.tar b.tar`: both may have a member of the same name
        yield from _members(name if number == 1 else f"{name}/archive {number}", stored, wanted, layers)
        following = stored.after_zeros()
        if not following:
            return
        if not is_tar(following):
            raise DamagedError(f"{name} is damaged: bytes after the end of the archive")


def _members(name: str, stored: _Forward, wanted: Wanted, layers: int) -> Iterator[Text | None]:
    try:
        with tarfile.open(fileobj=stored, mode="r:") as tar:
            while (member := tar.next()) is not None:
                inner = f"{name}/{os.path.normpath(member.name)}"
                if member.isreg() and wanted(inner):
                    yield from _texts(inner, _untarred(inner, tar, member), wanted, None, layers - 1)
                elif (member.issym() or member.islnk()) and wanted(inner):
                    yield Text(inner, iter(()), "a link in an archive, which is not followed")
                tar.members.clear()  # type: ignore[attr-defined]  # tarfile keeps all that it has seen
    except tarfile.TarError as error:
        raise DamagedError(f"{name} is damaged: {error}") from error
    if stored.block.strip(b"\0"):
        raise DamagedError(f"{name} is damaged: no valid header after the last member that was read")
    if len(stored.block) < _BLOCK:
        raise TruncatedError(f"{name} is truncated")


class _Forward(io.RawIOBase):
    """A file that is read forward only, as far as tarfile needs one. `block` is what was read last."""

    def __init__(self, name: str, chunks: Chunks) -> None:
        self._name, self._chunks = name, (chunk for chunk in chunks if chunk)
        self._ahead: list[memoryview] = []  # what is not yet asked for, the first of it last
        self._at = 0
        self.block = b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_HEADER_BYTES:
            raise DamagedError(f"{self._name} is damaged: a header of {size} bytes")
        parts, missing = [], size
        while missing:
            piece = self._piece(missing)
            if not piece:
                break
            parts.append(piece)
            missing -= len(piece)
        self.block = b"".join(parts)
        return self.block

    def _piece(self, size: int) -> bytes:
        rest = self._ahead.pop() if self._ahead else memoryview(next(self._chunks, b""))
        if len(rest) > size:
            self._ahead.append(rest[size:])
        self._at += min(size, len(rest))
        return bytes(rest[:size])

    def after_zeros(self) -> bytes:
        """Skip blocks of zeros; return the next block, which is read again; empty at the end."""
        while block := self.read(_BLOCK):
            if block.strip(b"\0"):
                self._ahead.append(memoryview(block))
                self._at -= len(block)
                return block
        return b""

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Skip to a later offset; stay at the end when there is none."""
        if whence != os.SEEK_SET or offset < self._at:
            raise DamagedError(f"{self._name} is damaged: its members are not in order")
        while self._at < offset and self._piece(offset - self._at):
            pass
        return self._at


def _untarred(name: str, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Chunks:
    try:
        file = tar.extractfile(member)
        while file is not None and (chunk := file.read(MAX_PIECE_BYTES)):
            yield chunk
    except tarfile.TarError as error:
        raise DamagedError(f"{name} is damaged: {error}") from error


def _zip_texts(name: str, chunks: Chunks, wanted: Wanted, stored: Opener | None, layers: int) -> Iterator[Text | None]:
    with (yield from _seekable(chunks, stored)) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                if "[Content_Types].xml" in archive.NameToInfo:
                    yield Text(name, iter(()), "an Office document: export it, or hydrate the ids in it")
                    return
                for member in archive.infolist():
                    inner = f"{name}/{os.path.normpath(member.filename)}"
                    if member.is_dir() or not wanted(inner):
                        continue
                    if member.flag_bits & 1:
                        yield Text(inner, iter(()), "an encrypted zip member: unzip it with its password first")
                    elif member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                        yield from _texts(inner, _unzipped(inner, archive, member), wanted, None, layers - 1)
                    elif member.compress_type in _RECOGNISED:
                        yield from _texts(inner, _still_packed(inner, file, member), wanted, None, layers - 1)
                    else:
                        yield Text(
                            inner, iter(()), "a zip member with an unsupported compression method: unzip it first"
                        )
                first = min((member.header_offset for member in archive.infolist()), default=0)
                if first > len(_ZIP[0]):  # of an archive in parts, a mark
                    raise DamagedError(f"{name} is damaged: only the last of the archives in it is read")
        except zipfile.BadZipFile as error:
            raise DamagedError(f"{name} is damaged: {error}") from error


def _unzipped(name: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Chunks:
    try:
        with archive.open(member) as file:
            while chunk := file.read(MAX_PIECE_BYTES):
                yield chunk
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DamagedError(f"{name} is damaged: {error}") from error


def _still_packed(name: str, file: IO[bytes], member: zipfile.ZipInfo) -> Chunks:
    """Yield a member as it is in the zip, for `inflated`: zipfile does not bound the output of bzip2."""
    file.seek(member.header_offset + _LENGTHS_AT)
    at, missing = file.tell() + 4 + sum(struct.unpack("<2H", file.read(4))), member.compress_size
    while missing:
        file.seek(at)  # zipfile may have read elsewhere
        chunk = file.read(min(missing, MAX_PIECE_BYTES))
        if not chunk:
            raise TruncatedError(f"{name} is truncated")
        at, missing = at + len(chunk), missing - len(chunk)
        yield chunk


def _seekable(chunks: Chunks, stored: Opener | None) -> Generator[None, None, IO[bytes]]:
    """Return the file itself, or a copy on disk of what is inside another or in a bucket."""
    if stored is not None:
        file = stored()
        if file.read(4) in _ZIP:
            return file
        file.close()  # a compressed zip
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    for chunk in chunks:
        if chunk is None:
            yield None
        else:
            copy.write(chunk)
    return copy
