"""The files of the spool: one frame per batch, in append-only segments.

A frame is `magic, crc32, length, first, count, received_ms` (little-endian) and the events as MessagePack; the checksum
covers everything after it. A segment is named after its first record. Opening the folder always starts a new segment,
so only the end of the newest one can be torn.
"""

from __future__ import annotations

import contextlib
import logging
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Self

import msgspec

from producer.buffering.buffer import EventBatch, Recovered
from producer.durable import sync_folder
from producer.source import Event

SEGMENT_BYTES = 16 * 1024 * 1024
MAGIC = b"\xf5spl"
"""Starts with a byte that never occurs in UTF-8, so no post's text looks like a frame."""

_HEADER = struct.Struct("<4sIIQIQ")
_CHECKED_FROM = 8
_SUFFIX = ".spool"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Event]).decode

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Segment:
    """A file. `size` bytes of it are written and synced; `damaged` is set once part of it could not be read."""

    path: Path
    first: int
    size: int
    damaged: bool = False


class Segments:
    """One thread appends, one reads, one forgets. Open a folder with `recover`."""

    def __init__(self, folder: Path, segments: list[Segment], recovered: Recovered, segment_bytes: int) -> None:
        self._folder = folder
        self._segments = segments
        self._segment_bytes = segment_bytes
        self._file: int | None = None
        self._lock = Lock()
        self.recovered = recovered
        self.forgotten, self.last = recovered.forgotten, recovered.last

    @classmethod
    def recover(cls, folder: Path, after: int = 0, segment_bytes: int = SEGMENT_BYTES) -> Self:
        """Open a folder: repair the end that a crash has torn, and work out which records are still needed.

        Args:
            folder: created when missing.
            after: records up to this number are no longer needed, according to the position saved elsewhere.
            segment_bytes: once a segment is larger, a new one is started.

        Raises:
            OSError: the folder cannot be read or written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        segments = _found(folder)
        newest, tail = _repair(segments)
        forgotten = _saved_number(folder, segments[0].first - 1 if segments else after)
        last = max(forgotten, segments[-1].first - 1 if segments else after, newest.last if newest else 0)
        if forgotten < after <= last:
            forgotten = after
        needed = newest if newest is not None and newest.last > forgotten else None
        opened = cls(folder, segments, Recovered(forgotten, last, needed), segment_bytes)
        if tail is not None:
            opened.append(EventBatch(last + 1, last + 1, 0, [tail]))
            opened.recovered = Recovered(forgotten, opened.last, needed)
        opened._delete(forgotten)
        return opened

    @property
    def bytes(self) -> int:
        with self._lock:
            return sum(segment.size for segment in self._segments)

    def append(self, batch: EventBatch) -> None:
        """Write a batch; when this returns it survives a power cut.

        Raises:
            OSError: it was not written. The next attempt uses a new file.
        """
        frame = memoryview(encode(batch))
        try:
            if self._file is None or self._segments[-1].size >= self._segment_bytes:
                self._begin_segment(batch.first)
            assert self._file is not None  # noqa: S101 - for the type checker
            left = frame
            while left:
                left = left[os.write(self._file, left) :]
            os.fdatasync(self._file)
        except OSError:
            self._abandon()
            raise
        self._segments[-1].size += len(frame)
        self.last = batch.last

    def read(self, number: int) -> Iterator[EventBatch | None]:
        """Yield batches from record `number` on, with an `unreadable` event for damaged ones; None when there is
        nothing more yet."""
        segment, offset, damage = None, 0, b""
        while True:
            following = self._following(segment, number)
            if segment is None or (offset >= segment.size and following is not None):
                if following is None:
                    yield None
                    continue
                segment, offset = following, 0
            if offset >= segment.size:
                yield None
                continue
            content = _content(segment.path, offset, segment.size)
            offset += len(content)
            for piece in frames(content):
                if isinstance(piece, bytes):
                    _log.error("%s: %d bytes are damaged", segment.path, len(piece))
                    segment.damaged = True
                    damage += piece
                elif piece.last >= number:
                    if piece.first > number:
                        yield _lost(damage, number, piece.first - 1)
                    yield _cut(piece, number)
                    number, damage = piece.last + 1, b""

    def forget(self, number: int) -> None:
        """Records up to this one are no longer needed: delete the segments that hold no others.

        Raises:
            OSError: the folder is not writable. Call it again.
        """
        if number > self.forgotten:
            temporary = self._folder / "forgotten.tmp"
            temporary.write_text(str(number))
            temporary.replace(self._folder / "forgotten")
            self._delete(number)
            self.forgotten = number

    def _delete(self, number: int) -> None:
        with self._lock:
            while self._segments and self._is_over(number):
                segment = self._segments[0]
                if segment.damaged:
                    segment.path.replace(segment.path.with_suffix(".damaged"))
                else:
                    segment.path.unlink(missing_ok=True)
                self._segments.pop(0)

    def close(self) -> None:
        """Close the file and delete what is no longer needed, or leave that to the next start."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        try:
            self._delete(self.forgotten)
        except OSError as error:
            _log.warning("cannot delete what Kafka has acknowledged: %s", error)

    def _is_over(self, number: int) -> bool:
        if len(self._segments) > 1:
            return self._segments[1].first <= number + 1
        return self._file is None and self.last <= number

    def _following(self, segment: Segment | None, number: int) -> Segment | None:
        """Return the segment after `segment`; for None, the one that holds the record."""
        with self._lock:
            if segment is not None:
                return next((other for other in self._segments if other.first > segment.first), None)
            before = [other for other in self._segments if other.first <= number]
            return before[-1] if before else next(iter(self._segments), None)

    def _begin_segment(self, first: int) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        path = self._folder / f"{first:020}{_SUFFIX}"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        with self._lock:
            self._segments.append(Segment(path, first, 0))
        sync_folder(self._folder)

    def _abandon(self) -> None:
        """Truncate and abandon the file: after a failed write or sync its content on disk is unknown."""
        if self._file is None:
            return
        segment = self._segments[-1]
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, segment.size)
        with contextlib.suppress(OSError):
            os.close(self._file)
        self._file = None
        if not segment.size:
            with self._lock:
                self._segments.pop()


def _repair(segments: list[Segment]) -> tuple[EventBatch | None, Event | None]:
    """Cut off the torn end of the newest segment, and drop segments that are empty then.

    Return the last batch, and an event when the torn end was complete but unreadable.
    """
    tail = None
    for segment in reversed(segments.copy()):
        pieces = list(frames(_content(segment.path, 0, segment.size)))
        if segment is segments[-1] and pieces and isinstance(torn := pieces[-1], bytes):
            _log.warning("%s: cut off the last %d bytes, which were torn", segment.path, len(torn))
            tail = tail if _is_incomplete(torn) else unreadable(torn, segment.first, 0)
            segment.size -= len(torn)
            os.truncate(segment.path, segment.size)
        if not segment.size:
            segment.path.unlink()
            segments.remove(segment)
        newest = next((piece for piece in reversed(pieces) if not isinstance(piece, bytes)), None)
        if newest is not None:
            return newest, tail
    return None, tail


def encode(batch: EventBatch) -> bytes:
    """Return the frame of a batch."""
    payload = _encode(batch.events)
    header = _HEADER.pack(MAGIC, 0, len(payload), batch.first, len(batch.events), batch.received_ms)
    checksum = zlib.crc32(payload, zlib.crc32(header[_CHECKED_FROM:]))
    return header[:4] + struct.pack("<I", checksum) + header[_CHECKED_FROM:] + payload


def frames(content: bytes) -> Iterator[EventBatch | bytes]:
    """Yield the batches of a segment in order, and between them the bytes that could not be read."""
    offset = damaged_from = 0
    while offset < len(content):
        found = _frame(content, offset)
        if found is None:
            offset = content.find(MAGIC, offset + 1)
            offset = len(content) if offset < 0 else offset
            continue
        if damaged_from < offset:
            yield content[damaged_from:offset]
        batch, offset = found
        damaged_from = offset
        yield batch
    if damaged_from < len(content):
        yield content[damaged_from:]


def _frame(content: bytes, offset: int) -> tuple[EventBatch, int] | None:
    """Return the intact frame at an offset and where it ends, else None."""
    payload_from = offset + _HEADER.size
    if payload_from > len(content):
        return None
    magic, checksum, length, first, count, received_ms = _HEADER.unpack_from(content, offset)
    end = payload_from + length
    if magic != MAGIC or end > len(content):
        return None
    view = memoryview(content)
    if zlib.crc32(view[offset + _CHECKED_FROM : end]) != checksum:
        return None
    try:
        events = _decode(view[payload_from:end])
    except msgspec.MsgspecError:
        return None
    return EventBatch(first, first + count - 1, received_ms, events), end


def unreadable(content: bytes, number: int, lost: int) -> Event:
    """Return the event for records from `number` on whose bytes were damaged on disk."""
    key = b"spool-" + sha256(b"%d " % number + content).hexdigest()[:32].encode()
    records = f"{lost} record{'' if lost == 1 else 's'}" if lost else "the last write"
    return Event("unreadable", key, content, reason=f"spool: {records} lost in {len(content)} damaged bytes")


def _lost(content: bytes, first: int, last: int) -> EventBatch:
    return EventBatch(first, last, 0, [unreadable(content, first, last - first + 1)])


def _is_incomplete(tail: bytes) -> bool:
    """Whether a write was interrupted: fewer bytes than its header says, or blocks that never reached the disk."""
    if len(tail) < _HEADER.size or not tail.strip(b"\0"):
        return True
    magic, _, length, *_ = _HEADER.unpack_from(tail)
    return bool(magic == MAGIC and _HEADER.size + length > len(tail))


def _cut(batch: EventBatch, number: int) -> EventBatch:
    """Return the batch without the records before `number`."""
    if batch.first >= number:
        return batch
    return batch._replace(first=number, events=batch.events[number - batch.first :])


def _content(path: Path, offset: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(end - offset)


def _found(folder: Path) -> list[Segment]:
    paths = sorted(path for path in folder.glob(f"*{_SUFFIX}") if path.stem.isdigit())
    return [Segment(path, int(path.stem), path.stat().st_size) for path in paths]


def _saved_number(folder: Path, default: int) -> int:
    """Return the last forgotten record. Without the file everything is sent again."""
    try:
        return int((folder / "forgotten").read_text())
    except (FileNotFoundError, ValueError):
        return default
