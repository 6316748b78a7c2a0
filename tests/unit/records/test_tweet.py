"""Bytes of a Kafka record become a tweet or a reject reason, never an exception."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twitter_topics.records.tweet import (
    MAX_BYTES,
    Rejection,
    TimeBounds,
    Tweet,
    read_tweet,
    tweet_text,
    tweet_time,
)

NOW = 1_795_000_000_000
BOUNDS = TimeBounds()


def value(**fields: object) -> bytes:
    body = {"id_str": "1", "text": "hello", "timestamp_ms": str(NOW)} | fields
    return json.dumps({key: one for key, one in body.items() if one is not None}).encode()


def test_a_tweet_keeps_its_identity_and_time() -> None:
    read = read_tweet(value(id_str="42", timestamp_ms=str(NOW - 5)), NOW, BOUNDS)
    assert isinstance(read, Tweet)
    assert (read.tweet_id, read.event_time_ms, read.source) == ("42", NOW - 5, "twitter")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "json: empty"),
        (b"", "json: empty"),
        (b"{", "json: "),
        (b"[1]", "json: a list"),
        (b"[" * 100_000, "json: "),
        (b"\xff\xfe{}", "encoding: not UTF-8 at byte 0"),
        (b" " * (MAX_BYTES + 1), "size: "),
        (value(id_str=None), "id: "),
        (value(id_str=" "), "id: "),
        (value(id_str="x" * 600), "id: "),
        (value(id_str="\ud800"), "id: "),
        (value(text=None), "text: "),
        (value(text=7), "text: "),
        (value(timestamp_ms=None), "time: no readable"),
        (value(timestamp_ms="soon"), "time: no readable"),
        (value(timestamp_ms="-5"), "time: no readable"),
        (value(timestamp_ms="٣٣"), "time: no readable"),
        (value(timestamp_ms=str(NOW + 5 * 60_000 + 1)), "time: "),
        (value(timestamp_ms=str(NOW - 30 * 86_400_000 - 1)), "time: "),
        (value(timestamp_ms="4070908800000"), "time: "),
    ],
)
def test_a_rejected_record_has_a_reason(raw: bytes | None, reason: str) -> None:
    read = read_tweet(raw, NOW, BOUNDS)
    assert isinstance(read, Rejection)
    assert read.reason.startswith(reason)


def test_the_bounds_themselves_are_allowed() -> None:
    for stamp in (NOW + BOUNDS.future_ms, NOW - BOUNDS.past_ms):
        assert isinstance(read_tweet(value(timestamp_ms=str(stamp)), NOW, BOUNDS), Tweet)


def test_the_result_depends_on_arrival_and_not_on_the_clock() -> None:
    raw = value(timestamp_ms="1000")
    assert isinstance(read_tweet(raw, 2000, BOUNDS), Tweet)
    assert isinstance(read_tweet(raw, NOW, BOUNDS), Rejection)


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_a_tweet_or_a_reason(raw: bytes) -> None:
    assert isinstance(read_tweet(raw, NOW, BOUNDS), Tweet | Rejection)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("id", "id_str", "text", "full_text", "timestamp_ms", "created_at", "retweeted_status", "extended_tweet"),
            _json,
        ),
    )
)
def test_any_object_gives_a_tweet_or_a_reason(body: dict[str, object]) -> None:
    read = read_tweet(json.dumps(body).encode(), NOW, BOUNDS)
    if isinstance(read, Tweet):
        assert isinstance(tweet_text(read.body), str)


@pytest.mark.parametrize(
    ("created_at", "expected"),
    [
        ("Sun Nov 01 00:00:03 +0000 2026", 1_793_491_203_000),
        ("Sun Nov 01 02:00:03 +0200 2026", 1_793_491_203_000),
        ("Sun Nov 31 00:00:03 +0000", None),
        ("2026-11-01T00:00:03Z", None),
        (5, None),
    ],
)
def test_created_at_is_read_where_timestamp_ms_is_missing(created_at: object, expected: int | None) -> None:
    assert tweet_time({"created_at": created_at}) == expected


def test_the_whole_text_of_long_tweets_and_of_retweets() -> None:
    assert tweet_text({"text": "short…", "extended_tweet": {"full_text": "the long one"}}) == "the long one"
    assert tweet_text({"text": "RT @a: cut…", "retweeted_status": {"text": "not cut"}}) == "not cut"
    assert tweet_text({"full_text": "whole"}) == "whole"


def test_a_retweet_nested_deeper_than_the_stack_has_a_text() -> None:
    depth = 100_000
    body: dict[str, object] = {"text": "the innermost"}
    for _ in range(depth):
        body = {"text": "RT", "retweeted_status": body}
    assert tweet_text(body) == "the innermost"
    while "retweeted_status" in body:  # Python frees nested dictionaries recursively
        body = body["retweeted_status"]  # type: ignore[assignment]
