"""What a notice asks to remove: a tweet, all tweets of a user, only their locations, or nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twitter_topics.archive.schema import DELETED
from twitter_topics.records.notice import EVERYWHERE

if TYPE_CHECKING:
    from twitter_topics.records.notice import Notice

INACTIVE = frozenset({"deleted", "suspended", "protected", "deactivated"})
"""States of an account whose tweets must not be kept."""

LOCATION_FIELDS = frozenset({"geo", "coordinates", "place", "places"})
"""Fields with the location of a tweet: in v1.1, in X API v2, and in its `includes`."""

_NUMBER = re.compile(r"^[0-9]{1,19}\Z")


@dataclass(frozen=True, slots=True)
class Removal:
    """What to remove of a tweet, or of the tweets of a user; one of the two ids is empty.

    `reason` becomes the row's reject_reason; None keeps the tweet and removes its locations. `up_to` limits the
    removal to the user's tweets up to this id (inclusive); empty for all of them.
    """

    tweet_id: str
    user_id: str
    reason: str | None
    up_to: str = ""


def removal(notice: Notice) -> Removal | None:
    """Return the removal that a notice asks for; None if it asks for none, such as an account that is active again.

    The rules are X's (developer policy, "content compliance"), applied to every network.
    """
    reason = _reason(notice)
    if reason is None and notice.event != "scrub_geo":
        return None
    if notice.tweet_id:
        return None if notice.event == "account" else Removal(notice.tweet_id, "", reason)
    if not notice.user_id or notice.event == "delete":
        return None
    return Removal("", notice.user_id, reason, notice.up_to_tweet_id if _NUMBER.match(notice.up_to_tweet_id) else "")


def remove_locations(body: Any) -> bool:
    """Remove every non-null location from a JSON value, at any depth. Returns whether there was one."""
    found, waiting = False, [body]
    while waiting:  # not recursive: JSON can nest deeper than Python's stack allows
        value = waiting.pop()
        if isinstance(value, dict):
            for name in LOCATION_FIELDS & value.keys():
                if value[name] is not None:
                    found = True
                    del value[name]
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return found


def _reason(notice: Notice) -> str | None:
    if notice.event == "delete":
        return f"{DELETED}delete"
    if notice.event == "account" and notice.status in INACTIVE:
        return f"{DELETED}account {notice.status}"
    if notice.event == "withheld" and EVERYWHERE & set(notice.countries):
        return f"{DELETED}withheld"
    return None
