"""Work that may fail and must not hold up the producer: done in a thread of its own, and again later."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 60.0

_log = logging.getLogger(__name__)


class Background:
    """Calls `work` when there is some, and after a failure again with growing pauses.

    A failure is logged once, and so is its end; what fails is tried again, so `work` keeps what it has not done.

    Args:
        name: of the thread; also says in the log what fails.
        work: does all there is to do.
        pause: waits so many seconds or until the end, and says which: True for the end.
    """

    def __init__(self, name: str, work: Callable[[], None], pause: Callable[[Event, float], bool] = Event.wait) -> None:
        self._name, self._work, self._pause = name, work, pause
        self._wanted, self._ended = Event(), Event()
        self._failed = ""
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to do."""
        self._wanted.set()

    def close(self, seconds: float) -> None:
        """Do what is left unless it has been failing, and wait for that at most so long. Safe to call again."""
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
        except Exception as error:  # noqa: BLE001 - whatever it is, the next try may work; without the thread there is none
            if not self._failed:
                _log.warning("%s: %s; trying again, the producer goes on", self._name, error or repr(error))
            self._failed = repr(error)
            return False
        if self._failed:
            _log.info("%s: works again", self._name)
        self._failed = ""
        return True
