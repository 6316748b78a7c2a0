"""From the bytes of a Kafka record to a tweet or a reject reason. Every layer uses this code."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from twitter_topics.records.decoding import IdentityFields, TweetFields, decode
from twitter_topics.records.times import post_time

MAX_BYTES = 900_000
"""A larger record is rejected: Kafka's default limit is 1 MiB, and Elasticsearch clients time out well below it."""

MAX_ID_LENGTH = 512
"""Elasticsearch's limit for an `_id`, in bytes."""

TWITTER = "twitter"
"""The source of every tweet and notice of Twitter, now X, whichever API brought it."""

_ROUNDED = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*(?:e[+-]?[0-9]+)?|e\+[0-9]+)", re.ASCII | re.IGNORECASE)
"""A float as spreadsheets and programs write it: `1.99E+18`, `1,99E+18`, `1990000000000000000.0`."""

_MISSING = frozenset({"nan", "none", "null", "nil", "na", "n/a", "#n/a", "<na>", "nat", "undefined", "inf", "-inf"})
"""What programs write where there is no id, in lower case."""


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """How far event time may be from the time at which Kafka received the tweet, in milliseconds."""

    future_ms: int = 5 * 60 * 1000
    past_ms: int = 30 * 24 * 3600 * 1000


class Tweet(NamedTuple):
    """A valid tweet: identity, event time (Unix milliseconds, UTC, from the source) and the v1.1 object, perhaps only
    its fields of `decoding`."""

    tweet_id: str
    event_time_ms: int
    source: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rejected record. `reason` starts with a stable word: `json: …`, `id: …`, `time: …`."""

    reason: str


def read_tweet(
    value: bytes | None, received_ms: int, bounds: TimeBounds, fields: type[IdentityFields] = TweetFields
) -> Tweet | Rejection:
    """Read one value of the raw topic.

    Args:
        value: the record's value as received.
        received_ms: the record's Kafka timestamp. Not the wall clock, so that a replay gives the same result.
        bounds: how far event time may be from `received_ms`.
        fields: what the caller reads of the body. The verdict is the same, whatever it is.

    Returns:
        The tweet, or the reason for the dead-letter topic. Never raises on any input.
    """
    if not value:
        return Rejection("json: empty value")
    if len(value) > MAX_BYTES:
        return Rejection(f"size: {len(value)} bytes, more than {MAX_BYTES}")
    try:
        body = decode(value, fields)
    except UnicodeDecodeError as error:
        return Rejection(f"encoding: not UTF-8 at byte {error.start}")
    except (ValueError, RecursionError) as error:
        return Rejection(f"json: {str(error)[:200]}")
    if not isinstance(body, dict):
        return Rejection(f"json: a {type(body).__name__}, not an object")
    tweet_id = tweet_identity(body)
    if tweet_id is None:
        return Rejection(f"id: {_why_no_id(body)}")
    if own_text(body) is None:
        return Rejection("text: no text")
    event_time_ms = post_time(body)
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
    """Return `id_str`, which other networks set to `<source>:<native id>`, else `id`; None if neither names a tweet.

    Each may be text or a whole number. A float has lost digits, and so has its text: many tweets would share one.
    """
    return _identity(body.get("id_str")) or _identity(body.get("id"))


def user_identity(user: object) -> str | None:
    """Return the id of an author, by the rules of `tweet_identity`; None if there is none."""
    return tweet_identity(user) if isinstance(user, dict) else None


def _identity(value: object) -> str | None:
    if isinstance(value, str):
        name = value.strip()
        if name.isascii() and name.isdecimal() and len(name) <= MAX_ID_LENGTH:  # nearly always
            return name
        if ":" not in name and _no_id(name):
            return None
        return name if name and is_utf8(name) and len(name.encode()) <= MAX_ID_LENGTH else None
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63:
        return str(value)
    return None


def _no_id(name: str) -> str:
    """Return what a text is that is often in the place of an id; empty for anything else."""
    if _ROUNDED.fullmatch(name):
        return f"the float {name[:40]}, whose last digits are lost"
    return f"the word {name}" if name.lower() in _MISSING else ""


def _why_no_id(body: dict[str, Any]) -> str:
    for name in ("id_str", "id"):
        value = body.get(name)
        if isinstance(value, float):
            return f"{name} is the float {value!r}, whose last digits are lost"
        if isinstance(value, str) and (what := _no_id(value.strip())):
            return f"{name} is {what}"
        if value not in (None, ""):
            return f"{name} is neither text of at most {MAX_ID_LENGTH} bytes nor a whole number"
    return "no id_str and no id"


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


def own_text(body: dict[str, Any]) -> str | None:
    """Return `full_text`, or `text` where that is missing or empty; None if there is no text at all."""
    whole, text = body.get("full_text"), body.get("text")
    if isinstance(whole, str) and (whole or not isinstance(text, str)):
        return whole
    return text if isinstance(text, str) else None
