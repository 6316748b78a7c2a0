"""X's ids and times: https://docs.x.com/fundamentals/x-ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from producer.tweets import SNOWFLAKE_EPOCH_MS
from twitter_topics.records.times import read_time

_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
_FIRST_SNOWFLAKE = 29_700_859_247
"""Ids below it carry no time; this one was assigned on 2010-11-04."""


def is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def number_of(value: object) -> int:
    """Return the id as a number, 0 if it is not an id."""
    return int(value) if isinstance(value, str) and is_id(value) else 0


def event_time(post: Mapping[str, Any]) -> int | None:
    """Return when it was posted, Unix milliseconds."""
    return agreed_time(id_time(post.get("id")), read_time(post.get("created_at")))


def id_time(post_id: object) -> int | None:
    """Return the Unix milliseconds in an id; None if it has none."""
    number = number_of(post_id)
    return (number >> 22) + SNOWFLAKE_EPOCH_MS if number >= _FIRST_SNOWFLAKE else None


def agreed_time(by_id: int | None, by_date: int | None) -> int | None:
    """Return the id's time, which has milliseconds; where the two disagree, that of `created_at`, in whole seconds."""
    same = by_id is not None and (by_date is None or by_id // 1000 == by_date // 1000)
    return by_id if same else by_date
