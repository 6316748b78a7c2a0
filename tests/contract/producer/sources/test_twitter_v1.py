"""The v1.1 stream: Twython against a real local server that drops, rejects, stalls and resumes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.position import SourcePosition
from producer.receiving.rules import X
from producer.source import Context, Event
from producer.sources.twitter_v1 import LineReader, TwitterSource, api_url, read_message
from producer.status import Status
from tests.fakes.following import follow, keys
from tests.fakes.script import (
    FakeClock,
    cut,
    dribble,
    end,
    keep_alive,
    keep_open,
    message,
    posts,
    raw,
    stall,
    status,
    stormy,
)
from tests.fakes.twitter_v1 import CREDENTIALS, FakeTwitter
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.records.gap import Gap
from twitter_topics.records.notice import Notice
from twitter_topics.records.tweet import TimeBounds, Tweet, read_tweet
from twitter_topics.settings import Settings

pytestmark = pytest.mark.usefixtures("no_thread_left")


class Followed:
    """A source on the fake, with a clock that advances only by waiting."""

    def __init__(
        self, server: FakeTwitter, saved: SourcePosition | None = None, stall_s: float = 5.0, **more: str
    ) -> None:
        self.clock = FakeClock(server.begin_ms)
        self.context = Context(now_ms=self.clock.now_ms, monotonic=self.clock.monotonic, pause=self.clock.pause)
        opened = TwitterSource.open(Settings({**server.settings, **more}), saved, self.context)
        opened.close()
        twitter = Settings({**server.settings, **more}).twitter
        self.source = TwitterSource(twitter, opened.start, self.context, replace(X, stall_s=stall_s))

    def until(self, number: int) -> list[Event]:
        return follow(self.source, number)


def ids(server: FakeTwitter, number: int) -> list[str]:
    return [server.post_id(one) for one in range(number)]


@pytest.mark.parametrize("lengths", [True, False])
def test_every_tweet_arrives_byte_for_byte_despite_all_faults(lengths: bool) -> None:
    number = 200
    with FakeTwitter(stormy(number), number, lengths=lengths) as server:
        followed = Followed(server)
        events: list[Event] = []
        for event in followed.source.events():
            events += [] if event is None else [event]
            if event is not None and event.key.decode() == server.post_id(number - 1):
                break
        followed.source.close()
        received = {event.key.decode(): event for event in events if event.kind == "post"}
        assert len(received) == number
        assert set(received) == set(ids(server, number))
        for one in range(number):
            event = received[server.post_id(one)]
            assert event.value == server.post(one)
            assert event.event_time_ms == server.begin_ms + one
            tweet = read_tweet(event.value, server.begin_ms, TimeBounds())
            assert isinstance(tweet, Tweet)
            assert (tweet.tweet_id, tweet.source) == (server.post_id(one), "twitter")
    assert not keys(events, "unreadable")
    assert set(followed.context.status.reconnects) == {"network"}
    gaps = [Gap.from_value(event.value).seconds for event in events if event.kind == "gap"]
    assert gaps == followed.clock.waits[: len(gaps)]  # after the first disconnect it reconnected at once
    assert len(gaps) == number // 20 - 2


def test_the_request_is_signed_and_complete() -> None:
    with FakeTwitter([[posts(1), keep_open]]) as server:
        Followed(server, TWITTER_TRACK="storm,final café", TWITTER_LANGUAGES="en,es").until(1)
        Followed(server, TWITTER_LANGUAGES="en").until(1)
        filtered, sample = server.stream_requests
    assert (filtered.method, filtered.path) == ("POST", "/1.1/statuses/filter.json")
    assert filtered.form == {"track": ["storm,final café"], "language": ["en,es"], "delimited": ["length"]}
    assert (sample.method, sample.path) == ("GET", "/1.1/statuses/sample.json")
    assert sample.query == {"language": ["en"], "delimited": ["length"]}
    assert filtered.headers["User-Agent"].startswith("twitter-topics/")


def test_rejections_are_waited_out_by_the_table() -> None:
    rejections = [[status(420)], [status(420)], [status(503)], [status(429, {"Retry-After": "900"})]]
    with FakeTwitter([[posts(2), cut], *rejections, [keep_alive, stall], [posts(1), keep_open]]) as server:
        followed = Followed(server, stall_s=2.0)
        events = followed.until(3)
        assert keys(events) == ids(server, 3)
    assert followed.clock.waits == [60.0, 120.0, 5.0, 900.0, 0.25]
    assert followed.context.status.reconnects == {"network": 1, "rate-limit": 3, "http-503": 1, "stall": 1}


@pytest.mark.parametrize(
    ("code", "names"),
    [(401, "TWITTER_CONSUMER_"), (403, "access"), (406, "TWITTER_TRACK"), (404, "TWITTER_STREAM_URL")],
)
def test_a_fatal_response_ends_the_source(code: int, names: str) -> None:
    with FakeTwitter([[status(code)]]) as server:
        with pytest.raises(ConfigurationError, match=names):
            Followed(server).until(1)
        assert len(server.stream_requests) == 1


def test_a_rejection_in_html_is_the_servers_own() -> None:
    page = status(401, {"Content-Type": "text/html"}, b"<html>Error 401 Unauthorized")
    with FakeTwitter([[page]]) as server, pytest.raises(ConfigurationError, match="TWITTER_CONSUMER_"):
        Followed(server).until(1)


def test_a_wrong_secret_is_rejected_by_a_server_that_verifies() -> None:
    with FakeTwitter() as server:
        followed = Followed(server, TWITTER_ACCESS_TOKEN_SECRET="another")
        with pytest.raises(ConfigurationError, match="TWITTER_ACCESS_") as caught:
            followed.until(1)
    assert "another" not in str(caught.value)


NOTICES: list[tuple[dict[str, Any], Notice]] = [
    (
        {
            "delete": {
                "status": {"id": 2, "id_str": "2", "user_id": 7, "user_id_str": "7"},
                "timestamp_ms": "1200000001500",
            }
        },
        Notice("delete", "twitter", "2", "7", at_ms=1_200_000_001_500),
    ),
    ({"delete": {"status": {"id": 3, "user_id": 7}}}, Notice("delete", "twitter", "3", "7")),
    (
        {"scrub_geo": {"user_id": 7, "user_id_str": "7", "up_to_status_id": 9, "up_to_status_id_str": "9"}},
        Notice("scrub_geo", "twitter", user_id="7", up_to_tweet_id="9"),
    ),
    (
        {"status_withheld": {"id": 5, "user_id": 7, "withheld_in_countries": ["DE", "AR"]}},
        Notice("withheld", "twitter", "5", "7", countries=("DE", "AR")),
    ),
    (
        {"user_withheld": {"id": 7, "withheld_in_countries": ["XX"]}},
        Notice("withheld", "twitter", user_id="7", countries=("XX",)),
    ),
]


@pytest.mark.parametrize(("body", "notice"), NOTICES)
def test_notices(body: dict[str, Any], notice: Notice) -> None:
    event = read_message(json.dumps(body).encode())
    assert event is not None
    assert (event.kind, event.key) == ("notice", notice.key())
    read = Notice.from_value(event.value)
    assert read == notice
    assert read.payload == body
    assert event.event_time_ms == (notice.at_ms or None)


def test_unknown_messages_are_kept_and_control_messages_are_not() -> None:
    strange = [
        b"{broken",
        b"[1]",
        b"\xff\xfe",
        b'{"status_withheld":{"user_id":1}}',
        b'{"delete":{"status":[]}}',
        b'{"delete":7}',
        b'{"friends":[1,2]}',
        b'{"\\ud800":1}',
        b"[" * 100_000,
        b'{"delete":{"status":{"id":1},"x":' + b"[" * 990 + b"]" * 990 + b"}}",
    ]
    talk = [
        b'{"limit":{"track":12}}',
        b'{"disconnect":{"code":7,"reason":"admin logout"}}',
        b'{"warning":{"code":"X"}}',
    ]
    with FakeTwitter([[*map(message, [*strange[:6], *talk, *strange[6:]]), posts(1), keep_open]]) as server:
        events = Followed(server).until(len(strange) + 1)
        assert keys(events) == ids(server, 1)
    unreadable = [event for event in events if event.kind == "unreadable"]
    kept = [event.value for event in unreadable]
    assert [value for value in kept if value in strange] == kept
    assert len(kept) >= len(strange) - 1  # the last one may be readable, depending on Python's recursion limit
    assert len({event.key for event in unreadable}) == len(unreadable)
    assert [event.reason.partition(":")[0] for event in unreadable[:7]] == [
        *("json", "json", "encoding", "status_withheld", "delete", "delete", "unknown"),
    ]
    assert all(event.reason.encode() for event in unreadable)


def test_undelivered_posts_are_counted() -> None:
    status = Status()
    reader = LineReader(status)
    for track in (5, 12, 12, 3, "many", -1, None):
        assert reader.read(json.dumps({"limit": {"track": track}}).encode()) == []
    assert status.not_delivered == 15


def test_posts_that_are_not_delivered_are_counted_for_each_connection() -> None:
    status = Status()
    reader = LineReader(status)
    for track in (300, 400, 450):
        reader.read(b'{"limit":{"track":%d}}' % track)
        assert reader.cut_off() == []
    assert status.not_delivered == 1150


def test_a_length_keeps_a_message_with_line_ends_together() -> None:
    """Twitter's guide warned of line feeds inside a tweet."""
    reader = LineReader(Status())
    tweet = b'{"id_str":"1",\n"text":"one",\n\n"timestamp_ms":"5"}'
    other = b'{"id_str":"2","text":"two"}'
    lines = [str(len(tweet) + 2).encode(), *tweet.split(b"\n"), b"", str(len(other) + 2).encode(), other]
    events = [event for line in lines for event in reader.read(line)]
    assert [(event.kind, event.value) for event in events] == [("post", tweet), ("post", other)]


@pytest.mark.parametrize("wrong_by", [-50, -2, -1, 1, 5, 10_000, 10**9])
def test_a_length_that_does_not_fit_is_ignored(wrong_by: int) -> None:
    reader = LineReader(Status())
    events: list[Event] = []
    for number in range(1, 21):
        body = b'{"id_str":"%d","text":"hello"}' % number
        events += reader.read(b"%d" % max(0, len(body) + 2 + wrong_by))
        events += reader.read(body)
    assert keys(events) == [str(number) for number in range(1, 21)]
    assert keys(events, "unreadable") == []


def test_a_broken_line_costs_only_itself() -> None:
    """A line that never becomes JSON waits for its length; then each part is parsed separately."""
    reader = LineReader(Status())
    lines = [b"500", b'{"half', b"30", b'{"id_str":"1","text":"hello"}'] + [
        b"30",
        b'{"id_str":"2","text":"hello"}',
    ] * 20
    events = [event for line in lines for event in reader.read(line)]
    events += reader.cut_off()
    assert keys(events) == ["1"] + ["2"] * 20
    assert [event.value for event in events if event.kind == "unreadable"] == [b'{"half']


def test_a_message_cut_off_by_a_disconnect_is_not_joined_with_the_next() -> None:
    half = b'5000\r\n{"id_str":\r\n'  # a complete line, but the length announces more
    with FakeTwitter([[raw(half), end], [posts(2), stall], [status(403)]]) as server:
        events = Followed(server).until(3)
        assert keys(events) == ids(server, 2)
    assert [event.value for event in events if event.kind == "unreadable"] == [b'{"id_str":']


@given(st.lists(st.one_of(st.binary(max_size=60), st.integers(0, 200).map(lambda n: b"%d" % n)), max_size=30))
@settings(max_examples=150)
def test_any_lines_become_events_and_never_raise(lines: list[bytes]) -> None:
    reader = LineReader(Status())
    events = [event for line in lines for event in reader.read(line)] + reader.cut_off()
    held = b"".join(event.value.replace(b"\n", b"") for event in events)
    assert held == b"".join(line.replace(b"\n", b"") for line in lines if not line.isdigit()) or any(
        line.isdigit() for line in lines
    )


JSON = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8) | st.lists(st.text(), max_size=2)
NAMES = ("delete", "scrub_geo", "status_withheld", "user_withheld", "limit", "id", "id_str", "status", "user_id")


OBJECT = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4)


@given(st.dictionaries(st.sampled_from(NAMES), JSON | OBJECT | st.fixed_dictionaries({"status": OBJECT}), max_size=3))
@settings(max_examples=150)
def test_any_object_is_an_event_or_a_control_message(body: dict[str, Any]) -> None:
    event = read_message(json.dumps(body).encode())
    if event is None:
        assert "limit" in body
        return
    assert event.kind in ("post", "notice", "unreadable")
    assert event.key
    if event.kind == "notice":
        notice = Notice.from_value(event.value)
        assert notice.tweet_id or notice.user_id
        assert event.key == notice.key()


def test_a_large_line_and_a_slow_one() -> None:
    with FakeTwitter([[dribble(3), posts(1, length=10_000_000), posts(1), keep_open]]) as server:
        events = Followed(server).until(3)
        assert keys(events) == ids(server, 3)
    assert len(events[1].value) > 10_000_000


def test_the_stop_between_two_runs_is_a_gap_and_another_filter_another_stream() -> None:
    with FakeTwitter([[posts(1), keep_open]]) as server:
        first = Followed(server, TWITTER_TRACK="storm")
        assert first.source.start.alive_ms == 0
        saved = replace(first.source.start, count=10, alive_ms=server.begin_ms - 8000, rate=1.5)
        first.source.close()
        again = Followed(server, saved, TWITTER_TRACK="storm")
        assert again.source.start == saved
        (gap, _) = again.until(1)
        assert json.loads(gap.value) == {
            "source": "twitter_v1",
            "from_ms": server.begin_ms - 8000,
            "to_ms": server.begin_ms,
            "cause": "stopped",
            "estimated_posts": 12,
        }
        other = Followed(server, saved, TWITTER_TRACK="final")
        assert (other.source.start.count, other.source.start.alive_ms) == (0, 0)
        other.source.close()


def test_all_missing_credentials_are_named_and_none_is_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        TwitterSource.open(Settings({"TWITTER_CONSUMER_KEY": "very-secret"}), None, Context())
    for name in CREDENTIALS:
        assert (name in str(caught.value)) == (name != "TWITTER_CONSUMER_KEY")
    assert "very-secret" not in str(caught.value)


CHECKS: list[tuple[tuple[int, bytes, dict[str, str]], type[Exception] | None, str]] = [
    ((200, b'{"screen_name":"somebody"}', {}), None, "valid, of @somebody"),
    ((200, b"strange", {}), None, "valid"),
    ((404, b"", {}), None, "only opening the stream will show"),
    ((401, b"", {}), ConfigurationError, "TWITTER_CONSUMER_"),
    ((403, b'{"detail":"essential access"}', {}), ConfigurationError, "essential access"),
    ((429, b"", {}), RetryableError, "429"),
    ((503, b"", {}), RetryableError, "503"),
]


@pytest.mark.parametrize(("me", "error", "words"), CHECKS)
def test_check(me: tuple[int, bytes, dict[str, str]], error: type[Exception] | None, words: str) -> None:
    with FakeTwitter(me=me) as server:
        followed = Followed(server)
        if error is None:
            assert words in followed.source.check()
        else:
            with pytest.raises(error, match=words):
                followed.source.check()
        assert server.requests[0].path == "/1.1/account/verify_credentials.json"
        followed.source.close()


def test_check_names_a_wrong_clock() -> None:
    with FakeTwitter() as server:
        date = format_datetime(datetime.fromtimestamp(server.begin_ms / 1000 - 600, tz=UTC), usegmt=True)
        server.me = (401, b"", {"Date": date})
        followed = Followed(server)
        with pytest.raises(ConfigurationError, match=r"clock is 60[01] s ahead"):
            followed.source.check()


def test_check_of_an_unreachable_server() -> None:
    with FakeTwitter() as server:
        followed = Followed(server)
    with pytest.raises(RetryableError, match="refused"):
        followed.source.check()


def test_other_methods_have_their_own_host() -> None:
    def where(**more: str) -> str:
        return api_url(Settings(more).twitter)

    assert where() == "https://api.twitter.com/1.1"
    assert where(TWITTER_STREAM_URL="http://127.0.0.1:8/1.1/") == "http://127.0.0.1:8/1.1"
    assert where(TWITTER_API_URL="https://other.example/v/") == "https://other.example/v"
