"""Where we are in which host's stream, and what to ask the next host for.

Each host numbers events on its own and records its own time of first sight. So a cursor is a host together with that
host's time and, on the second wire, its number. Another host is asked by time, from slightly earlier, and from earlier
still if the first host was late: one that catches up gives old events the time of now.
https://github.com/bluesky-social/jetstream, docs/README.md 2 and 5.1: cursors are inclusive; below 10^15 they are
numbers, from there on Unix microseconds; one in the future silently means "from now on".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from producer.sources.bluesky.lateness import Lateness
from producer.sources.bluesky.wire import KINDS, JetstreamMessage
from twitter_topics.errors import IntegrityError

FIRST_TIME_US = 10**15

MARGIN_US = 60 * 1_000_000
"""A stream that resumes this much later than asked has skipped events. The whole network is never silent that long; a
filter that may be (a few accounts) is marked `quiet`."""

LOOK_BACK_US = 36 * 3600 * 1_000_000
"""How far back the public hosts keep events."""

AHEAD_US = 5 * 60 * 1_000_000
"""A host's time further ahead of this machine's clock is ignored."""


@dataclass(frozen=True, slots=True)
class JetstreamCursor:
    """`time_us` and, where known, `seq` of the newest event of `host`, and how late the host was."""

    host: str
    time_us: int
    seq: int = 0
    late_us: int = 0

    @classmethod
    def from_text(cls, text: str) -> JetstreamCursor:
        """Parse what `text` returned.

        Raises:
            IntegrityError: `text` is not such a cursor.
        """
        try:
            host, time_us, seq, *late_us = text.split(" ")
            return cls(host, int(time_us), int(seq), *map(int, late_us))
        except (TypeError, ValueError):
            msg = f"{text[:200]!r} is not a Bluesky cursor. Delete the saved position to continue from now."
            raise IntegrityError(msg) from None

    def text(self) -> str:
        return self.place + (f" {self.late_us}" if self.late_us else "")

    @property
    def place(self) -> str:
        """The text without what may differ when the event is sent again."""
        return f"{self.host} {self.time_us} {self.seq}"


def is_placed(message: JetstreamMessage, now_us: int) -> bool:
    """Whether a message is about an event and has a plausible time."""
    return message.kind in KINDS and 0 < message.time_us <= now_us + AHEAD_US


Resumed = Literal["in order", "clamped", "elsewhere"]
Span = tuple[int, int]
"""From when to when, in Unix microseconds."""


class CursorTracker:
    """Tracks the cursor across connections and hosts.

    Args:
        cursor: of the last safe event; None to begin now.
        rewind_s: seconds requested again after changing host.
        by_number: the wire resumes by number (v2), not by time.
        quiet: the filter is so narrow that a long silence means nothing.

    Attributes:
        outdated: the host announced that it begins later than asked.
    """

    def __init__(self, cursor: JetstreamCursor | None, rewind_s: int, by_number: bool, quiet: bool) -> None:
        self.cursor = cursor
        self.outdated = False
        self._rewind_us = rewind_s * 1_000_000
        self._by_number = by_number
        self._quiet = quiet
        self._lateness = Lateness(LOOK_BACK_US)
        self._host = ""
        self._asked: int | None = None
        self._asked_at_us = self._alive_us = self._after_us = 0

    def ask(self, host: str, now_us: int, alive_us: int = 0) -> int | None:
        """Return the parameter `cursor` for a new connection to `host`; None for "from now on".

        Args:
            alive_us: when the connection before was last known to work; 0 if unknown.
        """
        self._host, self._asked, self.outdated = host, None, False
        self._asked_at_us, self._alive_us = now_us, alive_us
        cursor = self.cursor
        if cursor is None:
            return None
        rewind_us, late_us = (0, 0) if cursor.host == host else (self._rewind_us, cursor.late_us)
        self._after_us = cursor.time_us - late_us
        if cursor.host == host and cursor.seq and self._by_number:
            self._asked = cursor.seq
        elif cursor.time_us:
            self._asked = max(min(self._after_us - rewind_us, now_us), FIRST_TIME_US)
        return self._asked

    def forget_number(self) -> bool:
        """Ask by time next, because the host does not know the number. Return False if no number was asked for."""
        if self._asked is None or self._asked >= FIRST_TIME_US or self.cursor is None:
            return False
        self.cursor = replace(self.cursor, seq=0)
        return True

    def forget_host(self) -> None:
        """Treat the cursor as another host's, because the address now belongs to another server."""
        if self.cursor is not None:
            self.cursor = replace(self.cursor, host="", seq=0)

    def expired(self) -> Span | None:
        """Return what no host has any more of the few accounts of a quiet filter.

        Their cursor ages while they are silent, so it is the last sign of life that tells what was missed.
        """
        begin_us, end_us = max(self._after_us, self._alive_us), self._asked_at_us - LOOK_BACK_US
        return (begin_us, end_us) if self._quiet and self._asked is not None and begin_us < end_us else None

    def resumed(self, message: JetstreamMessage) -> Resumed:
        """Judge from the first event of a connection how the host handled the cursor from `ask`.

        `elsewhere`: the address now belongs to another server, with its own numbers. `clamped`: what is `unseen` is
        missing.
        """
        cursor, asked = self.cursor, self._asked
        if cursor is None or asked is None:
            return "in order"
        if asked < FIRST_TIME_US:
            late = message.time_us - cursor.time_us > MARGIN_US
            return "elsewhere" if late or message.seq < asked else "in order"
        begin_us, end_us = self.unseen(message)
        return "clamped" if end_us - begin_us > MARGIN_US else "in order"

    def unseen(self, message: JetstreamMessage) -> Span:
        """Return what lies between the cursor and the first event of a connection.

        With a quiet filter that is silence, unless the host announced that it begins later, and not because of the
        look-back.
        """
        if not self._quiet:
            return self._after_us, message.time_us
        begin_us = max(self._after_us, self._alive_us)
        keeps_less = self.outdated and (self._asked or 0) > self._asked_at_us - LOOK_BACK_US
        return begin_us, min(message.time_us, self._asked_at_us) if keeps_less else begin_us

    def advance(self, message: JetstreamMessage) -> bool:
        """Advance past an event; return whether it is new. Times never go back, though after an import a host may send
        events with older ones."""
        cursor = self.cursor
        if cursor is None or cursor.host != self._host:
            cursor = JetstreamCursor(self._host, 0)
            self._lateness = Lateness(LOOK_BACK_US)
        self._lateness.learn(message)
        if message.time_us <= cursor.time_us and message.seq <= cursor.seq:
            return False
        late_us = self._lateness.median_us()
        self.cursor = JetstreamCursor(
            self._host,
            max(message.time_us, cursor.time_us),
            max(message.seq, cursor.seq),
            cursor.late_us if late_us is None else late_us,
        )
        return True
