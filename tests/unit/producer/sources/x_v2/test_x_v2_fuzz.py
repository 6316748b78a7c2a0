"""Any bytes on X's stream are a tweet, an event, or unreadable, and never raise."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from producer.source import Event
from producer.sources.x_v2.mapping import Trouble, billed, read_line
from producer.tweets import snowflake
from tests.fakes.x_api import START_MS, made_post, post_id
from tests.fakes.x_compliance import iso
from tests.sound_documents import check_document
from twitter_topics.records.notice import Notice
from twitter_topics.records.tweet import TimeBounds, Tweet, read_tweet

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just(post_id(5)))
NAMES = st.sampled_from(
    [
        *("data", "includes", "errors", "title", "type", "id", "text", "created_at", "author_id", "entities", "geo"),
        *("referenced_tweets", "tweets", "users", "places", "note_tweet", "withheld", "public_metrics", "username"),
        *("delete", "drop", "user_delete", "scrub_geo", "tweet", "user", "event_at", "edit_history_tweet_ids"),
        "connection_issue",
        *(
            "country_codes",
            "coordinates",
            "place_id",
            "hashtags",
            "mentions",
            "urls",
            "tag",
            "start",
            "connection_issue",
        ),
    ]
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=6),
    max_leaves=25,
)


def is_sound(line: bytes) -> None:
    read = read_line(line)
    posts, users = billed(line)
    assert all(isinstance(one, str) for one in posts + users)
    if not isinstance(read, Event):
        assert read is None or isinstance(read, Trouble)
        return
    read.reason.encode()
    assert read.key
    if read.kind in ("post", "edit"):
        assert isinstance(read.event_time_ms, int)
        found = read_tweet(read.value, read.event_time_ms, TimeBounds())
        assert isinstance(found, Tweet)
        assert (found.tweet_id.encode(), found.event_time_ms) == (read.key, read.event_time_ms)
        assert posts, "a post is always billed"
        check_document(found)
    elif read.kind == "notice":
        Notice.from_value(read.value)
    else:
        assert (read.kind, read.value) == ("unreadable", line)


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes(line: bytes) -> None:
    is_sound(line)


@settings(max_examples=150)
@given(JSON)
def test_any_json(message: object) -> None:
    is_sound(json.dumps(message).encode())


@settings(max_examples=150)
@given(
    st.dictionaries(
        st.sampled_from([*made_post(1)["data"], "note_tweet", "referenced_tweets", "geo", "withheld"]), JSON
    ),
    st.dictionaries(st.sampled_from(["users", "tweets", "places"]), JSON),
)
def test_a_post_with_any_field_replaced(fields: dict[str, Any], includes: dict[str, Any]) -> None:
    message = made_post(3)
    is_sound(json.dumps({"data": message["data"] | fields, "includes": includes}).encode())


@settings(max_examples=200)
@given(st.integers(0, 2000), st.binary(max_size=3))
def test_a_line_cut_or_changed_anywhere(at: int, other: bytes) -> None:
    line = json.dumps(made_post(3)).encode()
    is_sound(line[: at % len(line)])
    is_sound(line[: at % len(line)] + other + line[at % len(line) + len(other) :])


@settings(max_examples=200)
@given(st.integers(START_MS, START_MS + 10**11), st.integers(0, 4095))
def test_every_id_contains_its_time(time_ms: int, sequence: int) -> None:
    post = {"id": str(snowflake(time_ms, 3, sequence)), "text": "x", "created_at": iso(time_ms // 1000 * 1000)}
    read = read_line(json.dumps({"data": post}).encode())
    assert isinstance(read, Event)
    assert read.event_time_ms == time_ms
