"""Bluesky posts from a Jetstream host: https://github.com/bluesky-social/jetstream."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Self

from websockets.exceptions import InvalidStatus, WebSocketException

from producer.position import SourcePosition
from producer.receiving.gaps import GapWatch
from producer.receiving.inbox import Inbox
from producer.receiving.rules import BLUESKY, WaitRules
from producer.source import Context, Event
from producer.sources.bluesky.address import StreamAddresses
from producer.sources.bluesky.connection import BUSY, MAX_FRAME_BYTES, open_stream, wrong_settings_sentence
from producer.sources.bluesky.cursor import CursorTracker, JetstreamCursor
from producer.sources.bluesky.dictionary import Dictionary
from producer.sources.bluesky.mapping import NAME, PostMapper
from producer.sources.bluesky.reader import POLL_S, JetstreamReader, ReceivedEvents
from twitter_topics.backends.http_answers import BROKEN
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.settings import Settings

JOIN_S = 3.0
IDENTITY = {"network": "bluesky"}
"""A cursor is a time, so it survives a change of hosts, wire and filter."""


class BlueskySource:
    """Follows the network from a cursor, so an interruption within the hosts' look-back loses nothing.

    Args:
        start: with or without the cursor of the last run.
        rules: waits, and the silence after which a host is treated as dead.
        max_bytes: limit of a frame.
    """

    name = NAME
    live = True

    def __init__(
        self,
        settings: Settings,
        start: SourcePosition,
        context: Context,
        rules: WaitRules = BLUESKY,
        max_bytes: int = MAX_FRAME_BYTES,
    ) -> None:
        section = settings.bluesky
        self.start = start
        self._addresses = StreamAddresses(section)
        self._context, self._rules, self._max_bytes = context, rules, max_bytes
        self._inbox: Inbox[ReceivedEvents] = Inbox()
        self._closed = threading.Event()
        self._watch = GapWatch(NAME, start, context)
        cursor = JetstreamCursor.from_text(str(start.cursor)) if start.cursor else None
        languages = frozenset(code.strip().lower() for code in section.languages.split(",") if code.strip())
        kept = settings.producer.state_dir / "bluesky-dictionary.zstd"
        self._reader = JetstreamReader(
            self._addresses,
            CursorTracker(cursor, section.rewind_seconds, self._addresses.by_number, self._addresses.quiet),
            PostMapper(languages),
            Dictionary(kept, max_bytes) if self._addresses.zstd else None,
            self._watch,
            self._inbox,
            context,
            self._closed,
            rules,
            max_bytes,
        )
        self._thread = threading.Thread(target=self._reader.run, name="bluesky", daemon=True)

    @classmethod
    def open(cls, settings: Settings, saved: SourcePosition | None, context: Context) -> Self:
        """Return a source that connects once `events` is iterated.

        Raises:
            ConfigurationError: a setting that no host can serve.
            IntegrityError: the saved cursor is not valid.
        """
        return cls(settings, saved if saved is not None else SourcePosition(IDENTITY), context)

    def check(self) -> str:
        """Open the stream at the first host that accepts us, and close it. No key is needed.

        Raises:
            ConfigurationError: all hosts reject the settings.
            RetryableError: none answers.
        """
        problems, rejections = [], []
        for host in self._addresses.hosts:
            try:
                with open_stream(self._addresses.url(host), self._rules, self._max_bytes, deflate=False):
                    return f"Bluesky streams from {host}"
            except InvalidStatus as error:
                status = error.response.status_code
                body = bytes(error.response.body or b"").decode("utf-8", "replace").strip()[:200]
                problems.append(f"{host} answered {status} {body}".strip())
                if 400 <= status < 500 and status not in BUSY:
                    rejections.append(wrong_settings_sentence(host, f"answered {status} {body}".strip()))
            except (*BROKEN, EOFError, WebSocketException) as error:
                problems.append(f"{host}: {error or type(error).__name__}")
        if len(rejections) == len(problems):
            raise ConfigurationError(rejections[0])
        msg = f"no Bluesky host accepts us: {'; '.join(problems)}"
        raise RetryableError(msg)

    def events(self) -> Iterator[Event | None]:
        """Yield posts, edits, notices and unreadable events as they arrive; None after half a second of silence."""
        self._thread.start()
        try:
            for batch in self._inbox.items(POLL_S, self._has_ended):
                if batch is None:
                    yield None
                    continue
                yield from batch.events
                self._watch.handed_on(batch.at_ms)
        finally:
            self.close()
        if self._reader.error is not None:
            raise self._reader.error

    def _has_ended(self) -> bool:
        """Close if asked to stop; return whether nothing more can come."""
        if self._context.stop.is_set():
            self.close()
        return self._closed.is_set() or not self._thread.is_alive()

    def close(self) -> None:
        self._closed.set()
        self._inbox.close()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)
