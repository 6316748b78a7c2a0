"""Times are read in every form that files and networks have, and only with a time of day."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twitter_topics.records.times import iso_ms, post_time, read_time, unix_ms
from twitter_topics.records.tweet import TimeBounds, Tweet, read_tweet

NOON_MS = 1_794_999_600_000
"""2026-11-18T11:00:00Z."""


@pytest.mark.parametrize(
    "said",
    [
        "Wed Nov 18 11:00:00 +0000 2026",
        "Wed Nov 18 12:30:00 +0130 2026",
        "2026-11-18T11:00:00.000Z",
        "2026-11-18T11:00:00Z",
        "2026-11-18t11:00:00z",
        "2026-11-18T13:00:00+02:00",
        "2026-11-18T11:00:00",
        "2026-11-18 11:00:00",
        "2026-11-18 11:00",
        "2026-11-18 11:00:00 UTC",
        "2026-11-18 11:00:00.000000 UTC",
        "2026-11-18 11:00:00 GMT",
        "2026-11-18 11:00:00Z",
        "2026-11-18 13:00:00 +0200",
        "2026-11-18 06:00:00 -05:00",
        "2026-11-18 11:00:00 +0000 UTC",
        "Wed, 18 Nov 2026 11:00:00 +0000",
        "Wed, 18 Nov 2026 11:00:00 GMT",
        "Wed, 18 Nov 2026 11:00:00",
        "Wed, 18 Nov 2026 11:00:00 -0000",
        "Wed, 18 Nov 2026 06:00:00 EST",
        "Wed, 18 Nov 2026 12:00:00 +0100 (CET)",
        "18 Nov 2026 06:00:00 -0500",
        " 2026-11-18T11:00:00Z ",
        "1794999600",
        "1794999600000",
        "1794999600.0",
        1794999600,
        1794999600000,
        1794999600.0,
        1794999600000.25,
    ],
)
def test_a_time_is_read_in_every_usual_form(said: object) -> None:
    assert read_time(said) == NOON_MS
    assert post_time({"created_at": said}) == NOON_MS
    value = json.dumps({"id_str": "1", "text": "a", "created_at": said}).encode()
    read = read_tweet(value, NOON_MS, TimeBounds())
    assert isinstance(read, Tweet), read
    assert read.event_time_ms == NOON_MS


@pytest.mark.parametrize(
    "said",
    [
        "2026-11-18",
        "20261118",
        20261118,
        0,
        "0",
        1_142_899_199,
        1_142_899_199_999,
        "18 Nov 2026",
        "Wed, 18 Nov 2026",
        "Wed, 18 Nov 2026 11:00:00 JST",
        "18 Nov 2026 11:00:00 CET",
        "18 Nov 2026 11:00 PM",
        "18 Nov 2026 11:00:00 (BRT)",
        "11:00:00",
        "Wed Nov 31 11:00:00 +0000 2026",
        "Wed Nov 18 11:00:00 +0000",
        "2026-13-18T11:00:00Z",
        "2026-11-18 11:00:00 CET",
        "1969-12-31T23:00:00Z",
        "now",
        "",
        "-5",
        "٣٣",
        "1" * 16,
        "1e12",
        -1,
        True,
        None,
        [1],
        float("nan"),
        float("inf"),
        10**15,
    ],
)
def test_anything_else_is_no_time(said: object) -> None:
    assert read_time(said) is None
    assert iso_ms(said) is None


def test_a_timestamp_before_twitter_gives_way_to_created_at() -> None:
    for stamp in ("0", 0, "1794999600", 1_142_899_199_999):
        assert post_time({"timestamp_ms": stamp, "created_at": "2026-11-18T11:00:00Z"}) == NOON_MS
        assert post_time({"timestamp_ms": stamp}) is None
    assert post_time({"timestamp_ms": "1142899200000"}) == unix_ms(1_142_899_200) == 1_142_899_200_000


def test_timestamp_ms_counts_first_and_milliseconds_are_kept() -> None:
    assert post_time({"timestamp_ms": "1794999600123", "created_at": "Sun Nov 01 00:00:03 +0000 2026"}) == NOON_MS + 123
    assert post_time({"timestamp_ms": None, "created_at": "2026-11-18T11:00:00.123999Z"}) == NOON_MS + 123
    assert unix_ms("1794999600.5") == NOON_MS + 500


@given(st.text(max_size=40) | st.integers() | st.floats() | st.none() | st.lists(st.integers(), max_size=2))
def test_reading_a_time_never_raises(said: object) -> None:
    found = read_time(said)
    assert found is None or found >= 0
