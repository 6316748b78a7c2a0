"""The proxy of the fault kit, between a real HTTP client and a real HTTP server."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.faults.proxy import Do, Network, Proxy
from tests.waiting import until


class Server(ThreadingHTTPServer):
    """Echoes bodies and remembers what arrived."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.arrived: list[tuple[str, bytes]] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._answer(b"")

    def do_PUT(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(body)

    def _answer(self, body: bytes) -> None:
        self.server.arrived.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server.server_address[1]) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
    yield connection
    connection.close()


def put(client: http.client.HTTPConnection, path: str, body: object = b"x", **headers: str) -> tuple[int, bytes]:
    client.request("PUT", path, body, headers, encode_chunked="Transfer-Encoding" in headers)  # type: ignore[arg-type]
    answer = client.getresponse()
    return answer.status, answer.read()


def test_requests_of_any_form_pass_unchanged(client: http.client.HTTPConnection, server: Server) -> None:
    big = bytes(range(256)) * 4_000
    assert put(client, "/big", big) == (200, big)
    parts = iter([b"one", b"two" * 50_000])
    assert put(client, "/chunked", parts, **{"Transfer-Encoding": "chunked"}) == (200, b"one" + b"two" * 50_000)
    client.request("GET", "/nothing")
    assert client.getresponse().read() == b""
    assert [path for path, _ in server.arrived] == ["/big", "/chunked", "/nothing"]


def test_the_nth_request_gets_a_status_and_the_connection_lives_on(
    proxy: Proxy, client: http.client.HTTPConnection, server: Server
) -> None:
    with proxy.rule(r"^PUT /a", Do.ANSWER, nth=2, times=2, status=429, body=b"{}") as rule:
        statuses = [put(client, path)[0] for path in ("/a", "/b", "/a", "/a", "/a")]
    assert statuses == [200, 200, 429, 429, 200]
    assert len(server.arrived) == 3
    assert rule.lines == ["PUT /a HTTP/1.1"] * 2


def test_a_rule_can_wait_for_another_request(proxy: Proxy, client: http.client.HTTPConnection) -> None:
    with proxy.rule("PUT /a", Do.ANSWER, after="PUT /b", status=500):
        assert [put(client, path)[0] for path in ("/a", "/b", "/a", "/a")] == [200, 200, 500, 200]


def test_a_rejected_request_with_expect_gets_its_continue_first(proxy: Proxy, server: Server) -> None:
    with proxy.rule("PUT /a", Do.ANSWER, status=507), socket.create_connection(("127.0.0.1", proxy.port), 5) as raw:
        raw.sendall(b"PUT /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 100")
        raw.sendall(b"abc")
        assert raw.recv(1000).startswith(b"HTTP/1.1 507")
    assert not server.arrived


@pytest.mark.parametrize("headers", [{}, {"Expect": "100-continue"}], ids=["plain", "expect"])
def test_a_lost_reply_means_applied(
    proxy: Proxy, client: http.client.HTTPConnection, server: Server, headers: dict[str, str]
) -> None:
    with proxy.rule("PUT /a", Do.LOSE_REPLY) as rule:
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            put(client, "/a", b"abc", **headers)
        assert rule.reached.is_set()
        assert server.arrived == [("/a", b"abc")]
        client.close()
        assert put(client, "/a", b"abc") == (200, b"abc")


def test_a_cut_request_never_arrives(proxy: Proxy, client: http.client.HTTPConnection, server: Server) -> None:
    with proxy.rule("PUT /a", Do.CUT), pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        put(client, "/a")
    assert not server.arrived


def test_a_held_request_arrives_after_its_release(
    proxy: Proxy, client: http.client.HTTPConnection, server: Server
) -> None:
    with proxy.rule("PUT /a", Do.HOLD) as rule:
        thread = threading.Thread(target=put, args=(client, "/a"))
        thread.start()
        assert rule.reached.wait(20)
        thread.join(0.2)
        assert not server.arrived
        rule.release()
        thread.join(20)
    assert server.arrived == [("/a", b"x")]


def test_a_held_request_can_be_dropped(proxy: Proxy, client: http.client.HTTPConnection, server: Server) -> None:
    with proxy.rule("PUT /a", Do.HOLD) as rule:
        client.request("PUT", "/a", b"x")
        assert rule.reached.wait(20)
        rule.drop()
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            client.getresponse()
    assert not server.arrived


def test_an_unreachable_server_comes_back_at_the_same_port(
    proxy: Proxy, client: http.client.HTTPConnection, server: Server
) -> None:
    assert put(client, "/a")[0] == 200
    port, proxy.network = proxy.port, Network.UNREACHABLE
    with pytest.raises((ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected)):
        put(client, "/a")
    client.close()
    with pytest.raises(ConnectionRefusedError):
        put(client, "/a")
    client.close()
    proxy.network = Network.FINE
    assert proxy.port == port
    assert put(client, "/a")[0] == 200
    assert len(server.arrived) == 2


@pytest.mark.parametrize(("network", "arrives"), [(Network.SILENT, 1), (Network.MUTE, 2)], ids=["silent", "mute"])
def test_a_server_that_does_not_answer(
    proxy: Proxy, client: http.client.HTTPConnection, server: Server, network: Network, arrives: int
) -> None:
    assert put(client, "/a")[0] == 200
    proxy.network = network
    assert client.sock is not None
    client.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        put(client, "/a")
    until(lambda: len(server.arrived) == arrives)
    proxy.network = Network.FINE
    client.close()
    assert put(client, "/a")[0] == 200


def test_a_delay(proxy: Proxy, client: http.client.HTTPConnection) -> None:
    proxy.delay = 0.2
    began = time.monotonic()
    assert put(client, "/a")[0] == 200
    assert time.monotonic() - began >= 0.4


def test_plain_tcp_passes_in_both_directions(server: Server) -> None:
    with Proxy(server.server_address[1], http=False) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port), 5) as raw:
            raw.sendall(b"GET /tcp HTTP/1.1\r\n\r\n")
            assert raw.recv(1000).startswith(b"HTTP/1.1 200")
        until(lambda: server.arrived == [("/tcp", b"")])
