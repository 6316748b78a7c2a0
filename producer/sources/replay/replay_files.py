"""Files of tweets, read one after the other in the order of their names, wherever they are stored."""

from __future__ import annotations

import hashlib
import logging
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from typing import Any

from producer.position import SourcePosition
from producer.receiving.control import ControlMessages
from producer.reporting.words import size_text
from producer.source import Context, Cursor
from producer.sources.replay.compression import Chunks, peek
from producer.sources.replay.containers import Text, Wanted
from producer.sources.replay.formats import BOM, TO_UTF8, UNKNOWN, Format, recognise
from producer.sources.replay.left_out import LeftOut, set_aside
from producer.sources.replay.lines import Line, is_utf8
from producer.sources.replay.material import DamagedError, time_text
from producer.sources.replay.places import Place
from producer.sources.replay.records import ReplayRecord, Report, read_all, read_quickly
from producer.sources.replay.shapes import NOTHING
from producer.sources.replay.values import MAX_VALUE_BYTES
from twitter_topics.errors import ConfigurationError, IntegrityError

HEAD_BYTES = 64 * 1024
"""How much of a text is looked at; more where its first record is longer."""

LOOK_FILES, LOOK_OBJECTS = 300, 20
"""How many files, or objects of a bucket, are looked at before anything is sent."""

LOOK_BYTES = 64 * 1024 * 1024
"""Of a larger archive, members are looked at only up to the first that is read."""

_PACKED = (".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zst", ".zip", ".tar")
_DIGITS = re.compile(r"(\d+)", re.ASCII)
_NOTHING = b" \t\r\n\0"
"""Of this, a line is blank; a block of NULs is what a crash leaves at the end of a file."""

_LATE = (
    "added or changed since the last run began, but before the position, and not read: replay it by itself, or start "
    "over (`--again`, or delete the position file)"
)

_BREATH = 20_000
"""Records skipped before control is handed back."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Reading:
    """What one pass through the files notes besides their records."""

    left_out: LeftOut = field(default_factory=LeftOut)
    report: Report = lambda *_: None
    not_utf8: Counter[str] = field(default_factory=Counter)
    strict: bool = False


@dataclass(frozen=True)
class ReplayFile:
    """One file under the folder or prefix, its size in bytes, when it was added or last changed (Unix milliseconds),
    and its texts: itself, or the wanted members of an archive, named `<name>/<member>`."""

    name: str
    size: int
    changed_ms: int
    texts: Callable[[Wanted], Iterator[Text | None]]


def natural(name: str) -> tuple[list[list[Any]], str]:
    """Return a key that sorts `part-2` before `part-10`, and keeps a folder's files together."""
    steps = [_DIGITS.split(step) for step in name.split("/")]
    return [[int(word) if index % 2 else word for index, word in enumerate(words)] for words in steps], name


class ReplayFiles:
    """`Material` of files. A file's format is recognised by its content. The cursor is a `Place`.

    Files added later continue where the last run ended, as long as their names sort later; a name that sorts before
    the cursor is not read, and left out by name if it was added or changed since the last run began. Another first
    record is another stream.

    Args:
        location: as in the settings.
        files: in the order of `natural`.
        set_aside: files that are not looked at.
        single: one file was named, not a folder that happens to hold one.
        remote: reading everything twice costs too much: look for the newest tweet only in the last file that has
            tweets, and at few files before the start.
        strict: damage raises DamagedError from `records`; otherwise it is a record, and what follows is read.
    """

    def __init__(
        self,
        location: str,
        files: Sequence[ReplayFile],
        context: Context,
        left_out: LeftOut,
        *,
        single: bool = False,
        remote: bool = False,
        strict: bool = False,
    ) -> None:
        self._location, self._files, self._context = location, files, context
        self._single, self._remote, self._strict = single, remote, strict
        self._left_out = left_out

    @cached_property
    def _first(self) -> ReplayRecord:
        reading, damage = _Reading(LeftOut(self._left_out)), ""
        for record in self._read(SourcePosition({}), reading):
            if record is not None and not record.damage:
                return record
            damage = record.damage if record else damage
        if damage:
            raise IntegrityError(damage)
        if self._alone and (why := reading.left_out.only):
            raise ConfigurationError(f"PRODUCER_REPLAY_FILE: {self._location} is not a file of tweets but {why}")
        sentence = reading.left_out.sentence()
        why = f"has no tweets that can be read; {sentence}" if sentence else "has no records"
        raise ConfigurationError(f"PRODUCER_REPLAY_FILE: {self._location} {why}")

    @cached_property
    def _alone(self) -> bool:
        """Whether the cursor needs no name: the file is a text, not an archive."""
        if not self._single:
            return False
        file = self._files[0]
        return next(filter(None, file.texts(lambda _: True)), Text(file.name, iter(()))).name == file.name

    @property
    def identity(self) -> Mapping[str, Any]:
        name = self._files[0].name if self._alone else self._location
        return {"file": name, "first_line": hashlib.sha256(self._first.raw).hexdigest()}

    def origin(self) -> Mapping[str, int]:
        return {}

    def describe(self, start: SourcePosition) -> str:
        many = "1 file" if len(self._files) == 1 else f"{len(self._files):,} files"
        stored = size_text(sum(file.size for file in self._files))
        formats, left_out = self._look()
        passed = self._passed(start, left_out)
        return (
            f"{self._location}: {many}, {stored}, {'; '.join(formats)}, the first tweet of "
            f"{time_text(self._first.time_ms)}{left_out.sentence('; ')}{passed}"
        )

    def records(self, start: SourcePosition) -> Iterator[ReplayRecord | None]:
        reading = _Reading(LeftOut(), ControlMessages(self._context.status), strict=self._strict)
        self._passed(start, reading.left_out)
        yield from self._read(start, reading)
        if sentence := reading.left_out.sentence():
            _log.warning("%s: %s", self._location, sentence)
        for name, count in reading.not_utf8.items():
            _log.warning("%s: records that are not in UTF-8, and so rejected: %d; %s", name, count, TO_UTF8)

    def tweet_times(self, start: SourcePosition) -> Iterator[int]:
        return _times(self._read(start, _Reading()))

    def bytes_after(self, start: SourcePosition) -> int:
        return sum(file.size for file in self._files[self._reached(self._place(start.cursor).name) :])

    def newest_ms(self, start: SourcePosition, limit: int) -> int | None:
        if limit or not self._remote:
            records = filter(None, self._read(start, _Reading()))
            return max(_times(islice(records, limit or None)), default=None)
        for file in reversed(self._files):
            newest = max(_times(self._file(file, Place(), _Reading())), default=None)
            if newest is not None:
                return newest
        return None

    def close(self) -> None:
        """Do nothing: files are closed with the iterators that read them."""

    def _look(self) -> tuple[list[str], LeftOut]:
        """Return the formats that are read, and what is left out, of the first files."""
        looked, formats, left_out = LOOK_OBJECTS if self._remote else LOOK_FILES, {}, LeftOut(self._left_out)
        for file in self._files[:looked]:
            for text in filter(None, file.texts(partial(_is_looked_at, file, left_out))):
                try:
                    format_, _ = _result(_opened(text))
                except DamagedError as error:
                    left_out.add(text.name, f"damaged: {error}")
                    continue
                if format_.split is None:
                    left_out.add(text.name, format_.refusal)
                elif format_.name != NOTHING:
                    formats[format_.name] = True
                    if text.name != file.name and file.size > LOOK_BYTES:
                        break
        more = [f"looked at the first {looked:,} only"] if len(self._files) > looked else []
        return [*formats, *more], left_out

    def _read(self, start: SourcePosition, reading: _Reading) -> Iterator[ReplayRecord | None]:
        place = self._place(start.cursor)
        if place.name and not any(place.is_in(file.name) for file in self._files):
            msg = "%s of %s, where the replay stopped, no longer exists: continuing with the next file"
            _log.warning(msg, place.name, self._location)
        for file in self._files[self._reached(place.name) :]:
            yield from self._file(file, place if place.is_in(file.name) else Place(), reading)

    def _file(self, file: ReplayFile, place: Place, reading: _Reading) -> Iterator[ReplayRecord | None]:
        """Yield what is in a file after a place."""

        def wanted(name: str) -> bool:
            return (not place.name or place.is_in(name)) and not _set_aside(file, name, reading.left_out)

        for text in file.texts(wanted):
            if text is None:
                yield None
                continue
            done, place = place if text.name == place.name else Place(), Place()
            yield from self._text(text, done, reading)
        if place.name:
            raise IntegrityError(
                f"{file.name} of {self._location} no longer contains {place.name}, where the replay stopped"
            )

    def _text(self, text: Text, done: Place, reading: _Reading) -> Iterator[ReplayRecord | None]:
        try:
            format_, chunks = yield from _opened(text)
            if format_.split is None:
                reading.left_out.add(text.name, format_.refusal)
            else:
                yield from self._records(text.name, format_.split(chunks, text.name), done, reading)
        except DamagedError as error:
            if reading.strict:
                raise
            yield ReplayRecord(b"", 0, damage=str(error))

    def _records(
        self, name: str, lines: Iterator[Line | None], done: Place, reading: _Reading
    ) -> Iterator[ReplayRecord | None]:
        number, alone = 0, self._alone
        for line in lines:
            if line is None:
                yield None
                continue
            number = line.number
            if number <= done.number:
                if not number % _BREATH:
                    yield None
            elif record := read_quickly(line.raw, number if alone else f"{name}\t{number}"):
                yield record
            elif line.raw.strip(_NOTHING):
                parts = done.parts if number == done.number + 1 else 0
                if not is_utf8(line.raw):
                    reading.not_utf8[name] += 1
                yield from _others(Place("" if alone else name, number), line, parts, reading.report)
        if number < done.number:
            msg = f"{name} of {self._location} has fewer lines than the {done.number} already sent"
            raise IntegrityError(f"{msg}: restore it, or delete the position file to start over")

    def _place(self, cursor: Cursor) -> Place:
        place = Place.of(cursor)
        return place if place.name or not cursor else place._replace(name=self._files[0].name)

    def _passed(self, start: SourcePosition, left_out: LeftOut) -> str:
        """Leave out the files before the position that were added or changed since the last run began; return how many
        files are before it, as a part of a sentence."""
        name = self._place(start.cursor).name
        files = self._files[: self._reached(name)]
        for file in files:
            if 0 < start.alive_ms < file.changed_ms:
                left_out.add(file.name, _LATE)
        many = "1 file that sorts" if len(files) == 1 else f"{len(files):,} files that sort"
        return f"; {many} before {name} count as sent" if files else ""

    def _reached(self, name: str) -> int:
        """Return the index of the file at the cursor; if it no longer exists, of the next one."""
        place = Place(name)
        here = next((file.name for file in self._files if place.is_in(file.name)), name)
        return bisect_left(self._files, natural(here), key=lambda file: natural(file.name)) if name else 0


def _is_looked_at(file: ReplayFile, left_out: LeftOut, name: str) -> bool:
    return not _set_aside(file, name, left_out)


def _set_aside(file: ReplayFile, name: str, left_out: LeftOut) -> bool:
    why = set_aside(name.removeprefix(f"{file.name}/"))
    if why:
        left_out.add(name, why)
    return bool(why)


def _others(place: Place, line: Line, done: int, report: Report) -> Iterator[ReplayRecord | None]:
    """Yield the records of a line that is not an ordinary tweet, after the first `done` of them."""
    before = place._replace(number=place.number - 1)
    if line.too_long:
        reason = f"size: a line of {line.too_long} bytes, of which only the head was kept"
        yield ReplayRecord(line.raw, place.cursor, reason=reason)
        return
    found = list(read_all(line.raw, place.cursor, report))
    for part, record in enumerate(found[done:], done + 1):
        if part < len(found):
            yield record._replace(cursor=before._replace(parts=part).cursor)
        elif line.ended or record.tweet_id is not None or record.notice is not None:
            yield record
        else:  # perhaps half a line of a file that is still being written: read again once the file has grown
            yield record._replace(cursor=before.cursor)
    yield None


def _opened(text: Text) -> Generator[None, None, tuple[Format, Chunks]]:
    """Return the format of a text, and its chunks without a byte order mark."""
    if text.refused:
        return Format(text.refused), text.chunks
    size, chunks, format_ = HEAD_BYTES, text.chunks, None
    while format_ is None:
        head, chunks = yield from peek(chunks, size)
        format_ = recognise(head, complete=len(head) < size or size > MAX_VALUE_BYTES)
        size *= 4
    if format_ is UNKNOWN and text.name.lower().endswith(_PACKED):
        raise DamagedError(f"{text.name} is damaged: it begins neither as its name says nor as text")
    if head.startswith(BOM):
        chunks = _without_mark(chunks)
    return format_, chunks


def _without_mark(chunks: Chunks) -> Chunks:
    yield (next(chunks) or b"").removeprefix(BOM)
    yield from chunks


def _result(opening: Generator[None, None, tuple[Format, Chunks]]) -> tuple[Format, Chunks]:
    """Wait for what a generator returns."""
    while True:
        try:
            next(opening)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def _times(records: Iterable[ReplayRecord | None]) -> Iterator[int]:
    return (one.time_ms for one in records if one and one.tweet_id is not None and one.time_ms is not None)
