"""Maps Jetstream messages to tweets, edits and notices."""

from __future__ import annotations

import hashlib
import logging
from typing import Any, TypeVar

import msgspec

from producer.receiving.fields import as_object, as_text
from producer.source import Event, EventKind
from producer.sources.bluesky.entities import entities, quoted_uri
from producer.sources.bluesky.tid import tid_time_us
from producer.sources.bluesky.wire import JetstreamMessage, read_time_us
from producer.tweets import created_at
from twitter_topics.records.language import short_code
from twitter_topics.records.notice import AccountStatus, Notice
from twitter_topics.records.times import read_time

NAME = "bluesky"
POSTS = "app.bsky.feed.post"

NEAR_US = 5 * 60 * 1_000_000
"""How far apart the clocks behind a record key, a commit and its arrival may be."""

MAX_HANDLES, MAX_RESYNCED = 100_000, 1_000

_STATUS: dict[str, AccountStatus | None] = {
    "deleted": "deleted",
    "suspended": "suspended",
    "takendown": "suspended",
    "deactivated": "deactivated",
    "desynchronized": None,  # these two are about the account's server, not about the account
    "throttled": None,
}

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode

_T = TypeVar("_T")


class PostMapper:
    """Turns messages into events. Remembers handles, which only identity messages carry.

    Args:
        languages: codes in lower case; a post passes if it names one of them; empty = all posts pass.
    """

    def __init__(self, languages: frozenset[str] = frozenset()) -> None:
        self._languages = frozenset(map(short_code, languages))
        self._handles: dict[str, str] = {}
        self._resynced: dict[str, bool] = {}
        self._warned: dict[str, bool] = {}

    def event(self, message: JetstreamMessage, frame: bytes, cursor: str, seen_us: int) -> Event | None:
        """Return the event of a message, None if it carries none. Never raises for a message from `read_frame`.

        Args:
            frame: the message as received, decompressed.
            cursor: for the event.
            seen_us: newest time at which the host saw an event, including this one; 0 when unknown.
        """
        try:
            match message.kind:
                case "commit":
                    return self._commit(message, frame, cursor, seen_us)
                case "account":
                    return _account(message, frame, cursor)
                case "identity":
                    self._identity(message)
                case "sync":
                    _remember(self._resynced, message.did, True, MAX_RESYNCED)
                case kind:
                    self._warn_once(f"messages of the kind {kind[:100]}")
        except RecursionError:  # a message shallow enough to read may be too deep to write
            return unreadable(frame, "json: nested too deeply", cursor)
        return None

    def _commit(self, message: JetstreamMessage, frame: bytes, cursor: str, seen_us: int) -> Event | None:
        did, body = message.did, message.body
        if body["collection"] != POSTS:
            return None
        operation, rkey = body["operation"], body["rkey"]
        if operation not in ("create", "update", "delete"):
            self._warn_once(f"the operation {operation[:100]}")
            return None
        first_time = operation == "create" and did not in self._resynced
        time_us = post_time_us(rkey, body.get("rev"), first_time)
        if time_us is None:
            return unreadable(frame, "time: neither the record's key nor the commit's rev is a TID", cursor)
        if seen_us and time_us > seen_us + NEAR_US:
            return unreadable(frame, f"time: {(time_us - seen_us) // 1_000_000} s later than its arrival", cursor)
        if operation == "delete":
            return _deletion(message, frame, cursor, time_us // 1000)
        record = body.get("record")
        if not isinstance(record, dict) or not isinstance(record.get("text"), str):
            return unreadable(frame, "text: no text", cursor)
        languages = _languages(record)
        if self._languages and self._languages.isdisjoint(languages):
            return None
        tweet_id = f"{NAME}:{did}/{rkey}"
        body = self._tweet(tweet_id, message, record, languages, written_ms(record, time_us // 1000))
        body["source_payload"] = msgspec.Raw(frame)
        kind: EventKind = "edit" if operation == "update" else "post"
        return Event(kind, tweet_id.encode(), _encode(body), time_us // 1000, cursor)

    def _tweet(
        self, tweet_id: str, message: JetstreamMessage, record: dict[str, Any], languages: list[str], time_ms: int
    ) -> dict[str, Any]:
        did = message.did
        handle = self._handles.get(did, did)
        page = f"https://bsky.app/profile/{did}/post/{message.body['rkey']}"
        tweet = {
            "created_at": created_at(time_ms),
            "timestamp_ms": str(time_ms),
            "id_str": tweet_id,
            "text": record["text"],
            "lang": languages[0].partition("-")[0] if languages else "und",
            "user": {
                "id_str": f"{NAME}:{did}",
                "screen_name": handle,
                "name": handle,
                "followers_count": 0,
                "verified": False,
            },
            "entities": entities(record["text"], record, did, page),
            "retweet_count": 0,
            "favorite_count": 0,
            "source_network": NAME,
        }
        parent = _post_id(as_object(as_object(record.get("reply")).get("parent")).get("uri"))
        if parent:
            tweet["in_reply_to_status_id_str"] = f"{NAME}:{parent}"
            tweet["in_reply_to_user_id_str"] = f"{NAME}:{parent.partition('/')[0]}"
        quoted = _post_id(quoted_uri(record))
        if quoted:
            tweet["is_quote_status"], tweet["quoted_status_id_str"] = True, f"{NAME}:{quoted}"
        return tweet

    def _identity(self, message: JetstreamMessage) -> None:
        handle = message.body.get("handle")
        if isinstance(handle, str) and handle != "handle.invalid":
            _remember(self._handles, message.did, handle[:253], MAX_HANDLES)
        else:
            self._handles.pop(message.did, None)

    def _warn_once(self, what: str) -> None:
        if what not in self._warned:
            _remember(self._warned, what, True, 100)
            _log.warning("ignoring %s from Bluesky: not supported", what)


def post_time_us(rkey: Any, rev: Any, first_time: bool) -> int | None:
    """Return when a post was created, in Unix microseconds; the same on every host, as both ids belong to the post.

    The author's client sets the record's key, normally a TID; the author's server sets the commit's rev. If they are
    far apart, the key was made up and the rev is used. When a post comes again (edit, deletion, resync) its rev is a
    later one, so the key is used unless it is in the future. None when neither is a TID.
    """
    made_us, committed_us = tid_time_us(rkey), tid_time_us(rev)
    if made_us is None or committed_us is None:
        return committed_us if made_us is None else made_us
    if made_us > committed_us + NEAR_US or (first_time and made_us < committed_us - NEAR_US):
        return committed_us
    return made_us


def written_ms(record: dict[str, Any], posted_ms: int) -> int:
    """Return when a post was written, in Unix milliseconds.

    A tool that imports posts from elsewhere gives them fresh keys and an old `createdAt`. A `createdAt` close to the
    key's time, or after it, is the same clock read less exactly, or a wrong one.
    """
    said_ms = read_time(record.get("createdAt"))
    return said_ms if said_ms is not None and said_ms < posted_ms - NEAR_US // 1000 else posted_ms


def unreadable(content: bytes, reason: str, cursor: str) -> Event:
    """Return a dead letter; the same content always has the same key."""
    key = f"{NAME}-{hashlib.sha256(content).hexdigest()[:16]}"
    return Event("unreadable", key.encode(), content, None, cursor, reason)


def _deletion(message: JetstreamMessage, frame: bytes, cursor: str, post_ms: int) -> Event:
    did, rkey = message.did, message.body["rkey"]
    at_us = tid_time_us(message.body.get("rev")) or message.time_us
    notice = Notice(
        "delete",
        NAME,
        tweet_id=f"{NAME}:{did}/{rkey}",
        user_id=f"{NAME}:{did}",
        at_ms=at_us // 1000,
        payload=msgspec.json.decode(frame),
    )
    return Event("notice", notice.key(), notice.value(), post_ms, cursor)


def _account(message: JetstreamMessage, frame: bytes, cursor: str) -> Event | None:
    active = message.body.get("active")
    given = as_text(message.body.get("status"))  # why an account is not active: a known word, a new one, or nothing
    status: AccountStatus | None = "active" if active is True else _STATUS.get(given, "deactivated")
    if not isinstance(active, bool) or status is None:
        return None
    at_ms = (read_time_us(message.body.get("time")) or message.time_us) // 1000
    notice = Notice(
        "account",
        NAME,
        user_id=f"{NAME}:{message.did}",
        status=status,
        at_ms=at_ms,
        payload=msgspec.json.decode(frame),
    )
    return Event("notice", notice.key(), notice.value(), at_ms, cursor)


def _languages(record: dict[str, Any]) -> list[str]:
    """Return a record's declared languages: each short code, and its first part (`pt` of `pt-BR`)."""
    named = record.get("langs")
    codes = [short_code(code[:35]) for code in named[:20] if isinstance(code, str)] if isinstance(named, list) else []
    return list(dict.fromkeys(part for code in codes for part in (code, code.partition("-")[0]) if part))


def _post_id(uri: Any) -> str:
    """Return `<did>/<rkey>` of `at://<did>/app.bsky.feed.post/<rkey>`, empty for other addresses."""
    parts = uri.split("/") if isinstance(uri, str) and len(uri) <= 1024 else []
    return f"{parts[2]}/{parts[4]}" if len(parts) == 5 and parts[0] == "at:" and parts[3] == POSTS else ""


def _remember(memory: dict[str, _T], key: str, value: _T, most: int) -> None:
    """Store a value in a bounded memory that drops the oldest."""
    memory.pop(key, None)
    if len(memory) >= most:
        del memory[next(iter(memory))]
    memory[key] = value
