"""Lines of X API v2 as tweets, notices, errors or unreadable events, never an exception."""

from __future__ import annotations

import json
from typing import Any

import pytest

from producer.source import Event
from producer.sources.x_v2.mapping import Trouble, billed, parameters, read_line
from tests.fakes.x_api import OPERATIONAL_DISCONNECT, START_MS, TOO_MANY_CONNECTIONS, made_post, post_id
from twitter_topics.classification.document import search_document
from twitter_topics.classification.sentiment import Sentiment
from twitter_topics.records.content import Content
from twitter_topics.records.tweet import TimeBounds, Tweet, read_tweet

TEXT = made_post(3)["data"]["text"]
ORIGINAL = {"id": post_id(50), "text": "the whole of the original", "author_id": "77", "lang": "de"}


def event(message: object) -> Event:
    read = read_line(json.dumps(message).encode())
    assert isinstance(read, Event)
    return read


def tweet(message: dict[str, Any]) -> Tweet:
    """Return the tweet as the rest of the system reads it, with all of its fields."""
    read = event(message)
    found = read_tweet(read.value, START_MS + 1000, TimeBounds())
    assert isinstance(found, Tweet)
    assert (found.tweet_id.encode(), found.event_time_ms, found.source) == (read.key, read.event_time_ms, "twitter")
    return found._replace(body=json.loads(read.value))


def post(**fields: Any) -> dict[str, Any]:
    return made_post(3, **fields)


def test_a_post_has_the_shape_of_a_v1_1_tweet() -> None:
    message = post()
    body = tweet(message).body

    assert event(message).kind == "post"
    assert body["id"] == int(body["id_str"]) == int(post_id(3))
    assert (body["text"], body["lang"]) == (TEXT, "en")
    assert (body["created_at"], body["timestamp_ms"]) == ("Sun Nov 01 02:26:40 +0000 2026", str(START_MS + 30))
    assert body["entities"]["hashtags"] == [{"text": "topic3", "indices": [20, 27]}]
    assert (body["favorite_count"], body["retweet_count"]) == (3, 0)
    assert (body["user"]["id_str"], body["user"]["screen_name"]) == ("1003", "author1003")
    assert body["user"]["followers_count"] == 10
    assert body["source_payload"] == message
    assert "source_network" not in body


def test_the_document_shows_the_post() -> None:
    found = tweet(post())
    shown = search_document(
        found,
        Content(found.body),
        topics=[(1, 1.0)],
        labels={},
        sentiment=Sentiment(0.0, 0.0, 0.0),
        counted={"model_version": "v1", "raw_partition": 0, "raw_offset": 0},
    )
    assert shown["hashtags"] == ["topic3"]
    assert shown["user"] == {
        "id": "1003",
        "screen_name": "author1003",
        "name": "Author 1003",
        "followers": 10,
        "verified": False,
    }


def test_a_long_post_is_complete() -> None:
    note = {"text": "long " * 200, "entities": {"hashtags": [{"start": 900, "end": 905, "tag": "late"}]}}
    body = tweet(post(note_tweet=note)).body
    assert Content(body).text == "long " * 200
    assert body["entities"]["hashtags"] == [{"text": "late", "indices": [900, 905]}]
    assert body["text"] == TEXT


def test_a_retweet_includes_its_original() -> None:
    message = post(text="RT @a: the wh…", referenced_tweets=[{"type": "retweeted", "id": ORIGINAL["id"]}])
    message["includes"]["tweets"] = [ORIGINAL]
    body = tweet(message).body
    assert Content(body).text == "the whole of the original"
    assert body["retweeted_status"]["user"]["id_str"] == "77"
    assert body["retweeted_status"]["timestamp_ms"] == str(START_MS + 500)


def test_a_retweet_of_a_deleted_post_is_still_a_retweet() -> None:
    body = tweet(post(text="RT @a: cut", referenced_tweets=[{"type": "retweeted", "id": ORIGINAL["id"]}])).body
    assert body["retweeted_status"] == {"id_str": ORIGINAL["id"]}
    assert Content(body).text == "RT @a: cut"


def test_quotes_and_replies() -> None:
    references = [{"type": "quoted", "id": ORIGINAL["id"]}, {"type": "replied_to", "id": post_id(1)}]
    message = post(referenced_tweets=references, in_reply_to_user_id="1003")
    message["includes"]["tweets"] = [ORIGINAL]
    body = tweet(message).body
    assert body["is_quote_status"] is True
    assert body["quoted_status"]["text"] == "the whole of the original"
    assert body["in_reply_to_status_id_str"] == post_id(1)
    assert (body["in_reply_to_user_id_str"], body["in_reply_to_screen_name"]) == ("1003", "author1003")


def test_posts_that_quote_each_other_do_not_recurse() -> None:
    message = post(referenced_tweets=[{"type": "quoted", "id": ORIGINAL["id"]}])
    message["includes"]["tweets"] = [ORIGINAL | {"referenced_tweets": [{"type": "quoted", "id": ORIGINAL["id"]}]}]
    quoted = tweet(message).body["quoted_status"]
    assert quoted["quoted_status_id_str"] == ORIGINAL["id"]
    assert "quoted_status" not in quoted


def test_mentions_links_and_cash_tags() -> None:
    entities = {
        "mentions": [{"start": 0, "end": 3, "username": "Author1003", "id": "1003"}, {"username": "other"}],
        "urls": [{"start": 4, "end": 9, "url": "https://t.co/x", "expanded_url": "https://example.org", "images": []}],
        "cashtags": [{"start": 1, "end": 5, "tag": "TWTR"}],
        "hashtags": None,
        "annotations": [{"probability": 0.5}],
    }
    found = tweet(post(entities=entities)).body["entities"]
    assert found["user_mentions"][0] == {
        "screen_name": "Author1003",
        "name": "Author 1003",
        "indices": [0, 3],
        "id": 1003,
        "id_str": "1003",
    }
    assert found["user_mentions"][1] == {"screen_name": "other", "name": "", "indices": [0, 0]}
    assert found["urls"][0]["expanded_url"] == "https://example.org"
    assert found["symbols"] == [{"text": "TWTR", "indices": [1, 5]}]
    assert found["hashtags"] == []


@pytest.mark.parametrize(
    "sign", [{"media_key": "3_1"}, {"display_url": "pic.twitter.com/x"}, {"display_url": "pic.x.com/x"}]
)
def test_media_of_another_post_are_no_links(sign: dict[str, str]) -> None:
    shown = {"start": 5, "end": 19, "url": "https://t.co/a", "expanded_url": "https://x.com/other/status/5/video/1"}
    link = {"start": 20, "end": 34, "url": "https://t.co/b", "expanded_url": "https://x.com/other/status/5"}
    message = post(text="look https://t.co/a https://t.co/b", entities={"urls": [shown | sign, link]})
    content = Content(tweet(message).body)
    assert (content.links, content.url_count) == (["https://x.com/other/status/5"], 1)


def test_places() -> None:
    geo = {"place_id": "p", "coordinates": {"type": "Point", "coordinates": [13.4, 52.5]}}
    message = post(geo=geo)
    message["includes"]["places"] = [{"id": "p", "full_name": "Berlin, Germany", "country_code": "DE"}]
    body = tweet(message).body
    assert body["coordinates"] == {"type": "Point", "coordinates": [13.4, 52.5]}
    assert (body["place"]["id"], body["place"]["full_name"]) == ("p", "Berlin, Germany")


def test_withheld_is_kept() -> None:
    body = tweet(post(withheld={"country_codes": ["DE", "FR"], "copyright": False, "scope": "user"})).body
    assert (body["withheld_in_countries"], body["withheld_scope"]) == (["DE", "FR"], "user")


def test_an_edit_is_a_post_with_a_history() -> None:
    history = [post_id(1), post_id(2), post_id(3)]
    message = post(edit_history_tweet_ids=history, text="first", created_at="2026-11-01T02:28:00.000Z")
    edited, body = event(message), tweet(message).body
    assert (edited.kind, edited.key, edited.event_time_ms) == ("edit", post_id(1).encode(), START_MS + 10)
    assert (body["id"], body["id_str"], body["text"]) == (int(post_id(1)), post_id(1), "first")
    assert (body["created_at"], body["timestamp_ms"]) == ("Sun Nov 01 02:26:40 +0000 2026", str(START_MS + 10))
    assert body["source_payload"] == message
    assert body["edit_history_tweet_ids"] == history


@pytest.mark.parametrize("history", [[post_id(3)], [post_id(3), post_id(4)], ["x", post_id(3)], [None, post_id(3)]])
def test_a_post_that_is_no_known_edit_keeps_its_own_id(history: list[object]) -> None:
    read = event(post(edit_history_tweet_ids=history))
    assert (read.kind, read.key, read.event_time_ms) == ("post", post_id(3).encode(), START_MS + 30)


@pytest.mark.parametrize("its_id", [post_id(1), post_id(3)])
def test_an_edits_link_to_itself_is_no_link(its_id: str) -> None:
    link = {"url": "https://t.co/x", "expanded_url": f"https://twitter.com/i/web/status/{its_id}"}
    message = post(text="a long one… https://t.co/x", edit_history_tweet_ids=[post_id(1), post_id(3)])
    message["data"]["entities"] = {"urls": [link]}
    found = read_tweet(event(message).value, START_MS + 1000, TimeBounds())
    assert isinstance(found, Tweet)
    assert Content(found.body).links == []


def test_xs_new_field_names_are_read_too() -> None:
    renamed = {
        "note_post": {"text": "all of it"},
        "referenced_posts": [{"type": "retweeted", "id": ORIGINAL["id"]}],
        "edit_history_post_ids": [post_id(1), post_id(3)],
    }
    message = post(**renamed)
    del message["data"]["edit_history_tweet_ids"]
    message["includes"]["posts"] = [ORIGINAL]
    read = event(message)
    body = json.loads(read.value)
    assert (read.kind, read.key) == ("edit", post_id(1).encode())
    assert body["extended_tweet"]["full_text"] == "all of it"
    assert body["retweeted_status"]["text"] == ORIGINAL["text"]


@pytest.mark.parametrize(
    ("fields", "time_ms"),
    [
        ({}, START_MS + 30),
        ({"created_at": None}, START_MS + 30),
        ({"created_at": "no time"}, START_MS + 30),
        ({"created_at": "2026-11-01T03:26:40.000+01:00"}, START_MS + 30),
        ({"created_at": "2026-11-02T00:00:00.000Z"}, 1_793_577_600_000),
        ({"id": "12345"}, START_MS),
    ],
    ids=["both", "id", "id-not-date", "zone", "they-differ", "old-id"],
)
def test_the_event_time_is_that_of_the_source(fields: dict[str, Any], time_ms: int) -> None:
    assert event(post(**fields)).event_time_ms == time_ms


def test_the_time_of_an_id_does_not_depend_on_other_fields() -> None:
    whole, bare = post(), {"data": {"id": post_id(3), "text": "x"}}
    assert event(whole).event_time_ms == event(bare).event_time_ms == START_MS + 30


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\xff\xfe", "encoding: not UTF-8 at byte 0"),
        (b'{"data": {"id": "1', "json: "),
        (b"[1]", "json: a list"),
        (b'{"data": {"id": "x1", "text": "t"}}', "id: "),
        (b'{"data": {"id": "1", "text": null, "created_at": "2026-11-01T00:00:00Z"}}', "text: "),
        (b'{"data": {"id": "1", "text": "t"}}', "time: "),
        (b'{"data": {"id": "1", "text": "t", "created_at": "1969-12-31T23:59:59Z"}}', "time: "),
        (b'{"data": {"id": "1", "text": "t", "created_at": "0001-01-01T00:00:00+23:59"}}', "time: "),
        (b'{"new_kind": {"a": 1}}', "unknown: fields new_kind"),
        (b"{}", "unknown: fields none"),
        (b'{"data": ' + b"[" * 100_000, "json: "),
    ],
)
def test_an_unreadable_line_has_a_reason_and_keeps_its_bytes(line: bytes, reason: str) -> None:
    read, again = read_line(line), read_line(line)
    assert isinstance(read, Event)
    assert (read.kind, read.value) == ("unreadable", line)
    assert read.reason.startswith(reason)
    assert read == again


def test_deep_nesting_never_raises(recursion_limit: None) -> None:
    kinds = set()
    for depth in (*range(800, 1000), 20_000, 200_000):  # from Python 3.12 on the limit of C code is another one
        deep = "[" * depth + "]" * depth
        read = read_line(f'{{"data": {{"delete": {{"tweet": {{"id": "1"}}, "x": {deep}}}}}}}'.encode())
        assert isinstance(read, Event)
        kinds.add((read.kind, read.reason[:22]))
    assert ("notice", "") in kinds
    assert {kind for kind, _ in kinds} == {"notice", "unreadable"}


def test_a_lone_surrogate_survives() -> None:
    line = json.dumps(post(text="half an emoji \ud83d")).encode()
    read = read_line(line)
    assert isinstance(read, Event)
    assert json.loads(read.value)["text"] == "half an emoji \ud83d"


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ({"errors": [OPERATIONAL_DISCONNECT]}, "operational-disconnect"),
        (TOO_MANY_CONNECTIONS, "too-many-connections"),
        ({"title": "ConnectionException", "connection_issue": "TooManyConnections"}, "too-many-connections"),
        ({"errors": [{"type": "https://api.x.com/2/problems/usage-capped", "title": "UsageCapExceeded"}]}, "usage-cap"),
        ({"errors": [{"title": "new", "disconnect_type": "Whatever"}]}, "operational-disconnect"),
        ({"errors": [{"title": "Not Found Error", "detail": "no such user\u001b[31m"}]}, ""),
        ({"errors": [{"message": "Rate limit exceeded", "code": 88}]}, ""),
    ],
)
def test_errors_in_the_stream_are_not_posts(message: dict[str, Any], cause: str) -> None:
    line = json.dumps(message).encode()
    trouble = read_line(line)
    assert isinstance(trouble, Trouble)
    assert trouble.cause == cause
    assert trouble.sentence.isprintable()
    assert billed(line) == ([], [])


def test_a_post_with_partial_errors_is_a_post() -> None:
    assert event(post() | {"errors": [{"title": "Not Found Error", "resource_id": "1"}]}).kind == "post"


def test_a_line_costs_its_post_and_includes() -> None:
    message = post()
    message["includes"]["tweets"] = [ORIGINAL]
    assert billed(json.dumps(message).encode()) == ([post_id(3), ORIGINAL["id"]], ["1003"])
    posts, users = billed(b"what is this")
    assert (len(posts), users) == (1, [])


def test_authors_are_billed_and_optional() -> None:
    assert parameters(True)["expansions"].split(",")[0] == "author_id"
    assert "author_id" not in parameters(False)["expansions"]
    assert "user.fields" not in parameters(False)
