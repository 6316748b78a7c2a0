"""What a line contains: a tweet, a notice, or neither."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

import msgspec

from producer.source import Cursor, Event
from producer.tweets import created_at
from twitter_topics.records.tweet import tweet_identity, tweet_time


class ReplayRecord(NamedTuple):
    """One record of the material, and the cursor after it.

    `tweet_id` is None unless it is a tweet. `reason` is why only its head was kept.
    """

    raw: bytes
    cursor: Cursor
    tweet_id: str | None = None
    time_ms: int | None = None
    notice: Event | None = None
    reason: str = ""

    def key(self) -> bytes:
        """Return the key; the same bytes always have the same one."""
        name = self.tweet_id or f"line-{hashlib.sha256(self.raw).hexdigest()[:16]}"
        return name.encode("utf-8", "replace")


class _Head(msgspec.Struct, gc=False):
    """The fields of a tweet needed here. Skipping the rest is seven times faster than `json.loads`."""

    id_str: str = ""
    timestamp_ms: str = ""
    created_at: str = ""


_decode = msgspec.json.Decoder(_Head).decode


def read_line(raw: bytes, cursor: Cursor) -> ReplayRecord:
    """Return the record in a line. Never raises, whatever the bytes."""
    try:
        raw.decode()  # msgspec does not validate the strings it skips
        head = _decode(raw)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return read_line_slowly(raw, cursor)
    tweet_id = tweet_identity({"id_str": head.id_str})
    if tweet_id is None:
        return read_line_slowly(raw, cursor)
    time_ms = tweet_time({"timestamp_ms": head.timestamp_ms, "created_at": head.created_at})
    return ReplayRecord(raw, cursor, tweet_id, time_ms)


def read_line_slowly(raw: bytes, cursor: Cursor) -> ReplayRecord:
    """Return the same for any line, with a full parse: for everything that is not an ordinary tweet."""
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
    """Return the tweet with another time, in both time fields. A line that cannot be parsed completely is unchanged.

    Raises nothing for a line whose time `read_line` found.
    """
    try:
        return msgspec.json.encode(_at(msgspec.json.decode(raw), time_ms))
    except (ValueError, msgspec.MsgspecError, RecursionError):
        pass
    try:  # half a surrogate pair, NaN: only json accepts them
        text = json.dumps(_at(json.loads(raw), time_ms), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return raw
    return text.encode("utf-8", "backslashreplace")


def _at(body: dict[str, Any], time_ms: int) -> dict[str, Any]:
    return {**body, "timestamp_ms": str(time_ms), "created_at": created_at(time_ms)}


def _notice(raw: bytes) -> Event | None:
    """Return a deletion or similar notice, parsed as in the stream."""
    from producer.sources.twitter_v1 import read_message  # imports an HTTP client, which files rarely need

    event = read_message(raw)
    return event if event is not None and event.kind == "notice" else None
