"""A long-lived HTTP response, read line by line and kept alive by the network's rules."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

import requests
import urllib3

from producer.receiving.gaps import GapWatch
from producer.receiving.inbox import Inbox
from producer.receiving.lines import LineBuffer
from producer.receiving.rules import RATE_LIMITED, Backoff, WaitRules
from producer.source import Context, Event
from twitter_topics.backends.http_answers import (
    BROKEN,
    CONNECT_TIMEOUT_S,
    IMPOSSIBLE,
    Answer,
    is_page,
    reset_in_s,
    root_cause_sentence,
)
from twitter_topics.errors import ConfigurationError

CHUNK_BYTES = 64 * 1024
POLL_S = 0.5
JOIN_S = 2.0
STEADY_S = 10.0
"""A shorter connection does not earn another immediate attempt: otherwise a server that accepts and hangs up at once
would be called without pause."""
FATAL_AFTER_S = 1800.0
"""How long a fatal rejection must last to be believed after a healthy connection, since nothing restarts the producer
then: servers in trouble, and proxies on the way, have been seen to answer 401, 403 and 404."""
SLOW_S = 5.0
"""If the reader was blocked this long before a disconnect, the server hung up because we were slow."""

STALLED = (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError)

_log = logging.getLogger(__name__)

Timeouts = tuple[float, float]


class Pause(NamedTuple):
    """Do not connect for `seconds`. `cause` is that of the gap, `sentence` goes into the status."""

    seconds: float
    cause: str
    sentence: str


class RejectedResponse(NamedTuple):
    """What a response other than 200 means, where the status code alone would mislead.

    `fatal`: no retry fixes it. `heed_reset`: the reset time in the headers refers to this rejection.
    """

    sentence: str
    fatal: bool = False
    heed_reset: bool = True


class _ReceivedLines:
    """The lines of one read, its time and its connection. `len` is the approximate memory it takes."""

    __slots__ = ("_size", "at_ms", "connection", "lines")

    def __init__(self, lines: list[bytes | Event], at_ms: int, connection: int) -> None:
        self.lines, self.at_ms, self.connection = lines, at_ms, connection
        self._size = sum(64 + len(line if isinstance(line, bytes) else line.value) for line in lines)

    def __len__(self) -> int:
        return self._size


def is_object(line: bytes) -> bool:
    """Whether a line looks like a JSON object, which counts as a post in the rate."""
    return line[:1] == b"{"


class HttpStream:
    """Connects, reads and reconnects in its own thread; `lines()` passes lines on in the caller's thread.

    Args:
        connect: sends the request with the given timeouts and `stream=True`, and should not follow redirects. Name
            resolution and TCP are fresh each time: the connection is not reused.
        rules: waits, and the silence that means a lost connection.
        fatal: by status, the sentence for a response that no retry fixes. Before the first healthy connection it
            is believed at once, later when nothing else has come for half an hour.
        gaps: informed of each loss and return, by the reading thread.
        context: its `stop` ends the stream; its `pause`, if given, replaces every wait.
        name: of the stream, for log and thread.
        counts_as_post: which lines count in the post rate.
        explain: may interpret a response other than 200 better than `fatal` and the rules; None leaves it to them.
        may_connect: called before each attempt; after waiting for the Pause it returns, it is called again.
        html_counts: whether the server itself speaks HTML when it rejects us. Otherwise a web page is from a proxy on
            the way, and never fatal.
    """

    def __init__(
        self,
        connect: Callable[[Timeouts], requests.Response],
        rules: WaitRules,
        fatal: Mapping[int, str],
        gaps: GapWatch,
        context: Context,
        *,
        name: str = "stream",
        counts_as_post: Callable[[bytes], bool] = is_object,
        explain: Callable[[Answer], RejectedResponse | None] = lambda _: None,
        may_connect: Callable[[], Pause | None] = lambda: None,
        html_counts: bool = False,
    ) -> None:
        self._connect = connect
        self._rules = rules
        self._fatal = fatal
        self._gaps = gaps
        self._context = context
        self._name = name
        self._counts = counts_as_post
        self._explain = explain
        self._may_connect = may_connect
        self._html_counts = html_counts
        self._backoff = Backoff(rules, context.random)
        self._inbox: Inbox[_ReceivedLines] = Inbox()
        self._closed, self._ended = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._response: requests.Response | None = None
        self._hung_up: tuple[str, str] | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._read, name=name, daemon=True)
        self._was_healthy = False
        self._brief = 0
        self._fatal_since: float | None = None
        self._held_up_s = 0.0
        self._connection = 0
        self.connection = 0
        """Number of the connection of the last line passed on: the next one does not continue a line it cut off."""

    def lines(self) -> Iterator[bytes | Event | None]:
        """Yield lines without line ends (an empty one is a keep-alive), gaps and over-long lines as events, and None
        after half a second without data. Ends when stopped or closed, after everything received. Call it once.

        Raises:
            ConfigurationError: the server gave a response that no retry fixes, or the request is invalid.
        """
        self._thread.start()
        try:
            for batch in self._inbox.items(POLL_S, self._has_ended):
                if batch is None:
                    yield None
                    continue
                self.connection = batch.connection
                yield from batch.lines
                self._gaps.handed_on(batch.at_ms)
        finally:
            self.close()
        if self._error is not None:
            raise self._error

    def _has_ended(self) -> bool:
        """Close if asked to stop; return whether nothing more can come."""
        if self._context.stop.is_set():
            self.close()
        return self._closed.is_set() or self._ended.is_set()

    def hang_up(self, cause: str, sentence: str) -> None:
        """Drop the current connection, if any, and reconnect by the rules. Lines already received are kept."""
        with self._lock:
            if self._response is not None:
                self._hung_up = (cause, sentence)
                _shut_down(self._response)

    def close(self) -> None:
        """Hang up for good. A reader waiting for name resolution, a connection or a response ends after that wait."""
        self._closed.set()
        self._inbox.close()
        with self._lock:
            if self._response is not None:
                _shut_down(self._response)
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(JOIN_S)
        self._context.status.connected = False

    def _read(self) -> None:
        try:
            while not self._closed.is_set():
                pause = self._may_connect()
                if pause is None:
                    seconds = self._attempt()
                else:
                    self._gaps.paused(pause.cause, pause.sentence)
                    _log.warning("%s: %s; waiting %.0f s", self._name, pause.sentence, pause.seconds)
                    seconds = pause.seconds
                if seconds > 0 and not self._closed.is_set() and self._wait(seconds):
                    break
        except Exception as error:  # noqa: BLE001 - raised again by `lines`, in the thread that can end the process
            self._error = error
        finally:
            self._ended.set()
            self._inbox.close()

    def _wait(self, seconds: float) -> bool:
        """Wait; closing ends the wait too, because `lines` sees `stop` and closes."""
        return (self._context.pause or self._closed.wait)(seconds)

    def _attempt(self) -> float:
        """Run one connection from opening to end; return how long to wait before the next."""
        self._hung_up = None
        try:
            response = self._connect((CONNECT_TIMEOUT_S, self._rules.stall_s))
        except IMPOSSIBLE:
            # without its cause: requests would show the header, and with it the secret
            msg = f"{self._name}: the address or a credential contains characters that HTTP does not allow"
            raise ConfigurationError(msg) from None
        except BROKEN as error:
            return self._broken(error)
        connection = response.raw.connection
        try:
            with self._lock:
                self._response = response
                self._connection += 1
            if response.status_code != requests.codes.ok or is_page(response.headers):
                return self._rejected(Answer.of(response))
            return self._receive(response)
        finally:
            with self._lock:
                self._response = None
            response.close()
            if connection is not None:
                connection.close()  # a response read to its end has returned it to a pool

    def _receive(self, response: requests.Response) -> float:
        """Read to the end; return how long to wait then."""
        opened_ms, opened = self._context.now_ms(), self._context.monotonic()
        buffer = LineBuffer()
        healthy, self._held_up_s = False, 0.0
        problem: Exception | str = "the server ended the response"
        try:
            while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
                if self._closed.is_set() or self._hung_up:
                    break
                if not healthy:
                    healthy = True
                    self._is_healthy(opened_ms)
                self._context.status.received_bytes += len(chunk)
                lines = buffer.feed(chunk)
                posts = sum(isinstance(line, bytes) and self._counts(line) for line in lines)
                at_ms = self._gaps.alive(posts, handed_on=False)
                if lines and not self._put(lines, at_ms):
                    break
        except BROKEN as error:
            problem = error
        if buffer.pending and not self._closed.is_set():
            _log.warning("%s: dropped a line cut off after %d bytes", self._name, buffer.pending)
        return self._broken(problem, self._context.monotonic() - opened if healthy else None)

    def _is_healthy(self, opened_ms: int) -> None:
        """The first byte arrived: the connection has been healthy since it was opened."""
        self._was_healthy = True
        gap = self._gaps.connected(opened_ms)
        if gap is not None:
            self._put([gap], opened_ms)

    def _put(self, lines: list[bytes | Event], at_ms: int) -> bool:
        before = self._context.monotonic()
        taken = self._inbox.put([_ReceivedLines(lines, at_ms, self._connection)])
        self._held_up_s = max(self._held_up_s, self._context.monotonic() - before)
        return taken

    def _broken(self, problem: Exception | str, lasted_s: float | None = None) -> float:
        """The connection failed, or ended after `lasted_s` healthy seconds."""
        self._fatal_since = None
        if self._closed.is_set():
            return 0.0
        cause, sentence = "network", problem if isinstance(problem, str) else root_cause_sentence(problem)
        if self._hung_up:
            cause, sentence = self._hung_up
        elif lasted_s is not None and self._held_up_s >= SLOW_S:
            cause, sentence = "slow", f"{sentence}, after we read too slowly"
        elif isinstance(problem, STALLED):
            cause, sentence = "stall", f"silent for {self._rules.stall_s:.0f} s"
        seconds = self._after(lasted_s)
        self._gaps.lost(cause, f"{self._name}: {sentence}")
        _log.warning("%s: %s; reconnecting in %.2f s, posts until then are missed", self._name, sentence, seconds)
        return seconds

    def _after(self, lasted_s: float | None) -> float:
        """Return the wait: none after a healthy connection, unless it is one of several brief ones."""
        if lasted_s is None:
            return self._backoff.network()
        self._brief = self._brief + 1 if lasted_s < STEADY_S else 0
        if self._brief > 1:
            return self._backoff.network()
        self._backoff.reset()
        return 0.0

    def _rejected(self, answer: Answer) -> float:
        if self._closed.is_set():
            return 0.0
        rejection = self._explain(answer) or RejectedResponse(
            self._fatal.get(answer.status, ""), fatal=answer.status in self._fatal
        )
        misleads = rejection.fatal and not self._html_counts
        if answer.is_page and (misleads or answer.status == requests.codes.ok):
            rejection = RejectedResponse("a web page, not the stream: check the address, and any proxy on the way")
        body = answer.body_text()
        sentence = f"the stream answered {answer.status}" + (f": {rejection.sentence}" if rejection.sentence else "")
        sentence += f" (response: {body})" if body else ""
        if not rejection.fatal:
            self._fatal_since = None
        elif self._is_final():
            raise ConfigurationError(sentence)
        if answer.status in RATE_LIMITED:
            reset = reset_in_s(answer.headers, self._context.now_ms()) if rejection.heed_reset else None
            cause, seconds = "rate-limit", self._backoff.rate_limit(reset)
        else:
            cause, seconds = f"http-{answer.status}", self._backoff.http()
        self._gaps.lost(cause, f"{self._name}: {sentence}")
        _log.warning("%s: %s; reconnecting in %.0f s", self._name, sentence, seconds)
        return seconds

    def _is_final(self) -> bool:
        """Whether to believe a fatal rejection that came now."""
        now = self._context.monotonic()
        if self._fatal_since is None:
            self._fatal_since = now
        return not self._was_healthy or now - self._fatal_since >= FATAL_AFTER_S


def _shut_down(response: requests.Response) -> None:
    """Wake the thread that reads it. The response may have ended by itself."""
    with suppress(OSError, ValueError, RuntimeError):
        response.raw.shutdown()
