"""What a line or value contains: tweets, notices, or neither."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from producer.source import Cursor, Event, EventKind
from producer.sources.replay.extended_json import SIGN
from producer.sources.replay.material import DamagedError
from producer.sources.replay.shapes import Part, loads, unfolded
from producer.sources.replay.values import values
from producer.sources.x_v2.edits import original_id
from producer.sources.x_v2.mapping import Trouble, encoded, mapped_event
from producer.tweets import created_at
from twitter_topics.records.times import post_time
from twitter_topics.records.tweet import Rejection, TimeBounds, read_tweet, tweet_identity

_BOM = b"\xef\xbb\xbf"
_BEGIN = re.compile(rb"[^\0][^\0{]{0,11}")
"""What is the same at the beginning of each object of a file, its first field; less if the first is torn there."""

_LENGTH = re.compile(rb"\s*[0-9]{1,8}\s*")
"""A line before each message of a stream that was stored as it came, with `delimited=length`."""

_TRIES = 20
_ANY_TIME = TimeBounds(future_ms=2**63, past_ms=2**63)

_log = logging.getLogger(__name__)


class ReplayRecord(NamedTuple):
    """One record of the material, and the cursor after it.

    `tweet_id` is None unless it is a tweet. `reason` is why only its head was kept, or why it could not be mapped.
    `damage` is set instead of everything else where part of the material is missing, and names that part.
    """

    raw: bytes
    cursor: Cursor
    tweet_id: str | None = None
    time_ms: int | None = None
    notice: Event | None = None
    reason: str = ""
    kind: EventKind = "post"
    damage: str = ""

    def key(self) -> bytes:
        """Return the key; the same bytes always have the same one."""
        name = self.tweet_id or f"line-{hashlib.sha256(self.raw).hexdigest()[:16]}"
        return name.encode("utf-8", "replace")


class _Head(msgspec.Struct, gc=False):
    """The fields of a tweet needed here. Skipping the rest is seven times faster than `json.loads`."""

    id_str: str = ""
    timestamp_ms: str = ""
    created_at: str = ""
    edit_history: Any = None
    edit_info: Any = None


_decode = msgspec.json.Decoder(_Head).decode

Report = Callable[[str, Any], None]
"""Receives a message about the stream itself (`limit`, `warning`, `disconnect`): its name and content."""


def read_quickly(raw: bytes, cursor: Cursor) -> ReplayRecord | None:
    """Return the tweet in a line if it is an ordinary one of v1.1. Never raises, whatever the bytes."""
    if b"$" in raw and SIGN in raw:  # perhaps Extended JSON; one byte is found at once
        return None
    try:
        raw.decode()  # msgspec does not validate the strings it skips
        head = _decode(raw)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None
    tweet_id = tweet_identity({"id_str": head.id_str})
    if tweet_id is None or ((head.edit_history or head.edit_info) and _is_edit(msgspec.structs.asdict(head), tweet_id)):
        return None
    time_ms = post_time({"timestamp_ms": head.timestamp_ms, "created_at": head.created_at})
    return ReplayRecord(raw, cursor, tweet_id, time_ms)


def _is_edit(body: dict[str, Any], tweet_id: str) -> bool:
    """Whether a v1.1 object is an edit."""
    return original_id(_histories(body), tweet_id) != tweet_id


def _histories(body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields in which a v1.1 object names its versions: of the enterprise APIs, and of account exports."""
    return {name: body.get(name) for name in ("edit_history", "edit_info")}


def read_all(raw: bytes, cursor: Cursor, report: Report = lambda *_: None) -> Iterator[ReplayRecord]:
    """Yield all records in a line or value, in any form, with a full parse. Never raises, whatever the bytes."""
    raw = raw.strip(b"\0").removeprefix(_BOM)  # what a crash leaves; files with a mark, one after the other
    if _LENGTH.fullmatch(raw):
        return
    try:
        body = loads(raw)
        found = [(raw, body)] if body is not None else [(one, loads(one)) for one in _objects(raw)]
        parts = [part for one in found for part in unfolded(*one)]
    except RecursionError:
        parts = [raw]
    for part in parts:
        if isinstance(part, Trouble):
            _log.warning("a stored response: %s", part.sentence)
        elif isinstance(part, Event):
            yield _mapped(part, cursor)
        elif (record := read_line_slowly(part, cursor, report)) is not None:
            yield record


def _objects(raw: bytes) -> list[bytes]:
    """Return the objects of a line that is nothing but objects, as where a line end is lost; else the line, without an
    object that follows a torn one, and that object."""
    with suppress(DamagedError):
        found = [line.raw for line in values((raw,), "") if line is not None]
        if len(found) > 1 and all(isinstance(loads(one), dict) for one in found):
            return found
    begin = _BEGIN.match(raw)
    for place in islice(re.finditer(re.escape(begin[0]), raw), 1, _TRIES) if begin else ():
        at = place.start()
        is_part = raw[:at].rstrip().endswith((b":", b"[", b","))
        if not is_part and isinstance(loads(raw[at:]), dict):
            return [raw[:at], raw[at:]]
    return [raw]


def _mapped(event: Event, cursor: Cursor) -> ReplayRecord:
    if event.kind == "notice":
        return ReplayRecord(event.value, cursor, None, event.event_time_ms, event)
    if event.kind == "unreadable":
        return ReplayRecord(event.value, cursor, reason=event.reason)
    return ReplayRecord(event.value, cursor, event.key.decode(), event.event_time_ms, kind=event.kind)


def read_line_slowly(raw: bytes, cursor: Cursor, report: Report = lambda *_: None) -> ReplayRecord | None:
    """Return the v1.1 record; None for a message about the stream itself, which goes to `report`."""
    body = loads(raw)
    if not isinstance(body, dict):
        return ReplayRecord(raw, cursor)
    tweet_id = tweet_identity(body)
    if tweet_id is not None:
        time_ms = post_time(body)
        if time_ms is not None and _is_edit(body, tweet_id):
            return _mapped(mapped_event(encoded(body), body | {"id_str": tweet_id}, time_ms, _histories(body)), cursor)
        return ReplayRecord(raw, cursor, tweet_id, time_ms)
    from producer.sources.twitter_v1 import read_message  # imports an HTTP client, which files rarely need

    message = read_message(raw, report)
    if message is None:
        return None
    if message.kind != "notice":
        return ReplayRecord(raw, cursor, None, post_time(body))
    return ReplayRecord(raw, cursor, None, message.event_time_ms, message)


def rejection(part: Part) -> str:
    """Return why the streaming apps will reject a part, whatever its age; empty for what they accept, and for messages
    about a stream."""
    if isinstance(part, Trouble):
        return ""
    if isinstance(part, Event):
        return part.reason
    found = read_tweet(part, 0, _ANY_TIME)
    if not isinstance(found, Rejection):
        return ""
    record = read_line_slowly(part, 0)
    return found.reason if record is not None and record.notice is None else ""


def moved(raw: bytes, time_ms: int) -> bytes:
    """Return the tweet with another time, in both time fields. A line that cannot be parsed completely is unchanged.

    Raises nothing for a line whose time was found.
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
