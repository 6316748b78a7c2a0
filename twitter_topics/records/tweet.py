"""From the bytes of a Kafka record to a tweet or a reject reason. Every layer uses this code."""

from __future__ import annotations

import calendar
import json
import re
from dataclasses import dataclass
from typing import Any

from twitter_topics.records.decoding import decode

MAX_BYTES = 900_000
"""A larger record is rejected: Kafka's default limit is 1 MiB, and Elasticsearch clients time out well below it."""

MAX_ID_LENGTH = 512
"""Elasticsearch's limit for an `_id`, in bytes."""

_CREATED_AT = re.compile(
    r"^[A-Z][a-z]{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
    r"(\d{2}) (\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2}) (\d{4})$",
    re.ASCII,
)
_MONTHS = {name: number for number, name in enumerate(calendar.month_abbr) if name}

TWITTER = "twitter"
"""The source of every tweet and notice of Twitter, now X, whichever API brought it."""


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """How far event time may be from the time at which Kafka received the tweet, in milliseconds."""

    future_ms: int = 5 * 60 * 1000
    past_ms: int = 30 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Tweet:
    """A valid tweet: identity, event time (Unix milliseconds, UTC, from the source) and the v1.1 object, perhaps only
    its `decoding.TweetFields`."""

    tweet_id: str
    event_time_ms: int
    source: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rejected record. `reason` starts with a stable word: `json: …`, `id: …`, `time: …`."""

    reason: str


def read_tweet(value: bytes | None, received_ms: int, bounds: TimeBounds) -> Tweet | Rejection:
    """Read one value of the raw topic.

    Args:
        value: the record's value as received.
        received_ms: the record's Kafka timestamp. Not the wall clock, so that a replay gives the same result.
        bounds: how far event time may be from `received_ms`.

    Returns:
        The tweet, or the reason for the dead-letter topic. Never raises on any input.
    """
    if not value:
        return Rejection("json: empty value")
    if len(value) > MAX_BYTES:
        return Rejection(f"size: {len(value)} bytes, more than {MAX_BYTES}")
    try:
        body = decode(value)
    except UnicodeDecodeError as error:
        return Rejection(f"encoding: not UTF-8 at byte {error.start}")
    except (ValueError, RecursionError) as error:
        return Rejection(f"json: {str(error)[:200]}")
    if not isinstance(body, dict):
        return Rejection(f"json: a {type(body).__name__}, not an object")
    tweet_id = tweet_identity(body)
    if tweet_id is None:
        return Rejection("id: no id_str")
    if not isinstance(body.get("full_text", body.get("text")), str):
        return Rejection("text: no text")
    event_time_ms = tweet_time(body)
    if event_time_ms is None:
        return Rejection("time: no readable timestamp_ms or created_at")
    if event_time_ms > received_ms + bounds.future_ms:
        return Rejection(f"time: {event_time_ms} is more than {bounds.future_ms // 60_000} minutes after its arrival")
    if event_time_ms < received_ms - bounds.past_ms:
        return Rejection(f"time: {event_time_ms} is more than {bounds.past_ms // 86_400_000} days before its arrival")
    network = body.get("source_network")
    source = network if isinstance(network, str) and is_utf8(network) else TWITTER
    return Tweet(tweet_id, event_time_ms, source, body)


def tweet_identity(body: dict[str, Any]) -> str | None:
    """Return `id_str`, which other networks set to `<source>:<native id>`; else the number `id`; else None."""
    value = body.get("id_str")
    if isinstance(value, str) and value.strip():
        return value if is_utf8(value) and len(value.encode()) <= MAX_ID_LENGTH else None
    number = body.get("id")
    if isinstance(number, int) and not isinstance(number, bool) and 0 < number < 2**63:
        return str(number)
    return None


def tweet_key(value: bytes) -> bytes | None:
    """Return the Kafka key of a value, its tweet's id; None if it has none."""
    try:
        body = json.loads(value)
    except (ValueError, RecursionError):
        return None
    tweet_id = tweet_identity(body) if isinstance(body, dict) else None
    return tweet_id.encode() if tweet_id else None


def is_utf8(text: str) -> bool:
    """Return False for lone surrogates, which JSON can contain and no store accepts."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def tweet_time(body: dict[str, Any]) -> int | None:
    """Return event time in Unix milliseconds from `timestamp_ms`, else from `created_at` (Twitter's date format)."""
    stamp = body.get("timestamp_ms")
    if isinstance(stamp, str) and stamp.isascii() and stamp.isdigit() and len(stamp) <= 15:
        return int(stamp)
    if isinstance(stamp, int) and not isinstance(stamp, bool) and 0 <= stamp < 10**15:
        return stamp
    created = body.get("created_at")
    match = _CREATED_AT.match(created) if isinstance(created, str) else None
    if match is None:
        return None
    month, day, hour, minute, second, sign, off_h, off_m, year = match.groups()
    try:
        seconds = calendar.timegm((int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second)))
    except (ValueError, OverflowError):
        return None
    offset = (int(off_h) * 3600 + int(off_m) * 60) * (1 if sign == "+" else -1)
    return (seconds - offset) * 1000


def tweet_text(body: dict[str, Any]) -> str:
    """Return the full text: of a long tweet, and of the retweeted tweet where the retweet truncates it."""
    retweeted = body.get("retweeted_status")
    while isinstance(retweeted, dict) and isinstance(retweeted.get("full_text", retweeted.get("text")), str):
        body, retweeted = retweeted, retweeted.get("retweeted_status")  # JSON can nest deeper than Python's stack
    extended = body.get("extended_tweet")
    if isinstance(extended, dict) and isinstance(extended.get("full_text"), str):
        return str(extended["full_text"])
    text = body.get("full_text", body.get("text"))
    return text if isinstance(text, str) else ""
