"""A real local HTTP server for the fake networks: a function decides how each request is answered."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """A request as received. `query` and `form` map names to lists."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode())

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """The ways to respond. `end` is set when the server closes: handlers that hold a connection open wait for it."""

    def __init__(self, handler: BaseHTTPRequestHandler, request: Request, end: threading.Event) -> None:
        self._handler = handler
        self.request = request
        self.end = end

    def answer(self, code: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Send a complete response."""
        self._handler.send_response_only(code)
        usual = {"Date": self._handler.date_time_string(), "Content-Length": str(len(body))}
        for name, value in {**usual, **(headers or {})}.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()
        self._handler.wfile.write(body)

    def open(self, headers: dict[str, str] | None = None) -> None:
        """Start a chunked response."""
        self._handler.send_response(200)
        for name, value in {"Transfer-Encoding": "chunked", **(headers or {})}.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()

    def chunk(self, content: bytes) -> None:
        self._handler.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        self._handler.wfile.flush()

    def garbage(self, content: bytes) -> None:
        """Send bytes outside of any chunk."""
        self._handler.wfile.write(content)
        self._handler.wfile.flush()

    def finish(self) -> None:
        """End the chunked response properly."""
        self._handler.wfile.write(b"0\r\n\r\n")

    def reset(self) -> None:
        """Break the connection in the middle of the response: the client sees a reset, not an end."""
        import socket
        import struct

        raw = self._handler.connection
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._handler.wfile.flush()
        self._handler.rfile.close()
        raw.close()

    def hold(self) -> None:
        """Send nothing more until the server is closed."""
        self.end.wait()


class HttpServer:
    """Listens on a free port of 127.0.0.1. `requests` records what it received."""

    def __init__(self, serve: Callable[[Connection], None]) -> None:
        self.requests: list[Request] = []
        self.end = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                url = urlsplit(self.path)
                request = Request(self.command, url.path, parse_qs(url.query), dict(self.headers), body)
                server.requests.append(request)
                with suppress(OSError, ValueError):  # the client has hung up
                    serve(Connection(self, request, server.end))
                self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - names required by http.server

            def finish(self) -> None:
                with suppress(OSError, ValueError):
                    super().finish()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self.end.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
