"""Messages of the v1.1 stream about itself: `limit`, `warning`, `disconnect`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any

from producer.status import Status

_MAX_COUNT = 2**53

_log = logging.getLogger(__name__)


def message_name(body: dict[str, Any], names: Iterable[str]) -> str | None:
    """Return which of these messages it is: an object under its name, alone or with a time."""
    return next(
        (one for one in names if isinstance(body.get(one), dict) and body.keys() <= {one, "timestamp_ms"}), None
    )


class ControlMessages:
    """Counts the posts that the server did not deliver, and logs the first message of each kind as a warning."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._undelivered = 0
        self._seen: set[str] = set()

    def __call__(self, kind: str, content: Any) -> None:
        level = logging.DEBUG if kind in self._seen else logging.WARNING
        self._seen.add(kind)
        _log.log(level, "the stream sent a message of the kind %s: %s", kind, json.dumps(content)[:500])
        count = content.get("track") if kind == "limit" and isinstance(content, dict) else None
        if isinstance(count, int) and 0 <= count < _MAX_COUNT:  # counted by the server since the connection began
            more = count - self._undelivered if count >= self._undelivered else count
            self._undelivered = count
            self._status.not_delivered += more

    def reconnected(self) -> None:
        """Expect the server's count from 0 again."""
        self._undelivered = 0
