"""Removals that notices ask for, and locations removed from payloads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twitter_topics.deletions.removals import LOCATION_FIELDS, Removal, removal, remove_locations
from twitter_topics.records.notice import Notice
from twitter_topics.records.tweet import TWITTER


@pytest.mark.parametrize(
    ("notice", "asked"),
    [
        (Notice("delete", "x_v2", tweet_id="7"), Removal("7", "", "deleted: delete")),
        (Notice("delete", "mastodon", tweet_id="mastodon:h/7"), Removal("mastodon:h/7", "", "deleted: delete")),
        (Notice("delete", "x_v2", user_id="7"), None),
        (Notice("account", "bluesky", user_id="u", status="deleted"), Removal("", "u", "deleted: account deleted")),
        (Notice("account", "bluesky", user_id="u", status="suspended"), Removal("", "u", "deleted: account suspended")),
        (Notice("account", "x_v2", user_id="u", status="protected"), Removal("", "u", "deleted: account protected")),
        (
            Notice("account", "x_v2", user_id="u", status="deactivated"),
            Removal("", "u", "deleted: account deactivated"),
        ),
        (Notice("account", "x_v2", user_id="u", status="active"), None),
        (Notice("account", "x_v2", user_id="u"), None),
        (Notice("account", "x_v2", status="deleted"), None),
        (Notice("account", "x_v2", tweet_id="7", user_id="u", status="deleted"), None),
        (Notice("scrub_geo", "x_v2", tweet_id="7"), Removal("7", "", None)),
        (Notice("scrub_geo", "twitter_v1", user_id="u", up_to_tweet_id="90"), Removal("", "u", None, "90")),
        (Notice("scrub_geo", "twitter_v1", user_id="u"), Removal("", "u", None)),
        (Notice("scrub_geo", "twitter_v1", user_id="u", up_to_tweet_id="9" * 20), Removal("", "u", None)),
        (Notice("scrub_geo", "twitter_v1", user_id="u", up_to_tweet_id="٣"), Removal("", "u", None)),
        (Notice("withheld", "x_v2", tweet_id="7", countries=("DE", "FR")), None),
        (Notice("withheld", "x_v2", tweet_id="7"), None),
        (Notice("withheld", "x_v2", tweet_id="7", countries=("DE", "XX")), Removal("7", "", "deleted: withheld")),
        (Notice("withheld", "x_v2", user_id="u", countries=("XY",)), Removal("", "u", "deleted: withheld")),
        (Notice.from_value(b'{"event":"sung","source":"","tweet_id":"7","user_id":"","status":"","up_to_tweet_id":"",'
                           b'"countries":[],"at_ms":0,"source_payload":null}'), None),
    ],
)  # fmt: skip
def test_removals(notice: Notice, asked: Removal | None) -> None:
    assert removal(notice) == asked
    assert removal(Notice.from_value(notice.value())) == asked


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*LOCATION_FIELDS, "a", "b"]), inner, max_size=4)
    ),
    max_leaves=20,
)


def locations_in(body: Any) -> int:
    """Count the non-null location fields."""
    if isinstance(body, list):
        return sum(map(locations_in, body))
    if isinstance(body, dict):
        return sum(
            (name in LOCATION_FIELDS and value is not None) + locations_in(value) for name, value in body.items()
        )
    return 0


def stripped(body: Any) -> Any:
    """Remove them recursively, as a reference."""
    if isinstance(body, list):
        return [stripped(one) for one in body]
    if isinstance(body, dict):
        return {name: stripped(one) for name, one in body.items() if name not in LOCATION_FIELDS or one is None}
    return body


@settings(max_examples=200)
@given(JSON)
def test_all_locations_are_removed_and_nothing_else(body: Any) -> None:
    before, expected = locations_in(body), stripped(body)
    assert remove_locations(body) is (before > 0)
    assert body == expected
    assert locations_in(body) == 0
    assert remove_locations(body) is False


def test_locations_are_removed_from_any_object() -> None:
    place = {"full_name": "Hamburg", "bounding_box": {"coordinates": [[10.0, 53.5]]}}
    inner = {"id_str": "6", "place": place, "geo": None, "text": "moin"}
    body = {
        "id_str": "7",
        "geo": {"coordinates": [53.5, 10.0]},
        "coordinates": {"coordinates": [10.0, 53.5]},
        "retweeted_status": inner | {"quoted_status": dict(inner)},
        "source_payload": {"data": {"id": "7", "geo": {"place_id": "1"}}, "includes": {"places": [place], "users": []}},
    }
    assert remove_locations(body)
    assert "Hamburg" not in json.dumps(body)
    assert "53.5" not in json.dumps(body)
    left = {"id_str": "6", "geo": None, "text": "moin"}
    assert body["retweeted_status"] == left | {"quoted_status": left}
    assert body["source_payload"] == {"data": {"id": "7"}, "includes": {"users": []}}


def test_locations_are_removed_at_any_depth() -> None:
    body: Any = {"place": "here"}
    for _ in range(50_000):
        body = [body]
    assert remove_locations(body) is True
    assert remove_locations(body) is False


def test_notices_by_the_former_name_of_x_are_applied_and_replaced() -> None:
    """The topic keeps the newest notice of a tweet indefinitely; earlier versions called the source x_v2."""
    former = Notice.from_value(Notice("delete", "x_v2", tweet_id="7").value())
    current = Notice("delete", TWITTER, tweet_id="7")
    assert removal(former) == removal(current) == Removal("7", "", "deleted: delete")
    assert former.key() == current.key(), "compaction leaves the current one"


@settings(max_examples=200)
@given(st.binary(max_size=60) | JSON.map(lambda body: json.dumps(body).encode()))
def test_any_bytes_are_a_notice_or_rejected(value: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own message
        Notice.from_value(value)


FIELDS = json.loads(Notice("delete", "x_v2", tweet_id="7").value())


@settings(max_examples=200)
@given(st.sampled_from(sorted(FIELDS)), JSON | st.floats() | st.just("\ud800"))
def test_any_field_may_hold_anything(name: str, value: Any) -> None:
    body = json.dumps(FIELDS | {name: value}).encode()
    try:
        asked = removal(Notice.from_value(body))
    except ValueError:
        return
    assert asked is None or asked.tweet_id.encode() or asked.user_id.encode()
