"""What a notice asks of the archive: forget a tweet or all tweets of a user, forget places, or nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twitter_topics.archive.schema import DELETED
from twitter_topics.records.notice import EVERYWHERE

if TYPE_CHECKING:
    from twitter_topics.records.notice import Notice

GONE = frozenset({"deleted", "suspended", "protected", "deactivated"})
"""States of an account whose tweets may not be kept."""

PLACES = frozenset({"geo", "coordinates", "place", "places"})
"""Fields that say where a tweet was written: of v1.1, of X API v2, and of its `includes`."""

_NUMBER = re.compile(r"^[0-9]{1,19}\Z")


@dataclass(frozen=True, slots=True)
class Order:
    """What to do with a tweet or with the tweets of a user; one of the two ids is empty.

    `reason` becomes the row's reject_reason; None leaves the tweet and takes its places away. `up_to` ends the user's
    tweets that are meant (a number, inclusive); empty for all of them.
    """

    tweet_id: str
    user_id: str
    reason: str | None
    up_to: str = ""


def order(notice: Notice) -> Order | None:
    """The order of a notice; None for one that asks for nothing, such as an account that is active again.

    The rules are those of X (developer policy, "content compliance"), applied to every network.
    """
    reason = _reason(notice)
    if reason is None and notice.event != "scrub_geo":
        return None
    if notice.tweet_id:
        return None if notice.event == "account" else Order(notice.tweet_id, "", reason)
    if not notice.user_id or notice.event == "delete":
        return None
    return Order("", notice.user_id, reason, notice.up_to_tweet_id if _NUMBER.match(notice.up_to_tweet_id) else "")


def without_places(body: Any) -> bool:
    """Take every field of `PLACES` that holds something out of a JSON value, however deep. Whether there was one."""
    found, waiting = False, [body]
    while waiting:  # not by recursion: what JSON may nest is more than Python's stack takes
        value = waiting.pop()
        if isinstance(value, dict):
            for name in PLACES & value.keys():
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
    if notice.event == "account" and notice.status in GONE:
        return f"{DELETED}account {notice.status}"
    if notice.event == "withheld" and EVERYWHERE & set(notice.countries):
        return f"{DELETED}withheld"
    return None
