"""The v1.1 stream against a real HTTP server on this machine that drops, refuses, stalls and goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from producer.position import Position
from producer.source import SourceTweet
from producer.sources.twitter_v1 import Backoff, TwitterSource, read_message, whole_lines
from twitter_topics.errors import ConfigurationError
from twitter_topics.settings import Settings, TwitterSettings

CREDENTIALS = {
    "TWITTER_CONSUMER_KEY": "ck",
    "TWITTER_CONSUMER_SECRET": "cs",
    "TWITTER_ACCESS_TOKEN": "at",
    "TWITTER_ACCESS_TOKEN_SECRET": "ats",
}


def line(number: int) -> bytes:
    return json.dumps({"id_str": str(number), "text": f"tweet {number}\n", "timestamp_ms": "5"}).encode()


class Connection:
    """What a script may do with one request."""

    def __init__(self, handler: BaseHTTPRequestHandler, end: threading.Event) -> None:
        self._handler = handler
        self.end = end

    def status(self, code: int) -> None:
        self._handler.send_response(code)
        self._handler.send_header("Content-Length", "0")
        self._handler.end_headers()

    def open(self) -> None:
        self._handler.send_response(200)
        self._handler.send_header("Transfer-Encoding", "chunked")
        self._handler.end_headers()

    def chunk(self, content: bytes) -> None:
        self._handler.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        self._handler.wfile.flush()

    def tweets(self, *numbers: int) -> None:
        for number in numbers:
            self.chunk(line(number) + b"\r\n")


Script = list[Callable[[Connection], None]]


class StreamServer:
    """Answers the n-th request with the n-th step of a script, the last step for all that follow."""

    def __init__(self, script: Script) -> None:
        self.requests: list[tuple[str, str, dict[str, list[str]], str]] = []
        self.end = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer("")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

            def _answer(self, body: str) -> None:
                step = script[min(len(server.requests), len(script) - 1)]
                server.requests.append((self.command, self.path, parse_qs(body), self.headers["Authorization"]))
                step(Connection(self, server.end))
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}/1.1"

    def close(self) -> None:
        self.end.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[[Script], StreamServer]]:
    servers: list[StreamServer] = []

    def start(script: Script) -> StreamServer:
        servers.append(StreamServer(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def settings(url: str, **more: str) -> TwitterSettings:
    return Settings({**CREDENTIALS, "TWITTER_STREAM_URL": url, **more}).twitter


def received(source: TwitterSource, number: int) -> list[SourceTweet]:
    """The first `number` messages; the suite's time limit is the deadline."""
    messages = []
    for message in source.tweets():
        if message is not None:
            messages.append(message)
        if len(messages) == number:
            break
    source.close()
    return messages


def hold_open(connection: Connection) -> None:
    connection.end.wait()


def test_all_tweets_arrive_once_through_a_drop_a_refusal_and_keep_alives(
    serve: Callable[[Script], StreamServer],
) -> None:
    def first(connection: Connection) -> None:
        connection.open()
        connection.tweets(1, 2)
        connection.chunk(b"\r\n")
        connection.chunk(line(3)[:20])  # a tweet in two chunks
        connection.chunk(line(3)[20:] + b"\r\n")
        connection.chunk(line(4)[:25])  # and one that the break cuts off

    def last(connection: Connection) -> None:
        connection.open()
        connection.tweets(4)
        connection.chunk(b"\r\n")
        connection.tweets(5)
        connection.chunk(b'{"delete":{"status":{"id_str":"2","user_id_str":"7"}}}\r\n')
        connection.chunk(b'{"limit":{"track":12}}\r\n')
        connection.tweets(6)
        hold_open(connection)

    script = [first, lambda c: c.status(420), lambda c: c.status(420), lambda c: c.status(503), last]
    server, pauses = serve(script), []
    options = settings(server.url, TWITTER_TRACK="storm,final", TWITTER_LANGUAGES="en,es")
    messages = received(TwitterSource(options, Position({}), threading.Event(), pauses.append), 7)

    assert [message.key for message in messages] == [b"1", b"2", b"3", b"4", b"5", b"2", b"6"]
    assert [message.kind for message in messages] == ["tweet"] * 5 + ["deletion", "tweet"]
    assert messages[2].value == line(3)
    assert [message.position for message in messages] == list(range(1, 8))
    assert pauses == [60.0, 120.0, 5.0]
    method, path, form, authorization = server.requests[0]
    assert (method, path) == ("POST", "/1.1/statuses/filter.json")
    assert form == {"track": ["storm,final"], "language": ["en,es"]}
    assert authorization.startswith("OAuth ")
    assert len(server.requests) == 5


def test_silence_and_an_early_end_count_as_network_failures(serve: Callable[[Script], StreamServer]) -> None:
    def silent(connection: Connection) -> None:
        connection.open()
        hold_open(connection)

    def nothing(connection: Connection) -> None:
        connection.open()

    def last(connection: Connection) -> None:
        connection.open()
        connection.tweets(1)
        hold_open(connection)

    server, pauses = serve([silent, nothing, silent, last]), []
    source = TwitterSource(settings(server.url), Position({}, count=9), threading.Event(), pauses.append, stall_s=0.2)
    assert [(message.key, message.position) for message in received(source, 1)] == [(b"1", 10)]
    assert pauses == [0.25, 0.5, 0.75]
    assert server.requests[0][:2] == ("GET", "/1.1/statuses/sample.json")


def test_a_server_that_is_away_is_tried_again(serve: Callable[[Script], StreamServer]) -> None:
    server = serve([lambda c: c.status(500)])
    server.close()
    pauses: list[float] = []
    stop = threading.Event()

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            source.close()

    source = TwitterSource(settings(server.url), Position({}), stop, pause)
    assert [message for message in source.tweets() if message] == []
    assert pauses == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(("status", "names"), [(401, "TWITTER_CONSUMER_"), (406, "TWITTER_TRACK")])
def test_a_hopeless_answer_ends_the_source(serve: Callable[[Script], StreamServer], status: int, names: str) -> None:
    server = serve([lambda c: c.status(status)])
    source = TwitterSource(settings(server.url), Position({}), threading.Event())
    with pytest.raises(ConfigurationError, match=names):
        received(source, 1)
    assert len(server.requests) == 1


def test_waits_grow_to_their_limits_and_start_small_after_success() -> None:
    backoff = Backoff()
    network = [backoff.network() for _ in range(70)]
    assert network[:3] == [0.25, 0.5, 0.75]
    assert network[-1] == 16.0
    assert [backoff.http() for _ in range(8)] == [5, 10, 20, 40, 80, 160, 320, 320]
    assert [backoff.rate_limit() for _ in range(3)] == [60, 120, 240]
    backoff.reset()
    assert (backoff.network(), backoff.http(), backoff.rate_limit()) == (0.25, 5.0, 60.0)


def test_all_missing_credentials_are_named_and_none_is_shown() -> None:
    partly = Settings({"TWITTER_CONSUMER_KEY": "very-secret"}).twitter
    with pytest.raises(ConfigurationError) as caught:
        TwitterSource.open(partly, None, threading.Event())
    for name in CREDENTIALS:
        assert (name in str(caught.value)) == (name != "TWITTER_CONSUMER_KEY")
    assert "very-secret" not in str(caught.value)


def test_what_is_no_tweet_is_passed_on_and_talk_about_the_stream_is_not() -> None:
    strange = [b"{broken", b"[1]", b'{"status_withheld":{"id":1}}', b"\xff"]
    messages = [read_message(raw, 1) for raw in strange]
    assert [message.value for message in messages if message is not None] == strange
    assert len({message.key for message in messages if message is not None}) == len(strange)
    assert read_message(b'{"disconnect":{"code":7}}', 1) is None


def test_lines_are_whole() -> None:
    assert list(whole_lines([b"a\r", b"\n\r\nb", b"c\r\nrest"])) == [b"a", b"", b"bc"]


def test_asked_to_stop_while_waiting_it_connects_no_more(serve: Callable[[Script], StreamServer]) -> None:
    stop = threading.Event()

    def refuse(connection: Connection) -> None:
        connection.status(503)
        stop.set()

    server = serve([refuse])
    source = TwitterSource(settings(server.url), Position({}), stop)
    assert [message for message in source.tweets() if message is not None] == []
    assert len(server.requests) == 1
