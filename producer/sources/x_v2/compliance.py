"""X's compliance events (Enterprise streams of posts and of users) as notices.

https://docs.x.com/x-api/compliance/streams/introduction; shapes: PostComplianceData and UserComplianceData of
openapi.json.
"""

from __future__ import annotations

from typing import Any

from producer.receiving.fields import as_list, as_object, as_text, first
from producer.sources.x_v2.times import is_id
from twitter_topics.records.notice import AccountStatus, Notice, NoticeEvent
from twitter_topics.records.times import iso_ms
from twitter_topics.records.tweet import TWITTER

EVERY_COUNTRY = ("XX",)
_ACCOUNT: dict[str, AccountStatus] = {
    "user_delete": "deleted",
    "user_undelete": "active",
    "user_suspend": "suspended",
    "user_unsuspend": "active",
    "user_protect": "protected",
    "user_unprotect": "active",
}
_WITHHELD = {"withheld", "user_withheld", "drop", "undrop"}
_SCRUB_GEO = {"scrub_geo", "user_scrub_geo"}
_NOTHING_TO_DO = {"tweet_edit", "post_edit", "user_profile_modification"}
_KNOWN = {"delete"} | set(_ACCOUNT) | _WITHHELD | _SCRUB_GEO | _NOTHING_TO_DO


def is_compliance(message: dict[str, Any]) -> bool:
    """Whether it looks like a compliance event."""
    return _event(message) is not None


def compliance_event(message: dict[str, Any]) -> Notice | None:
    """Return the notice of an event such as `{"data": {"delete": {"tweet": {"id", "author_id"}, "event_at"}}}`.

    A dropped post is withheld everywhere until it is undropped. None for events that withdraw nothing (a new profile;
    an edit, whose new version arrives as its own post) and for events that name no user.
    """
    found = _event(message)
    if found is None or found[0] in _NOTHING_TO_DO:
        return None
    name, body = found
    tweet, user = as_object(first(body, "tweet", "post")), as_object(body.get("user"))
    tweet_id, user_id = _id(tweet.get("id")), _id(user.get("id")) or _id(tweet.get("author_id"))
    if not (user_id if name in _ACCOUNT else tweet_id or user_id):
        return None
    return Notice(
        _kind(name),
        TWITTER,
        tweet_id=tweet_id,
        user_id=user_id,
        status=_ACCOUNT.get(name, ""),
        up_to_tweet_id=_id(body.get("up_to_tweet_id")) or _id(body.get("up_to_post_id")),
        countries=_countries(name, body),
        at_ms=iso_ms(body.get("event_at")) or 0,
        payload=message,
    )


def _event(message: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    inner = message.get("data", message)
    if not isinstance(inner, dict):
        return None
    return next(((name, inner[name]) for name in inner if name in _KNOWN and isinstance(inner[name], dict)), None)


def _kind(name: str) -> NoticeEvent:
    if name == "delete":
        return "delete"
    if name in _ACCOUNT:
        return "account"
    return "scrub_geo" if name in _SCRUB_GEO else "withheld"


def _countries(name: str, body: dict[str, Any]) -> tuple[str, ...]:
    if name == "drop":
        return EVERY_COUNTRY
    given = as_list(body.get("withheld_in_countries")) if name in _WITHHELD else []
    return tuple(code for code in given if as_text(code))


def _id(value: object) -> str:
    return value if isinstance(value, str) and is_id(value) else ""
