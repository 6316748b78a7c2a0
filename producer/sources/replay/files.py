"""A local file, or a folder of them."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, NoReturn

from producer.source import Context
from producer.sources.replay.material import StoppedError
from producer.sources.replay.replay_files import ReplayFile, ReplayFiles, Text, is_hidden, is_taken, natural
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError

CHUNK_BYTES = 256 * 1024


def local_files(setting: str, context: Context) -> ReplayFiles:
    """Return the file, or all files under the folder; only their names are held.

    Raises:
        ConfigurationError: there is no such file, or nothing to replay in the folder.
    """
    path = Path(setting).expanduser()
    if path.is_dir():
        files = [_file(path, name, context) for name in sorted(_names(path), key=natural)]
        if not files:
            msg = f"PRODUCER_REPLAY_FILE: folder {path} has no .jsonl, .json or .ndjson file (plain, .gz, .zst or .bz2)"
            raise ConfigurationError(msg)
        return ReplayFiles(str(path.resolve()), files, alone=False)
    if not path.is_file():
        raise ConfigurationError(f"PRODUCER_REPLAY_FILE={path} does not exist")
    return ReplayFiles(str(path), [_file(path.parent, path.name, context)], alone=not _is_tar(path.name))


def _names(folder: Path) -> Iterator[str]:
    for parent, _, files in os.walk(folder, onerror=_raise_unreadable):
        for file in files:
            name = Path(parent, file).relative_to(folder).as_posix()
            if is_taken(name) or (_is_tar(name) and not is_hidden(name)):
                yield name


def _is_tar(name: str) -> bool:
    return name.lower().endswith(".tar")


def _file(folder: Path, name: str, context: Context) -> ReplayFile:
    path = folder / name
    with _reading(path):
        stored = path.stat().st_size
    return ReplayFile(name, stored, partial(_members if _is_tar(name) else _itself, path, name, context))


def _itself(path: Path, name: str, context: Context) -> Iterator[Text]:
    with _reading(path), path.open("rb", buffering=0) as file:
        yield name, _chunks(path, file, context)


def _members(path: Path, name: str, context: Context) -> Iterator[Text]:
    """Yield the files of lines in a tar file, in the order in which they were packed."""
    with _reading(path), tarfile.open(path, "r:") as tar:
        for member in tar:
            file = tar.extractfile(member) if is_taken(os.path.normpath(member.name)) else None
            if file is not None:
                yield f"{name}/{os.path.normpath(member.name)}", _chunks(path, file, context)


def _chunks(path: Path, file: IO[bytes], context: Context) -> Iterator[bytes]:
    with _reading(path):
        while chunk := file.read(CHUNK_BYTES):
            if context.stop.is_set():
                raise StoppedError(f"stopped in the middle of {path}")
            yield chunk


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except tarfile.TarError as error:
        raise IntegrityError(f"{path} is damaged: {error}") from error
    except OSError as error:
        _raise_unreadable(error, path)


def _raise_unreadable(error: OSError, path: Path | None = None) -> NoReturn:
    """Raise ConfigurationError where only a person can help, RetryableError for a disk that may recover."""
    msg = f"PRODUCER_REPLAY_FILE: {path or error.filename} cannot be read: {error.strerror or error}"
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError):
        raise ConfigurationError(msg) from error
    raise RetryableError(msg) from error
