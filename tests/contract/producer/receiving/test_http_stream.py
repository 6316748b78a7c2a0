"""HttpStream against a real local server: for each fault the exact waits, the gaps, and no leftovers."""

from __future__ import annotations

import contextlib
import gzip
import os
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from producer.position import SourcePosition
from producer.receiving import http_stream
from producer.receiving.gaps import GapWatch
from producer.receiving.http_stream import HttpStream, Pause, RejectedResponse, Timeouts
from producer.receiving.inbox import Inbox
from producer.receiving.lines import HEAD_BYTES, LineBuffer, json_object
from producer.receiving.rules import X
from producer.source import Context, Event
from tests.fakes.http import Connection, Request
from tests.fakes.script import (
    FakeClock,
    ScriptedServer,
    Step,
    Stream,
    cut,
    do,
    dribble,
    end,
    half,
    hang_up,
    keep_alive,
    keep_open,
    no_chunk,
    posts,
    raw,
    reset,
    silent,
    stall,
    status,
    too_short,
)
from tests.waiting import until
from twitter_topics.backends.http_answers import Answer, Bearer, reset_in_s, skew_sentence, user_agent
from twitter_topics.errors import ConfigurationError
from twitter_topics.records.gap import Gap

pytestmark = pytest.mark.usefixtures("no_thread_left")
BEGIN_MS = 1_790_000_000_000
Script = list[list[Step]]


class Server(ScriptedServer):
    """Numbered objects, one per line."""

    def post_id(self, number: int) -> str:
        return str(number)

    def post(self, number: int, length: int = 0) -> bytes:
        return b'{"id":%d}' % number + b" " * length

    def frame(self, message: bytes, request: Request) -> bytes:
        return message + b"\r\n"

    def is_stream(self, request: Request) -> bool:
        return True

    def admit(self, connection: Connection) -> bool:
        return True


class StreamClient:
    """A stream on a server, with a clock that advances only by waiting."""

    def __init__(self, url: str, start: SourcePosition | None = None, stall_s: float = 5.0, **more: Any) -> None:
        self.clock = FakeClock(BEGIN_MS)
        self.context = Context(now_ms=self.clock.now_ms, monotonic=self.clock.monotonic, pause=self.clock.pause)
        self.context = more.pop("context", self.context)
        self.url = url
        self.gaps = GapWatch("here", start or SourcePosition({}), self.context)
        rules = replace(X, stall_s=stall_s)
        connect = more.pop("connect", self.connect)
        self.stream = HttpStream(connect, rules, {401: "check the token"}, self.gaps, self.context, **more)

    def connect(self, timeouts: Timeouts) -> requests.Response:
        with requests.Session() as session:
            return session.get(self.url, timeout=timeouts, stream=True, allow_redirects=False)

    def until(self, number: int) -> tuple[list[bytes], list[Gap]]:
        """Return this many lines other than keep-alives, and the gaps among them."""
        lines: list[bytes] = []
        gaps: list[Gap] = []
        received = self.stream.lines()
        for item in received:
            if isinstance(item, Event):
                assert item.kind == "gap"
                gaps.append(Gap.from_value(item.value))
            elif item:
                lines.append(item)
            if len(lines) >= number:
                break
        cast("Any", received).close()
        return lines, gaps


def objects(*numbers: int) -> list[bytes]:
    return [b'{"id":%d}' % number for number in numbers]


def when_read(seconds: float) -> tuple[Step, list[StreamClient]]:
    """Return a step that advances the clock once the client has read everything; the client is appended later."""
    clients: list[StreamClient] = []

    def step(stream: Stream) -> None:
        until(lambda: clients[0].context.status.received_bytes >= stream.server.written, pause=0.001)
        clients[0].clock.advance(seconds)

    return step, clients


FAULTS: dict[str, tuple[Script, list[float], dict[str, int]]] = {
    "http": ([[status(503)], [status(500)], [status(503)]], [5.0, 10.0, 20.0], {"http-503": 2, "http-500": 1}),
    "rate limit": ([[status(420)], [status(429)], [status(429)]], [60.0, 120.0, 240.0], {"rate-limit": 3}),
    "reset time": (
        [[status(429, {"x-rate-limit-reset": str(BEGIN_MS // 1000 + 300)})]],
        [300.0],
        {"rate-limit": 1},
    ),
    "reset time, ISO": ([[status(429, {"X-RateLimit-Reset": "2026-09-21T14:13:25.5Z"})]], [5.5], {"rate-limit": 1}),
    "retry after": ([[status(429, {"Retry-After": "77"})]], [77.0], {"rate-limit": 1}),
    "reset time, nonsense": (
        [[status(429, {"x-rate-limit-reset": "9" * 30})], [status(429, {"x-rate-limit-reset": "soon"})]],
        [60.0, 120.0],
        {"rate-limit": 2},
    ),
    "reset time, past": ([[status(429, {"x-rate-limit-reset": "5"})]], [60.0], {"rate-limit": 1}),
    "kinds grow apart": (
        [[status(429)], [status(503)], [end], [status(429)], [status(503)]],
        [60.0, 5.0, 0.25, 120.0, 10.0],
        {"rate-limit": 2, "http-503": 2, "network": 1},
    ),
    "redirection": ([[status(302, {"Location": "/elsewhere"})]], [5.0], {"http-302": 1}),
    "web page": ([[status(200, {"Content-Type": "text/html"}, b"<html>\nback soon")]], [5.0], {"http-200": 1}),
    "silent after a byte": ([[keep_alive, stall]], [], {"stall": 1}),
    "silent before a byte": ([[stall], [stall]], [0.25, 0.5], {"stall": 2}),
    "silent before the status": ([[silent]], [0.25], {"stall": 1}),
    "ended": ([[end], [cut], [reset], [no_chunk]], [0.25, 0.5, 0.75, 1.0], {"network": 4}),
    "too short": ([[too_short(b"\r\n")]], [], {"network": 1}),
    "brief connections": (
        [[keep_alive, end], [keep_alive, cut], [keep_alive, end], [keep_alive, no_chunk]],
        [0.25, 0.5, 0.75],
        {"network": 4},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_waits_follow_the_table(fault: str) -> None:
    script, waits, causes = FAULTS[fault]
    with Server([*script, [posts(2), keep_open]]) as server:
        client = StreamClient(server.url, stall_s=2.0 if "silent" in fault else 5.0)
        lines, gaps = client.until(2)
    assert lines == objects(0, 1)
    assert client.clock.waits == waits
    assert client.context.status.reconnects == causes
    assert sum(gap.to_ms - gap.from_ms for gap in gaps) == round(sum(waits) * 1000)
    assert len(server.requests) == len(script) + 1


def test_after_a_healthy_connection_it_reconnects_at_once() -> None:
    steady, clients = when_read(60)
    script: Script = [[posts(1), steady, half(), cut], [posts(1), steady, end], [status(503)], [posts(1), steady, cut]]
    with Server([*script, [posts(1), keep_open]]) as server:
        clients.append(client := StreamClient(server.url))
        lines, _ = client.until(4)
    assert lines == objects(0, 1, 2, 3)
    assert client.clock.waits == [5.0]


def test_an_address_without_a_server_is_retried() -> None:
    with Server([[end]]) as server:
        pass
    client = StreamClient(server.url)
    received = client.stream.lines()
    client.context.status.reconnects.clear()
    while len(client.clock.waits) < 70:
        assert next(received) is None
    cast("Any", received).close()
    assert client.clock.waits[:3] == [0.25, 0.5, 0.75]
    assert max(client.clock.waits) == 16.0
    assert set(client.context.status.reconnects) == {"network"}
    assert "refused" in client.context.status.sentence


def test_the_gap_lasts_from_the_last_byte_to_the_next_healthy_connection() -> None:
    before = SourcePosition({}, alive_ms=BEGIN_MS - 1000, rate=2.0)
    steady, clients = when_read(30)
    script: Script = [[posts(1), steady, keep_alive, cut], [status(503)], [status(429)]]
    with Server([*script, [posts(1), keep_open]]) as server:
        clients.append(client := StreamClient(server.url, before))
        lines, gaps = client.until(2)
    assert lines == objects(0, 1)
    assert gaps[0] == Gap("here", BEGIN_MS - 1000, BEGIN_MS, "stopped", 2)
    lost = gaps[1]
    assert lost.cause == "network"
    assert lost.seconds == 65.0
    assert lost.to_ms == client.clock.now_ms()


def test_a_fatal_rejection_ends_the_stream() -> None:
    with Server([[status(401, body=b'{"error":"no\x07 such token"}')]]) as server:
        client = StreamClient(server.url)
        with pytest.raises(ConfigurationError, match=r"401: check the token \(response: .*no  such token") as caught:
            client.until(1)
    assert "\x07" not in str(caught.value)
    assert len(server.requests) == 1
    assert client.clock.waits == []


@pytest.mark.parametrize("other", [[posts(1), end], [status(503)], [hang_up]], ids=["posts", "503", "hang-up"])
def test_after_a_healthy_connection_a_fatal_rejection_is_believed_after_half_an_hour(other: list[Step]) -> None:
    with Server([[posts(1), end], *[[status(401)]] * 8, other, [status(401)]]) as server:
        client = StreamClient(server.url)
        with pytest.raises(ConfigurationError, match="check the token"):
            list(client.stream.lines())
    waits = client.clock.waits
    assert waits[:8] == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 320.0]
    assert 1800 <= sum(waits[9:]) < 1800 + X.http_max_s, "since something else than a 401 came"
    assert "401: check the token" in client.context.status.sentence


def test_a_rejection_in_html_is_not_fatal_unless_the_server_speaks_html() -> None:
    rejection = status(401, {"Content-Type": "text/html; charset=utf-8"}, b"<html>no")
    lines: list[bytes] = []
    with Server([[rejection], [posts(1), keep_open]]) as server:
        client = StreamClient(server.url)
        with suppress(ConfigurationError):
            lines, _ = client.until(1)
    assert lines == objects(0)
    assert client.clock.waits == [5.0]
    with Server([[rejection]]) as server, pytest.raises(ConfigurationError, match="check the token"):
        StreamClient(server.url, html_counts=True).until(1)


def test_the_source_may_explain_a_response() -> None:
    def explain(answer: Answer) -> RejectedResponse | None:
        if answer.status == 429:
            return RejectedResponse("another process uses the token", heed_reset=False)
        return RejectedResponse("this one too", fatal=True) if answer.body == b"never" else None

    script: Script = [[status(429, {"Retry-After": "3"})], [status(500, body=b"well")], [status(500, body=b"never")]]
    with Server(script) as server:
        client = StreamClient(server.url, explain=explain)
        with pytest.raises(ConfigurationError, match="500: this one too"):
            client.until(1)
    assert client.clock.waits == [60.0, 5.0]


def test_after_a_pause_the_source_is_asked_again() -> None:
    pauses = [Pause(3600.0, "spend-cap", "the cap is reached"), None, Pause(7.0, "spend-cap", "again"), None]
    with Server([[posts(1), cut], [posts(1), keep_open]]) as server:
        client = StreamClient(server.url, may_connect=lambda: pauses.pop(0))
        lines, gaps = client.until(2)
    assert lines == objects(0, 1)
    assert client.clock.waits == [3600.0, 7.0]
    assert [gap.cause for gap in gaps] == ["spend-cap", "network"]
    assert client.context.status.reconnects == {"network": 1}


def test_the_consumer_can_hang_up() -> None:
    with Server([[posts(1), stall], [posts(1), keep_open]]) as server:
        client = StreamClient(server.url, stall_s=60)
        lines, gaps = [], []
        for item in client.stream.lines():
            if isinstance(item, Event):
                gaps.append(Gap.from_value(item.value))
            elif item:
                lines.append(item)
                if len(lines) == 1:
                    client.clock.advance(1)
                    client.stream.hang_up("spend-cap", "enough for today")
            if len(lines) == 2:
                break
        client.stream.close()
    assert lines == objects(0, 1)
    assert client.context.status.reconnects == {"spend-cap": 1}
    assert [(gap.cause, gap.seconds) for gap in gaps] == [("spend-cap", 1.0)]


def test_a_hang_up_explains_only_its_own_connection() -> None:
    attempts: list[Timeouts] = []

    def connect(timeouts: Timeouts) -> requests.Response:
        attempts.append(timeouts)
        if len(attempts) in (2, 3):
            raise requests.ConnectionError("no route to host")
        return client.connect(timeouts)

    with Server([[posts(1), stall], [posts(1), keep_open]]) as server:
        client = StreamClient(server.url, stall_s=60, connect=connect)
        lines = []
        for item in client.stream.lines():
            if item and not isinstance(item, Event):
                lines.append(item)
                if len(lines) == 2:
                    break
                client.stream.hang_up("spend-cap", "enough for today")
        client.stream.close()
    assert lines == objects(0, 1)
    assert client.context.status.reconnects == {"spend-cap": 1, "network": 2}


def test_the_next_run_begins_at_the_last_line_passed_on() -> None:
    with Server([[posts(1), keep_open]]) as server:
        client = StreamClient(server.url)
        received = client.stream.lines()
        assert next(line for line in received if line) == b'{"id":0}'
        assert client.context.status.alive_ms == 0
        assert client.context.status.connected
        next(received)
        assert client.context.status.alive_ms == BEGIN_MS
        cast("Any", received).close()
    assert not client.context.status.connected


def test_a_connection_is_healthy_from_its_start_once_a_byte_arrives() -> None:
    clients: list[StreamClient] = []
    asked: list[int] = []

    def quiet_at_first(stream: Stream) -> None:
        stream.write(b"")
        until(lambda: asked, pause=0.001)  # when it opened
        clients[0].clock.advance(20)
        stream.write(b"\r\n")

    with Server([[quiet_at_first, posts(1), keep_open]]) as server:
        clients.append(client := StreamClient(server.url, SourcePosition({}, alive_ms=BEGIN_MS - 3000)))
        clock = client.clock

        def now_ms() -> int:
            asked.append(clock.now_ms())
            return asked[-1]

        context = Context(now_ms=now_ms, monotonic=clock.monotonic, pause=clock.pause)
        client = StreamClient(server.url, SourcePosition({}, alive_ms=BEGIN_MS - 3000), context=context)
        _, gaps = client.until(1)
    assert gaps == [Gap("here", BEGIN_MS - 3000, BEGIN_MS, "stopped", 0)]


def test_no_socket_is_left_even_in_a_pool() -> None:
    def sockets() -> set[str]:
        found = set()
        for link in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed in the meantime
                found.add(os.readlink(link))
        return {name for name in found if name.startswith("socket:")}

    session = requests.Session()

    def connect(timeouts: Timeouts) -> requests.Response:
        return session.get(server.url, timeout=timeouts, stream=True, allow_redirects=False)

    kept: list[requests.Response] = []
    script: Script = [[status(503, body=b"busy")] for _ in range(5)]
    with Server([*script, [posts(1), cut], [keep_alive, reset], [posts(1), end], [posts(1), keep_open]]) as server:
        before, threads = sockets(), threading.active_count()
        client = StreamClient(server.url, connect=lambda timeouts: kept.append(connect(timeouts)) or kept[-1])
        client.until(3)
        assert len(kept) == 9  # none was garbage-collected: they were closed
        until(lambda: threading.active_count() <= threads)
        until(lambda: sockets() <= before)


def test_memory_is_bounded_and_a_slow_consumer_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_stream, "Inbox", partial(Inbox, 4, 10**6))
    with Server([[posts(500, length=100_000), cut], [posts(1), keep_open]], number=501) as server:
        client = StreamClient(server.url)
        received = client.stream.lines()
        first = next(line for line in received if line)
        reader = client.stream._thread
        until(lambda: client.stream._inbox._changed._waiters)  # type: ignore[attr-defined]
        assert client.stream._inbox._bytes < 2 * 10**6
        assert len(server.sent_ids) < 500
        client.clock.advance(10)
        lines = [first]
        for line in received:
            lines += [line] if line and not isinstance(line, Event) else []
            if len(lines) == 501:
                break
        assert reader.is_alive()
        cast("Any", received).close()
    assert [int(line.strip()[6:-1]) for line in lines if isinstance(line, bytes)] == list(range(501))
    assert client.context.status.reconnects == {"slow": 1}


@pytest.mark.parametrize("script", [[[keep_alive, stall]], [[stall]], [[keep_open]], [[status(503)]], [[status(429)]]])
def test_closing_ends_it_whatever_it_is_doing(script: Script) -> None:
    """With real waits: a backoff of a minute, a silence of a minute."""
    with Server(script) as server:
        client = StreamClient(server.url, stall_s=60, context=Context())
        received = client.stream.lines()
        assert next(received) in (None, b"")
        while not server.requests:
            assert next(received) in (None, b"")
        begin = time.monotonic()
        client.stream.close()
        client.stream.close()
        assert not client.stream._thread.is_alive()
        assert time.monotonic() - begin < 30
        assert all(not item for item in received)


def test_a_server_that_accepts_and_stays_silent_times_out() -> None:
    with Server([[silent]]) as server:
        client = StreamClient(server.url, stall_s=0.5)
        next(client.stream.lines())
        client.stream.close()
        client.stream._thread.join(10)
        assert not client.stream._thread.is_alive()


def test_on_a_stop_received_lines_are_passed_on() -> None:
    stop = threading.Event()
    with Server([[posts(3), do(stop.set), keep_open]]) as server:
        client = StreamClient(server.url, context=Context(stop=stop))
        client.stream._thread.start()
        until(lambda: client.stream._inbox._items and len(server.sent_ids) >= 3)
        stop.wait()
        lines = [line for line in list_lines(client.stream) if line]
    assert lines == objects(*range(len(lines)))
    assert lines
    assert client.context.status.connected is False


def test_a_stop_does_not_wait_for_a_response() -> None:
    stop = threading.Event()
    with Server([[silent]]) as server:
        client = StreamClient(server.url, stall_s=60, context=Context(stop=stop))
        received = client.stream.lines()
        assert next(received) is None
        until(lambda: server.requests)
        stop.set()
        assert list(islice(received, 3)) == []


def list_lines(stream: HttpStream) -> list[bytes | Event | None]:
    """Return `lines()` of a stream whose thread is running."""
    stream._thread = threading.Thread(target=stream._thread.join)
    return list(stream.lines())


def test_lines_are_complete_however_they_arrive() -> None:
    junk = b"\xff\xfe not UTF-8 \x00"
    long = b"x" * 10_000_000
    with Server(
        [[dribble(1), raw(junk + b"\r\n" + long[:5_000_000]), raw(long[5_000_000:] + b"\n"), posts(1)]]
    ) as server:
        client = StreamClient(server.url)
        lines, _ = client.until(4)
    assert lines == [*objects(0), junk, long, *objects(1)]
    assert client.context.status.received_bytes > 10_000_000


def test_a_compressed_stream_is_read_as_it_arrives() -> None:
    def compressed(stream: Stream) -> None:
        stream.connection.open({"Content-Encoding": "gzip"})
        stream.connection.chunk(gzip.compress(b'{"id":0}\r\n'))
        stream.connection.hold()

    def damaged(stream: Stream) -> None:
        stream.connection.open({"Content-Encoding": "gzip"})
        stream.connection.chunk(b"this is not gzip")
        stream.connection.hold()

    with Server([[damaged], [compressed]]) as server:
        client = StreamClient(server.url)
        assert client.until(1)[0] == objects(0)
    assert client.clock.waits == [0.25]


@pytest.mark.parametrize("token", ["line\nend", "snowman ☃"])
def test_a_token_that_cannot_be_sent_is_named_without_being_shown(token: str) -> None:
    def connect(timeouts: Timeouts) -> requests.Response:
        with requests.Session() as session:
            return session.get(server.url, auth=Bearer(SecretStr(token)), timeout=timeouts, stream=True)

    with Server([[end]]) as server:
        client = StreamClient(server.url, connect=connect)
        with pytest.raises(ConfigurationError, match="characters that HTTP does not allow") as caught:
            client.until(1)
    assert caught.value.__cause__ is None
    assert "snowman" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_an_error_of_ours_is_not_swallowed() -> None:
    def connect(_: Timeouts) -> requests.Response:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        StreamClient("http://127.0.0.1:1", connect=connect).until(1)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=20), st.integers(1, 400))
@example(b"\nxx\n", [], 1)
@settings(max_examples=200)
def test_any_bytes_in_any_chunks_give_the_same_lines(content: bytes, cuts: list[int], largest: int) -> None:
    buffer = LineBuffer(largest)
    ends = sorted({*cuts, len(content)})
    lines: list[bytes | Event] = []
    for begin, after in zip([0, *ends], ends, strict=False):
        lines += buffer.feed(content[begin:after])
    *whole, rest = content.split(b"\n")
    assert len(lines) == len(whole)
    for line, raw_line in zip(lines, whole, strict=True):
        if len(raw_line) > largest and isinstance(line, Event):
            assert (line.kind, line.value) == ("unreadable", raw_line[:HEAD_BYTES])
            assert str(len(raw_line)) in line.reason
        else:
            assert line == raw_line.removesuffix(b"\r")
            assert len(raw_line) <= largest
    assert buffer.pending == len(rest)


def test_a_line_without_an_end_is_not_kept() -> None:
    buffer = LineBuffer(1_000_000)
    for _ in range(100):
        assert buffer.feed(b"y" * 65_536) == []
        assert sum(len(fragment) for fragment in buffer._fragments) <= 1_000_000 + 65_536
    (event, after) = buffer.feed(b"y\nafter\n")
    assert isinstance(event, Event)
    assert event.value == b"y" * HEAD_BYTES
    assert "6553601 bytes" in event.reason
    assert after == b"after"


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_any_line_is_an_object_or_a_reason(line: bytes) -> None:
    assert isinstance(json_object(line), dict | str)


def test_deep_and_strange_json_is_a_reason() -> None:
    reasons = [json_object(line) for line in (b"[" * 100_000, b"[1]", b"1" * 5000, b"\xff{}", b"{\x00}")]
    assert [str(reason).partition(":")[0] for reason in reasons] == ["json", "json", "json", "encoding", "json"]


@given(st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=200)
def test_any_header_gives_a_time_or_none(reset_at: str, retry: str) -> None:
    seconds = reset_in_s({"x-rate-limit-reset": reset_at, "Retry-After": retry}, BEGIN_MS)
    assert seconds is None or 0 < seconds <= 86_400


def test_the_clock_is_compared_with_the_servers() -> None:
    def says(ahead_s: int) -> str:
        date = format_datetime(datetime.fromtimestamp(BEGIN_MS / 1000 - ahead_s, tz=UTC), usegmt=True)
        return skew_sentence({"Date": date}, BEGIN_MS)

    assert says(100) == says(-100) == skew_sentence({}, BEGIN_MS) == skew_sentence({"Date": "today"}, BEGIN_MS) == ""
    assert "600 s ahead" in says(600)
    assert "600 s behind" in says(-600)


def test_the_user_agent_names_us() -> None:
    assert user_agent().startswith("twitter-topics/0.")
