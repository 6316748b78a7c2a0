"""Mastodon's stream: server-sent events from a real local server, and the mapping of statuses."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.feed import Feed
from producer.position import PositionFile, SourcePosition
from producer.receiving.rules import MASTODON
from producer.sending.publisher import KafkaPublisher
from producer.service import ProducerService
from producer.source import Context, Event
from producer.sources.mastodon import MastodonSource
from producer.sources.mastodon.mapping import StatusMapper
from producer.sources.mastodon.sse import Assembler, ServerEvent
from producer.sources.mastodon.text import plain_text
from producer.testing import FakeKafka
from tests.fakes.following import follow, keys
from tests.fakes.mastodon import TOKEN, FakeMastodon, event, status_of
from tests.fakes.script import (
    FakeClock,
    cut,
    do,
    dribble,
    keep_alive,
    keep_open,
    message,
    posts,
    raw,
    stall,
    status,
    stormy,
)
from tests.sound_documents import check_document
from tests.waiting import until
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.records.content import Content
from twitter_topics.records.gap import Gap
from twitter_topics.records.notice import Notice
from twitter_topics.records.times import iso_ms
from twitter_topics.records.tweet import TimeBounds, Tweet, read_tweet
from twitter_topics.settings import Settings

pytestmark = pytest.mark.usefixtures("no_thread_left")
TIME_MS = 1_790_000_000_123
HOST = "made-up.example"


class Followed:
    """A source on the fake, with a clock that advances only by waiting, and no jitter."""

    def __init__(self, server: FakeMastodon, stall_s: float = 5.0, **more: str) -> None:
        self.clock = FakeClock(server.begin_ms)
        self.context = Context(now_ms=self.clock.now_ms, monotonic=self.clock.monotonic, pause=self.clock.pause)
        mastodon = Settings({**server.settings, **more}).mastodon
        rules = replace(MASTODON, stall_s=stall_s, jitter=0.0)
        self.source = MastodonSource(mastodon, SourcePosition({}), self.context, rules)

    def until(self, number: int) -> list[Event]:
        return follow(self.source, number)


def ids(server: FakeMastodon, number: int) -> list[str]:
    host = server.url.removeprefix("http://")
    return [f"mastodon:{host}/{server.post_id(one)}" for one in range(number)]


def test_every_post_arrives_despite_all_faults_and_is_readable_downstream() -> None:
    number = 200
    with FakeMastodon(stormy(number), number) as server:
        followed = Followed(server)
        events: list[Event] = []
        for one in followed.source.events():
            events += [] if one is None else [one]
            if one is not None and one.key.decode() == ids(server, number)[-1]:
                break
        followed.source.close()
        received = {one.key.decode(): one for one in events if one.kind == "post"}
        assert len(received) == number
        assert set(received) == set(ids(server, number))
        for place, tweet_id in enumerate(ids(server, number)):
            assert received[tweet_id].event_time_ms == server.begin_ms + place
            tweet = read_tweet(received[tweet_id].value, server.begin_ms, TimeBounds())
            assert isinstance(tweet, Tweet)
            assert (tweet.tweet_id, tweet.source) == (tweet_id, "mastodon")
            assert tweet.event_time_ms == server.begin_ms + place
            assert json.loads(received[tweet_id].value)["source_payload"] == json.loads(server.post(place))
    assert not keys(events, "unreadable")
    assert set(followed.context.status.reconnects) == {"network"}
    gaps = [Gap.from_value(one.value).seconds for one in events if one.kind == "gap"]
    assert gaps == followed.clock.waits[: len(gaps)]
    assert len(gaps) == number // 20 - 2


def test_edits_deletions_and_ignored_messages() -> None:
    edited = status_of("7", TIME_MS) | {"edited_at": "2026-09-21T15:00:00.000Z", "content": "<p>better</p>"}
    stream = [
        posts(1),
        raw(event("status.update", json.dumps(edited).encode())),
        raw(event("notification", b"{}") + event("filters_changed", b"undefined") + event("unheard.of", b"?")),
        message(b"109348677773283527"),
        raw(event("update", b"{broken") + event("update", b"\xff") + event("delete", b"a b")),
        posts(1),
        keep_open,
    ]
    with FakeMastodon([stream]) as server:
        events = Followed(server).until(7)
        assert keys(events) == ids(server, 2)
        prefix = ids(server, 1)[0].rpartition("/")[0]
    assert [one.kind for one in events] == ["post", "edit", "notice", *["unreadable"] * 3, "post"]
    edit = events[1]
    assert (edit.key.decode(), edit.event_time_ms) == (f"{prefix}/7", TIME_MS)
    assert json.loads(edit.value)["text"] == "better"
    notice = Notice.from_value(events[2].value)
    assert notice == Notice("delete", "mastodon", f"{prefix}/109348677773283527")
    assert events[2].key.decode() == notice.tweet_id
    assert [one.reason.partition(":")[0] for one in events[3:6]] == ["json", "encoding", "delete"]


def test_a_message_cut_off_by_a_disconnect_is_not_joined_with_the_next() -> None:
    whole = json.dumps(status_of("7", TIME_MS)).encode()
    first = [[raw(b"event: update\ndata: " + whole + b"\n"), cut], [raw(b"event: delete\n"), cut]]
    with FakeMastodon([*first, [raw(b"event: update\ndata: {\n"), cut], [posts(1), keep_open]]) as server:
        events = [one for one in Followed(server).until(3) if one.kind != "gap"]
        assert [one.kind for one in events] == ["post", "unreadable", "post"]
        assert events[0].key.endswith(b"/7")  # only its blank line was missing
        assert (events[1].value, events[2].key.decode()) == (b"{", ids(server, 1)[0])


def test_waits_and_gaps() -> None:
    later = {"X-RateLimit-Reset": "2100-01-01T00:00:00.000000Z"}
    rejections = [[status(503)], [status(429, {"Retry-After": "33"})], [status(429, later)]]
    with FakeMastodon([[posts(1), cut], *rejections, [keep_alive, stall], [posts(1), keep_open]]) as server:
        followed = Followed(server, stall_s=2.0)
        events = followed.until(2)
        assert keys(events) == ids(server, 2)
    assert followed.clock.waits == [5.0, 33.0, 120.0, 1.0]
    assert followed.context.status.reconnects == {"network": 1, "http-503": 1, "rate-limit": 2, "stall": 1}
    assert [Gap.from_value(one.value).seconds for one in events if one.kind == "gap"] == [158.0, 1.0]


def test_the_rate_is_of_the_posts_that_pass_the_filter() -> None:
    arrived = Flag()
    written = [status_of(str(number), TIME_MS) | {"language": "en" if number == 9 else "de"} for number in range(10)]
    updates = b"".join(event("update", json.dumps(one).encode()) for one in written)
    script = [raw(updates), do(arrived.wait), do(lambda: followed.clock.advance(10)), keep_open]
    with FakeMastodon([script]) as server:
        followed = Followed(server, MASTODON_LANGUAGES="en")
        events = followed.source.events()
        assert next(one for one in events if one is not None).key.endswith(b"/9")
        arrived.set()
        rate = until(lambda: followed.context.status.rate)
        followed.source.close()
    assert rate == 0.1


@pytest.mark.parametrize(
    ("stream", "path", "query"),
    [
        ("public", "/api/v1/streaming/public", {}),
        ("public/local", "/api/v1/streaming/public/local", {}),
        ("public/remote", "/api/v1/streaming/public/remote", {}),
        ("hashtag/café", "/api/v1/streaming/hashtag", {"tag": ["café"]}),
        ("hashtag/local/storm", "/api/v1/streaming/hashtag/local", {"tag": ["storm"]}),
    ],
)
def test_streams(stream: str, path: str, query: dict[str, list[str]]) -> None:
    with FakeMastodon([[posts(1), keep_open]]) as server:
        Followed(server, MASTODON_STREAM=stream).until(1)
        (request,) = server.stream_requests
    assert (request.path, request.query) == (path, query)
    assert request.headers["Accept"] == "text/event-stream"
    assert request.headers["User-Agent"].startswith("twitter-topics/")


def test_the_stream_may_redirect_to_another_host() -> None:
    with FakeMastodon([[posts(1), keep_open]]) as elsewhere, FakeMastodon(streaming_url=elsewhere.url) as server:
        events = Followed(server, MASTODON_STREAM="hashtag/storm").until(1)
        host = server.url.removeprefix("http://")
        assert keys(events) == [f"mastodon:{host}/{elsewhere.post_id(0)}"]  # the id does not depend on it
        assert elsewhere.stream_requests[0].query == {"tag": ["storm"]}


@pytest.mark.parametrize(("code", "names"), [(401, "read:statuses"), (403, "read:statuses"), (404, "MASTODON_STREAM")])
def test_a_fatal_response_ends_the_source(code: int, names: str) -> None:
    with FakeMastodon([[status(code)]]) as server, pytest.raises(ConfigurationError, match=names):
        Followed(server).until(1)


def test_a_web_page_is_no_rejection_of_the_token() -> None:
    html = {"Content-Type": "text/html"}
    with FakeMastodon([[status(403, html, b"<html>blocked")], [posts(1), keep_open]]) as server:
        assert keys(Followed(server).until(1)) == ids(server, 1)
        server.answer = lambda connection: connection.answer(403, b"<html>blocked", html)  # type: ignore[method-assign]
        with pytest.raises(RetryableError, match="403"):
            Followed(server).source.check()


def test_a_missing_token_is_reported_with_how_to_create_one() -> None:
    how = r"MASTODON_ACCESS_TOKEN is not set.*New application.*read:statuses.*account of its own"
    with pytest.raises(ConfigurationError, match=how):
        MastodonSource.open(Settings({}), None, Context())


def test_a_saved_position_of_another_stream_is_ignored() -> None:
    given = {"MASTODON_ACCESS_TOKEN": TOKEN}
    source = MastodonSource.open(Settings(given), None, Context())
    saved = replace(source.start, count=5, alive_ms=7)
    assert MastodonSource.open(Settings(given), saved, Context()).start == saved
    other = MastodonSource.open(Settings({**given, "MASTODON_STREAM": "public/local"}), saved, Context())
    assert (other.start.count, other.start.alive_ms) == (0, 0)


CHECKS: list[tuple[int, bytes, type[str | Exception], str]] = [
    (200, b"{}", str, "the token is valid"),
    (401, b'{"error":"revoked"}', ConfigurationError, r"read:statuses.*revoked"),
    (403, b"", str, "403: only opening the stream will show"),
    (404, b"", ConfigurationError, "MASTODON_URL"),
    (301, b"", ConfigurationError, "MASTODON_URL"),
    (429, b"", RetryableError, "429"),
    (503, b"", RetryableError, "503"),
]


def checked(source: MastodonSource) -> str | Exception:
    try:
        return source.check()
    except (ConfigurationError, RetryableError) as error:
        return error


@pytest.mark.parametrize(("code", "body", "kind", "words"), CHECKS)
def test_check(code: int, body: bytes, kind: type[str | Exception], words: str) -> None:
    with FakeMastodon(app=(code, body)) as server:
        found = checked(Followed(server).source)
        assert type(found) is kind
        assert re.search(words, str(found))
        assert server.requests[0].path == "/api/v1/apps/verify_credentials"


def test_a_token_that_may_not_ask_about_itself_follows_the_stream(tmp_path: Path) -> None:
    outside = (403, b'{"error":"This action is outside the authorized scopes"}')  # of read:statuses, before 4.3
    kafka = FakeKafka()
    with FakeMastodon([[posts(1), keep_open]], app=outside) as server:
        chosen = Settings({**server.settings, "PRODUCER_STATE_DIR": str(tmp_path)})
        context, file = Context(), PositionFile(tmp_path, "mastodon")
        with Feed.open(chosen, "mastodon", None, context) as feed:
            publisher = KafkaPublisher(kafka, chosen.kafka, "mastodon")
            end = ProducerService(feed, lambda: publisher, file, Mock(), context, limit=1).run()
        assert server.requests[0].path == "/api/v1/apps/verify_credentials"
        assert [key.decode() for key in kafka.keys(chosen.kafka.raw_topic)] == ids(server, 1)
    assert end == "finished"


def test_check_of_a_wrong_token_and_of_an_unreachable_server() -> None:
    with FakeMastodon() as server:
        followed = Followed(server, MASTODON_ACCESS_TOKEN="hush-hush")
        with pytest.raises(ConfigurationError, match="The access token is invalid") as caught:
            followed.source.check()
    assert "hush" not in str(caught.value)
    with pytest.raises(RetryableError, match="refused"):
        followed.source.check()


def assemble(content: bytes) -> list[ServerEvent]:
    assembler = Assembler()
    lines = [line.removesuffix(b"\r") for line in content.split(b"\n")]
    return [found for line in lines if (found := assembler.feed(line)) is not None]


def test_server_sent_events_follow_the_standard() -> None:
    content = (
        b"\xef\xbb\xbf:)\n:thump\r\n\r\n"
        b"event: update\r\ndata: one\r\n\r\n"
        b"data:two\ndata: lines\ndata\nid: 7\nretry: 10\nunknown: field\nevent:named\n\n"
        b"event: without data\n\n"
        b"data: unnamed\n\n"
        b"data: cut off"
    )
    assert [(found.name, found.data) for found in assemble(content)] == [
        ("update", b"one"),
        ("named", b"two\nlines\n"),
        ("message", b"unnamed"),
    ]


def test_a_message_without_an_end_is_not_kept() -> None:
    assembler = Assembler(max_bytes=1000)
    for _ in range(1000):
        assert assembler.feed(b"data: " + b"x" * 99) is None
        assert sum(map(len, assembler._data)) <= 1100
    found = assembler.feed(b"")
    assert found is not None
    assert found.whole_length == 99_999
    dead = StatusMapper(HOST).event(found)
    assert dead is not None
    assert (dead.kind, dead.reason) == ("unreadable", "size: a line of 99999 bytes, of which only the head was kept")
    assert assembler.feed(b"data: after") is None
    assert assembler.feed(b"") == ServerEvent("message", b"after", 5)


HTML = [
    ("<p>one<br/>two</p><p>three</p>", "one\ntwo\n\nthree", []),
    ("<p>a &amp; b &lt;c&gt; &eacute;&#128640;</p>", "a & b <c> é🚀", []),
    (
        '<p>see <a href="https://a.example/b"><span class="invisible">https://</span><span>a.example/b</span></a></p>',
        "see https://a.example/b",
        ["https://a.example/b"],
    ),
    (
        '<a class="u-url mention" href="https://m.example/@x">@<span>x</span></a> '
        '<a class="mention hashtag" href="https://m.example/tags/y">#<span>y</span></a>',
        "@x #y",
        [],
    ),
    ("<ul><li>one</li><li>two</li></ul>after", "one\ntwo\n\nafter", []),
    ("a<script>alert(1)</script><style>p{}</style>b", "ab", []),
    ('<a href="javascript:x">no link</a>', "no link", []),
    ("plain   text\nas it is", "plain text as it is", []),
    ("", "", []),
    ('<p class="quote-inline">RE: <a href="https://m.example/@x/1">m.example/@x/1</a></p><p>mine</p>', "mine", []),
    (
        '<p><span class="quote-inline">RE: <a href="https://m.example/1"><span>m.ex</span></a></span>mine '
        '<a href="https://a.example">a.example</a></p>',
        "mine a.example",
        ["https://a.example"],
    ),
    ('<div class="quote-inline"><br>RE: x</div>mine', "mine", []),
    ('<p class="quote-inline">RE: never closed<p>mine', "mine", []),
    ("<p>open <b>and never closed", "open and never closed", []),
    ('<p>a <a href="https://a.example/b">link that never ends', "a link that never ends", ["https://a.example/b"]),
    ('<a href="https://misskey.example/tags/art" rel="tag nofollow noopener">#art</a>', "#art", []),
    (
        '<a href="https://wp.example/tag/art" rel="tag">#art</a> by <a rel="mention" href="https://b.example">@b</a>',
        "#art by @b",
        [],
    ),
]


@pytest.mark.parametrize(("html", "text", "links"), HTML)
def test_plain_text(html: str, text: str, links: list[str]) -> None:
    found, found_links = plain_text(html)
    assert (found, [link.href for link in found_links]) == (text, links)


def test_mentions_and_hashtags_are_no_links_whatever_their_class() -> None:
    bob = {"id": "3", "acct": "bob@h.example", "username": "bob", "url": "https://h.example/channel/bob"}
    html = 'hi <a class="zrl" href="https://h.example/channel/bob">@bob</a>, <a href="https://h.example/a">look</a>'
    html += ' <a href="https://misskey.example/tags/art" rel="tag nofollow">#art</a>'
    content = Content(body(content=html, mentions=[bob]))
    assert (content.links, content.url_count, content.mention_count) == (["https://h.example/a"], 1, 1)


@pytest.mark.parametrize("warning", ["", "a warning", " another "])
def test_an_address_leaves_no_words_and_a_name_of_a_link_does(warning: str) -> None:
    href = "https://de.wikipedia.example/wiki/K%C3%B6ln"
    shown = '<span class="invisible">https://</span><span class="ellipsis">de.wikipedia.example/wiki/Köln</span>'
    named = "https://example.org/a"
    html = f'<p>siehe  <a href="{href}">{shown}</a> und\n<a href="{named}">Köln am Rhein</a></p>'
    content = Content(body(content=html, spoiler_text=warning))
    assert content.prose.split() == [*warning.split(), "siehe", "und", "Köln", "am", "Rhein"]
    assert content.links == [href, named]


@given(st.text(alphabet="<>/!?-[]&;#=\"' apbr\n\x00é", max_size=200))
@settings(max_examples=300)
def test_any_html_becomes_text(html: str) -> None:
    text, links = plain_text(html)
    assert text == text.strip()
    assert len(links) == len({link.href for link in links})


def one(name: str = "update", **changes: Any) -> Event | None:
    data = json.dumps(status_of("11", TIME_MS, 3) | changes).encode()
    return StatusMapper(HOST).event(ServerEvent(name, data, len(data)))


def body(**changes: Any) -> dict[str, Any]:
    found = one(**changes)
    assert found is not None
    assert found.kind == "post"
    return dict(json.loads(found.value))


def test_a_status_becomes_a_tweet() -> None:
    tweet = body(
        spoiler_text="careful",
        in_reply_to_id="10",
        in_reply_to_account_id="1002",
        sensitive=True,
        mentions=[{"id": "1002", "acct": "other@x.example", "username": "other"}],
        reblogs_count=4,
    )
    assert tweet["id_str"] == "mastodon:made-up.example/11"
    assert (tweet["source_network"], tweet["lang"], tweet["timestamp_ms"]) == ("mastodon", "en", str(TIME_MS))
    assert tweet["created_at"] == "Mon Sep 21 14:13:20 +0000 2026"
    assert tweet["text"] == "careful\n\nAbout song & number 3\nwith #song"
    assert tweet["user"] == {
        "id_str": "mastodon:made-up.example/1003",
        "screen_name": "person3@made-up.example",
        "name": "Person 3",
        "followers_count": 3,
        "friends_count": 3,
        "statuses_count": 10,
        "verified": False,
    }
    assert tweet["entities"]["hashtags"] == [{"text": "song"}]
    assert tweet["entities"]["user_mentions"] == [
        {"id_str": "mastodon:made-up.example/1002", "screen_name": "other@x.example"}
    ]
    assert tweet["in_reply_to_status_id_str"] == "mastodon:made-up.example/10"
    assert tweet["in_reply_to_user_id_str"] == "mastodon:made-up.example/1002"
    assert (tweet["retweet_count"], tweet["favorite_count"], tweet["possibly_sensitive"]) == (4, 3, True)
    assert "retweeted_status" not in tweet


def test_own_emoji_far_mentions_and_quotes_leave_no_words() -> None:
    tweet = body(
        content='<p class="quote-inline">RE: <a href="https://m.example/@x/1">x</a></p>'
        "<p>morning @ana@other.example :blobcat: coffee</p>",
        spoiler_text="about :blobcat:",
        tags=[],
        mentions=[{"id": "7", "acct": "ana@other.example"}],
        emojis=[{"shortcode": "blobcat", "url": "https://m.example/c.png"}],
    )
    content = Content(tweet)
    assert content.text == "about :blobcat:\n\nmorning @ana@other.example :blobcat: coffee"
    assert content.prose.split() == ["about", "morning", "coffee"]
    assert (content.url_count, content.mention_count, content.emoji_count) == (0, 1, 2)


def test_boosts_and_quotes() -> None:
    other = status_of("5", TIME_MS - 1000, 1) | {"content": "<p>the first</p>"}
    boost = body(reblog=other, content="", language=None)
    assert boost["text"] == "RT @person1@made-up.example: the first"
    assert boost["lang"] == "en"
    assert boost["retweeted_status"]["id_str"] == "mastodon:made-up.example/5"
    assert boost["retweeted_status"]["timestamp_ms"] == str(TIME_MS - 1000)
    assert Content(boost).text == "the first"
    quoting = body(quote={"state": "accepted", "quoted_status": other})
    assert quoting["quoted_status"]["text"] == "the first"


@pytest.mark.parametrize(
    ("name", "edited_at", "kind"),
    [
        ("status.update", "2026-09-21T15:00:00.000Z", "edit"),
        ("status.update", None, "post"),
        ("status.update", "", "post"),
        ("update", "2026-09-21T15:00:00.000Z", "post"),
    ],
)
def test_only_an_update_with_a_time_of_edit_is_an_edit(name: str, edited_at: str | None, kind: str) -> None:
    found = one(name, edited_at=edited_at)
    assert found is not None
    assert (found.kind, found.key, found.event_time_ms) == (kind, b"mastodon:made-up.example/11", TIME_MS)


@pytest.mark.parametrize("visibility", ["private", "direct", "", None, 7])
def test_non_public_statuses_are_ignored(visibility: Any) -> None:
    assert one(visibility=visibility) is None
    assert one(visibility="unlisted") is not None


def test_languages() -> None:
    mapping = StatusMapper(HOST, frozenset({"en", "pt", "jpn"}))

    def taken(language: str | None) -> bool:
        data = json.dumps(status_of("1", TIME_MS) | {"language": language}).encode()
        return mapping.event(ServerEvent("update", data, len(data))) is not None

    assert [taken(code) for code in ("en", "EN", "pt-BR", "eng", "ja")] == [True] * 5
    assert [taken(code) for code in ("de", "deu", None)] == [False] * 3


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"id": None}, "id"), ({"id": " "}, "id"), ({"id": "x" * 600}, "id"), ({"created_at": "soon"}, "time")],
)
def test_a_status_without_identity_or_time_is_a_dead_letter(changes: dict[str, Any], word: str) -> None:
    found = one(**changes)
    assert found is not None
    assert (found.kind, found.reason.partition(":")[0]) == ("unreadable", word)


def test_times() -> None:
    assert iso_ms("2026-09-21T14:13:20.123Z") == TIME_MS
    assert iso_ms("2026-09-21T16:13:20.123+02:00") == TIME_MS
    assert iso_ms("2026-09-21T14:13:20.123999") == TIME_MS
    wrong: list[Any] = ["1969-12-31T23:59:59Z", "soon", "", None, 7, []]
    assert [iso_ms(text) for text in wrong] == [None] * 6
    assert iso_ms("9999-12-31T23:59:59-23:59") is not None


@given(st.sampled_from(["update", "status.update", "delete", "other"]), st.binary(max_size=80))
@settings(max_examples=200)
def test_any_message_is_an_event_or_nothing(name: str, data: bytes) -> None:
    found = StatusMapper(HOST).event(ServerEvent(name, data, len(data)))
    assert found is None or found.key


ODD = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8) | st.lists(st.text(), max_size=2)
FIELDS = (*status_of("1", 1), "quote", "quoted_status", "emojis", "shortcode")
NESTED = ODD | st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=4)


@given(st.dictionaries(st.sampled_from(FIELDS), NESTED | st.lists(NESTED, max_size=2), max_size=5))
@settings(max_examples=200)
def test_any_field_may_be_odd(changes: dict[str, Any]) -> None:
    found = one(**changes)
    if found is None:
        assert changes["visibility"] not in ("public", "unlisted")
    elif found.kind == "post":
        tweet = read_tweet(found.value, found.event_time_ms or 0, TimeBounds())
        assert isinstance(tweet, Tweet)
        assert tweet.tweet_id.encode() == found.key
        assert tweet.event_time_ms == found.event_time_ms
        check_document(tweet)
    else:
        assert found.kind == "unreadable"


def test_deep_nesting_is_a_dead_letter_or_a_post() -> None:
    for depth in range(100, 1100, 7):
        data = json.dumps(status_of("1", TIME_MS))[:-1].encode() + b',"x":' + b"[" * depth + b"]" * depth + b"}"
        found = StatusMapper(HOST).event(ServerEvent("update", data, len(data)))
        assert found is not None
        assert found.kind in ("post", "unreadable")


def test_a_large_message_arrives_in_small_pieces() -> None:
    with FakeMastodon([[dribble(5), posts(1, length=1_000_000), keep_open]]) as server:
        events = Followed(server).until(2)
        assert keys(events) == ids(server, 2)
    assert len(events[1].value) > 1_000_000
