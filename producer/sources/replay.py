"""Tweets from a JSONL file, one v1.1 object a line, as they are or moved to now."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from threading import Event
from typing import IO, Any, NamedTuple

from producer.position import Position
from producer.source import SourceTweet
from producer.tweets import created_at
from twitter_topics.contract.tweet import tweet_identity, tweet_time
from twitter_topics.errors import ConfigurationError, IntegrityError
from twitter_topics.settings import ProducerSettings

MAX_WAIT_S = 1.0

_log = logging.getLogger(__name__)


class _Line(NamedTuple):
    """A line of the file: what could be read of it. `body` is None where it is no tweet."""

    body: dict[str, Any] | None
    tweet_id: str | None
    time_ms: int | None


class ReplaySource:
    """Replays a file. A line that is no tweet is sent as it is: it is the dead-letter topic's business, not ours.

    The position counts lines. A stream is identified by the file's path and its first line, so a file that grows goes
    on where it stopped; another file starts anew.
    """

    name = "replay"

    def __init__(
        self,
        path: Path,
        start: Position,
        factor: float | None,
        wait: Callable[[float], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`factor` of real time, None for as fast as possible. `wait(seconds)` returns True when asked to stop."""
        self.start = start
        self._path = path
        self._factor = factor
        self._wait = wait
        self._monotonic = monotonic
        self._shift_ms = start.origin.get("shift_ms", 0)

    @classmethod
    def open(cls, settings: ProducerSettings, saved: Position | None, now_ms: int, stop: Event) -> ReplaySource:
        """At the saved position when it belongs to this file and way of telling time, else at the first line.

        Raises:
            ConfigurationError: PRODUCER_REPLAY_FILE is missing, unreadable or empty, or PRODUCER_REPLAY_SPEED is 0.
        """
        path = _readable_file(settings.replay_file)
        identity = {"file": path.name, "first_line": _fingerprint(path), "times": settings.replay_times}
        if saved is not None and dict(saved.identity) == identity:
            start = saved
        else:
            if saved is not None:
                _log.warning("another file or way of telling time than at the last run: replaying from its first line")
            shift = _shift_to(path, settings.limit, now_ms) if settings.replay_times == "shift" else 0
            start = Position(identity, {"shift_ms": shift})
        return cls(path, start, _factor(settings.replay_speed), stop.wait)

    def tweets(self) -> Iterator[SourceTweet | None]:
        """The lines after the start position.

        Raises:
            IntegrityError: the file has fewer lines than were already sent.
        """
        began_at: float | None = None
        first_ms: int | None = None
        for number, raw in _lines(self._path, skip=self.start.count):
            line = _read_line(raw)
            if self._factor is not None and line.time_ms is not None:
                if began_at is None or first_ms is None:
                    began_at, first_ms = self._monotonic(), line.time_ms
                yield from self._wait_until(began_at + (line.time_ms - first_ms) / 1000 / self._factor)
            yield self._tweet(number, raw, line)

    def close(self) -> None:
        """Nothing is held open outside of `tweets`."""

    def _wait_until(self, due: float) -> Iterator[None]:
        while (remaining := due - self._monotonic()) > 0:
            self._wait(min(remaining, MAX_WAIT_S))
            yield None

    def _tweet(self, number: int, raw: bytes, line: _Line) -> SourceTweet:
        key = line.tweet_id or f"line-{number}"
        value, time_ms = raw, line.time_ms
        if self._shift_ms and line.body is not None and line.time_ms is not None:
            time_ms = line.time_ms + self._shift_ms
            value = _moved(line.body, time_ms)
        return SourceTweet(key.encode("utf-8", "replace"), value, time_ms, number)


def _readable_file(name: str) -> Path:
    if not name:
        msg = "PRODUCER_REPLAY_FILE is not set: name a .jsonl or .jsonl.gz file with one tweet a line"
        raise ConfigurationError(msg)
    path = Path(name).expanduser()
    if not path.is_file():
        msg = f"PRODUCER_REPLAY_FILE: there is no file {path}"
        raise ConfigurationError(msg)
    return path


def _fingerprint(path: Path) -> str:
    try:
        first = next(_lines(path, skip=0), None)
    except OSError as error:
        msg = f"PRODUCER_REPLAY_FILE: {path} cannot be read: {error}"
        raise ConfigurationError(msg) from error
    if first is None:
        msg = f"PRODUCER_REPLAY_FILE: {path} has no lines"
        raise ConfigurationError(msg)
    return hashlib.sha256(first[1]).hexdigest()


def _factor(speed: str) -> float | None:
    if speed == "max":
        return None
    factor = float(speed)
    if factor <= 0:
        msg = "PRODUCER_REPLAY_SPEED must be max or more than 0"
        raise ConfigurationError(msg)
    return factor


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _lines(path: Path, skip: int) -> Iterator[tuple[int, bytes]]:
    """Numbered lines (from 1) after the first `skip`, without line ends. Blank lines count and are left out."""
    with _open(path) as file:
        if skip and sum(1 for _ in islice(file, skip)) < skip:
            msg = f"{path} has fewer lines than the {skip} already sent: delete the position file to start anew"
            raise IntegrityError(msg)
        for number, line in enumerate(file, start=skip + 1):
            raw = line.rstrip(b"\r\n")
            if raw.strip():
                yield number, raw


def _read_line(raw: bytes) -> _Line:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return _Line(None, None, None)
    if not isinstance(body, dict):
        return _Line(None, None, None)
    return _Line(body, tweet_identity(body), tweet_time(body))


def _shift_to(path: Path, limit: int, now_ms: int) -> int:
    """Milliseconds that bring the newest tweet of the file (of its first `limit` lines) to `now_ms`."""
    lines = islice(_lines(path, skip=0), limit or None)
    times = [line.time_ms for line in (_read_line(raw) for _, raw in lines) if line.time_ms is not None]
    return now_ms - max(times) if times else 0


def _moved(body: dict[str, Any], time_ms: int) -> bytes:
    body["timestamp_ms"] = str(time_ms)
    body["created_at"] = created_at(time_ms)
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
