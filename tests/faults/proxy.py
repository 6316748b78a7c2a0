"""A proxy on 127.0.0.1 between a client and a server, which misbehaves on demand.

TCP: a delay, an unreachable server, a server that never answers. HTTP: the nth request that a rule matches gets another
status, is held, is cut, or is applied while its reply is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

_T = TypeVar("_T")
_CHUNK = 64 * 1024
_LONGEST_HEAD = 256 * 1024


class Network(Enum):
    """How the proxy treats all connections."""

    FINE = "fine"
    UNREACHABLE = "unreachable"
    """Connections are refused; open ones are reset."""
    SILENT = "silent"
    """Connections stay or become open, and nothing is passed on. Healing resets them."""
    MUTE = "mute"
    """Everything arrives at the server, and no reply comes back. Healing resets the connections."""


class Do(Enum):
    """What happens to a request."""

    ANSWER = "answer"
    """It is not passed on; the client gets the rule's status."""
    CUT = "cut"
    """It is not passed on; the connection is closed."""
    HOLD = "hold"
    """It waits until `Rule.release`, then it is passed on."""
    LOSE_REPLY = "lose reply"
    """It is passed on; when the server answers, the connection is closed instead."""


@dataclass
class Rule:
    """Acts on requests whose line (`PUT /bucket/key HTTP/1.1`) matches: on the `nth`, and on `times` of them in all.

    With `after`, only those count that follow a request matching that pattern.
    """

    pattern: str
    do: Do
    nth: int = 1
    times: int = 1
    status: int = 503
    body: bytes = b""
    after: str = ""
    seen: int = field(default=0, init=False)
    acted: int = field(default=0, init=False)
    lines: list[str] = field(default_factory=list, init=False)
    """The request lines on which it acted."""
    reached: threading.Event = field(default_factory=threading.Event, init=False)
    """The first action is due; one that loses a reply has lost it."""
    _released: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    _dropped: bool = field(default=False, init=False)

    def takes(self, line: str) -> bool:
        """Return whether it acts on this request. In the proxy's thread."""
        if self.after and re.search(self.after, line):
            self.after = ""
            return False
        if self.after or self.acted >= self.times or not re.search(self.pattern, line):
            return False
        self.seen += 1
        if self.seen < self.nth:
            return False
        self.acted += 1
        self.lines.append(line)
        self._loop = asyncio.get_running_loop()
        return True

    async def wait(self) -> bool:
        """Wait until held requests are released; return whether they are passed on."""
        await self._released.wait()
        return not self._dropped

    def drop(self) -> None:
        """Close the connections of held requests. From any thread."""
        self._dropped = True
        self.release()

    def release(self) -> None:
        """Let held requests go on. From any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._released.set)


class Proxy:
    """Forwards a port to `127.0.0.1:target`. Methods may be called from any thread.

    Args:
        http: parse requests, so that rules apply.
    """

    def __init__(self, target: int, *, http: bool = True) -> None:
        self.target, self.http = target, http
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy of {target}", daemon=True)
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()
        self._network = Network.FINE
        self.rules: list[Rule] = []
        self.delay = 0.0
        """Seconds before anything is passed on."""
        self.port = 0

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def network(self) -> Network:
        return self._network

    @network.setter
    def network(self, value: Network) -> None:
        self._call(self._become(value))

    @contextmanager
    def rule(self, pattern: str, do: Do, **options: Any) -> Iterator[Rule]:
        """Apply a rule inside the block; held requests go on after it."""
        rule = Rule(pattern, do, **options)
        self.rules = [*self.rules, rule]
        try:
            yield rule
        finally:
            self.rules = [one for one in self.rules if one is not rule]
            rule.release()

    def _call(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=_LONGEST_HEAD)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _become(self, network: Network) -> None:
        before, self._network = self._network, network
        if network is Network.UNREACHABLE:
            await self._close()
        elif self._server is None:
            await self._listen()
        if network is Network.FINE and before is not Network.FINE:
            self._reset_all()  # their streams have gaps

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self._reset_all()
        while self._open:
            await asyncio.sleep(0.01)

    def _reset_all(self) -> None:
        for connection in list(self._open):
            connection.reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self, reader, writer)
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.discard(connection)


class _Connection:
    """One client's connection, and its own to the server."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy, self._reader, self._writer = proxy, reader, writer
        self._server_writer: asyncio.StreamWriter | None = None
        self._loses: Rule | None = None
        self._task: asyncio.Task[Any] | None = None

    def reset(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._writer.transport.abort()

    async def run(self) -> None:
        self._task = asyncio.current_task()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._run()
        for writer in (self._writer, self._server_writer):
            if writer is not None:
                writer.transport.abort()

    async def _run(self) -> None:
        target = "127.0.0.1", self._proxy.target
        server_reader, self._server_writer = await asyncio.open_connection(*target, limit=_LONGEST_HEAD)
        requests = self._requests() if self._proxy.http else self._bytes()
        work = [asyncio.ensure_future(requests), asyncio.ensure_future(self._replies(server_reader))]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            await self._writer.drain()
        finally:
            for one in work:
                one.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _bytes(self) -> None:
        while data := await self._reader.read(_CHUNK):
            await self._send(data)

    async def _requests(self) -> None:
        while True:
            head = await self._reader.readuntil(b"\r\n\r\n")
            line = head.partition(b"\r\n")[0].decode("latin-1")
            rule = next((one for one in self._proxy.rules if one.takes(line)), None)
            if rule is None:
                await self._send(head)
            elif rule.do is Do.CUT:
                rule.reached.set()
                return
            elif rule.do is Do.ANSWER:
                rule.reached.set()
                await self._answer(head, rule)
                continue
            elif rule.do is Do.HOLD:
                rule.reached.set()
                if not await rule.wait():
                    return
                await self._send(head)
            else:
                self._loses = rule
                if _expects_continue(head):
                    self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                await self._send(re.sub(rb"(?i)\r\nexpect:[^\r]*", b"", head))
            async for data in self._body(head):
                await self._send(data)

    async def _answer(self, head: bytes, rule: Rule) -> None:
        if _expects_continue(head):
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        async for _ in self._body(head):
            continue
        body = b"" if head.startswith(b"HEAD ") else rule.body
        self._writer.write(
            b"HTTP/1.1 %d Made up\r\nContent-Type: application/json\r\nX-Elastic-Product: Elasticsearch\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (rule.status, len(body), body)
        )
        await self._writer.drain()

    async def _body(self, head: bytes) -> Any:
        if re.search(rb"(?i)\r\ntransfer-encoding:[^\r]*chunked", head):
            size = -1
            while size != 0:
                line = await self._reader.readuntil(b"\r\n")
                size = int(line.partition(b";")[0], 16)
                yield line + await self._reader.readexactly(size + 2)
            return
        found = re.search(rb"(?i)\r\ncontent-length:\s*(\d+)", head)
        left = int(found[1]) if found else 0
        while left:
            data = await self._reader.read(min(left, _CHUNK))
            if not data:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(data)
            yield data

    async def _send(self, data: bytes) -> None:
        await asyncio.sleep(self._proxy.delay)
        if self._server_writer is not None and self._proxy.network is not Network.SILENT:
            self._server_writer.write(data)
            await self._server_writer.drain()

    async def _replies(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            if self._loses is not None:
                self._loses.reached.set()
                return
            await asyncio.sleep(self._proxy.delay)
            if self._proxy.network is Network.FINE:
                self._writer.write(data)
                await self._writer.drain()


def _expects_continue(head: bytes) -> bool:
    return re.search(rb"(?i)\r\nexpect:\s*100-continue", head) is not None
