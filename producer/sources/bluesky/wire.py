"""Jetstream frames of both wires, as one kind of message.

v1 (`/subscribe`): `{did, time_us, kind: commit|identity|account, commit: {rev, operation, collection, rkey, record}}`.
v2 (`network.bsky.jetstream.subscribeEvents`): `{"$type": "message", "payload": {"$type": "…#commit", seq, did, time,
rev, …}}`, and `{"$type": "error", error, message}`, after which the server hangs up.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

KINDS = frozenset({"commit", "identity", "account", "sync"})
"""Messages about an account."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_decode = msgspec.json.Decoder().decode


class JetstreamMessage(NamedTuple):
    """The content of a frame.

    Attributes:
        kind: `commit`, `identity`, `account`, `sync` or a newer kind; `error` and `info` are about the stream.
        did: the account; empty for a message about the stream.
        time_us: when this host first saw it, Unix microseconds; 0 if not given.
        seq: this host's number of the event (v2); 0 if there is none.
        body: for a commit `rev`, `operation`, `collection`, `rkey`, `record`; else as in the protocol.
    """

    kind: str
    did: str
    time_us: int
    seq: int
    body: dict[str, Any]


def read_frame(frame: bytes) -> JetstreamMessage:
    """Parse a frame.

    Raises:
        ValueError: it is not valid. The message is a stable word, a colon and the details.
    """
    try:
        content = _decode(frame)
    except RecursionError:
        msg = "json: nested too deeply"
        raise ValueError(msg) from None
    except ValueError as error:
        msg = f"json: {str(error)[:200]}"
        raise ValueError(msg) from None
    if not isinstance(content, dict):
        msg = f"json: a {type(content).__name__}, not an object"
        raise ValueError(msg)
    return _v2(content) if "$type" in content else _v1(content)


def read_time_us(text: Any) -> int:
    """Return the Unix microseconds of an RFC 3339 time; 0 for anything else, and before 1970."""
    if not isinstance(text, str):
        return 0
    try:
        time = datetime.fromisoformat(text)
        return max((time - _EPOCH) // _MICROSECOND, 0)
    except (ValueError, TypeError, OverflowError):
        return 0


def _v1(content: dict[str, Any]) -> JetstreamMessage:
    kind = content.get("kind")
    if not isinstance(kind, str):
        msg = "json: no kind"
        raise ValueError(msg)
    return _event(kind, content, _number(content.get("time_us")), 0, content.get(kind))


def _v2(content: dict[str, Any]) -> JetstreamMessage:
    if content["$type"] == "error":
        return JetstreamMessage("error", "", 0, 0, content)
    payload = content.get("payload")
    if content["$type"] != "message" or not isinstance(payload, dict):
        return JetstreamMessage(f"frame {str(content['$type'])[:100]}", "", 0, 0, content)
    kind = str(payload.get("$type"))[:100].rpartition("#")[2]
    if kind == "info":
        return JetstreamMessage("info", "", 0, 0, payload)
    body = payload if kind == "commit" else payload.get(kind)
    return _event(kind, payload, read_time_us(payload.get("time")), _number(payload.get("seq")), body)


def _event(kind: str, content: dict[str, Any], time_us: int, seq: int, body: Any) -> JetstreamMessage:
    did = content.get("did")
    if not isinstance(did, str):
        did = ""
    if kind in KINDS and not did.startswith("did:"):
        msg = "json: no did"
        raise ValueError(msg)
    if not isinstance(body, dict):
        body = {}
    if kind == "commit" and not all(isinstance(body.get(name), str) for name in ("operation", "collection", "rkey")):
        msg = "json: a commit without operation, collection or rkey"
        raise ValueError(msg)
    return JetstreamMessage(kind, did, time_us, seq, body)


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63 else 0
