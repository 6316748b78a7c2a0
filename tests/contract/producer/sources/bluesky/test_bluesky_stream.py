"""The source against misbehaving hosts: real sockets, the real client library."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from producer.receiving.rules import BLUESKY, WaitRules
from producer.source import Context, Event
from producer.sources.bluesky import BlueskySource
from producer.sources.bluesky.cursor import JetstreamCursor
from tests.fakes.bluesky_network import REV_US, Network
from tests.fakes.bluesky_setup import (
    QUICK,
    WIRES,
    collect,
    gaps,
    ids,
    in_order,
    open_source,
    start_of,
)
from tests.fakes.following import follow
from tests.fakes.jetstream import (
    V2_PATH,
    FakeJetstream,
    Step,
    Stream,
    again,
    error,
    frames,
    half,
    hang_up,
    raw,
    reset,
    silent,
    stall,
    status,
)
from tests.fakes.script import FakeClock
from tests.waiting import until
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError
from twitter_topics.records.gap import Gap

pytestmark = pytest.mark.usefixtures("short_polls", "no_thread_left")
HOUR_US = 3_600_000_000

# --- no fault loses a post

_FAULTS: dict[str, list[Step]] = {
    "hang-up": [frames(5), hang_up],
    "reset": [frames(5), reset],
    "half-frame": [frames(5), half],
    "at-once": [hang_up],
    "duplicates": [frames(5), again(3), reset],
    "not-json": [frames(3), raw(b'{"did":'), frames(3), hang_up],
    "not-utf-8": [frames(3), raw(b'{"did":"\xff"}'), frames(3), hang_up],
    "new-kinds": [frames(3), raw(b'{"kind":"moon"}'), raw(b'{"$type":"x"}'), frames(3), hang_up],
}


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("fault", _FAULTS)
def test_every_post_arrives_despite_faults(fault: str, wire: str, tmp_path: Path) -> None:
    network = Network(40)
    with FakeJetstream(network, [_FAULTS[fault]] * 4) as host:
        source = open_source(host.url, tmp_path, start_of(network, host), wire=wire)
        events = collect(source, 40)
    arrived = ids(events)
    assert set(arrived) == set(network.post_ids) == set(host.sent_ids)
    assert len(arrived) >= len(set(arrived)) == 40
    assert in_order(events)
    assert gaps(events) == []
    assert {event.kind for event in events} <= {"post", "unreadable"}
    assert len(host.requests) >= 5


@pytest.mark.parametrize("wire", WIRES)
def test_each_disconnect_is_counted_and_none_is_a_gap(wire: str, tmp_path: Path) -> None:
    network = Network(20)
    context = Context()
    with FakeJetstream(network, [[frames(5), reset], [status(503)], [frames(5), hang_up]]) as host:
        events = collect(open_source(host.url, tmp_path, start_of(network, host), context, wire=wire), 20)
    assert context.status.reconnects == {"network": 2, "http-503": 1}
    assert (context.status.gap_seconds, gaps(events)) == (0.0, [])
    assert context.status.received_bytes > 20 * 200


@pytest.mark.parametrize("wire", WIRES)
def test_posts_arrive_live(wire: str, tmp_path: Path) -> None:
    network = Network(0)
    with FakeJetstream(network) as host:
        source = open_source(host.url, tmp_path, wire=wire)
        events = source.events()
        assert next(events) is None
        while not host.streams:
            next(events)
        for _ in range(5):
            made = network.post()
            event = next(event for event in events if event is not None)
            assert event.key.decode() == made.post_id
        cast("Any", events).close()
    assert "cursor" not in host.requests[0][1]


# --- cursors


@pytest.mark.parametrize("wire", WIRES)
def test_after_a_crash_unacknowledged_posts_are_repeated(wire: str, tmp_path: Path) -> None:
    network = Network(30)
    with FakeJetstream(network) as host:
        first = collect(open_source(host.url, tmp_path, start_of(network, host), wire=wire), 20)
        acknowledged = first[11]
        second = collect(open_source(host.url, tmp_path, str(acknowledged.cursor), wire=wire), 30 - 11)
    assert ids(first[:12]) + ids(second)[1:] == network.post_ids
    assert ids(second)[0] == acknowledged.key.decode(), "the cursor is inclusive"
    asked = host.requests[-1][1]["cursor"]
    assert asked == [str(network.entries[11].at_us) if wire == "v1" else "12"]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("shift_us", [-3_000_000, 3_000_000])
def test_another_host_is_asked_from_slightly_earlier(wire: str, shift_us: int, tmp_path: Path) -> None:
    network = Network(100, step_us=50_000)
    here = FakeJetstream(network, [[frames(60), hang_up], [status(503)]])
    there = FakeJetstream(network, shift_us=shift_us, first_seq=100_000)
    with here, there:
        events = collect(open_source(f"{here.url},{there.url}", tmp_path, start_of(network, here), wire=wire), 100)
    assert set(ids(events)) == set(network.post_ids)
    asked = int(there.requests[0][1]["cursor"][0])
    assert asked == here.time_us(network.entries[59]) - REV_US - 5_000_000
    assert gaps(events) == []
    last = JetstreamCursor.from_text(str(events[-1].cursor))
    late_us = max(REV_US + shift_us, 0)
    seq = 100_099 if wire == "v2" else 0
    assert last == JetstreamCursor(there.url, there.time_us(network.entries[-1]), seq, late_us)


@pytest.mark.parametrize("wire", WIRES)
def test_what_a_late_host_had_not_seen_comes_from_the_next(wire: str, tmp_path: Path) -> None:
    network = Network(100, time.time_ns() // 1000 - HOUR_US, step_us=20_000_000)
    late = FakeJetstream(network, [[frames(60), hang_up], [status(503)]], shift_us=600_000_000)
    events: list[Event] = []
    with late, FakeJetstream(network, first_seq=100_000) as prompt:
        source = open_source(f"{late.url},{prompt.url}", tmp_path, start_of(network, late), wire=wire)
        for event in source.events():
            events += [event] if event else []
            if event and event.key.decode() == network.post_ids[-1]:
                break
        source.close()
    assert set(ids(events)) == set(network.post_ids)
    assert gaps(events) == []


def test_hosts_are_tried_in_turn_until_one_answers(tmp_path: Path) -> None:
    network = Network(5)
    context = Context()
    with FakeJetstream(network) as host:
        down = "ws://127.0.0.1:9"
        source = open_source(f"{down},{down},{host.url}", tmp_path, start_of(network, host), context)
        assert len(set(ids(collect(source, 5)))) == 5
    assert context.status.reconnects["network"] in (0, 4), "nobody, or two attempts at each"


def test_the_host_of_the_saved_cursor_is_tried_first(tmp_path: Path) -> None:
    network = Network(5)
    with FakeJetstream(network) as one, FakeJetstream(network) as other:
        collect(open_source(f"{one.url},{other.url}", tmp_path, start_of(network, other)), 5)
    assert (len(one.requests), len(other.requests)) == (0, 1)


def hourly(tmp_path: Path, wire: str, **settings: Any) -> tuple[Network, FakeJetstream, list[Event], Context]:
    """Two days with a post per hour; the host keeps 36 hours; we stopped after the third post."""
    network = Network(48, step_us=HOUR_US)
    context = Context()
    with FakeJetstream(network, look_back_us=36 * HOUR_US) as host:
        saved = JetstreamCursor(host.url, network.entries[2].at_us, 3)
        events = collect(open_source(host.url, tmp_path, saved, context, wire=wire, **settings), 37)
    return network, host, events, context


@pytest.mark.parametrize("wire", WIRES)
def test_posts_the_host_no_longer_has_are_a_gap(wire: str, tmp_path: Path) -> None:
    network, host, events, context = hourly(tmp_path, wire)
    assert ids(events) == network.post_ids[11:]
    lost = Gap(
        "bluesky",
        network.entries[2].at_us // 1000,
        network.entries[11].at_us // 1000,
        "clamped",
        estimated_posts=2 * 9 * 3600,
    )
    assert gaps(events) == [lost]
    assert events[0].kind == "gap"
    assert events[0].cursor == JetstreamCursor(host.url, network.entries[2].at_us, 3 if wire == "v1" else 0).text()
    assert context.status.gap_seconds == lost.seconds == 9 * 3600
    cursors = [query["cursor"][0] for _, query in host.requests]
    time_us = str(network.entries[2].at_us)
    assert cursors == ([time_us] if wire == "v1" else ["3", time_us])


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(("alive_h", "missed_h"), [(0, 0), (30, 0), (40, 4)])
def test_only_time_without_a_connection_is_a_gap_of_few_accounts(
    alive_h: int, missed_h: int, wire: str, tmp_path: Path
) -> None:
    network = Network(48, step_us=HOUR_US)
    now_ms = network.next_us // 1000
    alive_ms = now_ms - 1000 - alive_h * 3_600_000
    context = Context(now_ms=lambda: now_ms)
    with FakeJetstream(network, [[hang_up]], look_back_us=36 * HOUR_US) as host:
        saved = JetstreamCursor(host.url, network.entries[2].at_us, 3)
        dids = f"{network.entries[2].did},{network.entries[47].did}"
        source = open_source(host.url, tmp_path, saved, context, alive_ms=alive_ms, wire=wire, dids=dids)
        events = collect(source, 1)
    assert ids(events) == network.post_ids[47:]
    lost = Gap("bluesky", alive_ms, now_ms - 36 * 3_600_000, "clamped", estimated_posts=2 * (4 * 3600 + 1))
    assert gaps(events) == ([lost] if missed_h else [])


def test_a_cursor_in_the_future_is_requested_as_now(tmp_path: Path) -> None:
    network = Network(3)
    now_ms = network.next_us // 1000
    with FakeJetstream(network) as host:
        source = open_source(host.url, tmp_path, JetstreamCursor(host.url, 10**18), Context(now_ms=lambda: now_ms))
        events = source.events()
        next(events)
        while not host.requests:
            next(events)
        cast("Any", events).close()
    assert host.requests[0][1]["cursor"] == [str(now_ms * 1000)]


@pytest.mark.parametrize("seq", [45, 70], ids=["of a later event", "in the future"])
def test_another_server_behind_the_same_address_is_asked_by_time(seq: int, tmp_path: Path) -> None:
    network = Network(50, step_us=2 * 60_000_000)
    with FakeJetstream(network) as host:
        saved = JetstreamCursor(host.url, network.entries[30].at_us, seq)
        source = open_source(host.url, tmp_path, saved, wire="v2")
        events = []
        for event in source.events():
            if host.streams and len(network.entries) == 50:
                network.post()
            if event:
                events.append(event)
            if len(events) == 21:
                break
        source.close()
    assert ids(events) == network.post_ids[30:]
    assert gaps(events) == []
    cursors = [query["cursor"][0] for _, query in host.requests]
    assert cursors == [str(seq), str(saved.time_us - 5_000_000)]


@pytest.mark.parametrize("wire", WIRES)
def test_a_clock_that_is_behind_makes_no_dead_letters(wire: str, tmp_path: Path) -> None:
    network = Network(10, step_us=60_000_000)
    behind = Context(now_ms=lambda: network.entries[0].at_us // 1000 - 600_000)
    with FakeJetstream(network) as host:
        events = follow(open_source(host.url, tmp_path, start_of(network, host), behind, wire=wire), 10)
    assert ids(events) == network.post_ids


def test_a_damaged_cursor_is_reported_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="not a Bluesky cursor"):
        open_source("ws://127.0.0.1:9", tmp_path, "somewhere")


# --- silence, rejections, waits


def hurried() -> Context:
    """A clock running a thousand times faster, for the watchdog; the client library's pings use the real one."""
    return Context(monotonic=lambda: time.monotonic() * 1000)


def concurrently(step: Step) -> Step:
    """Run a step while the next one runs."""
    return lambda stream: threading.Thread(target=step, args=(stream,)).start()


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("fault", [stall, silent])
def test_a_silent_host_is_replaced_by_the_next(wire: str, fault: Step, tmp_path: Path) -> None:
    network = Network(20)
    clock = FakeClock()
    context = Context(monotonic=clock.monotonic)

    def wait(stream: Stream) -> None:
        while not context.status.reconnects and not stream.host.end.wait(0.01):
            clock.advance(QUICK.stall_s / 3)

    with FakeJetstream(network, [[frames(1), concurrently(wait), fault]]) as idle, FakeJetstream(network) as other:
        source = open_source(f"{idle.url},{other.url}", tmp_path, start_of(network, idle), context, wire=wire)
        events = collect(source, 20)
    assert set(ids(events)) == set(network.post_ids)
    assert context.status.reconnects == {"stall": 1}
    assert len(idle.requests) == 1


def test_with_few_accounts_only_a_dead_connection_is_a_stall(tmp_path: Path) -> None:
    network = Network(100)
    chosen = network.entries[0].did
    context = Context()
    with FakeJetstream(network, [[frames(1), stall]]) as dead, FakeJetstream(network) as other:
        hosts, rules = f"{dead.url},{other.url}", replace(QUICK, stall_s=1.5)
        source = open_source(hosts, tmp_path, start_of(network, dead), context, rules, dids=chosen)
        events = collect(source, 2)
    assert len(set(ids(events))) == 2
    assert set(context.status.reconnects) == {"stall"}


def test_silence_of_few_accounts_is_not_a_stall(tmp_path: Path) -> None:
    network = Network(2)
    context = hurried()
    with FakeJetstream(network) as host:
        source = open_source(host.url, tmp_path, start_of(network, host), context, dids=network.entries[0].did)
        events = source.events()
        assert next(event for event in events if event).kind == "post"
        ended = context.monotonic() + 200
        while context.monotonic() < ended:
            next(events)
        cast("Any", events).close()
    assert context.status.reconnects == {}
    assert len(host.requests) == 1


def test_a_consumer_that_is_too_slow_resumes(tmp_path: Path) -> None:
    network = Network(10)
    context = Context()
    with FakeJetstream(network, [[frames(5), error("ConsumerTooSlow")], [frames(2), error("InternalError")]]) as host:
        events = collect(open_source(host.url, tmp_path, start_of(network, host), context, wire="v2"), 10)
    assert set(ids(events)) == set(network.post_ids)
    assert context.status.reconnects == {"slow": 1, "server-error": 1}


class Waits:
    """Replaces waiting: records how long, and ends the source after a number of waits."""

    def __init__(self, number: int) -> None:
        self.seconds: list[float] = []
        self.sentences: list[str] = []
        self.context = Context(pause=self, random=random.Random(1))
        self.source: BlueskySource | None = None
        self._number = number

    def __call__(self, seconds: float) -> bool:
        assert self.source is not None
        self.seconds.append(round(seconds, 3))
        self.sentences.append(self.context.status.sentence)
        if len(self.seconds) == self._number:
            self.source.close()
        return False

    def run(self, hosts: str, tmp_path: Path, saved: JetstreamCursor | None = None, **more: Any) -> None:
        self.source = open_source(hosts, tmp_path, saved, self.context, replace(BLUESKY, jitter=0.0), **more)
        assert [event for event in self.source.events() if event] == []


def test_waits_grow_by_the_rules_while_no_host_answers(tmp_path: Path) -> None:
    waits = Waits(125)
    waits.run("ws://127.0.0.1:9,ws://127.0.0.1:10", tmp_path)
    assert waits.seconds == [min(0.25 * number, 30.0) for number in range(1, 126)]
    assert waits.sentences[0].startswith("ws://127.0.0.1:9: ")
    assert "reconnecting in 0.2 s" in waits.sentences[0]
    assert "trying ws://127.0.0.1:10 in 0.5 s" in waits.sentences[1]
    assert not waits.context.status.connected


@pytest.mark.parametrize("wire", WIRES)
def test_waits_double_while_servers_answer_errors(wire: str, tmp_path: Path) -> None:
    waits = Waits(8)
    with FakeJetstream(0, [[status(503)]] * 8) as host:
        waits.run(host.url, tmp_path, wire=wire)
    assert waits.seconds == [1, 2, 4, 8, 16, 32, 60, 60]
    assert "answered 503" in waits.sentences[0]
    assert waits.context.status.reconnects == {"http-503": 8}


def test_a_rate_limit_is_waited_out(tmp_path: Path) -> None:
    waits = Waits(3)
    with FakeJetstream(0, [[status(429, Retry_After="77")], [status(429)], [status(429)]]) as host:
        waits.run(host.url, tmp_path)
    assert waits.seconds == [77, 60, 120]
    assert waits.context.status.reconnects == {"rate-limit": 3}


def test_brief_connections_do_not_earn_immediate_attempts(tmp_path: Path) -> None:
    waits = Waits(4)
    network = Network(30)
    with FakeJetstream(network, [[hang_up]] * 4) as host:
        waits.run(host.url, tmp_path, start_of(network, host))
    assert waits.seconds == [0.25, 0.5, 0.75, 1.0]


def test_after_a_long_healthy_connection_the_first_attempt_is_immediate(tmp_path: Path) -> None:
    network = Network(10)
    waits: list[float] = []
    clock = FakeClock()
    context = Context(monotonic=clock.monotonic, pause=lambda seconds: bool(waits.append(seconds)))

    def last(stream: Stream) -> None:
        while not context.status.received_bytes and not stream.host.end.wait(0.001):
            pass  # until the client follows
        clock.advance(20)

    with FakeJetstream(network, [[frames(5), last, hang_up], [hang_up]]) as host:
        source = open_source(host.url, tmp_path, start_of(network, host), context, replace(BLUESKY, jitter=0.0))
        assert len(set(ids(collect(source, 10)))) == 10
    assert waits == [0.25]
    assert context.status.reconnects == {"network": 2}


def test_rejected_by_all_hosts_is_a_configuration_error(tmp_path: Path) -> None:
    with FakeJetstream(0, [[status(400, message="no such collection")]]) as one, FakeJetstream(0) as other:
        wrong = f"{other.url}/elsewhere"
        source = open_source(f"{one.url},{wrong}", tmp_path)
        with pytest.raises(ConfigurationError, match=r"404.*BLUESKY_WIRE"):
            list(source.events())


def test_rejections_after_a_healthy_connection_are_waited_out(tmp_path: Path) -> None:
    network = Network(10)
    context = Context()
    with FakeJetstream(network, [[frames(5), hang_up], [status(403)], [status(401)], [status(404)]]) as host:
        assert len(set(ids(collect(open_source(host.url, tmp_path, start_of(network, host), context), 10)))) == 10
    assert context.status.reconnects == {"network": 1, "http-403": 1, "http-401": 1, "http-404": 1}


def test_stopping_ends_the_stream_even_during_a_wait(tmp_path: Path) -> None:
    context = Context()
    source = open_source("ws://127.0.0.1:9", tmp_path, None, context, WaitRules(60, 60, 60, 60, 60, 60, 60))
    events = source.events()
    assert next(events) is None
    context.stop.set()
    assert [event for event in events if event] == []
    source.close()


def test_a_source_that_was_never_read_can_be_closed(tmp_path: Path) -> None:
    source = open_source("ws://127.0.0.1:9", tmp_path)
    source.close()
    source.close()


# --- settings and the check


@pytest.mark.parametrize("wire", WIRES)
def test_the_filter_is_sent_to_the_host(wire: str, tmp_path: Path) -> None:
    network = Network(4)
    with FakeJetstream(network) as host:
        chosen = [network.entries[1].did, network.entries[2].did]
        collections = "app.bsky.feed.*,app.bsky.feed.post"
        source = open_source(
            host.url, tmp_path, start_of(network, host), wire=wire, dids=", ".join(chosen), collections=collections
        )
        assert ids(collect(source, 2)) == network.post_ids[1:3]
    path, query = host.requests[0]
    names = ("collections", "dids") if wire == "v2" else ("wantedCollections", "wantedDids")
    assert path == (V2_PATH if wire == "v2" else "/subscribe")
    assert (query[names[0]], query[names[1]]) == (collections.split(","), chosen)


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        ("collections", "app.bsky.feed.like", "BLUESKY_COLLECTIONS"),
        ("dids", "alice.bsky.social", "BLUESKY_DIDS"),
        ("dids", ",".join(f"did:plc:{number}" for number in range(10_001)), "10000"),
    ],
)
def test_settings_no_host_can_serve_are_rejected_at_once(setting: str, value: str, named: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {setting: value}
    with pytest.raises(ConfigurationError, match=named):
        open_source("ws://127.0.0.1:9", tmp_path, **settings)


def test_an_invalid_address_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="BLUESKY_HOSTS"):
        open_source("wss://here.example:port", tmp_path)


@pytest.mark.parametrize("wire", WIRES)
def test_the_check_names_the_host(wire: str, tmp_path: Path) -> None:
    with FakeJetstream(3) as host:
        source = open_source(f"ws://127.0.0.1:9,{host.url}", tmp_path, wire=wire)
        assert source.check() == f"Bluesky streams from {host.url}"
        source.close()
    assert "cursor" not in host.requests[0][1]


def test_the_check_distinguishes_rejected_from_unreachable(tmp_path: Path) -> None:
    with FakeJetstream(0, [[status(400, message="invalid did")], [status(503)]]) as host:
        source = open_source(host.url, tmp_path)
        with pytest.raises(ConfigurationError, match=r"400 invalid did.*BLUESKY_DIDS"):
            source.check()
        with pytest.raises(RetryableError, match="503"):
            source.check()
    with pytest.raises(RetryableError, match="no Bluesky host"):
        source.check()


def test_closing_ends_a_reader_blocked_by_a_full_inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer.receiving.inbox.Inbox.__init__.__defaults__", (1, 100))
    network = Network(2000)
    with FakeJetstream(network) as host:
        source = open_source(host.url, tmp_path, start_of(network, host))
        events = source.events()
        next(event for event in events if event)
        until(lambda: source._inbox._changed._waiters)  # type: ignore[attr-defined]
        cast("Any", events).close()
        assert not source._thread.is_alive()


def test_memory_is_bounded_without_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer.receiving.inbox.Inbox.__init__.__defaults__", (20_000, 100_000))
    monkeypatch.setattr("producer.sources.bluesky.reader.BATCH", 20)  # of 2,700 bytes: the bound holds for any timing
    network = Network(0, step_us=100)
    for _ in range(6000):
        network.post("x" * 2500)
    context = Context()
    with FakeJetstream(network) as host:
        source = open_source(host.url, tmp_path, start_of(network, host), context, compress=False)
        events = source.events()
        arrived = [next(event for event in events if event)]
        before = -1
        while context.status.received_bytes != before:  # until nothing more is read
            before = context.status.received_bytes
            threading.Event().wait(0.2)
        assert before < 1_000_000
        assert len(host.sent_ids) < 6000, "the full socket blocks the host"
        seen = {event.key for event in arrived}
        for event in events:
            if event:
                arrived.append(event)
                seen.add(event.key)
            if len(seen) == 6000:
                break
        source.close()
    # a busy machine may drop a connection that is blocked for so long, and posts are repeated
    assert list(dict.fromkeys(event.key.decode() for event in arrived)) == network.post_ids
