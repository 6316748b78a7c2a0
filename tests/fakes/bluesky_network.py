"""A made-up Bluesky: its events, and how Jetstream sends them on each wire."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

POSTS = "app.bsky.feed.post"
REV_US = 100_000
"""How much earlier than an event its commit was made."""
_TID_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
_WORDS = ("storm", "final", "train", "song", "game", "coffee", "rocket", "market", "match", "rain", "café", "🚀")


def make_tid(time_us: int, clock: int = 0) -> str:
    """Return the TID of a time in [0, 2^53) microseconds and a clock in [0, 1024)."""
    number = time_us << 10 | clock
    return "".join(_TID_ALPHABET[number >> shift & 31] for shift in range(60, -1, -5))


@dataclass(frozen=True)
class Entry:
    """An event: `kind` with its `body` as on wire v1, seen at `at_us` by a host without a shift."""

    kind: str
    did: str
    at_us: int
    body: dict[str, Any]

    @property
    def post_id(self) -> str:
        """Return the tweet id of a new post, else an empty string."""
        created = self.kind == "commit" and self.body["operation"] == "create" and self.body["collection"] == POSTS
        return f"bluesky:{self.did}/{self.body['rkey']}" if created else ""


class Network:
    """All events, in order.

    Args:
        number: posts that are there from the start.
        start_us: time of the first; by default so that the last was made a second ago.
        step_us: from one to the next.
    """

    def __init__(self, number: int = 0, start_us: int | None = None, step_us: int = 10_000) -> None:
        self.step_us = step_us
        now_us = time.time_ns() // 1000
        self.next_us = start_us if start_us is not None else now_us - 1_000_000 - number * step_us
        self.entries: list[Entry] = []
        self.changed = threading.Condition()
        for _ in range(number):
            self.post()

    @property
    def post_ids(self) -> list[str]:
        return [entry.post_id for entry in self.entries if entry.post_id]

    def post(self, text: str | None = None, did: str | None = None, **record: Any) -> Entry:
        """Add a post, with further fields of its record by name."""
        number = len(self.entries)
        words = " ".join(_WORDS[(number * 7 + i * i) % len(_WORDS)] for i in range(6))
        written = datetime.fromtimestamp(self.next_us // 1_000_000, UTC)
        content = {
            "$type": POSTS,
            "createdAt": f"{written:%Y-%m-%dT%H:%M:%S}.000Z",
            "langs": ["en"],
            "text": f"{number} {words}" if text is None else text,
        }
        return self.commit("create", make_tid(self.next_us - 200_000, 7), did, record=content | record)

    def commit(self, operation: str, rkey: str, did: str | None = None, collection: str = POSTS, **body: Any) -> Entry:
        commit = {"rev": make_tid(self.next_us - REV_US, 3), "operation": operation, "collection": collection}
        return self.happens("commit", did, commit | {"rkey": rkey} | body)

    def account(self, did: str, active: bool, status: str | None = None) -> Entry:
        body = {"active": active, "did": did, "seq": 1, "time": "2026-11-23T09:00:00.000Z"}
        return self.happens("account", did, body | ({"status": status} if status else {}))

    def happens(self, kind: str, did: str | None, body: dict[str, Any]) -> Entry:
        with self.changed:
            who = did or f"did:plc:{len(self.entries) % 50:024d}"
            entry = Entry(kind, who, self.next_us, body)
            self.entries.append(entry)
            self.next_us += self.step_us
            self.changed.notify_all()
        return entry


def frame_of(entry: Entry, seq: int = 1, v2: bool = False, shift_us: int = 0) -> bytes:
    """Return the frame from a host that numbers it `seq` and saw it `shift_us` later."""
    time_us = entry.at_us + shift_us
    if not v2:
        content: dict[str, Any] = {"did": entry.did, "time_us": time_us, "cursor": seq}
        return to_json(content | {"kind": entry.kind, entry.kind: entry.body})
    moment = datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    body = entry.body if entry.kind == "commit" else {entry.kind: entry.body}
    payload = {
        "$type": f"network.bsky.jetstream.subscribeEvents#{entry.kind}",
        "seq": seq,
        "did": entry.did,
        "time": f"{moment}.{time_us % 1_000_000:06d}Z",
    }
    return to_json({"$type": "message", "payload": payload | body})


def to_json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
