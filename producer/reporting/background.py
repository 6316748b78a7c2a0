"""Work that may fail and must not block the producer: done in its own thread, and retried."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 60.0

_log = logging.getLogger(__name__)


class Background:
    """Calls `work` whenever woken, and retries after a failure with growing pauses.

    A failure is logged once, and so is the recovery. `work` must keep what it has not done, because it is called again.

    Args:
        name: of the thread; names in the log what fails.
        work: does everything that is pending.
        pause: waits this many seconds or until the end; returns True for the end.
    """

    def __init__(self, name: str, work: Callable[[], None], pause: Callable[[Event, float], bool] = Event.wait) -> None:
        self._name, self._work, self._pause = name, work, pause
        self._wanted, self._ended = Event(), Event()
        self._failed = ""
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Signal that there is work."""
        self._wanted.set()

    def close(self, seconds: float) -> None:
        """Do the remaining work unless it has been failing, waiting up to `seconds`. Safe to call again."""
        self._ended.set()
        self._wanted.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._ended.is_set() and self._failed:
                return
            if self._try():
                pause = FIRST_PAUSE_S
            elif not self._pause(self._ended, pause):
                pause = min(2 * pause, LONGEST_PAUSE_S)
                self._wanted.set()
            if self._ended.is_set() and not self._wanted.is_set():
                return

    def _try(self) -> bool:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - whatever it is, a retry may work; the thread must survive for that
            if not self._failed:
                _log.warning("%s: %s; retrying, the producer keeps running", self._name, error or repr(error))
            self._failed = repr(error)
            return False
        if self._failed:
            _log.info("%s: works again", self._name)
        self._failed = ""
        return True
