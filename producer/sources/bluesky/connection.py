"""One connection: how it opens and how it ends."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from typing import NamedTuple

import msgspec
from websockets.sync.client import ClientConnection, connect

from producer.receiving.rules import RATE_LIMITED, WaitRules
from producer.sources.bluesky.wire import JetstreamMessage
from twitter_topics.backends.http_answers import CONNECT_TIMEOUT_S, user_agent
from twitter_topics.errors import RetryableError

MAX_FRAME_BYTES = 8 * 1024 * 1024
"""A record has at most 1 MiB, and six times that if JSON escapes every character."""
MAX_WAITING = 256
"""Frames that the client library reads ahead."""
CLOSE_S = 1.0
BUSY = frozenset({408, 425, *RATE_LIMITED})
"""The 4xx responses that a retry may fix."""

_quiet = logging.getLogger(__name__)
_quiet.setLevel(logging.CRITICAL)  # the library logs each loss with a traceback; the reader logs it once


class Lost(NamedTuple):
    """How a connection, or an attempt at one, ended.

    `wait_s`: seconds until the next attempt; None leaves it to the rules. `move`: try the next host.
    """

    cause: str
    sentence: str
    wait_s: float | None = None
    move: bool = False


class LostError(RetryableError):
    """The connection must be dropped."""

    def __init__(self, lost: Lost) -> None:
        super().__init__(lost.sentence)
        self.lost = lost


def open_stream(url: str, rules: WaitRules, max_bytes: int, deflate: bool) -> AbstractContextManager[ClientConnection]:
    """Return a connection that opens on entering. Both sides ping; ours detects a dead line within 2/3 of the stall
    time."""
    return connect(
        url,
        compression="deflate" if deflate else None,
        user_agent_header=user_agent(),
        open_timeout=CONNECT_TIMEOUT_S,
        ping_interval=rules.stall_s / 3,
        ping_timeout=rules.stall_s / 3,
        close_timeout=CLOSE_S,
        max_size=max_bytes,
        max_queue=MAX_WAITING,
        logger=_quiet,
    )


def wrong_settings_sentence(host: str, sentence: str) -> str:
    """Return the message of a ConfigurationError: no host serves what the settings ask for."""
    return f"{host}: {sentence}. Check BLUESKY_HOSTS, BLUESKY_WIRE, BLUESKY_COLLECTIONS and BLUESKY_DIDS"


def loss_of(message: JetstreamMessage) -> Lost:
    """Return the loss that an error frame announces: the server hangs up after it."""
    name = str(message.body.get("error"))[:100]
    cause = "slow" if name == "ConsumerTooSlow" else "server-error"
    return Lost(cause, f"sent the error {name}: {str(message.body.get('message'))[:200]}")


def error_name(body: bytes) -> str:
    """Return the name in an XRPC error envelope, which the second wire answers with; else an empty string."""
    try:
        content = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return ""
    return str(content.get("error")) if isinstance(content, dict) else ""
