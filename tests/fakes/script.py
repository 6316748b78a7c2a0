"""Streams that follow a script: for each connection the server's steps, including faults.

FakeTwitter([
    [posts(2), half(), reset],            # the first connection
    [status(429, {"x-rate-limit-reset": "1790000000"})],
    [posts(3), again(1), keep_open],      # the third; the last list also serves all later connections
])
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from tests.fakes.http import Connection, HttpServer, Request

KEEP_ALIVE_S = 0.1


class ScriptedServer:
    """A streaming server for one network. `sent_ids`: posts written completely, in order, each once (a client may have
    one slightly earlier). `written`: bytes of all streams.

    Args:
        script: steps by connection; the last list also serves all later connections.
        number: total number of posts; `posts` beyond it sends none. 0 = unlimited.
    """

    keep_alive = b"\r\n"

    def __init__(self, script: Sequence[Sequence[Step]], number: int = 0) -> None:
        self._script = script
        self._number = number
        self._lock = threading.Lock()
        self._next = 0
        self.connections = 0
        self.written = 0
        self.sent_ids: list[str] = []
        self.http = HttpServer(self._serve)

    @property
    def url(self) -> str:
        return self.http.url

    @property
    def requests(self) -> list[Request]:
        return self.http.requests

    @property
    def stream_requests(self) -> list[Request]:
        return [request for request in self.requests if self.is_stream(request)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def post_id(self, number: int) -> str:
        """Return its id on the wire."""
        raise NotImplementedError

    def post(self, number: int, length: int = 0) -> bytes:
        """Return a generated post as this network's JSON, at least `length` bytes long."""
        raise NotImplementedError

    def frame(self, message: bytes, request: Request) -> bytes:
        """Return the message as it appears in the stream."""
        raise NotImplementedError

    def is_stream(self, request: Request) -> bool:
        raise NotImplementedError

    def admit(self, connection: Connection) -> bool:
        """Whether the credentials are valid; answers 401 when not."""
        raise NotImplementedError

    def answer(self, connection: Connection) -> None:
        """Answer a request that is not for the stream."""
        raise NotImplementedError

    def opening(self, stream: Stream) -> None:
        """Write the server's first bytes."""

    def take(self) -> int | None:
        """Return the number of the next post never sent completely; None when all were."""
        with self._lock:
            return None if self._number and self._next >= self._number else self._next

    def sent(self, number: int) -> None:
        with self._lock:
            self._next = number + 1
            self.sent_ids.append(self.post_id(number))

    def _serve(self, connection: Connection) -> None:
        if not self.admit(connection):
            return
        if not self.is_stream(connection.request):
            self.answer(connection)
            return
        with self._lock:
            steps = self._script[min(self.connections, len(self._script) - 1)]
            self.connections += 1
        stream = Stream(self, connection)
        for step in steps:
            step(stream)


class Stream:
    """One scripted connection."""

    def __init__(self, server: ScriptedServer, connection: Connection) -> None:
        self.server = server
        self.connection = connection
        self._is_open = False

    def write(self, content: bytes) -> None:
        if not self._is_open:
            self._is_open = True
            self.connection.open()
            self.server.opening(self)
        if content:
            self.server.written += len(content)
            self.connection.chunk(content)

    def message(self, message: bytes) -> None:
        self.write(self.server.frame(message, self.connection.request))


Step = Callable[[Stream], None]


def posts(number: int, length: int = 0) -> Step:
    """Send the next posts, one chunk each."""

    def step(stream: Stream) -> None:
        for _ in range(number):
            if (next_one := stream.server.take()) is None:
                return
            stream.message(stream.server.post(next_one, length))
            stream.server.sent(next_one)

    return step


def again(number: int) -> Step:
    """Repeat the last posts."""

    def step(stream: Stream) -> None:
        end = len(stream.server.sent_ids)
        for sent in range(max(0, end - number), end):
            stream.message(stream.server.post(sent))

    return step


def half(share: float = 0.5) -> Step:
    """Send the beginning of the next post. It does not count as sent."""

    def step(stream: Stream) -> None:
        if (next_one := stream.server.take()) is not None:
            whole = stream.server.frame(stream.server.post(next_one), stream.connection.request)
            stream.write(whole[: int(len(whole) * share)])

    return step


def dribble(size: int) -> Step:
    """Send the next post in chunks of this many bytes."""

    def step(stream: Stream) -> None:
        if (next_one := stream.server.take()) is not None:
            whole = stream.server.frame(stream.server.post(next_one), stream.connection.request)
            for begin in range(0, len(whole), size):
                stream.write(whole[begin : begin + size])
            stream.server.sent(next_one)

    return step


def message(content: bytes) -> Step:
    """Send a message other than a post."""
    return lambda stream: stream.message(content)


def raw(content: bytes) -> Step:
    """Send raw bytes."""
    return lambda stream: stream.write(content)


def keep_alive(stream: Stream) -> None:
    stream.write(stream.server.keep_alive)


def keep_open(stream: Stream) -> None:
    """Send only keep-alives until the server is closed or the client hangs up."""
    keep_alive(stream)
    while not stream.connection.end.wait(KEEP_ALIVE_S):
        keep_alive(stream)


def stall(stream: Stream) -> None:
    """Send nothing more."""
    stream.write(b"")
    stream.connection.hold()


def silent(stream: Stream) -> None:
    """Send nothing, not even a status."""
    stream.connection.hold()


def end(stream: Stream) -> None:
    """End the response properly."""
    stream.write(b"")
    stream.connection.finish()


def cut(stream: Stream) -> None:
    """Close without ending the chunks."""
    stream.write(b"")


def reset(stream: Stream) -> None:
    """Tear down the connection with a TCP reset. Bytes the client has not read yet may be lost."""
    stream.write(b"")
    stream.connection.reset()


def hang_up(stream: Stream) -> None:
    """Tear down the connection instead of answering."""
    stream.connection.reset()


def status(code: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Step:
    """Answer with another status than 200."""
    return lambda stream: stream.connection.answer(code, body, headers)


def too_short(content: bytes) -> Step:
    """Answer with fewer bytes than announced."""
    return status(200, {"Content-Length": str(len(content) + 100)}, content)


def no_chunk(stream: Stream) -> None:
    """Send something else in place of a chunk length."""
    stream.write(b"")
    stream.connection.garbage(b"not a length\r\n")


def do(action: Callable[[], object]) -> Step:
    """Run anything in the server's thread: set a flag, move a clock."""

    def step(_: Stream) -> None:
        action()

    return step


BRIEF_FAULTS: tuple[tuple[Step, ...], ...] = (
    (half(), reset),
    (end,),
    (half(0.9), cut),
    (again(3), keep_alive, reset),
    (cut,),
)
"""Ends of connections after which a client may reconnect immediately, or nearly so."""


def stormy(number: int, per_connection: int = 20, faults: Sequence[Sequence[Step]] = BRIEF_FAULTS) -> list[list[Step]]:
    """Return a script that delivers `number` posts over as many connections as needed, each ending with the next fault;
    the last one stays open. After a fault, a connection first repeats what the previous one sent, because a reset may
    have discarded it: every post arrives at least once."""
    script: list[list[Step]] = []
    for begin in range(0, number, per_connection):
        fault = faults[len(script) % len(faults)]
        script.append([again(per_connection), posts(min(per_connection, number - begin)), *fault])
    return [*script, [again(per_connection), posts(number), keep_open]]


class FakeClock:
    """A clock that advances only by waiting. `waits`: each requested wait, in seconds."""

    def __init__(self, now_ms: int = 1_790_000_000_000) -> None:
        self._now_ms = now_ms
        self._elapsed = 0.0
        self.waits: list[float] = []

    def now_ms(self) -> int:
        return self._now_ms + round(self._elapsed * 1000)

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        self._elapsed += seconds

    def pause(self, seconds: float) -> bool:
        self.waits.append(round(seconds, 6))
        self._elapsed += seconds
        return False


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    """Check that no thread outlives the block. (A socket that does raises a ResourceWarning, which is an error.)"""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 10
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not left, f"threads left: {left}"
