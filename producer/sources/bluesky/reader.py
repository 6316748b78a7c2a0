"""The thread that holds the connection: host after host, always resuming where the last one stopped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import zstandard
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.frames import CloseCode
from websockets.http11 import Response
from websockets.sync.client import ClientConnection

from producer.receiving.gaps import GapWatch
from producer.receiving.inbox import Inbox
from producer.receiving.rules import RATE_LIMITED, Backoff, WaitRules
from producer.source import Context, Event
from producer.sources.bluesky.address import StreamAddresses
from producer.sources.bluesky.connection import (
    BUSY,
    Lost,
    LostError,
    error_name,
    loss_of,
    open_stream,
    wrong_settings_sentence,
)
from producer.sources.bluesky.cursor import CursorTracker, Span, is_placed
from producer.sources.bluesky.dictionary import Dictionary, TooLargeError
from producer.sources.bluesky.mapping import PostMapper, unreadable
from producer.sources.bluesky.wire import JetstreamMessage, read_frame
from twitter_topics.backends.http_answers import BROKEN, Answer, reset_in_s
from twitter_topics.errors import ConfigurationError

BATCH = 256
POLL_S = 0.5
STEADY_S = 10.0
"""A connection that is shorter, or brought nothing new, does not earn another immediate attempt."""
SLOW_S = 5.0
"""If the inbox was full for this long before a disconnect, the host hung up as we were slow: it waits 5 s per write."""
ATTEMPTS_A_HOST = 2

_log = logging.getLogger(__name__)


class ReceivedEvents:
    """Events read together. `len` is the approximate memory they take."""

    __slots__ = ("_size", "at_ms", "events")

    def __init__(self, events: Sequence[Event], at_ms: int) -> None:
        self.events, self.at_ms = events, at_ms
        self._size = sum(256 + len(event.value) for event in events)

    def __len__(self) -> int:
        return self._size


class JetstreamReader:
    """Fills the inbox until `closed` is set or the hosts reject us permanently.

    Args:
        closed: ends it, also during a wait.
        max_bytes: larger frames are skipped; after the first one the host is asked to omit them.

    Attributes:
        error: why it ended, if not because of `closed`.
    """

    def __init__(
        self,
        addresses: StreamAddresses,
        tracker: CursorTracker,
        mapper: PostMapper,
        dictionary: Dictionary | None,
        watch: GapWatch,
        inbox: Inbox[ReceivedEvents],
        context: Context,
        closed: threading.Event,
        rules: WaitRules,
        max_bytes: int,
    ) -> None:
        self.error: Exception | None = None
        self._addresses, self._tracker, self._mapper, self._dictionary = addresses, tracker, mapper, dictionary
        self._watch, self._inbox, self._context, self._closed = watch, inbox, context, closed
        self._rules, self._max_bytes = rules, max_bytes
        self._backoff = Backoff(rules, context.random)
        known = tracker.cursor.host if tracker.cursor else ""
        self._host = addresses.hosts.index(known) if known in addresses.hosts else 0
        self._attempts = 0
        self._rejected_by: set[str] = set()
        self._was_connected = self._leave_out_large = self._resuming = self._news = False
        self._opened = self._held_up_s = 0.0

    @property
    def host(self) -> str:
        return self._addresses.hosts[self._host]

    def run(self) -> None:
        try:
            while not self._closed.is_set():
                lost = self._connection()
                if not self._closed.is_set():
                    self._recover(lost)
        except Exception as error:  # noqa: BLE001 - raised again by the source, in the thread that can end the process
            self.error = error
        finally:
            self._context.status.connected = False
            self._inbox.close()

    def _connection(self) -> Lost:
        """Run one connection from opening to end."""
        self._news, self._opened = False, self._context.monotonic()
        cursor = self._tracker.ask(self.host, self._now_us(), self._watch.alive_ms * 1000)
        self._resuming = cursor is not None
        dictionary = self._dictionary.id_for(self.host) if self._dictionary else 0
        url = self._addresses.url(self.host, cursor, dictionary, self._max_bytes if self._leave_out_large else 0)
        try:
            with open_stream(url, self._rules, self._max_bytes, self._addresses.deflate) as connection:
                self._connected()
                self._read(connection)
        except LostError as error:
            return error.lost
        except InvalidStatus as error:
            return self._rejected(error.response)
        except ConnectionClosed as error:
            return self._hung_up(error)
        except (*BROKEN, EOFError, WebSocketException) as error:
            return Lost("network", f"{type(error).__name__}: {error}"[:300])
        return Lost("closed", "closed")

    def _connected(self) -> None:
        self._was_connected = True
        self._opened, self._held_up_s = self._context.monotonic(), 0.0
        _log.info("following %s", self.host)
        if self._tracker.cursor is not None:
            self._watch.resumed()
            if expired := self._tracker.expired():
                self._put([self._gap(expired)])
        elif gap := self._watch.connected():
            self._put([gap])

    def _read(self, connection: ClientConnection) -> None:
        """Read frames, as many at once as are available, until closed. Raises what ends the connection."""
        heard = self._context.monotonic()
        while not self._closed.is_set():
            frames: list[bytes] = []
            try:
                frames.append(connection.recv(POLL_S, decode=False))
                while len(frames) < BATCH:
                    frames.append(connection.recv(0, decode=False))
            except TimeoutError:
                silence = self._context.monotonic() - heard
                if not frames and self._addresses.quiet:
                    self._put([])
                elif not frames and silence >= self._rules.stall_s:
                    lost = Lost("stall", f"no message for {silence:.0f} s", move=True)
                    raise LostError(lost) from None
            finally:
                self._take(frames)
            if frames:
                heard = self._context.monotonic()

    def _take(self, frames: list[bytes]) -> None:
        if not frames:
            return
        events: list[Event] = []
        try:
            for frame in frames:
                self._context.status.received_bytes += len(frame)
                events += self._events(frame)
        finally:
            self._put(events)

    def _events(self, frame: bytes) -> list[Event]:
        """Return what to pass on for a frame: its event, possibly with a gap before it, or nothing."""
        try:
            content = self._dictionary.decompress(frame) if self._dictionary else frame
            message = read_frame(content)
        except TooLargeError as error:
            return [unreadable(frame, f"size: {error}", self._cursor_text())]
        except zstandard.ZstdError as error:
            self._give_up_compression()
            raise LostError(Lost("compression", f"a frame cannot be decompressed: {error}", 0.0)) from None
        except ValueError as error:
            return [unreadable(content, str(error), self._cursor_text())]
        if message.kind == "error":
            raise LostError(loss_of(message))
        if message.kind == "info":
            self._informed(message)
            return []
        found = self._progress(message)
        cursor = self._tracker.cursor
        # the cursor stays behind a message that is ahead of this machine's clock, and the clock may be what is wrong
        seen_us = max(cursor.time_us if cursor else 0, message.time_us)
        event = self._mapper.event(message, content, self._cursor_text(), seen_us)
        return [*found, event] if event else found

    def _progress(self, message: JetstreamMessage) -> list[Event]:
        """Advance the cursor; return a gap if the stream did not resume where it should have."""
        found: list[Event] = []
        if not is_placed(message, self._now_us()):
            return found
        if self._resuming:
            self._resuming = False
            answer = self._tracker.resumed(message)
            if answer == "elsewhere":
                self._tracker.forget_host()
                raise LostError(Lost("another-server", "the numbers belong to another server; asking by time", 0.0))
            if answer == "clamped":
                found.append(self._gap(self._tracker.unseen(message)))
        if self._tracker.advance(message):
            self._news, self._leave_out_large = True, False
        return found

    def _gap(self, missed: Span) -> Event:
        begin_us, end_us = missed
        _log.warning("%s no longer has %.0f s of posts; they are lost", self.host, (end_us - begin_us) / 1e6)
        gap = self._watch.missed(begin_us // 1000, end_us // 1000, "clamped")
        return gap._replace(cursor=self._cursor_text())

    def _put(self, events: list[Event]) -> None:
        """Put events into the inbox, waiting while it is full."""
        posts = sum(event.kind == "post" for event in events)
        at_ms = self._watch.alive(posts, handed_on=False)
        before = self._context.monotonic()
        self._inbox.put([ReceivedEvents(events, at_ms)])
        self._held_up_s = max(self._held_up_s, self._context.monotonic() - before)

    def _recover(self, lost: Lost) -> None:
        """Report what happened, choose the next host and wait."""
        if self._news and self._context.monotonic() - self._opened >= STEADY_S:
            self._backoff.reset()
            self._attempts, seconds = 0, 0.0
        else:
            self._attempts += lost.wait_s != 0
            seconds = self._backoff.network() if lost.wait_s is None else lost.wait_s
        left = self.host
        if lost.move or self._attempts >= ATTEMPTS_A_HOST:
            self._host = (self._host + 1) % len(self._addresses.hosts)
            self._attempts = 0
        sentence = f"{left}: {lost.sentence}; " + (f"trying {self.host}" if self.host != left else "reconnecting")
        self._watch.lost(lost.cause, sentence + (f" in {seconds:.1f} s" if seconds else ""))
        _log.warning("%s", self._context.status.sentence)
        if seconds:
            (self._context.pause or self._closed.wait)(seconds)

    def _rejected(self, response: Response) -> Lost:
        """Handle a response that is not a stream. Raises ConfigurationError if every host rejects us from the start."""
        answer = Answer(response.status_code, response.headers, bytes(response.body or b""))
        sentence = f"answered {answer.status}" + (f" ({answer.body_text()})" if answer.body else "")
        name = error_name(answer.body)
        if name == "CursorTooOld" and self._tracker.forget_number():
            return Lost("cursor-too-old", "no longer has the cursor; asking by time", 0.0)
        if name == "UnknownZstdDictionary" and self._dictionary:
            self._dictionary.rejected_by(self.host)
            return Lost("compression", "uses another dictionary", 0.0)
        if answer.status in RATE_LIMITED:
            seconds = self._backoff.rate_limit(reset_in_s(answer.headers, self._context.now_ms()))
            return Lost("rate-limit", sentence, seconds, move=True)
        if 400 <= answer.status < 500 and answer.status not in BUSY:
            self._rejected_by.add(self.host)
            if not self._was_connected and self._rejected_by.issuperset(self._addresses.hosts):
                raise ConfigurationError(wrong_settings_sentence(self.host, sentence))
            return Lost(f"http-{answer.status}", sentence, self._backoff.http(), move=True)
        return Lost(f"http-{answer.status}", sentence, self._backoff.http())

    def _hung_up(self, error: ConnectionClosed) -> Lost:
        sent = error.sent.code if error.sent else None
        if sent == CloseCode.MESSAGE_TOO_BIG and not self._leave_out_large:
            self._leave_out_large = True
            after = self._tracker.cursor.place if self._tracker.cursor else self.host
            reason = f"size: a frame over {self._max_bytes} bytes, after {after}"
            self._put([unreadable(after.encode(), reason, self._cursor_text())])
            return Lost("too-large", "sent a frame that is too large; asking to omit such frames", 0.0)
        if self._held_up_s >= SLOW_S:
            return Lost("slow", f"hung up after we blocked it for {self._held_up_s:.0f} s")
        if sent == CloseCode.INTERNAL_ERROR:
            return Lost("stall", "does not answer pings", move=True)
        return Lost("network", f"hung up ({error})")

    def _informed(self, message: JetstreamMessage) -> None:
        self._tracker.outdated = self._tracker.outdated or message.body.get("name") == "OutdatedCursor"
        _log.info("%s: %s: %s", self.host, message.body.get("name"), str(message.body.get("message"))[:300])

    def _give_up_compression(self) -> None:
        if self._dictionary:
            self._dictionary.give_up()
        self._dictionary = None

    def _cursor_text(self) -> str:
        return self._tracker.cursor.text() if self._tracker.cursor else ""

    def _now_us(self) -> int:
        return self._context.now_ms() * 1000
