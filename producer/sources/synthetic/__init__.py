"""A made-up stream that behaves like a real one: history first, then live, and the same story for the same seed."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from itertools import count
from typing import Final, Self

from producer.position import SourcePosition
from producer.source import Context, Event
from producer.sources.synthetic.languages import load_languages
from producer.sources.synthetic.stream import Stream
from producer.sources.synthetic.themes import load_themes
from twitter_topics.settings import ProducerSettings, Settings

HOUR_MS: Final = 3_600_000
MAX_WAIT_S: Final = 1.0

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_log = logging.getLogger(__name__)


class SyntheticSource:
    """Yields each tweet at its event time; tweets already due are yielded immediately.

    So the history before the first start goes out as fast as Kafka accepts it, the live part follows without a jump,
    and tweets due during a stop are caught up. The cursor is the number of the tweet; together with the saved begin it
    is all a restart needs. Another seed, rate, length of history or choice of languages is another stream: it begins
    where the last one stopped.
    """

    name = "synthetic"
    live = False

    def __init__(self, stream: Stream, start: SourcePosition, context: Context) -> None:
        self.start = start
        self._stream = stream
        self._context = context

    @classmethod
    def open(cls, settings: Settings, saved: SourcePosition | None, context: Context) -> Self:
        """Open the stream of the settings at its saved position, or at the beginning of its history."""
        made = settings.producer
        start = _start(made, saved, context.now_ms())
        languages = load_languages(made.synthetic_languages)
        stream = Stream(made.synthetic_seed, made.synthetic_rate, start.origin["begin_ms"], load_themes(), languages)
        return cls(stream, start, context)

    def check(self) -> str:
        """Return a fixed sentence: there is no server to ask."""
        return "tweets are generated locally"

    def events(self) -> Iterator[Event | None]:
        """Yield tweets forever; the caller stops."""
        context = self._context
        context.status.connected = True
        now_ms = context.now_ms()
        for index in count(int(self.start.cursor)):
            time_ms, tweet = self._stream.tweet(index)
            while time_ms > now_ms and time_ms > (now_ms := context.now_ms()):
                context.wait(min((time_ms - now_ms) / 1000, MAX_WAIT_S))
                yield None
            yield Event("post", tweet["id_str"].encode(), _encode(tweet).encode(), time_ms, index + 1)

    def close(self) -> None:
        """Do nothing: nothing is held open."""


def _start(settings: ProducerSettings, saved: SourcePosition | None, now_ms: int) -> SourcePosition:
    identity: dict[str, float | str] = {
        "seed": settings.synthetic_seed,
        "rate": settings.synthetic_rate,
        "history_hours": settings.synthetic_history_hours,
    }
    if settings.synthetic_languages:
        identity["languages"] = settings.synthetic_languages
    if saved is not None and saved.belongs_to(identity):
        return saved
    begin_ms = now_ms - int(settings.synthetic_history_hours * HOUR_MS)
    if saved is not None:
        begin_ms = min(now_ms, max(begin_ms, saved.event_time_ms + 1))
        _log.warning(
            "seed, rate, history or languages differ from the last run: a new stream begins where that one stopped"
        )
    return SourcePosition(identity, {"begin_ms": begin_ms})


SOURCE = SyntheticSource
