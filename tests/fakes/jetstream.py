"""Local Jetstream hosts: a network of made-up posts, and servers that stream it on both wires.

    network = Network(100)
    with FakeJetstream(network, script=[[frames(3), reset], [status(503)]]) as host: …

Each connection runs the next list of the script; when none is left, connections are served to the end. Steps other than
`frames` are faults. Hosts that share a network number its events independently and see them at their own times, as the
real ones do.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self
from urllib.parse import parse_qs, urlsplit

import zstandard
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from tests.fakes.bluesky_network import Entry, Network, frame_of, to_json

V2_PATH = "/xrpc/network.bsky.jetstream.subscribeEvents"
DICTIONARY_PATH = "/xrpc/network.bsky.jetstream.getZstdDictionary"
PARAMETERS = {
    "/subscribe": {"wantedCollections", "wantedDids", "cursor", "compress", "maxMessageSizeBytes"},
    V2_PATH: {"kinds", "collections", "dids", "cursor", "zstdDictionary", "maxMessageSizeBytes"},
}

Step = Callable[["Stream"], None]


class Rejected(Exception):  # noqa: N818 - an answer, not an error
    def __init__(self, code: int, name: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.code, self.name, self.message, self.headers = code, name, message, headers or {}


@dataclass
class Stream:
    """One connection. `index`: the next entry to send."""

    host: FakeJetstream
    socket: ServerConnection
    path: str
    query: dict[str, list[str]]
    index: int
    clamped: bool
    sent: list[int] = field(default_factory=list)

    @property
    def v2(self) -> bool:
        return self.path == V2_PATH

    def matches(self, entry: Entry) -> bool:
        dids = self.query.get("dids" if self.v2 else "wantedDids")
        collections = self.query.get("collections" if self.v2 else "wantedCollections")
        if dids and entry.did not in dids:
            return False
        return entry.kind != "commit" or not collections or entry.body["collection"] in collections

    def send(self, number: int) -> None:
        """Yield the next frames, waiting for entries yet to come."""
        while number and not self.host.end.is_set():
            with self.host.network.changed:
                if self.index >= len(self.host.network.entries):
                    self.host.network.changed.wait(0.05)
                    continue
                entry = self.host.network.entries[self.index]
            if self.matches(entry) and self.send_entry(entry, self.index):
                number -= 1
            self.index += 1

    def send_entry(self, entry: Entry, index: int) -> bool:
        frame = self.host.frame(entry, index, self.v2)
        most = int(self.query.get("maxMessageSizeBytes", ["0"])[0])
        if most and len(frame) > most:
            return False
        self.send_frame(frame)
        self.sent.append(index)
        self.host.sent(entry)
        return True

    def send_frame(self, frame: bytes) -> None:
        if "zstdDictionary" in self.query:
            self.socket.send(self.host.compress(frame), text=False)
        else:
            self.socket.send(frame, text=True)


class FakeJetstream:
    """One host. Set BLUESKY_HOSTS to `url`.

    Args:
        network: the network it streams, or the number of posts in a new one.
        script: steps by connection.
        shift_us: how much later it sees everything.
        first_seq: its number of the first entry.
        look_back_us: older entries are dropped; None keeps all.
        dictionary: for zstd; empty offers none.

    Attributes:
        requests: path and query of every stream request, rejected ones included.
        sent_ids: posts sent completely, in the order of first sending.
    """

    def __init__(
        self,
        network: Network | int = 0,
        script: Iterable[Sequence[Step | Rejected]] = (),
        *,
        shift_us: int = 0,
        first_seq: int = 1,
        look_back_us: int | None = None,
        dictionary: bytes = b"",
    ) -> None:
        self.network = Network(network) if isinstance(network, int) else network
        self.shift_us, self.first_seq, self.look_back_us = shift_us, first_seq, look_back_us
        self.dictionary = dictionary
        self.requests: list[tuple[str, dict[str, list[str]]]] = []
        self.streams: list[Stream] = []
        self.dictionary_requests = 0
        self._script = list(script)
        self._sent: dict[str, None] = {}
        self._lock = threading.Lock()
        self._steps: dict[ServerConnection, tuple[Stream, Sequence[Step | Rejected]]] = {}
        self.end = threading.Event()
        self._server = serve(
            self._handle,
            "127.0.0.1",
            0,
            process_request=self._answer,
            close_timeout=0.2,
            max_size=1000,
        )
        self.port = self._server.socket.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.end.set()
        for stream in self.streams:
            stream.socket.close_socket()
        self._server.shutdown()
        self._thread.join()

    @property
    def sent_ids(self) -> list[str]:
        return list(self._sent)

    def sent(self, entry: Entry) -> None:
        if entry.post_id:
            self._sent[entry.post_id] = None

    def time_us(self, entry: Entry) -> int:
        return entry.at_us + self.shift_us

    def frame(self, entry: Entry, index: int, v2: bool) -> bytes:
        return frame_of(entry, self.first_seq + index, v2, self.shift_us)

    def compress(self, frame: bytes) -> bytes:
        return zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(self.dictionary)).compress(frame)

    @property
    def dictionary_id(self) -> int:
        return struct.unpack_from("<I", self.dictionary, 4)[0] if self.dictionary else 0

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer before the upgrade: rejections, and the dictionary."""
        url = urlsplit(request.path)
        query = parse_qs(url.query, keep_blank_values=True)
        try:
            if url.path == DICTIONARY_PATH:
                return self._dictionary()
            with self._lock:
                self.requests.append((url.path, query))
                steps = self._script.pop(0) if self._script else [follow]
            if steps and isinstance(steps[0], Rejected):
                raise steps[0]
            stream = self._resolve(connection, url.path, query)
        except Rejected as rejected:
            v2 = url.path.startswith("/xrpc/")
            body = to_json({"error": rejected.name, "message": rejected.message}) if v2 else rejected.message.encode()
            headers = Headers({"Content-Length": str(len(body)), "Connection": "close", **rejected.headers})
            return Response(rejected.code, "rejected", headers, body)
        self._steps[connection] = (stream, steps)
        return None

    def _dictionary(self) -> Response:
        self.dictionary_requests += 1
        if not self.dictionary:
            raise Rejected(404, "DictionaryNotFound", "no dictionary")
        headers = Headers({"Content-Length": str(len(self.dictionary)), "Connection": "close"})
        return Response(200, "OK", headers, self.dictionary)

    def _resolve(self, connection: ServerConnection, path: str, query: dict[str, list[str]]) -> Stream:
        v2 = path == V2_PATH
        if path not in PARAMETERS:
            raise Rejected(404, "NotFound", "there is nothing here")
        if unknown := set(query) - PARAMETERS[path]:
            raise Rejected(400, "InvalidRequest", f"unknown parameter {min(unknown)}")
        asked = query.get("zstdDictionary", [""])[0]
        if asked and asked != str(self.dictionary_id):
            raise Rejected(400, "UnknownZstdDictionary", f"current dictionary id is {self.dictionary_id}")
        with self.network.changed:
            entries = list(self.network.entries)
        tip = len(entries)
        if "cursor" not in query:
            return Stream(self, connection, path, query, tip, False)
        cursor = int(query["cursor"][0])
        floor = 0
        if self.look_back_us is not None and entries:
            oldest = self.time_us(entries[-1]) - self.look_back_us
            floor = next(i for i, entry in enumerate(entries) if self.time_us(entry) >= oldest)
        if cursor < 10**15:
            index = max(cursor - self.first_seq, 0)
            if index < floor and v2:
                raise Rejected(400, "CursorTooOld", f"below floor {floor + self.first_seq}")
            index = min(index, tip)
        elif cursor > time.time_ns() // 1000:
            index = tip
        else:
            index = next((i for i, entry in enumerate(entries) if self.time_us(entry) >= cursor), tip)
        return Stream(self, connection, path, query, max(index, floor), index < floor)

    def _handle(self, connection: ServerConnection) -> None:
        stream, steps = self._steps.pop(connection)
        self.streams.append(stream)
        with suppress(ConnectionClosed, OSError):
            if stream.clamped and stream.v2 and int(stream.query["cursor"][0]) >= 10**15:
                info = {"$type": "network.bsky.jetstream.subscribeEvents#info", "name": "OutdatedCursor"}
                stream.send_frame(to_json({"$type": "message", "payload": info}))
            for step in steps:
                if not isinstance(step, Rejected):
                    step(stream)


def frames(number: int) -> Step:
    """Send the next frames."""
    return lambda stream: stream.send(number)


def follow(stream: Stream) -> None:
    """Send all entries, present and future."""
    stream.send(-1)


def again(number: int) -> Step:
    """Repeat the last frames."""

    def step(stream: Stream) -> None:
        for index in stream.sent[-number:]:
            stream.send_frame(stream.host.frame(stream.host.network.entries[index], index, stream.v2))

    return step


def raw(frame: bytes) -> Step:
    """Send a frame with this content, valid or not."""
    return lambda stream: stream.send_frame(frame)


def raw_binary(frame: bytes) -> Step:
    """Send a binary frame, not compressed by us."""
    return lambda stream: stream.socket.send(frame, text=False)


def error(name: str) -> Step:
    """Send an error frame of v2 and end."""

    def step(stream: Stream) -> None:
        stream.send_frame(to_json({"$type": "error", "error": name, "message": "made up"}))
        stream.socket.close(1011)

    return step


def hang_up(stream: Stream) -> None:
    """Close properly."""
    stream.socket.close(1001, "server shutting down")


def reset(stream: Stream) -> None:
    """Reset the connection."""
    stream.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with suppress(OSError):
        stream.socket.socket.shutdown(socket.SHUT_RD)
    stream.socket.socket.close()


def half(stream: Stream) -> None:
    """Send the beginning of a frame and drop the connection."""
    stream.socket.socket.sendall(b"\x81\x7e\x10\x00" + b'{"did":"did:plc:half')
    stream.socket.close_socket()


def stall(stream: Stream) -> None:
    """Keep the connection open but dead: no frames, no pongs."""
    stream.socket.protocol.receive_data = lambda _: None  # type: ignore[method-assign, assignment]
    stream.host.end.wait()


def silent(stream: Stream) -> None:
    """Keep the connection alive without data: the server has lost its own upstream."""
    stream.host.end.wait()


def status(code: int, name: str = "ServiceUnavailable", message: str = "not now", **headers: str) -> Rejected:
    """Answer the handshake with this status. Header names use `_` for `-`."""
    return Rejected(code, name, message, {key.replace("_", "-"): value for key, value in headers.items()})


@lru_cache(maxsize=4)
def trained_dictionary(seed: int = 0) -> bytes:
    """Return a small zstd dictionary trained on such frames; another `seed` has another id."""
    network = Network(400, start_us=1_700_000_000_000_000 + seed)
    samples: list[bytes | bytearray | memoryview] = [
        frame_of(entry, number, v2=True) for number, entry in enumerate(network.entries)
    ]
    return zstandard.train_dictionary(4096, samples, dict_id=1000 + seed).as_bytes()
