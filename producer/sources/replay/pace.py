"""The original timing of stored tweets, or a multiple of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from producer.source import Context
from producer.sources.replay.material import StoppedError, time_text

LONG_S = 60.0
"""A longer wait is reported."""

_MAX_WAIT_S = 1.0
_DISORDER_MS = 60_000
"""How much older than the first a tweet may be without a word: streams are not strictly in order."""

_log = logging.getLogger(__name__)


class Pace:
    """Reproduces the original timing, `factor` times as fast. A tweet older than the first is due at once."""

    def __init__(self, factor: float, context: Context) -> None:
        self._factor, self._context = factor, context
        self._began: tuple[float, int] | None = None
        self._warned = False

    def wait_for(self, time_ms: int) -> Iterator[None]:
        """Wait until a tweet with this time is due. Raises StoppedError when asked to stop."""
        if self._began is None:
            self._began = self._context.monotonic(), time_ms
        began_at, first_ms = self._began
        if time_ms < first_ms - _DISORDER_MS and not self._warned:
            self._warned = True
            _log.warning(
                "a tweet of %s comes after one of %s: tweets older than the first are sent without pauses, whatever "
                "PRODUCER_REPLAY_SPEED is; sort them by time to keep their pace",
                time_text(time_ms),
                time_text(first_ms),
            )
        due = began_at + (time_ms - first_ms) / 1000 / self._factor
        with self._reported(due - self._context.monotonic()):
            while (remaining := due - self._context.monotonic()) > 0:
                if self._context.wait(min(remaining, _MAX_WAIT_S)):
                    raise StoppedError("stopped before the next tweet was due")
                yield None

    @contextmanager
    def _reported(self, seconds: float) -> Iterator[None]:
        """Report a long wait while it lasts."""
        if seconds <= LONG_S:
            yield
            return
        status, due_ms = self._context.status, self._context.now_ms() + int(seconds * 1000)
        status.sentence, status.planned = f"the next tweet is due at {time_text(due_ms)}", True
        try:
            yield
        finally:
            status.sentence, status.planned = "", False
