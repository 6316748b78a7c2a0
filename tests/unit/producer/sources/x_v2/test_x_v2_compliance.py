"""Events of X's compliance streams as notices."""

from __future__ import annotations

import json
from typing import Any

import pytest

from producer.source import Event
from producer.sources.x_v2.compliance import compliance_event
from producer.sources.x_v2.mapping import read_line
from tests.fakes.x_api import START_MS
from tests.fakes.x_compliance import iso
from twitter_topics.records.notice import EVERYWHERE, Notice


def event(message: object) -> Event:
    read = read_line(json.dumps(message).encode())
    assert isinstance(read, Event)
    return read


def about_tweet(name: str, **fields: Any) -> dict[str, Any]:
    return {"data": {name: {"tweet": {"id": "123", "author_id": "9"}, "event_at": iso(START_MS), **fields}}}


def about_user(name: str, **fields: Any) -> dict[str, Any]:
    return {"data": {name: {"user": {"id": "9"}, "event_at": iso(START_MS), **fields}}}


@pytest.mark.parametrize(
    ("message", "notice"),
    [
        (about_tweet("delete"), Notice("delete", "twitter", "123", "9")),
        (about_tweet("drop"), Notice("withheld", "twitter", "123", "9", countries=("XX",))),
        (about_tweet("undrop"), Notice("withheld", "twitter", "123", "9")),
        (
            about_tweet("withheld", withheld_in_countries=["DE", "XY"]),
            Notice("withheld", "twitter", "123", "9", countries=("DE", "XY")),
        ),
        (about_user("user_delete"), Notice("account", "twitter", user_id="9", status="deleted")),
        (about_user("user_undelete"), Notice("account", "twitter", user_id="9", status="active")),
        (about_user("user_suspend"), Notice("account", "twitter", user_id="9", status="suspended")),
        (about_user("user_unsuspend"), Notice("account", "twitter", user_id="9", status="active")),
        (about_user("user_protect"), Notice("account", "twitter", user_id="9", status="protected")),
        (about_user("user_unprotect"), Notice("account", "twitter", user_id="9", status="active")),
        (
            about_user("user_withheld", withheld_in_countries=["TR"]),
            Notice("withheld", "twitter", user_id="9", countries=("TR",)),
        ),
        (
            about_user("scrub_geo", up_to_tweet_id="456"),
            Notice("scrub_geo", "twitter", user_id="9", up_to_tweet_id="456"),
        ),
    ],
    ids=lambda value: next(iter(value["data"])) if isinstance(value, dict) else "",
)
def test_compliance_events_are_notices(message: dict[str, Any], notice: Notice) -> None:
    found = compliance_event(message)
    assert found is not None
    assert found.at_ms == START_MS
    assert found == Notice(**{name: getattr(notice, name) for name in Notice.__slots__} | {"at_ms": START_MS})
    assert found.payload == message
    assert compliance_event(message["data"]) is not None, "also without its envelope"
    read = event(message)
    assert (read.kind, read.key, Notice.from_value(read.value)) == ("notice", found.key(), found)


def test_a_dropped_and_undropped_post_leaves_one_notice() -> None:
    dropped, back = compliance_event(about_tweet("drop")), compliance_event(about_tweet("undrop"))
    assert dropped is not None
    assert back is not None
    assert dropped.key() == back.key()
    assert EVERYWHERE & set(dropped.countries)
    assert not back.countries


@pytest.mark.parametrize(
    "message",
    [
        about_tweet("tweet_edit", initial_tweet_id="1", edit_tweet_ids=["1", "123"]),
        about_user("user_profile_modification"),
        {"data": {"delete": {"tweet": {}}}},
        {"data": {"user_delete": {"user": {"id": 9}}}},
    ],
)
def test_events_that_withdraw_nothing_are_skipped(message: dict[str, Any]) -> None:
    assert compliance_event(message) is None
    assert read_line(json.dumps(message).encode()) is None
