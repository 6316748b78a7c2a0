"""Where in the stream of which host we are, and what to ask the next one for.

Hosts number their events each for itself, and each notes its own time of first sight. So a place is a host together
with that host's time and, on the second wire, its number; another host is asked for the time, a little earlier.
https://github.com/bluesky-social/jetstream, docs/README.md 2 and 5.1: cursors are inclusive; below 10^15 they are
numbers, from there on Unix microseconds; one that lies in the future means "from now on" without a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from producer.sources.bluesky.wire import KINDS, JetstreamMessage
from twitter_topics.errors import IntegrityError

FIRST_TIME_US = 10**15

MARGIN_US = 60 * 1_000_000
"""A stream that goes on this much later than asked for has left something out. The whole network is never silent so
long; what is silent longer (a few accounts) is known by `quiet`."""

LOOK_BACK_US = 36 * 3600 * 1_000_000
"""What the public hosts keep."""

AHEAD_US = 5 * 60 * 1_000_000
"""A host's time further ahead of this machine's clock is not believed."""


@dataclass(frozen=True, slots=True)
class JetstreamCursor:
    """`time_us` and, where known, `seq` of the newest event of `host`."""

    host: str
    time_us: int
    seq: int = 0

    @classmethod
    def from_text(cls, text: str) -> JetstreamCursor:
        """Raises:
        IntegrityError: nothing that `text` has written.
        """
        try:
            host, time_us, seq = text.split(" ")
            return cls(host, int(time_us), int(seq))
        except ValueError:
            msg = f"{text[:200]!r} is no cursor of Bluesky. Delete the saved position to go on from now."
            raise IntegrityError(msg) from None

    def text(self) -> str:
        return f"{self.host} {self.time_us} {self.seq}"


def is_placed(message: JetstreamMessage, now_us: int) -> bool:
    """Whether a message is about an event and has a time that can be believed."""
    return message.kind in KINDS and 0 < message.time_us <= now_us + AHEAD_US


Resumed = Literal["in order", "clamped", "elsewhere"]


class CursorTracker:
    """Follows the cursor through connections and hosts.

    Args:
        cursor: of the last event that is safe; None to begin with what comes now.
        rewind_s: seconds asked for again after changing host.
        by_number: the wire resumes by number (v2), not by time.
        quiet: the filter is so narrow that a long silence means nothing.

    Attributes:
        outdated: the host said that it begins later than asked for.
    """

    def __init__(self, cursor: JetstreamCursor | None, rewind_s: int, by_number: bool, quiet: bool) -> None:
        self.cursor = cursor
        self.outdated = False
        self._rewind_us = rewind_s * 1_000_000
        self._by_number = by_number
        self._quiet = quiet
        self._host = ""
        self._asked: int | None = None
        self._asked_at_us = 0

    def ask(self, host: str, now_us: int) -> int | None:
        """The value of the parameter `cursor` for a new connection to `host`; None for "from now on"."""
        self._host, self._asked, self._asked_at_us, self.outdated = host, None, now_us, False
        cursor = self.cursor
        if cursor is not None and cursor.host == host and cursor.seq and self._by_number:
            self._asked = cursor.seq
        elif cursor is not None and cursor.time_us:
            time_us = cursor.time_us - (0 if cursor.host == host else self._rewind_us)
            self._asked = max(min(time_us, now_us), FIRST_TIME_US)
        return self._asked

    def forget_number(self) -> bool:
        """Ask for the time next, because the host does not know the number. False when a number was not asked for."""
        if self._asked is None or self._asked >= FIRST_TIME_US or self.cursor is None:
            return False
        self.cursor = JetstreamCursor(self.cursor.host, self.cursor.time_us)
        return True

    def resumed(self, message: JetstreamMessage) -> Resumed:
        """What the first event of a connection says about the answer to `ask`.

        `elsewhere`: behind this address is now another server, with numbers of its own. `clamped`: between the cursor
        and this event something is missing.
        """
        cursor, asked = self.cursor, self._asked
        if cursor is None or asked is None:
            return "in order"
        late = message.time_us - cursor.time_us > MARGIN_US
        if asked < FIRST_TIME_US and (message.seq < asked or late):
            return "elsewhere"
        if self._quiet and not self.outdated:
            late = late and self._asked_at_us - cursor.time_us > LOOK_BACK_US
        return "clamped" if late else "in order"

    def advance(self, message: JetstreamMessage) -> bool:
        """Take in an event; returns whether it is news. Times never go back: after an import a host may show events
        under older ones."""
        cursor = self.cursor
        if cursor is None or cursor.host != self._host:
            self.cursor = JetstreamCursor(self._host, message.time_us, message.seq)
            return True
        if message.time_us <= cursor.time_us and message.seq <= cursor.seq:
            return False
        self.cursor = JetstreamCursor(self._host, max(message.time_us, cursor.time_us), max(message.seq, cursor.seq))
        return True
