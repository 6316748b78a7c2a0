"""What stands in a line: a tweet, a notice, or something that is neither."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

import msgspec

from producer.source import Cursor, Event
from producer.tweets import created_at
from twitter_topics.contract.tweet import tweet_identity, tweet_time


class ReplayRecord(NamedTuple):
    """One record of the material, and the place after it.

    `tweet_id` is None for what is no tweet. `reason` says why only a head of it was kept.
    """

    raw: bytes
    cursor: Cursor
    tweet_id: str | None = None
    time_ms: int | None = None
    notice: Event | None = None
    reason: str = ""

    def key(self) -> bytes:
        """The same bytes always have the same key."""
        name = self.tweet_id or f"line-{hashlib.sha256(self.raw).hexdigest()[:16]}"
        return name.encode("utf-8", "replace")


class _Head(msgspec.Struct, gc=False):
    """What of a tweet is needed here. Everything else is passed over, seven times faster than `json.loads`."""

    id_str: str = ""
    timestamp_ms: str = ""
    created_at: str = ""


_decode = msgspec.json.Decoder(_Head).decode


def read_line(raw: bytes, cursor: Cursor) -> ReplayRecord:
    """The record in a line. Never raises, whatever the bytes are."""
    try:
        raw.decode()  # msgspec does not look into the texts that it passes over
        head = _decode(raw)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return read_line_slowly(raw, cursor)
    tweet_id = tweet_identity({"id_str": head.id_str})
    if tweet_id is None:
        return read_line_slowly(raw, cursor)
    time_ms = tweet_time({"timestamp_ms": head.timestamp_ms, "created_at": head.created_at})
    return ReplayRecord(raw, cursor, tweet_id, time_ms)


def read_line_slowly(raw: bytes, cursor: Cursor) -> ReplayRecord:
    """The same for any line, by the letter: what is no usual tweet comes here."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        return ReplayRecord(raw, cursor)
    tweet_id = tweet_identity(body)
    if tweet_id is not None:
        return ReplayRecord(raw, cursor, tweet_id, tweet_time(body))
    notice = _notice(raw)
    return ReplayRecord(raw, cursor, None, notice.event_time_ms if notice else tweet_time(body), notice)


def moved(raw: bytes, time_ms: int) -> bytes:
    """A tweet at another time, in both of its forms. What cannot be read whole stays as it is.

    Raises nothing for a line of which `read_line` knows the time.
    """
    try:
        return msgspec.json.encode(_at(msgspec.json.decode(raw), time_ms))
    except (ValueError, msgspec.MsgspecError, RecursionError):
        pass
    try:  # half a surrogate pair, NaN: allowed by json alone
        text = json.dumps(_at(json.loads(raw), time_ms), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return raw
    return text.encode("utf-8", "backslashreplace")


def _at(body: dict[str, Any], time_ms: int) -> dict[str, Any]:
    return {**body, "timestamp_ms": str(time_ms), "created_at": created_at(time_ms)}


def _notice(raw: bytes) -> Event | None:
    """A deletion and the like, read as in the stream."""
    from producer.sources.twitter_v1 import read_message  # brings an HTTP client, which files seldom need

    event = read_message(raw)
    return event if event is not None and event.kind == "notice" else None
