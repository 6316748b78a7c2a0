"""A local file, or a folder of them."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, NoReturn

from producer.source import Context
from producer.sources.replay.compression import Chunks
from producer.sources.replay.containers import Text, Wanted, texts
from producer.sources.replay.left_out import LeftOut, set_aside
from producer.sources.replay.material import StoppedError
from producer.sources.replay.replay_files import ReplayFile, ReplayFiles, natural
from twitter_topics.errors import ConfigurationError, RetryableError

CHUNK_BYTES = 256 * 1024
_LINKED = "a link to a folder, which is not followed: replay that folder by itself"
_NOT_REGULAR = "not a regular file"
_STREAM = re.compile(r"-|(pipe|socket):\[\d+\]", re.ASCII)
"""Names of standard input, and of what `/dev/stdin` and the shell's `<(…)` lead to: no path that exists."""


def local_files(setting: str, context: Context, *, strict: bool = False) -> ReplayFiles:
    """Return the file, or all files under the folder; only their names are held.

    Raises:
        ConfigurationError: there is no such file, or none in the folder, or it cannot be read.
        RetryableError: a disk fails.
    """
    path = Path(setting).expanduser()
    left_out = LeftOut()
    with _reading(path):
        is_folder, is_file, exists = path.is_dir(), path.is_file(), path.exists() or _STREAM.fullmatch(path.name)
    if is_folder:
        files = [_file(path, name, context) for name in sorted(_names(path, left_out), key=natural)]
        if not files:
            raise ConfigurationError(f"PRODUCER_REPLAY_FILE: folder {path} has no files{left_out.sentence('; ')}")
        return ReplayFiles(str(path.resolve()), files, context, left_out, strict=strict)
    if not is_file:
        why = f"is {_NOT_REGULAR}: a replay reads it more than once; write it to a file first"
        raise ConfigurationError(f"PRODUCER_REPLAY_FILE={path} {why if exists else 'does not exist'}")
    return ReplayFiles(
        str(path), [_file(path.parent, path.name, context)], context, left_out, single=True, strict=strict
    )


def _names(folder: Path, left_out: LeftOut) -> Iterator[str]:
    for parent, folders, files in os.walk(folder, onerror=_raise_unreadable):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        for path in (Path(parent, name) for name in (*links, *files)):
            name = path.relative_to(folder).as_posix()
            if why := set_aside(name) or _why_not(path):
                left_out.add(name, why)
            else:
                yield name


def _why_not(path: Path) -> str:
    """Return why a path in a folder is not a file; empty if it is one."""
    with _reading(path):
        if path.is_file():
            return ""
        return _LINKED if path.is_dir() else _NOT_REGULAR


def _file(folder: Path, name: str, context: Context) -> ReplayFile:
    path = folder / name
    with _reading(path):
        found = path.stat()
    changed_ms = found.st_ctime_ns // 1_000_000  # a file that is moved here keeps its other time
    return ReplayFile(name, found.st_size, changed_ms, partial(_texts, path, name, context))


def _texts(path: Path, name: str, context: Context, wanted: Wanted) -> Iterator[Text | None]:
    with _reading(path), path.open("rb", buffering=0) as file:
        for text in texts(name, _chunks(path, file, context), wanted, partial(_Counted, path, context)):
            yield text and text._replace(chunks=_guarded(path, text.chunks))


def _guarded(path: Path, chunks: Chunks) -> Chunks:
    with _reading(path):
        yield from chunks


def _chunks(path: Path, file: IO[bytes], context: Context) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        if context.stop.is_set():
            raise StoppedError(f"stopped in the middle of {path}")
        context.status.read_bytes += len(chunk)
        yield chunk


class _Counted(io.FileIO):
    """A zip file, which is not read from front to back."""

    def __init__(self, path: Path, context: Context) -> None:
        super().__init__(path)
        self._path, self._context = path, context

    def read(self, size: int | None = -1, /) -> bytes:
        if self._context.stop.is_set():
            raise StoppedError(f"stopped in the middle of {self._path}")
        data = super().read(size) or b""
        self._context.status.read_bytes += len(data)
        return data


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _raise_unreadable(error, path)


def _raise_unreadable(error: OSError, path: Path | None = None) -> NoReturn:
    """Raise ConfigurationError where only a person can help, RetryableError for a disk that may recover."""
    msg = f"PRODUCER_REPLAY_FILE: {path or error.filename} cannot be read: {error.strerror or error}"
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError):
        raise ConfigurationError(msg) from error
    raise RetryableError(msg) from error
