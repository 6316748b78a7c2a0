"""Bytes of a Kafka record become a tweet or a reject reason, never an exception."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.records.json_values import json_values
from twitter_topics.records.content import Content
from twitter_topics.records.tweet import (
    MAX_BYTES,
    Rejection,
    TimeBounds,
    Tweet,
    own_text,
    read_tweet,
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
        (value(id_str="\ud800"), "id: id_str is neither"),
        (value(id_str=None, id=1.99e18), "id: id is the float 1.99e+18, whose last digits are lost"),
        (value(id_str=1.5e18), "id: id_str is the float"),
        (value(id_str="1.99E+18"), "id: id_str is the float 1.99E+18, whose last digits are lost"),
        (value(id_str="1,99E+18"), "id: id_str is the float"),
        (value(id_str="2e+18"), "id: id_str is the float"),
        (value(id_str="1.99E18"), "id: id_str is the float"),
        (value(id_str=" 1990000000000000000.0 "), "id: id_str is the float"),
        (value(id_str=None, id="1.99e+18"), "id: id is the float"),
        (value(id_str="nan"), "id: id_str is the word nan"),
        (value(id_str="None"), "id: id_str is the word None"),
        (value(id_str=None, id="NULL"), "id: id is the word NULL"),
        (value(id_str="<NA>"), "id: id_str is the word"),
        (value(id_str=None, id=True), "id: id is neither"),
        (value(id_str=None, id=-5), "id: id is neither"),
        (value(id_str=None, id=[1]), "id: id is neither"),
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
    raw = value(timestamp_ms="1200000001000")
    assert isinstance(read_tweet(raw, 1_200_000_002_000, BOUNDS), Tweet)
    assert isinstance(read_tweet(raw, NOW, BOUNDS), Rejection)


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_a_tweet_or_a_reason(raw: bytes) -> None:
    assert isinstance(read_tweet(raw, NOW, BOUNDS), Tweet | Rejection)


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("id", "id_str", "text", "full_text", "timestamp_ms", "created_at", "retweeted_status", "extended_tweet"),
            json_values(),
        ),
    )
)
def test_any_object_gives_a_tweet_or_a_reason(body: dict[str, object]) -> None:
    read = read_tweet(json.dumps(body).encode(), NOW, BOUNDS)
    if isinstance(read, Tweet):
        assert isinstance(Content(read.body).text, str)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ({"id_str": "7"}, "7"),
        ({"id_str": " 7 "}, "7"),
        ({"id_str": None, "id": 1990000000000000082}, "1990000000000000082"),
        ({"id_str": None, "id": "1990000000000000083"}, "1990000000000000083"),
        ({"id_str": 1990000000000000084}, "1990000000000000084"),
        ({"id_str": "", "id": 5}, "5"),
        ({"id_str": "7", "id": 7e18}, "7"),
        ({"id_str": "1.99E+18", "id": 1990000000000000085}, "1990000000000000085"),
        ({"id_str": "nan", "id": "1990000000000000086"}, "1990000000000000086"),
        ({"id_str": "mastodon:x.example/1.5"}, "mastodon:x.example/1.5"),
        ({"id_str": "9n2ciuz1wdesFnrGJU"}, "9n2ciuz1wdesFnrGJU"),
        ({"id_str": "123e456"}, "123e456"),
    ],
)
def test_an_id_is_text_or_a_whole_number(ids: dict[str, object], expected: str) -> None:
    read = read_tweet(value(**ids), NOW, BOUNDS)
    assert isinstance(read, Tweet), read
    assert read.tweet_id == expected


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"full_text": None, "text": "the text is here"}, "the text is here"),
        ({"full_text": "", "text": "here"}, "here"),
        ({"full_text": 5, "text": "here"}, "here"),
        ({"full_text": "whole", "text": "cut"}, "whole"),
        ({"full_text": "whole"}, "whole"),
        ({"full_text": ""}, ""),
        ({"text": ""}, ""),
        ({"text": None}, None),
        ({}, None),
    ],
)
def test_an_empty_full_text_does_not_hide_the_text(texts: dict[str, object], expected: str | None) -> None:
    assert own_text(texts) == expected
