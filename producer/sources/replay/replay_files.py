"""Files of lines, read one after the other in the order of their names, wherever they are stored."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from producer.position import SourcePosition
from producer.reporting.words import size_text
from producer.source import Cursor
from producer.sources.replay.lines import Line, inflated, numbered
from producer.sources.replay.material import time_text
from producer.sources.replay.records import ReplayRecord, read_line
from twitter_topics.errors import ConfigurationError, IntegrityError

_LINES = re.compile(r"\.(jsonl|json|ndjson|gz|zst|bz2)$", re.IGNORECASE)
_PACKED_TAR = re.compile(r"\.tar\.\w+$", re.IGNORECASE)
_DIGITS = re.compile(r"(\d+)", re.ASCII)
_BREATH = 20_000
"""Lines skipped before control is handed back."""

Text = tuple[str, Iterator[bytes | None]]
"""A name and the stored bytes."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReplayFile:
    """One file under the folder or prefix, its size in bytes, and its texts: itself, or the members of a .tar file,
    named `<name>/<member>`."""

    name: str
    size: int
    texts: Callable[[], Iterator[Text]]


def is_taken(name: str) -> bool:
    """Whether a file of a folder is replayed: decided by its suffix, unless part of the path is hidden (starts with
    `.` or `_`). Files that other programs are still writing have other suffixes, such as `.tmp`."""
    return bool(_LINES.search(name)) and not _PACKED_TAR.search(name) and not is_hidden(name)


def is_hidden(name: str) -> bool:
    """Whether part of the path is hidden: `.git/config`, `_temporary/part-0.json`, `_SUCCESS`."""
    return any(step.startswith((".", "_")) for step in name.split("/"))


def natural(name: str) -> tuple[list[list[Any]], str]:
    """Return a key that sorts `part-2` before `part-10`, and keeps a folder's files together."""
    steps = [_DIGITS.split(step) for step in name.split("/")]
    return [[int(word) if index % 2 else word for index, word in enumerate(words)] for words in steps], name


class ReplayFiles:
    """`Material` of files. The cursor in a single file is its line number, else `<name>\\t<line>`.

    Files added later continue where the last run ended, as long as their names sort later; a name that sorts before
    the cursor is not read again. Another first line is another stream.

    Args:
        location: as in the settings.
        files: in the order of `natural`.
        alone: a single file was named, not a folder that happens to hold one.
        sample: look for the newest tweet only in the last file that has tweets; reading everything twice costs too
            much.
    """

    def __init__(self, location: str, files: Sequence[ReplayFile], *, alone: bool, sample: bool = False) -> None:
        self._location, self._files, self._alone, self._sample = location, files, alone, sample

    @cached_property
    def _first(self) -> ReplayRecord:
        for record in self.records(SourcePosition({})):
            if record is not None:
                return record
        raise ConfigurationError(f"PRODUCER_REPLAY_FILE: {self._location} has no lines")

    @property
    def identity(self) -> Mapping[str, Any]:
        name = self._files[0].name if self._alone else self._location
        return {"file": name, "first_line": hashlib.sha256(self._first.raw).hexdigest()}

    def origin(self) -> Mapping[str, int]:
        return {}

    def describe(self) -> str:
        many = "1 file" if len(self._files) == 1 else f"{len(self._files):,} files"
        stored = size_text(sum(file.size for file in self._files))
        return f"{self._location}: {many}, {stored}, the first tweet of {time_text(self._first.time_ms)}"

    def records(self, start: SourcePosition) -> Iterator[ReplayRecord | None]:
        name, done = self._resume_point(start.cursor)
        for file in self._remaining(name):
            for text_name, chunks in file.texts():
                if name and text_name != name and name.startswith(f"{file.name}/"):
                    continue  # an earlier member of the same tar file
                skip = done if text_name == name else 0
                name = ""
                yield from self._lines(text_name, chunks, skip)
            if name and name.startswith(f"{file.name}/"):
                raise IntegrityError(
                    f"{file.name} of {self._location} no longer contains {name}, where the replay stopped"
                )

    def newest_ms(self, start: SourcePosition, limit: int) -> int | None:
        if limit or not self._sample:
            return _newest(islice(_present(self.records(start)), limit or None))
        for file in reversed(self._files):
            texts = (self._lines(name, chunks, 0) for name, chunks in file.texts())
            newest = _newest(record for lines in texts for record in _present(lines))
            if newest is not None:
                return newest
        return None

    def close(self) -> None:
        """Do nothing: files are closed with the iterators that read them."""

    def _resume_point(self, cursor: Cursor) -> tuple[str, int]:
        if isinstance(cursor, int):
            return (self._files[0].name if cursor else "", cursor)
        name, _, line = cursor.rpartition("\t")
        return name, int(line)

    def _remaining(self, name: str) -> Iterator[ReplayFile]:
        """Return the files from the one at the cursor on; if it no longer exists, from the next."""
        here = [file for file in self._files if name == file.name or name.startswith(f"{file.name}/")]
        if name and not here:
            _log.warning(
                "%s of %s, where the replay stopped, no longer exists: continuing with the next file",
                name,
                self._location,
            )
        reached = natural(here[0].name if here else name)
        return (file for file in self._files if not name or natural(file.name) >= reached)

    def _lines(self, name: str, chunks: Iterator[bytes | None], skip: int) -> Iterator[ReplayRecord | None]:
        number = 0
        for line in numbered(inflated(chunks, name)):
            if line is None:
                yield None
                continue
            number = line.number
            if number <= skip:
                if not number % _BREATH:
                    yield None
            elif line.raw.strip():
                yield self._record(name, line)
        if number < skip:
            msg = f"{name} of {self._location} has fewer lines than the {skip} already sent"
            raise IntegrityError(f"{msg}: restore it, or delete the position file to start over")

    def _record(self, name: str, line: Line) -> ReplayRecord:
        record = read_line(line.raw, line.number if self._alone else f"{name}\t{line.number}")
        if line.too_long:
            return ReplayRecord(
                line.raw,
                record.cursor,
                reason=f"size: a line of {line.too_long} bytes, of which only the head was kept",
            )
        if not line.ended and record.tweet_id is None and record.notice is None:
            # perhaps half a line of a file that is still being written: it is read again once the file has grown
            before = line.number - 1
            return record._replace(cursor=before if self._alone else f"{name}\t{before}")
        return record


def _present(records: Iterator[ReplayRecord | None]) -> Iterator[ReplayRecord]:
    return (record for record in records if record is not None)


def _newest(records: Iterator[ReplayRecord]) -> int | None:
    times = (record.time_ms for record in records if record.tweet_id is not None and record.time_ms is not None)
    return max(times, default=None)
