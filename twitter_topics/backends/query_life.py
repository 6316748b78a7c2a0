"""The life of one streaming query: started, started again after a failure, found wedged, described, and finished."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JNetworkError

from twitter_topics.backends.query_errors import ErrorText
from twitter_topics.errors import SupersededError, TwitterTopicsError, WedgedError

if TYPE_CHECKING:
    from pyspark.sql.streaming import StreamingQuery

log = logging.getLogger(__name__)


class NotReady(TwitterTopicsError):  # noqa: N818 - a state, not an error
    """Something that a query needs does not exist yet, which is not a failure. The message names it."""


@dataclass(frozen=True, slots=True)
class Query:
    """A streaming query by name.

    `start` creates and starts it, also after a failure; it may raise NotReady. `lag` returns the number of records that
    the query is behind, also while it is down (None). `describe_problem` returns a sentence about a store without which
    the query cannot go on, empty when all answer: a batch that waits for a store looks like work. `describe_fault`
    returns what is wrong although the query goes on. `describe_notice` returns what a person should know although
    nothing is wrong. `describe_stale` returns why a running query has to start again, although it did not fail; empty
    when it has not: a query without new data would not notice. `check` raises SupersededError when another process has
    taken over; `describe_stale` may, too. `check_beside` raises WedgedError when what works beside the query hangs; it
    asks no store, because that might hang as well.
    """

    name: str
    start: Callable[[], StreamingQuery]
    lag: Callable[[StreamingQuery | None], int] = lambda _started: 0
    describe_problem: Callable[[], str] = lambda: ""
    describe_fault: Callable[[], str] = lambda: ""
    describe_notice: Callable[[], str] = lambda: ""
    describe_stale: Callable[[], str] = lambda: ""
    check: Callable[[], None] = lambda: None
    check_beside: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Times:
    """Times in seconds. A failed query restarts after `first`, then after twice as long each time, up to `longest`;
    after `misconfigured` when a setting is wrong. Running for `settled` resets the back-off. A query without a finished
    batch for `stalled`, or for half of `wedged`, is not ok; for `wedged`, it starts again. At the end a query has
    `finish` for its batch, then `stop`, which is longer than Spark's `stopTimeout`."""

    first: float = 1.0
    longest: float = 60.0
    misconfigured: float = 60.0
    settled: float = 120.0
    stalled: float = 300.0
    wedged: float = 600.0
    finish: float = 15.0
    stop: float = 8.0
    report_every: float = 5.0
    look_every: float = 0.5

    def wait(self, failures: int) -> float:
        return min(self.longest, self.first * 2.0 ** min(failures - 1, 30))


class QueryLife:
    """One query and its state. `look_after` and `finish` belong to one thread, `describe` to another, `check_progress`
    to a third: each of the first two may hang with a store."""

    def __init__(self, query: Query, times: Times) -> None:
        self.query = query
        self._times = times
        self._started: StreamingQuery | None = None
        self._starting = False
        self._started_at = self._next_start = 0.0
        self._alive_at = self._looked_at = time.monotonic()
        self._away_s = 0.0  # while a store was missing, since the query was last alive
        self._failures = self._restarts = 0
        self._waiting = self._error = self._restart_because = ""
        self._misconfigured = self._was_wedged = False
        self._progress: dict[str, Any] = {}
        self._lag, self._problem = 0, ""

    def look_after(self) -> None:
        """Start the query if it is due, and note how a started one does.

        Raises:
            SupersededError: another process has taken over.
            WedgedError: the query cannot be stopped.
            Py4JNetworkError: the JVM has died.
        """
        now = time.monotonic()
        if self._started is None:
            if now >= self._next_start:
                self._start()
        elif not self._started.isActive:
            failure, self._started = self._started.exception(), None
            self._note_failure(failure or RuntimeError("the query ended without an error"))
        elif self._restart_because:
            self._start_again()
        else:
            self._note_progress(self._started, now)

    def check_progress(self) -> None:
        """Have the query started again if it has work, all its stores answer, and yet it makes no progress. The time
        while a store was missing does not count.

        Raises:
            WedgedError: a restart did not help, or what works beside the query hangs.
        """
        self.query.check_beside()
        silent = time.monotonic() - self._alive_at - self._away_s
        active = self._starting or self._started is not None
        if not active or self._lag == 0 or self._problem or silent <= self._times.wedged:
            return
        sentence = f"no progress for {silent:.0f} s, {self._lag} records behind, and no store is unavailable"
        if self._was_wedged:
            raise WedgedError(f"{self.query.name}: {sentence}, even after a restart of the query")
        self._was_wedged = True
        self._note_alive()
        self._restarts += 1
        self._error = self._restart_because = sentence

    def describe(self) -> dict[str, Any]:
        """Return the fields of its health. Asks the stores, so it may take as long as they do.

        Raises:
            SupersededError: another process has taken over.
        """
        started = self._started
        problem = self._look_at_stores(started)
        ok, word = self._describe_state()
        fault = self.query.describe_fault()
        return {
            "ok": ok and not problem and not fault,
            "state": word,
            "rate": float(self._progress.get("inputRowsPerSecond") or 0.0) if started else 0.0,
            "lag": self._lag,
            "batch_seconds": float(self._progress.get("batchDuration") or 0) / 1000,
            "restarts": self._restarts,
            "error": self._error or problem or fault,
            "detail": self.query.describe_notice(),
        }

    def describe_end(self) -> dict[str, Any]:
        """Return the fields of its health when it was ended on request."""
        return {"ok": False, "state": "stopped", "restarts": self._restarts, "lag": self._lag}

    def finish(self, patience_s: float) -> None:
        """Let the batch in flight end, for at most `patience_s`, then stop the query."""
        started = self._started
        if started is None:
            return
        try:
            batch, until = _batch_of(started), time.monotonic() + patience_s
            while started.isActive and started.status["isTriggerActive"] and time.monotonic() < until:
                if _batch_of(started) != batch:
                    break  # a backlog: the next batch has begun, and it will be repeated
                time.sleep(min(0.05, self._times.look_every))
        except Exception as error:  # noqa: BLE001 - the JVM may be dead already
            log.warning("%s cannot finish its batch: %s", self.query.name, ErrorText.of(error).line)
        self._stop(started)

    def _start(self) -> None:
        self._starting = True
        self._note_alive()
        try:
            started = self.query.start()
        except NotReady as reason:
            if self._waiting != str(reason):
                log.info("%s is waiting: %s", self.query.name, reason)
            self._waiting, self._error, self._misconfigured = str(reason), "", False
            self._next_start = time.monotonic() + self._times.first
        except (SupersededError, Py4JNetworkError):
            raise
        except Exception as error:  # noqa: BLE001 - the other queries keep running; report and log name the error
            self._note_failure(error)
        else:
            self._started, self._progress = started, {}
            self._waiting, self._misconfigured, self._restart_because = "", False, ""
            self._started_at = time.monotonic()
            self._note_alive()
        finally:
            self._starting = False

    def _note_alive(self) -> None:
        self._alive_at, self._away_s = time.monotonic(), 0.0

    def _start_again(self) -> None:
        log.warning("%s starts again: %s", self.query.name, self._restart_because)
        started, self._restart_because = self._started, ""
        # Spark calls a query inactive even if its thread goes on, and then starts no other one in its place
        if started is not None and not self._stop(started):
            raise WedgedError(f"{self.query.name} cannot be stopped")
        self._started, self._next_start = None, 0.0

    def _note_failure(self, error: BaseException) -> None:
        text = ErrorText.of(error)
        self._failures += 1
        self._restarts += 1
        self._waiting, self._error, self._misconfigured = "", text.line, text.is_configuration
        wait = self._times.misconfigured if text.is_configuration else self._times.wait(self._failures)
        self._next_start = time.monotonic() + wait
        word = "is misconfigured" if text.is_configuration else "failed"
        log.error("%s %s, starting again in %.0f s: %s", self.query.name, word, wait, text.line)
        log.debug("%s failed", self.query.name, exc_info=error)

    def _note_progress(self, started: StreamingQuery, now: float) -> None:
        progress = started.lastProgress
        if progress and progress != self._progress:
            self._progress = dict(progress)
            self._note_alive()
            self._error, self._was_wedged = "", False
        if self._failures and self._progress and now - self._started_at > self._times.settled:
            self._failures = 0

    def _look_at_stores(self, started: StreamingQuery | None) -> str:
        """Measure the lag, and return a sentence about the first store that does not answer."""
        problem = ""
        try:
            self._lag = max(0, int(self.query.lag(started)))
        except (OSError, TwitterTopicsError) as error:
            problem = f"lag unknown: {error}"
        problem = problem or self.query.describe_problem()
        if started is not None and started.isActive:
            try:
                self.query.check()
                self._restart_because = self._restart_because or self.query.describe_stale()
            except SupersededError:
                raise
            except (OSError, TwitterTopicsError) as error:
                problem = problem or str(error)
        now = time.monotonic()
        if problem or self._problem:
            self._away_s += now - max(self._looked_at, self._alive_at)
        self._looked_at, self._problem = now, problem
        return problem

    def _describe_state(self) -> tuple[bool, str]:
        now = time.monotonic()
        if self._started is None:
            if self._waiting:
                return True, f"waiting: {self._waiting}"
            if not self._error:
                return True, "starting"
            word = "misconfigured, trying again" if self._misconfigured else "failed, restarting"
            return False, f"{word} now" if self._starting else f"{word} in {max(0.0, self._next_start - now):.0f} s"
        silent = now - self._alive_at
        if silent > min(self._times.stalled, self._times.wedged / 2):  # said before it is acted upon
            return False, f"stalled: no finished batch for {silent:.0f} s"
        if not self._progress:
            return not self._error, "starting"
        return True, "running"

    def _stop(self, started: StreamingQuery) -> bool:
        """Return whether it has ended."""
        try:
            started.stop()
        except Exception as error:  # noqa: BLE001 - the JVM may be dead already; all writes can be repeated
            log.warning("%s did not stop cleanly: %s", self.query.name, ErrorText.of(error).line)
            return False
        return True


def _batch_of(started: StreamingQuery) -> Any:
    progress = started.lastProgress
    return progress["batchId"] if progress else None
