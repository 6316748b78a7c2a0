from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.source import Event
from producer.sources.bluesky.mapping import NEAR_US, PostMapper, post_time_us, unreadable
from producer.sources.bluesky.tid import tid_time_us
from producer.sources.bluesky.wire import read_frame, read_time_us
from tests.fakes.bluesky_network import Entry, Network, frame_of, make_tid
from tests.sound_documents import check_document
from twitter_topics.records.notice import Notice
from twitter_topics.records.tweet import TimeBounds, Tweet, read_tweet

START_US = 1_790_000_000_123_456
DID = "did:plc:alice"
ALWAYS = TimeBounds(future_ms=10**15, past_ms=10**15)


def frame(entry: Entry, *, v2: bool = False) -> bytes:
    return frame_of(entry, 7, v2)


def read_event(frame: bytes, mapper: PostMapper, cursor: str = "", seen_us: int = 0) -> Event | None:
    """Return the event in any bytes, or None if they carry none."""
    try:
        message = read_frame(frame)
    except ValueError as error:
        return unreadable(frame, str(error), cursor)
    return mapper.event(message, frame, cursor, seen_us)


@pytest.fixture
def network() -> Network:
    return Network(start_us=START_US)


def tweet_of(event: Event | None) -> dict[str, Any]:
    assert event is not None
    assert event.kind in ("post", "edit")
    tweet = read_tweet(event.value, event.event_time_ms or 0, TimeBounds())
    assert isinstance(tweet, Tweet)
    assert (tweet.tweet_id.encode(), tweet.event_time_ms, tweet.source) == (event.key, event.event_time_ms, "bluesky")
    body: dict[str, Any] = json.loads(event.value)
    return body


def notice_of(event: Event | None) -> Notice:
    assert event is not None
    assert event.kind == "notice"
    notice = Notice.from_value(event.value)
    assert notice.key() == event.key
    return notice


# --- times


@given(st.integers(0, 2**53 - 1), st.integers(0, 1023))
def test_a_tid_encodes_its_time_and_sorts_by_it(time_us: int, clock: int) -> None:
    tid = make_tid(time_us, clock)
    assert len(tid) == 13
    assert tid_time_us(tid) == time_us
    assert tid < make_tid(2**53 - 1, 1023) or time_us == 2**53 - 1


def test_a_tid_from_the_specification() -> None:
    # valid and invalid examples from https://atproto.com/specs/tid
    assert tid_time_us("3jzfcijpj2z2a") == 1_688_137_381_887_007
    assert tid_time_us("2222222222222") == 0
    for wrong in (
        "3jzfcijpj2z21",
        "0000000000000",
        "3jzfcijpj2z2aa",
        "3jzfcijpj2z2",
        "3jzf-cij-pj2z-2a",
        "zzzzzzzzzzzzz",
    ):
        assert tid_time_us(wrong) is None
    for other in ("3JZFCIJPJ2Z2A", "kjzfcijpj2z2a", "3jzfcijpj2z2\n", "", None, 7, b"3jzfcijpj2z2a"):
        assert tid_time_us(other) is None


@pytest.mark.parametrize("text", ["2026-09-09T19:46:02.329308Z", "2026-09-09T21:46:02.329308+02:00"])
def test_times_of_the_second_wire_are_read_to_the_microsecond(text: str) -> None:
    assert read_time_us(text) == 1_788_983_162_329_308


@pytest.mark.parametrize("text", ["", "soon", "2026-09-09T19:46:02.329308", "0001-01-01T00:00:00+14:00", None, 7])
def test_anything_but_a_time_is_zero(text: Any) -> None:
    assert read_time_us(text) == 0


def test_a_post_has_the_time_of_its_key_unless_that_was_made_up() -> None:
    made, rev = START_US, START_US + NEAR_US
    assert post_time_us(make_tid(made), make_tid(rev), True) == made
    assert post_time_us(make_tid(made), make_tid(rev + 1), True) == rev + 1
    assert post_time_us(make_tid(rev), make_tid(made), True) == rev
    assert post_time_us(make_tid(rev + 1), make_tid(made), True) == made
    assert post_time_us("my-own-key", make_tid(rev), True) == rev
    assert post_time_us(make_tid(made), None, True) == made
    assert post_time_us("my-own-key", "0", True) is None


def test_a_later_commit_does_not_change_the_time_of_a_post() -> None:
    made = START_US
    for later in (0, NEAR_US + 1, 10**12):
        assert post_time_us(make_tid(made), make_tid(made + later), False) == made
    assert post_time_us(make_tid(made + NEAR_US + 1), make_tid(made), False) == made


@pytest.mark.parametrize("v2", [False, True])
def test_two_hosts_produce_the_same_tweet(network: Network, v2: bool) -> None:
    entry = network.post()
    early, late = Network(start_us=entry.at_us), Network(start_us=entry.at_us + 90_000_000)
    events = [
        read_event(frame(one.happens("commit", entry.did, entry.body), v2=v2), PostMapper(), "", one.next_us)
        for one in (early, late)
    ]
    assert events[0] is not None
    assert events[1] is not None
    assert (events[0].key, events[0].event_time_ms) == (events[1].key, events[1].event_time_ms)
    assert events[0].event_time_ms == tid_time_us(entry.body["rkey"]) // 1000  # type: ignore[operator]


def test_a_post_from_the_future_is_a_dead_letter(network: Network) -> None:
    rev = make_tid(network.next_us + NEAR_US + 1_000_000)
    entry = network.commit("create", rev, rev=rev, record={"text": "too early"})
    event = read_event(frame(entry), PostMapper(), "", entry.at_us)
    assert event is not None
    assert (event.kind, event.reason) == ("unreadable", "time: 301 s later than its arrival")
    rev = make_tid(network.next_us + NEAR_US)
    entry = network.commit("create", rev, rev=rev, record={"text": "just in time"})
    tweet_of(read_event(frame(entry), PostMapper(), "", entry.at_us))


# --- posts


@pytest.mark.parametrize("v2", [False, True])
def test_a_post_becomes_a_tweet(network: Network, v2: bool) -> None:
    content = frame(network.post("Grüße 🚀", did=DID, langs=["pt-BR", "de"]), v2=v2)
    event = read_event(content, PostMapper(), "host 1 2", 0)
    body = tweet_of(event)
    assert event is not None
    assert event.cursor == "host 1 2"
    rkey = make_tid(START_US - 200_000, 7)
    assert body["id_str"] == f"bluesky:{DID}/{rkey}"
    assert body["text"] == "Grüße 🚀"
    assert body["lang"] == "pt"
    assert body["timestamp_ms"] == str((START_US - 200_000) // 1000)
    assert body["created_at"] == "Mon Sep 21 14:13:19 +0000 2026"
    assert body["user"] == {
        "id_str": f"bluesky:{DID}",
        "screen_name": DID,
        "name": DID,
        "followers_count": 0,
        "verified": False,
    }
    assert body["source_payload"] == json.loads(content)
    assert body["source_network"] == "bluesky"
    assert "in_reply_to_status_id_str" not in body
    assert "quoted_status_id_str" not in body


@pytest.mark.parametrize(
    ("said", "expected_ms"),
    [
        ("2026-09-01T10:00:00.123Z", 1_788_256_800_123),  # imported: the key is fresh
        ("2026-09-21T14:08:20.000Z", (START_US - 200_000) // 1000),  # nearly the key's time
        ("2031-01-01T00:00:00Z", (START_US - 200_000) // 1000),
        ("yesterday", (START_US - 200_000) // 1000),
        (None, (START_US - 200_000) // 1000),
    ],
)
def test_an_imported_post_has_the_time_at_which_it_was_written(
    network: Network, said: object, expected_ms: int
) -> None:
    event = read_event(frame(network.post("from elsewhere", createdAt=said)), PostMapper(), "", 0)
    assert event is not None
    assert json.loads(event.value)["timestamp_ms"] == str(expected_ms)
    assert event.event_time_ms == (START_US - 200_000) // 1000, "the progress of the stream"


def test_a_tag_has_no_sign(network: Network) -> None:
    facet = {
        "index": {"byteStart": 0, "byteEnd": 7},
        "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "#garden"}],
    }
    body = tweet_of(read_event(frame(network.post("#garden", facets=[facet], tags=["#roses"])), PostMapper(), "", 0))
    assert [tag["text"] for tag in body["entities"]["hashtags"]] == ["garden", "roses"]


def test_a_handle_is_known_from_the_identity_message_on(network: Network) -> None:
    mapper = PostMapper()
    names = []
    for handle in (None, "alice.example", "handle.invalid"):
        identity = network.happens("identity", DID, {"did": DID, **({"handle": handle} if handle else {})})
        assert read_event(frame(identity), mapper) is None
        names.append(tweet_of(read_event(frame(network.post(did=DID)), mapper))["user"]["screen_name"])
    assert names == [DID, "alice.example", DID]


def test_the_memory_of_handles_is_bounded(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer.sources.bluesky.mapping.MAX_HANDLES", 2)
    mapper = PostMapper()
    for number in range(3):
        did = f"did:plc:{number}"
        read_event(frame(network.happens("identity", did, {"handle": f"h{number}"})), mapper)
    shown = [tweet_of(read_event(frame(network.post(did=f"did:plc:{n}")), mapper))["user"]["name"] for n in range(3)]
    assert shown == ["did:plc:0", "h1", "h2"]


def test_facets_are_counted_in_bytes_of_the_text(network: Network) -> None:
    text = "👩‍🚀 ñ #Rakete bei @alice.example: example.org/lan… 🎉"

    def facet(part: str, **feature: str) -> dict[str, Any]:
        start = len(text[: text.index(part)].encode())
        kind = f"app.bsky.richtext.facet#{feature.pop('kind')}"
        index = {"byteStart": start, "byteEnd": start + len(part.encode())}
        return {"index": index, "features": [{"$type": kind, **feature}]}

    facets = [
        facet("#Rakete", kind="tag", tag="Rakete"),
        facet("@alice.example", kind="mention", did=DID),
        facet("example.org/lan…", kind="link", uri="https://example.org/landing"),
    ]
    body = tweet_of(read_event(frame(network.post(text, facets=facets, tags=["more"])), PostMapper()))
    found = body["entities"]
    assert [tag["text"] for tag in found["hashtags"]] == ["Rakete", "more"]
    assert found["user_mentions"][0]["id_str"] == f"bluesky:{DID}"
    assert found["user_mentions"][0]["screen_name"] == "alice.example"
    assert found["urls"][0]["url"] == "example.org/lan…"
    assert found["urls"][0]["expanded_url"] == "https://example.org/landing"
    marked = [text[slice(*one["indices"])] for name in ("hashtags", "user_mentions", "urls") for one in found[name][:1]]
    assert marked == ["#Rakete", "@alice.example", "example.org/lan…"]


@pytest.mark.parametrize(
    "index",
    [None, {}, {"byteStart": -1, "byteEnd": 2}, {"byteStart": 3, "byteEnd": 2}, {"byteStart": 0, "byteEnd": 99}],
)
def test_a_facet_outside_the_text_is_ignored(network: Network, index: Any) -> None:
    facets = [{"index": index, "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "t"}]}]
    assert tweet_of(read_event(frame(network.post("short", facets=facets)), PostMapper()))["entities"]["hashtags"] == []


def test_replies_quotes_links_and_pictures(network: Network) -> None:
    other = f"at://did:plc:bob/app.bsky.feed.post/{make_tid(START_US)}"
    picture = {"alt": "a rocket", "image": {"$type": "blob", "ref": {"$link": "bafkpic"}, "mimeType": "image/jpeg"}}
    entry = network.post(
        "see",
        did=DID,
        reply={"parent": {"uri": other, "cid": "b"}, "root": {"uri": other, "cid": "b"}},
        embed={
            "$type": "app.bsky.embed.recordWithMedia",
            "record": {"$type": "app.bsky.embed.record", "record": {"uri": other, "cid": "b"}},
            "media": {"$type": "app.bsky.embed.images", "images": [picture]},
        },
    )
    body = tweet_of(read_event(frame(entry), PostMapper()))
    assert body["in_reply_to_status_id_str"] == f"bluesky:did:plc:bob/{make_tid(START_US)}"
    assert body["in_reply_to_user_id_str"] == "bluesky:did:plc:bob"
    assert body["quoted_status_id_str"] == body["in_reply_to_status_id_str"]
    assert body["is_quote_status"] is True
    assert body["entities"]["media"] == [
        {
            "type": "photo",
            "expanded_url": f"https://bsky.app/profile/{DID}/post/{entry.body['rkey']}",
            "ext_alt_text": "a rocket",
            "media_url_https": f"https://cdn.bsky.app/img/feed_fullsize/plain/{DID}/bafkpic@jpeg",
        }
    ]
    link = {"$type": "app.bsky.embed.external", "external": {"uri": "https://example.org/a", "title": "A"}}
    body = tweet_of(read_event(frame(network.post("link", embed=link)), PostMapper()))
    assert [url["expanded_url"] for url in body["entities"]["urls"]] == ["https://example.org/a"]
    quote = {"$type": "app.bsky.embed.record", "record": {"uri": other, "cid": "b"}}
    body = tweet_of(read_event(frame(network.post("quote", embed=quote)), PostMapper()))
    assert body["quoted_status_id_str"] == f"bluesky:did:plc:bob/{make_tid(START_US)}"
    feed = {"$type": "app.bsky.embed.record", "record": {"uri": "at://did:plc:bob/app.bsky.feed.generator/x"}}
    assert "is_quote_status" not in tweet_of(read_event(frame(network.post("feed", embed=feed)), PostMapper()))


def test_posts_are_filtered_by_language(network: Network) -> None:
    mapper = PostMapper(frozenset({"pt", "en-gb"}))
    chosen = [["pt-BR"], ["de", "PT"], ["en-GB"]]
    for langs in chosen:
        tweet_of(read_event(frame(network.post("x", langs=langs)), mapper))
    for others in (["en"], ["de"], [], "pt", None, [7]):
        assert read_event(frame(network.post("x", langs=others)), mapper) is None
    assert tweet_of(read_event(frame(network.post("x", langs=None)), PostMapper()))["lang"] == "und"


def test_codes_with_three_letters_are_those_of_the_same_language(network: Network) -> None:
    mapper = PostMapper(frozenset({"jpn", "en", "por-br"}))
    for langs in (["ja"], ["jpn"], ["eng"], ["en-GB"], ["pt-BR"]):
        assert read_event(frame(network.post("x", langs=langs)), mapper) is not None, langs
    assert read_event(frame(network.post("x", langs=["por", "deu"])), mapper) is None


def test_an_edit_keeps_id_and_time(network: Network) -> None:
    first = network.post("before", did=DID)
    network.next_us += 10**10
    again = network.commit("update", first.body["rkey"], DID, record={"text": "after"})
    events = [read_event(frame(entry), PostMapper(), "", entry.at_us) for entry in (first, again)]
    assert [event and event.kind for event in events] == ["post", "edit"]
    bodies = [tweet_of(event) for event in events]
    assert bodies[0]["id_str"] == bodies[1]["id_str"]
    assert bodies[0]["timestamp_ms"] == bodies[1]["timestamp_ms"]
    assert bodies[1]["text"] == "after"


def test_posts_repeated_after_a_resync_keep_their_time(network: Network) -> None:
    first = network.post("old", did=DID)
    network.next_us += 10**12
    mapper = PostMapper()
    assert read_event(frame(network.happens("sync", DID, {"did": DID, "rev": "x"}), v2=True), mapper) is None
    again = network.commit("create", first.body["rkey"], DID, record=first.body["record"])
    times = [tweet_of(read_event(frame(entry, v2=True), mapper))["timestamp_ms"] for entry in (first, again)]
    assert times[0] == times[1]


# --- notices and the rest


@pytest.mark.parametrize("v2", [False, True])
def test_a_deletion_is_a_notice(network: Network, v2: bool) -> None:
    post = network.post(did=DID)
    entry = network.commit("delete", post.body["rkey"], DID)
    event = read_event(frame(entry, v2=v2), PostMapper(frozenset({"fi"})), "c", entry.at_us)
    notice = notice_of(event)
    assert (notice.event, notice.source) == ("delete", "bluesky")
    assert notice.tweet_id == post.post_id
    assert notice.user_id == f"bluesky:{DID}"
    assert notice.at_ms == (entry.at_us - 100_000) // 1000
    assert notice.payload == json.loads(frame(entry, v2=v2))


@pytest.mark.parametrize("v2", [False, True])
@pytest.mark.parametrize(
    ("active", "status", "expected"),
    [
        (True, None, "active"),
        (False, "deleted", "deleted"),
        (False, "suspended", "suspended"),
        (False, "takendown", "suspended"),
        (False, "deactivated", "deactivated"),
        (False, None, "deactivated"),
        (False, "something-new", "deactivated"),
    ],
)
def test_accounts_change_their_status(network: Network, v2: bool, active: bool, status: str, expected: str) -> None:
    notice = notice_of(read_event(frame(network.account(DID, active, status), v2=v2), PostMapper()))
    assert (notice.event, notice.user_id, notice.status) == ("account", f"bluesky:{DID}", expected)
    assert notice.at_ms == read_time_us("2026-11-23T09:00:00.000Z") // 1000


@pytest.mark.parametrize("status", ["desynchronized", "throttled"])
def test_the_state_of_a_server_does_not_change_the_account(network: Network, status: str) -> None:
    assert read_event(frame(network.account(DID, False, status)), PostMapper()) is None


def test_other_collections_and_kinds_are_ignored_and_logged_once(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    mapper = PostMapper()
    like = network.commit("create", make_tid(START_US), collection="app.bsky.feed.like", record={})
    frames = [
        frame(like),
        frame(network.happens("moon", DID, {})),
        b'{"kind":"stars"}',
        frame(network.happens("moon", DID, {}), v2=True),
        b'{"$type":"hello"}',
        b'{"$type":"message","payload":{"$type":"a#b"}}',
        frame(network.commit("vanish", make_tid(START_US))),
    ]
    assert [read_event(content, mapper) for content in frames * 3] == [None] * 21
    assert len(caplog.records) == 5
    assert sum("kind moon" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "json: "),
        (b"\xff\xfe", "json: "),
        (b'{"kind":"commit","did":"did:a","commit":', "json: "),
        (b'{"kind":"commit","did":"did:\\ud800"}', "json: "),
        (b"[1]", "json: a list, not an object"),
        (b'{"did":"did:a"}', "json: no kind"),
        (b'{"kind":"commit","commit":{}}', "json: no did"),
        (b'{"kind":"commit","did":"did:a","commit":7}', "json: a commit without"),
        (b"[" * 100_000, "json: nested too deeply"),
    ],
)
def test_an_unreadable_message_is_a_dead_letter(content: bytes, reason: str) -> None:
    event = read_event(content, PostMapper(), "c")
    assert event is not None
    assert (event.kind, event.value, event.cursor) == ("unreadable", content, "c")
    assert event.reason.startswith(reason)
    again = read_event(content, PostMapper())
    assert again is not None
    assert again.key == event.key


def test_deep_nesting_never_raises(recursion_limit: None) -> None:
    """A readable message may be too deep to write: the limit depends on the caller's own depth."""
    kinds = []
    for depth in (*range(800, 1100), 20_000, 200_000):  # from Python 3.12 on the limit of C code is another one
        nested = b"[" * depth + b"]" * depth
        content = b'{"kind":"account","did":"did:a","account":{"active":true,"x":' + nested + b"}}"
        event = read_event(content, PostMapper())
        assert event is not None
        kinds.append(event.kind)
    assert kinds == sorted(kinds)
    assert set(kinds) == {"notice", "unreadable"}


@pytest.mark.parametrize("record", [None, {}, {"text": None}, {"text": ["x"]}, 7])
def test_a_post_without_text_is_a_dead_letter(network: Network, record: Any) -> None:
    entry = network.commit("create", make_tid(START_US), record=record)
    event = read_event(frame(entry), PostMapper())
    assert event is not None
    assert (event.kind, event.reason) == ("unreadable", "text: no text")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_tids = st.integers(0, 2**53 - 1).map(make_tid)


def _maybe(sensible: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return sensible | _json


_facet = st.fixed_dictionaries(
    {},
    optional={
        "index": _maybe(
            st.fixed_dictionaries({"byteStart": _maybe(st.integers(-2, 40)), "byteEnd": _maybe(st.integers(-2, 40))})
        ),
        "features": _maybe(
            st.lists(
                st.fixed_dictionaries(
                    {
                        "$type": st.sampled_from(
                            [f"app.bsky.richtext.facet#{kind}" for kind in ("tag", "link", "mention")]
                        )
                    },
                    optional=dict.fromkeys(("tag", "uri", "did"), _json),
                ),
                max_size=3,
            )
        ),
    },
)
_pointer = st.fixed_dictionaries({"uri": _maybe(st.just("at://did:plc:a/app.bsky.feed.post/3jzfcijpj2z2a"))})
_record = st.fixed_dictionaries(
    {"text": _maybe(st.text(max_size=30))},
    optional={
        "langs": _maybe(st.lists(_maybe(st.sampled_from(["en", "pt-BR", ""])), max_size=3)),
        "facets": _maybe(st.lists(_maybe(_facet), max_size=3)),
        "tags": _json,
        "reply": _maybe(st.fixed_dictionaries({"parent": _maybe(_pointer)})),
        "embed": _maybe(
            st.fixed_dictionaries(
                {}, optional={name: _maybe(_pointer) for name in ("record", "media", "external", "images")}
            )
        ),
    },
)
_commit = st.fixed_dictionaries(
    {
        "operation": _maybe(st.sampled_from(["create", "update", "delete"])),
        "collection": _maybe(st.just("app.bsky.feed.post")),
        "rkey": _maybe(_tids),
    },
    optional={"rev": _maybe(_tids), "record": _maybe(_record)},
)
_account = st.fixed_dictionaries({}, optional={"active": _json, "status": _json, "time": _json, "handle": _json})
_time = st.fixed_dictionaries({}, optional={"time_us": _json, "time": _json, "seq": _json})
_kinds = st.sampled_from(["commit", "commit", "account", "identity", "sync", "info", "error", "moon"])


@st.composite
def _messages(draw: st.DrawFn) -> Any:
    kind = draw(_kinds)
    body = draw(_maybe(_commit if kind == "commit" else _account))
    did = draw(st.just(DID) | _json)
    v1 = draw(_time) | {"did": did, "kind": kind, kind: body}
    flat = body if kind == "commit" and isinstance(body, dict) else {kind: body}
    payload = {"$type": f"a.b#{kind}", "did": did} | draw(_time) | flat
    v2 = {"$type": draw(_maybe(st.sampled_from(["message", "error"]))), "payload": draw(_maybe(st.just(payload)))}
    return draw(st.sampled_from([v1, v2]))


@settings(max_examples=400)
@given(st.binary(max_size=300) | _json.map(json.dumps).map(str.encode))
def test_any_bytes_are_an_event_or_nothing(content: bytes) -> None:
    event = read_event(content, PostMapper())
    assert event is None or (event.kind == "unreadable" and event.value == content)


@settings(max_examples=250)
@given(_messages())
def test_any_message_is_an_event_or_nothing(message: Any) -> None:
    content = json.dumps(message).encode()
    event = read_event(content, PostMapper(), "c")
    if event is None:
        return
    assert event.cursor == "c"
    if event.kind in ("post", "edit"):
        tweet = read_tweet(event.value, 0, ALWAYS)
        assert isinstance(tweet, Tweet)
        assert (tweet.tweet_id.encode(), tweet.event_time_ms) == (event.key, event.event_time_ms)
        assert json.loads(event.value)["source_payload"] == message
        check_document(tweet)
    elif event.kind == "notice":
        assert Notice.from_value(event.value).key() == event.key
    else:
        assert (event.kind, event.value) == ("unreadable", content)
        assert event.reason.partition(":")[0] in ("json", "time", "text")


@settings(max_examples=300)
@given(st.integers(0, 400), st.binary(max_size=8))
def test_a_frame_cut_or_broken_anywhere_is_still_an_event(place: int, instead: bytes) -> None:
    content = frame(Network(start_us=START_US).post("Grüße 🚀"))
    for broken in (content[:place], content[:place] + instead + content[place + len(instead) :]):
        event = read_event(broken, PostMapper())
        assert event is None or event.kind in ("post", "edit", "notice", "unreadable")


def test_cursors_of_both_wires(network: Network) -> None:
    entry = network.post()
    for v2 in (False, True):
        message = read_frame(frame(entry, v2=v2))
        assert (message.kind, message.did, message.time_us) == ("commit", entry.did, entry.at_us)
        assert message.seq == (7 if v2 else 0)
