"""Keeps streaming queries running, each in threads of its own: what one waits for holds up none of the others."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

from twitter_topics.backends.query_life import NotReady, Query, QueryLife, Times
from twitter_topics.errors import SupersededError

__all__ = ["NotReady", "Query", "QueryKeeper", "ReportHealth", "Times"]

log = logging.getLogger(__name__)

_LAST_REPORT_SECONDS = 1.0


class ReportHealth(Protocol):
    """Receives the health of a query: `ok`, `state`, `rate`, `lag`, `batch_seconds`, `restarts`, `error`, `detail`."""

    def __call__(self, name: str, /, **fields: Any) -> object: ...


class QueryKeeper:
    """Runs queries until asked to stop.

    A query that fails, is misconfigured or hangs never stops the others. Three things end the process instead: another
    process that has taken over, a query that stays wedged after a restart, and a dead JVM.

    Args:
        queries: the queries to run.
        report: called for each query every few seconds, in a thread of its own; what it raises is only logged.
        times: back-off and intervals.
        on_end: called once, before the queries are stopped: what ends the process if that takes too long.
    """

    def __init__(
        self,
        queries: Sequence[Query],
        report: ReportHealth,
        *,
        times: Times | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._times = times or Times()
        self._lives = [QueryLife(query, self._times) for query in queries]
        self._report, self._on_end = report, on_end
        self._stop = threading.Event()
        self._fatal: list[BaseException] = []

    def stop(self) -> None:
        """Make `run` return. Safe in a signal handler and from other threads."""
        self._stop.set()

    def run(self) -> None:
        """Keep the queries running until SIGTERM, SIGINT or `stop`, which let the batches in flight end.

        Raises:
            SupersededError: another process has taken over.
            WedgedError: a query makes no progress, even after a restart.
            Py4JNetworkError: the JVM has died.
        """
        keepers = [self._thread(self._keep, life) for life in self._lives]
        watchers = [self._thread(self._watch, life) for life in self._lives]
        with self._signals():
            for thread in (*keepers, *watchers):
                thread.start()
            while not self._stop.wait(self._times.look_every):
                self._ending_on_error(self._check_progress)
            self._on_end()
            _join(keepers, self._times.finish + self._times.stop)
            _join(watchers, _LAST_REPORT_SECONDS)
            for life in self._lives:
                self._send_report(life, life.describe_end())
        if self._fatal:
            raise self._fatal[0]

    def _thread(self, work: Callable[[QueryLife], None], life: QueryLife) -> threading.Thread:
        # a daemon: a store that never answers must not keep the process alive
        name = f"{life.query.name}-{work.__name__.strip('_')}"
        return threading.Thread(target=self._ending_on_error, args=(work, life), name=name, daemon=True)

    def _ending_on_error(self, work: Callable[..., None], *arguments: Any) -> None:
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001 - raised again by `run`
            self._fatal.append(error)
            self._stop.set()

    def _check_progress(self) -> None:
        for life in self._lives:
            life.check_progress()

    def _keep(self, life: QueryLife) -> None:
        try:
            while not self._stop.is_set():
                life.look_after()
                self._stop.wait(self._times.look_every)
        finally:
            life.finish(0 if self._fatal else self._times.finish)

    def _watch(self, life: QueryLife) -> None:
        while not self._stop.is_set():
            try:
                fields = life.describe()
            except SupersededError:
                raise
            except Exception as error:  # noqa: BLE001 - the next report may do better
                log.warning("cannot describe the health of %s: %s", life.query.name, error)
            else:
                if not self._stop.is_set():
                    self._send_report(life, fields)
            self._stop.wait(self._times.report_every)

    def _send_report(self, life: QueryLife, fields: dict[str, Any]) -> None:
        try:
            self._report(life.query.name, **fields)
        except Exception as error:  # noqa: BLE001 - the queries go on without it
            log.warning("cannot report the health of %s: %s", life.query.name, error)

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


def _join(threads: Sequence[threading.Thread], seconds: float) -> None:
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
