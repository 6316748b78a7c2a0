"""X's ids and times: https://docs.x.com/fundamentals/x-ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from producer.tweets import SNOWFLAKE_EPOCH_MS

_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
_FIRST_SNOWFLAKE = 29_700_859_247
"""Ids below it carry no time; this one was assigned on 2010-11-04."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def number_of(value: object) -> int:
    """Return the id as a number, 0 if it is not an id."""
    return int(value) if isinstance(value, str) and is_id(value) else 0


def event_time(post: Mapping[str, Any]) -> int | None:
    """Return when it was posted, Unix milliseconds.

    The id gives it to the millisecond (https://docs.x.com/fundamentals/x-ids); where the two disagree, `created_at`,
    which has whole seconds, is used.
    """
    number = number_of(post.get("id"))
    by_id = (number >> 22) + SNOWFLAKE_EPOCH_MS if number >= _FIRST_SNOWFLAKE else None
    by_date = read_time(post.get("created_at"))
    same = by_id is not None and (by_date is None or by_id // 1000 == by_date // 1000)
    return by_id if same else by_date


def read_time(value: object) -> int | None:
    """Return the Unix milliseconds of an ISO 8601 time; None for anything else and for times before 1970."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        seconds = (time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH
    except ValueError:
        return None
    time_ms = round(seconds.total_seconds() * 1000)
    return time_ms if time_ms >= 0 else None
