"""One long HTTP answer, read line by line and held by the rules of those who send it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

import requests
import urllib3

from producer.receiving.answers import BROKEN, CONNECT_TIMEOUT_S, IMPOSSIBLE, Answer, reset_in_s, root_cause_sentence
from producer.receiving.gaps import GapWatch
from producer.receiving.inbox import Inbox
from producer.receiving.lines import LineBuffer
from producer.receiving.rules import RATE_LIMITED, Backoff, WaitRules
from producer.source import Context, Event
from twitter_topics.errors import ConfigurationError

CHUNK_BYTES = 64 * 1024
POLL_S = 0.5
JOIN_S = 2.0
STEADY_S = 10.0
"""A connection that lasted less does not earn another free attempt: a server that takes us and hangs up at once would
be called without a pause."""
FATAL_AFTER = 3
"""Refusals for good in a row that are believed after a healthy connection: a server in trouble has said 401 before."""
SLOW_S = 5.0
"""When the reader had to wait so long for us before a break, the server hung up because we were slow."""

STALLED = (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError)

_log = logging.getLogger(__name__)

Timeouts = tuple[float, float]


class Pause(NamedTuple):
    """Do not connect for so many seconds. `cause` as in a gap, `sentence` for the status."""

    seconds: float
    cause: str
    sentence: str


class Rejection(NamedTuple):
    """What an answer other than 200 means, where the engine's own reading of the status would be wrong.

    `fatal`: no repetition changes it. `heed_reset`: the reset time in the headers is about this rejection.
    """

    sentence: str
    fatal: bool = False
    heed_reset: bool = True


class _ReceivedLines:
    """What one read brought, when, and on which connection. Its length is the memory it takes, about."""

    __slots__ = ("_size", "at_ms", "connection", "lines")

    def __init__(self, lines: list[bytes | Event], at_ms: int, connection: int) -> None:
        self.lines, self.at_ms, self.connection = lines, at_ms, connection
        self._size = sum(64 + len(line if isinstance(line, bytes) else line.value) for line in lines)

    def __len__(self) -> int:
        return self._size


def is_object(line: bytes) -> bool:
    """Whether a line looks like a JSON object: what counts as a post for the rate."""
    return line[:1] == b"{"


class HttpStream:
    """Connects, reads and connects again in a thread of its own; `lines()` hands on in the caller's thread.

    Args:
        connect: makes the request with `timeout=` what it is given, `stream=True`, and should not follow redirects.
            Name resolution and TCP are fresh each time: the connection is not kept.
        rules: waits and the silence that counts as broken.
        fatal: by status, the sentence for an answer that no repetition changes. Believed at once at the first
            connection, after a healthy one when it comes three times in a row.
        gaps: told of each loss and return, by the reading thread.
        context: its `stop` ends the stream; its `pause`, when given, stands for every wait.
        name: of the stream, for log and thread.
        counts_as_post: which lines count for the rate of posts.
        explain: may read an answer other than 200 better than `fatal` and the rules do; None leaves it to them.
        may_connect: asked before each attempt; a Pause is waited for, then it is asked again.
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
        explain: Callable[[Answer], Rejection | None] = lambda _: None,
        may_connect: Callable[[], Pause | None] = lambda: None,
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
        self._backoff = Backoff(rules, context.random)
        self._inbox: Inbox[_ReceivedLines] = Inbox()
        self._closed, self._ended = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._response: requests.Response | None = None
        self._hung_up: tuple[str, str] | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._read, name=name, daemon=True)
        self._was_healthy = False
        self._brief = self._fatal_in_a_row = 0
        self._held_up_s = 0.0
        self._connection = 0
        self.connection = 0
        """Number of the one that brought the line handed on last: what it cut off is not continued by the next."""

    def lines(self) -> Iterator[bytes | Event | None]:
        """Lines without their ends (an empty one is a keep-alive), gaps and over-long lines as events, None when
        nothing came for half a second. Ends when stopped or closed, after what had been received. Call it once.

        Raises:
            ConfigurationError: the server gave an answer that no repetition changes, or the request cannot be made.
        """
        self._thread.start()
        try:
            while True:
                if self._context.stop.is_set():
                    self.close()
                ended = self._ended.is_set()
                batches = self._inbox.take(POLL_S)
                for batch in batches:
                    self.connection = batch.connection
                    yield from batch.lines
                    self._gaps.handed_on(batch.at_ms)
                if not batches:
                    if ended:
                        break
                    yield None
        finally:
            self.close()
        if self._error is not None:
            raise self._error

    def hang_up(self, cause: str, sentence: str) -> None:
        """Break the present connection, if there is one, and connect again by the rules. What it had brought stays."""
        with self._lock:
            if self._response is not None:
                self._hung_up = (cause, sentence)
                _shut_down(self._response)

    def close(self) -> None:
        """Hang up for good. A reader that waits for a name, a connection or a first answer ends with that wait."""
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
        """Closing ends it too; `lines` sees `stop` and closes."""
        return (self._context.pause or self._closed.wait)(seconds)

    def _attempt(self) -> float:
        """One connection, from its opening to its end; returns how long to wait before the next."""
        try:
            response = self._connect((CONNECT_TIMEOUT_S, self._rules.stall_s))
        except IMPOSSIBLE:
            # without its cause: requests shows the header, and with it the secret
            msg = f"{self._name}: the address or a credential holds characters that HTTP does not allow"
            raise ConfigurationError(msg) from None
        except BROKEN as error:
            return self._broken(error)
        connection = response.raw.connection
        try:
            with self._lock:
                self._response, self._hung_up = response, None
                self._connection += 1
            if response.status_code != requests.codes.ok or _is_page(response):
                return self._rejected(Answer.of(response))
            return self._receive(response)
        finally:
            with self._lock:
                self._response = None
            response.close()
            if connection is not None:
                connection.close()  # an answer that was read to its end has given it back to a pool

    def _receive(self, response: requests.Response) -> float:
        """Read to the end; returns how long to wait then."""
        opened_ms, opened = self._context.now_ms(), self._context.monotonic()
        buffer = LineBuffer()
        healthy, self._held_up_s = False, 0.0
        problem: Exception | str = "the server ended it"
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
            _log.warning("%s: a line was cut off after %d bytes", self._name, buffer.pending)
        return self._broken(problem, self._context.monotonic() - opened if healthy else None)

    def _is_healthy(self, opened_ms: int) -> None:
        """A first byte came: the connection has been good since it was opened."""
        self._was_healthy = True
        self._fatal_in_a_row = 0
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
        if self._closed.is_set():
            return 0.0
        cause, sentence = "network", problem if isinstance(problem, str) else root_cause_sentence(problem)
        if self._hung_up:
            cause, sentence = self._hung_up
        elif lasted_s is not None and self._held_up_s >= SLOW_S:
            cause, sentence = "slow", f"{sentence}, after we had kept it waiting"
        elif isinstance(problem, STALLED):
            cause, sentence = "stall", f"silent for {self._rules.stall_s:.0f} s"
        seconds = self._after(lasted_s)
        self._gaps.lost(cause, f"{self._name}: {sentence}")
        _log.warning("%s: %s; next attempt in %.2f s, what passes until then is missed", self._name, sentence, seconds)
        return seconds

    def _after(self, lasted_s: float | None) -> float:
        """At once after a healthy connection, unless it is one of several brief ones."""
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
        rejection = self._explain(answer)
        if rejection is None:
            known = self._fatal.get(answer.status)
            page = "a web page, no stream: is the address right?" if answer.status == requests.codes.ok else ""
            rejection = Rejection(known or page, fatal=known is not None)
        says = answer.body_text()
        sentence = f"the stream answered {answer.status}" + (f": {rejection.sentence}" if rejection.sentence else "")
        sentence += f" (it says: {says})" if says else ""
        if rejection.fatal:
            self._fatal_in_a_row += 1
            if not self._was_healthy or self._fatal_in_a_row >= FATAL_AFTER:
                raise ConfigurationError(sentence)
        else:
            self._fatal_in_a_row = 0
        if answer.status in RATE_LIMITED:
            reset = reset_in_s(answer.headers, self._context.now_ms()) if rejection.heed_reset else None
            cause, seconds = "rate-limit", self._backoff.rate_limit(reset)
        else:
            cause, seconds = f"http-{answer.status}", self._backoff.http()
        self._gaps.lost(cause, f"{self._name}: {sentence}")
        _log.warning("%s: %s; next attempt in %.0f s", self._name, sentence, seconds)
        return seconds


def _is_page(response: requests.Response) -> bool:
    """A landing page, or the one that says that the service is being maintained."""
    return response.headers.get("Content-Type", "").lower().startswith("text/html")


def _shut_down(response: requests.Response) -> None:
    """Wake whoever reads it. It may have ended by itself."""
    with suppress(OSError, ValueError, RuntimeError):
        response.raw.shutdown()
