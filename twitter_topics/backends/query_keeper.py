"""Keeps streaming queries running: restarts failed ones, reports their health, and stops all on SIGTERM."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from py4j.protocol import Py4JNetworkError

from twitter_topics.errors import ConfigurationError, TwitterTopicsError

if TYPE_CHECKING:
    from pyspark.sql.streaming import StreamingQuery

log = logging.getLogger(__name__)


class NotReady(TwitterTopicsError):  # noqa: N818 - a state, not an error
    """Something that a query needs does not exist yet, which is not a failure. The message names it."""


class ReportHealth(Protocol):
    """Receives the health of a query: `ok`, `state`, `rate`, `lag`, `batch_seconds`, `restarts`, `error`, `detail`."""

    def __call__(self, name: str, /, **fields: Any) -> object: ...


@dataclass(frozen=True, slots=True)
class Query:
    """A streaming query by name.

    `start` creates and starts it, also after a failure; it may raise NotReady. `lag` returns the number of records that
    the started query is behind. `describe_problem` returns a sentence about a store that is unreachable, empty when all
    answer: a batch that waits for a store looks like work. `describe_notice` returns what a person should know although
    nothing is wrong. `describe_stale` returns why a running query has to start again, although it did not fail; empty
    when it has not: a query without new data would not notice.
    """

    name: str
    start: Callable[[], StreamingQuery]
    lag: Callable[[StreamingQuery], int] = lambda _started: 0
    describe_problem: Callable[[], str] = lambda: ""
    describe_notice: Callable[[], str] = lambda: ""
    describe_stale: Callable[[], str] = lambda: ""


@dataclass(frozen=True, slots=True)
class Times:
    """Times in seconds. A failed query restarts after `first`, then after twice as long each time, up to `longest`;
    running for `settled` resets the back-off. A query without a finished batch for `stalled` is not ok."""

    first: float = 1.0
    longest: float = 60.0
    settled: float = 120.0
    stalled: float = 300.0
    report_every: float = 5.0
    look_every: float = 0.5

    def wait(self, failures: int) -> float:
        return min(self.longest, self.first * 2.0 ** min(failures - 1, 30))


@dataclass(slots=True)
class _State:
    """The keeper's state of a query. Times are of a monotonic clock."""

    started: StreamingQuery | None = None
    started_at: float = 0.0
    next_start: float = 0.0
    failures: int = 0
    restarts: int = 0
    waiting: str = ""
    error: str = ""
    progress: dict[str, Any] = field(default_factory=dict)
    progress_at: float = 0.0


class QueryKeeper:
    """Runs queries until asked to stop.

    A failing query never stops the others. Two things end the process instead: a wrong configuration, and a dead JVM,
    which a restart inside this process cannot fix.

    Args:
        queries: the queries to run.
        report: called for each query every few seconds; its OSError or TwitterTopicsError is only logged.
        times: back-off and intervals.
    """

    def __init__(self, queries: Sequence[Query], report: ReportHealth, *, times: Times | None = None) -> None:
        self._queries = queries
        self._report = report
        self._times = times or Times()
        self._states = {query.name: _State() for query in queries}
        self._stop = threading.Event()

    def stop(self) -> None:
        """Make `run` return. Safe in a signal handler and from other threads."""
        self._stop.set()

    def run(self) -> None:
        """Keep the queries running until SIGTERM, SIGINT or `stop`.

        Raises:
            ConfigurationError: a query cannot start with these settings.
            Py4JNetworkError: the JVM has died.
        """
        next_report = 0.0
        with self._signals():
            try:
                while not self._stop.is_set():
                    for query in self._queries:
                        self._look_after(query)
                    if time.monotonic() >= next_report:
                        self._report_all()
                        self._restart_stale()
                        next_report = time.monotonic() + self._times.report_every
                    self._stop.wait(self._times.look_every)
            finally:
                self._stop_queries()

    def _look_after(self, query: Query) -> None:
        state = self._states[query.name]
        now = time.monotonic()
        if state.started is None:
            if now >= state.next_start:
                self._start(query, state)
            return
        if state.started.isActive:
            self._note_progress(state, now)
            return
        failure = state.started.exception()
        state.started = None
        self._note_failure(query, state, failure or RuntimeError("the query ended without an error"))

    def _start(self, query: Query, state: _State) -> None:
        try:
            state.started = query.start()
        except NotReady as reason:
            if state.waiting != str(reason):
                log.info("%s is waiting: %s", query.name, reason)
            state.waiting, state.error = str(reason), ""
            state.next_start = time.monotonic() + self._times.first
        except (ConfigurationError, Py4JNetworkError):
            raise
        except Exception as error:  # noqa: BLE001 - the other queries keep running; report and log name the error
            self._note_failure(query, state, error)
        else:
            state.waiting = ""
            state.started_at = state.progress_at = time.monotonic()
            state.progress = {}

    def _note_failure(self, query: Query, state: _State, error: BaseException) -> None:
        state.failures += 1
        state.restarts += 1
        state.waiting = ""
        state.error = _error_line(error)
        wait = self._times.wait(state.failures)
        state.next_start = time.monotonic() + wait
        log.error("%s failed, restarting in %.0f s: %s", query.name, wait, state.error)
        log.debug("%s failed", query.name, exc_info=error)

    def _note_progress(self, state: _State, now: float) -> None:
        progress = state.started.lastProgress if state.started else None
        if progress and progress != state.progress:
            state.progress, state.progress_at = dict(progress), now
            state.error = ""
        if state.failures and state.progress and now - state.started_at > self._times.settled:
            state.failures = 0

    def _restart_stale(self) -> None:
        for query in self._queries:
            state = self._states[query.name]
            if state.started is None or not state.started.isActive:
                continue
            try:
                reason = query.describe_stale()
            except (OSError, TwitterTopicsError) as error:
                log.warning("cannot check %s: %s", query.name, error)
                continue
            if reason:
                log.warning("%s starts again: %s", query.name, reason)
                _stop_query(query.name, state.started)
                state.started, state.next_start = None, 0.0

    def _report_all(self) -> None:
        for query in self._queries:
            self._send_report(query, self._describe(query))

    def _send_report(self, query: Query, fields: dict[str, Any]) -> None:
        try:
            self._report(query.name, **fields)
        except (OSError, TwitterTopicsError) as error:
            log.warning("cannot report the health of %s: %s", query.name, error)

    def _describe(self, query: Query) -> dict[str, Any]:
        state = self._states[query.name]
        ok, word = self._describe_state(state)
        lag, trouble = self._lag(query, state.started) if state.started else (0, "")
        trouble = trouble or query.describe_problem()
        return {
            "ok": ok and not trouble,
            "state": word,
            "rate": float(state.progress.get("inputRowsPerSecond") or 0.0),
            "lag": lag,
            "batch_seconds": float(state.progress.get("batchDuration") or 0) / 1000,
            "restarts": state.restarts,
            "error": state.error or trouble,
            "detail": query.describe_notice(),
        }

    def _describe_state(self, state: _State) -> tuple[bool, str]:
        now = time.monotonic()
        if state.started is None:
            if state.waiting:
                return True, f"waiting: {state.waiting}"
            return False, f"failed, restarting in {max(0.0, state.next_start - now):.0f} s"
        silent = now - state.progress_at
        if silent > self._times.stalled:
            return False, f"stalled: no finished batch for {silent:.0f} s"
        if not state.progress:
            return not state.error, "starting"
        return True, "running"

    def _lag(self, query: Query, started: StreamingQuery) -> tuple[int, str]:
        try:
            return max(0, int(query.lag(started))), ""
        except (OSError, TwitterTopicsError) as error:
            return 0, f"lag unknown: {error}"

    def _stop_queries(self) -> None:
        for query in self._queries:
            started = self._states[query.name].started
            if started is not None:
                _stop_query(query.name, started)
        for query in self._queries:
            restarts = self._states[query.name].restarts
            self._send_report(query, {"ok": False, "state": "stopped", "restarts": restarts})

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Make SIGTERM and SIGINT call `stop` inside the block. Only the main thread can handle signals."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask(_number: int, _frame: FrameType | None) -> None:
            self.stop()

        before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _stop_query(name: str, started: StreamingQuery) -> None:
    try:
        started.stop()
    except Exception as error:  # noqa: BLE001 - the JVM may be dead already; all writes can be repeated
        log.warning("%s did not stop cleanly: %s", name, _error_line(error))


def _error_line(error: BaseException) -> str:
    """Return the line of an error that names the cause. Spark wraps a Python error in two long stack traces, and each
    wrapper in a line of its own that names only a class."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for prefix in ("twitter_topics.", "py4j.protocol.", "pyspark.errors."):
        found = [line for line in lines if line.startswith(prefix) and not line.endswith(":")]
        if found:
            text = found[0].partition(": ")[2] if prefix == "twitter_topics." else ""
            return (text or found[0])[:500]
    return (lines[0] if lines else type(error).__name__)[:500]
