"""A made-up stream that behaves like the real one: history first, then live, the same story for the same seed."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from itertools import count
from threading import Event
from typing import Final

from producer.position import Position
from producer.source import SourceTweet
from producer.sources.synthetic.stream import Stream
from producer.sources.synthetic.themes import load_themes
from twitter_topics.settings import ProducerSettings

HOUR_MS: Final = 3_600_000
MAX_WAIT_S: Final = 1.0

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_log = logging.getLogger(__name__)


class SyntheticSource:
    """Yields every tweet at its own event time, and at once those that are already due.

    So the history before the first start goes out as fast as Kafka takes it, the live part follows without a jump, and
    what would have happened during a stop is caught up. The position counts tweets; with the saved begin it is all that
    a restart needs. Another seed, rate or length of history is another stream: it begins where the last one stopped.
    """

    name = "synthetic"

    def __init__(
        self,
        stream: Stream,
        start: Position,
        wait: Callable[[float], bool],
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """`wait(seconds)` returns early, with True, when asked to stop."""
        self.start = start
        self._stream = stream
        self._wait = wait
        self._clock_ms = clock_ms

    @classmethod
    def open(cls, settings: ProducerSettings, saved: Position | None, now_ms: int, stop: Event) -> SyntheticSource:
        """The stream of the settings at its saved position, or from the beginning of its history."""
        start = _start(settings, saved, now_ms)
        stream = Stream(settings.synthetic_seed, settings.synthetic_rate, start.origin["begin_ms"], load_themes())
        return cls(stream, start, stop.wait)

    def tweets(self) -> Iterator[SourceTweet | None]:
        """Endless. The caller stops."""
        now_ms = self._clock_ms()
        for index in count(self.start.count):
            time_ms, tweet = self._stream.tweet(index)
            while time_ms > now_ms and time_ms > (now_ms := self._clock_ms()):
                self._wait(min((time_ms - now_ms) / 1000, MAX_WAIT_S))
                yield None
            value = _encode(tweet).encode()
            yield SourceTweet(tweet["id_str"].encode(), value, time_ms, index + 1)

    def close(self) -> None:
        """Nothing is held open."""


def _start(settings: ProducerSettings, saved: Position | None, now_ms: int) -> Position:
    identity = {
        "seed": settings.synthetic_seed,
        "rate": settings.synthetic_rate,
        "history_hours": settings.synthetic_history_hours,
    }
    if saved is not None and dict(saved.identity) == identity:
        return saved
    begin_ms = now_ms - int(settings.synthetic_history_hours * HOUR_MS)
    if saved is not None:
        begin_ms = min(now_ms, max(begin_ms, saved.event_time_ms + 1))
        _log.warning(
            "another seed, rate or history than at the last run: a new stream begins where the last one stopped"
        )
    return Position(identity, {"begin_ms": begin_ms})
