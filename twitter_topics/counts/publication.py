"""Brings the view up to the state, beside the counting: a store that does not take points never stops a count."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from twitter_topics import failpoints
from twitter_topics.counts.panes import PANE_MS
from twitter_topics.errors import WedgedError

if TYPE_CHECKING:
    from twitter_topics.counts.state import CountsState
    from twitter_topics.counts.view import View

log = logging.getLogger(__name__)

BEHIND_SECONDS = 30.0
"""Pause between two publications while the counting is far behind: a backlog must not write each hour ten times."""

IDLE_SECONDS = 5.0
"""So often it looks for changes that nobody announced: a restoration, or a rebuild by another process."""

MIN_WEDGED_SECONDS = 120.0
"""What hangs for longer is no request to an InfluxDB that hangs: its client gives up after 70 s, two tries."""

_LONGEST_PAUSE_SECONDS = 60.0
_LOOK_SECONDS = 1.0


class Publisher:
    """Publishes what the state says is not published.

    A crash between two of its steps is harmless: points are computed from committed state, and a revision of an hour
    has one value, so the same points are written once more.

    Args:
        wedged_seconds: a publication that gets no further for so long hangs; at least MIN_WEDGED_SECONDS.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        state: CountsState,
        view: View,
        *,
        wedged_seconds: float = MIN_WEDGED_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state, self._view, self._clock = state, view, clock
        self._ready = self._is_complete = False
        self._failures = 0
        self._retry_at = self._published_at = clock()
        self._wedged_seconds = max(wedged_seconds, MIN_WEDGED_SECONDS)
        self._moved_at: float | None = None  # when the publication at work last got further
        self._behind = False
        self._error = ""
        self._pending = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def problem(self) -> str:
        """Why the view does not follow and how far it is behind, in a sentence; empty when it follows."""
        silent = self._silent()
        reason = f"no progress for {silent:.0f} s" if silent > self._wedged_seconds / 2 else self._error
        if not reason:
            return ""
        behind = self._clock() - self._published_at
        return f"the view of the counts is {behind:.0f} s behind, the counting goes on: {reason}"

    def check(self) -> None:
        """Make sure that a publication does not hang. Asks nobody.

        Raises:
            WedgedError: it does, and a thread cannot be ended.
        """
        if (silent := self._silent()) > self._wedged_seconds:
            raise WedgedError(f"the publisher of the counts makes no progress for {silent:.0f} s")

    def _silent(self) -> float:
        moved_at = self._moved_at
        return 0.0 if moved_at is None else self._clock() - moved_at

    def publish(self) -> int:
        """Publish all that is due; returns the number of points.

        Raises:
            RetryableError, ConfigurationError, IntegrityError: from state or view.
        """
        self._moved_at = self._clock()
        try:
            return self._publish()
        except Exception:
            self._ready = False  # the database may be gone
            raise
        finally:
            self._moved_at = None

    def _publish(self) -> int:
        if not self._ready:
            self._view.ensure_database()  # the parts' health is written there as well
            self._ready = True
        # an earlier publisher may have been killed before it could say up to where the view is complete
        position = None if self._is_complete else self._state.position()
        if position is not None:
            self._show(position.state_id)
        written, last, shown = 0, None, ""
        while (part := self._state.unpublished()) is not None:
            if part.state_id != shown:
                shown = part.state_id
                if self._show(shown):
                    continue
            self._is_complete = False
            self._view.write_hours(part.points, part.revision)
            failpoints.reach("counts.half-published")
            self._state.note_published(part)
            failpoints.reach("counts.published")
            written, last, self._moved_at = written + len(part.points), part, self._clock()
        if last is not None:
            self._view.end(last.newest_end_ms, last.revision)
        elif position is not None and position.newest_ms is not None:
            self._view.end(position.newest_ms + PANE_MS, position.revision)
        self._is_complete = True
        return written

    def _show(self, state_id: str) -> bool:
        """Make the view show a state. Returns whether it did not before: the state is new, or InfluxDB has lost what it
        had. Then every hour is due."""
        if self._view.state_id() == state_id:
            return False
        log.info("the view does not show these counts: publishing all of them")
        revision = self._state.publish_all()  # first: whoever is killed in between does so again
        self._view.begin(state_id, revision)
        return True

    def start(self) -> None:
        """Publish in a thread of its own until `close`, first what a broken-off process left."""
        self._pending.set()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def wake(self, *, behind: bool) -> None:
        """A batch was counted. While far `behind`, it is published with those that follow."""
        self._behind = behind
        self._pending.set()

    def close(self) -> None:
        """End the thread after the publication that it is at."""
        self._stop.set()
        self._pending.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._pending.wait(IDLE_SECONDS)
            due = max(self._retry_at, self._published_at + (BEHIND_SECONDS if self._behind else 0))
            if (pause := due - self._clock()) > 0:
                self._stop.wait(min(pause, _LOOK_SECONDS))
            elif not self._stop.is_set():
                self._pending.clear()
                self._try()

    def _try(self) -> None:
        try:
            self.publish()
        except Exception as error:  # noqa: BLE001 - the thread lives on; health and log name the error
            self._failures += 1
            pause = min(_LONGEST_PAUSE_SECONDS, 2.0 ** min(self._failures, 6))
            self._retry_at = self._clock() + pause
            self._pending.set()
            line = str(error) or type(error).__name__
            if line != self._error:
                log.warning("the view of the counts falls behind, next try in %.0f s: %s", pause, line)
            self._error = line
            return
        if self._error:
            log.info("the view of the counts has caught up")
        self._failures, self._error, self._published_at = 0, "", self._clock()
