"""The query keeper with scripted queries. No JVM."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.waiting import until
from twitter_topics.backends.query_keeper import NotReady, Query, QueryKeeper, Times
from twitter_topics.errors import ConfigurationError, RetryableError

QUICK = Times(first=0.05, longest=0.2, settled=0.0, stalled=60.0, report_every=0.0, look_every=0.01)


class Started:
    """A stand-in for Spark's StreamingQuery."""

    def __init__(self, progress: dict[str, Any] | None = None) -> None:
        self.isActive = True
        self.lastProgress = progress
        self.stopped = False
        self._error: Exception | None = None

    def fail(self, message: str) -> None:
        self._error = RuntimeError(message)
        self.isActive = False

    def exception(self) -> Exception | None:
        return self._error

    def stop(self) -> None:
        self.stopped = True
        self.isActive = False


class Reports:
    """Reports by query, newest last."""

    def __init__(self) -> None:
        self.all: dict[str, list[dict[str, Any]]] = {}

    def __call__(self, part: str, /, **fields: Any) -> None:
        self.all.setdefault(part, []).append(fields)

    def last(self, part: str) -> dict[str, Any]:
        return (self.all.get(part) or [{}])[-1]


@contextmanager
def running(keeper: QueryKeeper) -> Iterator[list[BaseException]]:
    """Run `keeper.run` in a thread; yield the list that receives its errors."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            keeper.run()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield errors
    finally:
        keeper.stop()
        thread.join(timeout=20)
        assert not thread.is_alive()


def test_a_running_query_reports_rate_lag_and_batch_time() -> None:
    reports = Reports()
    query = Started({"batchId": 3, "inputRowsPerSecond": 12.5, "batchDuration": 1500})
    with running(QueryKeeper([Query("a", lambda: query, lambda _started: 42)], reports, times=QUICK)):
        until(lambda: reports.last("a").get("state") == "running")
        assert reports.last("a") == {
            "ok": True,
            "state": "running",
            "rate": 12.5,
            "lag": 42,
            "batch_seconds": 1.5,
            "restarts": 0,
            "error": "",
            "detail": "",
        }
    assert query.stopped
    assert reports.last("a")["state"] == "stopped"


def test_a_failed_query_is_restarted_and_the_other_keeps_running() -> None:
    reports, started = Reports(), [Started({"batchId": 0}), Started({"batchId": 1})]
    rest, steady = iter(started), Started({"batchId": 0})
    with running(QueryKeeper([Query("a", lambda: next(rest)), Query("b", lambda: steady)], reports, times=QUICK)):
        until(lambda: reports.last("a").get("state") == "running")
        started[0].fail("broken\npyspark.errors.X: reason\nJVM stacktrace:")
        until(lambda: reports.last("a").get("restarts") == 1 and reports.last("a")["state"] == "running")
        assert reports.last("b")["restarts"] == 0
        assert steady.isActive
    failed = [fields for fields in reports.all["a"] if fields["state"].startswith("failed")]
    assert failed
    assert {(fields["ok"], fields["error"]) for fields in failed} == {(False, "pyspark.errors.X: reason")}


def test_a_failed_start_is_retried() -> None:
    reports, calls = Reports(), []

    def start() -> Any:
        calls.append(1)
        if len(calls) < 3:
            raise RetryableError("InfluxDB is down")
        return Started({"batchId": 0})

    with running(QueryKeeper([Query("a", start)], reports, times=QUICK)):
        until(lambda: reports.last("a").get("state") == "running")
    assert reports.last("a")["restarts"] == 2
    assert any(fields["error"] == "InfluxDB is down" for fields in reports.all["a"] if fields["state"] != "stopped")


def test_not_ready_is_waiting_and_not_a_failure() -> None:
    reports, champion = Reports(), threading.Event()

    def start() -> Any:
        if not champion.is_set():
            raise NotReady("no champion yet")
        return Started({"batchId": 0})

    with running(QueryKeeper([Query("a", start)], reports, times=QUICK)):
        until(lambda: reports.last("a").get("state") == "waiting: no champion yet")
        assert reports.last("a")["ok"] is True
        champion.set()
        until(lambda: reports.last("a").get("state") == "running")
    assert reports.last("a")["restarts"] == 0


def test_a_wrong_configuration_ends_the_run_and_stops_the_others() -> None:
    other = Started()

    def start() -> Any:
        raise ConfigurationError("INFLUXDB_URL is wrong")

    keeper = QueryKeeper([Query("b", lambda: other), Query("a", start)], Reports(), times=QUICK)
    with pytest.raises(ConfigurationError, match="INFLUXDB_URL"):
        keeper.run()
    assert other.stopped


def test_a_query_without_a_finished_batch_is_not_ok() -> None:
    reports = Reports()
    times = Times(stalled=0.2, report_every=0.0, look_every=0.01)
    with running(QueryKeeper([Query("a", lambda: Started({"batchId": 1}))], reports, times=times)):
        until(lambda: str(reports.last("a").get("state")).startswith("stalled"))
        assert reports.last("a")["ok"] is False


def test_unknown_lag_and_failing_reports_stop_nothing() -> None:
    reports = Reports()

    def lag(_started: object) -> int:
        raise RetryableError("Kafka is down")

    def report(part: str, /, **fields: Any) -> None:
        reports(part, **fields)
        raise OSError("disk full")

    with running(QueryKeeper([Query("a", lambda: Started({"batchId": 1}), lag)], report, times=QUICK)) as errors:
        until(lambda: len(reports.all.get("a", [])) > 2)
        assert (reports.last("a")["ok"], reports.last("a")["error"]) == (False, "lag unknown: Kafka is down")
        assert errors == []


def test_waits_double_up_to_a_limit() -> None:
    assert [Times().wait(n) for n in (1, 2, 3, 7, 1000)] == [1, 2, 4, 60, 60]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_queries_and_restores_the_handlers(number: signal.Signals) -> None:
    query, before = Started({"batchId": 1}), signal.getsignal(number)
    sent: list[None] = []

    def report(_part: str, /, **fields: Any) -> None:
        if fields["state"] == "running" and not sent:
            sent.append(os.kill(os.getpid(), number))

    QueryKeeper([Query("a", lambda: query)], report, times=QUICK).run()
    assert sent
    assert query.stopped
    assert signal.getsignal(number) == before


def test_an_unreachable_store_is_named_while_a_batch_waits_for_it() -> None:
    answers = ["Elasticsearch at 127.0.0.1:1 does not answer"]
    query = Started({"batchId": 1, "inputRowsPerSecond": 1.0, "batchDuration": 10})
    reports = Reports()
    keeper = QueryKeeper([Query("a", lambda: query, describe_problem=lambda: answers[0])], reports, times=QUICK)
    with running(keeper):
        until(lambda: reports.last("a").get("error") == answers[0])
        assert reports.last("a")["ok"] is False
        answers[0] = ""
        until(lambda: reports.last("a").get("ok") is True)
    assert query.stopped


def test_a_running_query_that_must_start_again_does_and_that_is_no_failure() -> None:
    reports, waiting = Reports(), [Started({"batchId": 1}), Started({"batchId": 0})]
    first, second = waiting[1], waiting[0]
    answers: Iterator[str | Exception] = iter(["", RetryableError("the database does not answer"), "it was reset"])

    def stale() -> str:
        answer = next(answers, "")
        if isinstance(answer, Exception):
            raise answer
        return answer

    with running(QueryKeeper([Query("a", waiting.pop, describe_stale=stale)], reports, times=QUICK)):
        until(lambda: not waiting)
        assert first.stopped
        assert second.isActive
        assert reports.last("a")["restarts"] == 0


def test_the_cause_is_named_and_not_its_wrappers() -> None:
    text = """
    pyspark.errors.exceptions.captured.PythonException:
      An exception was thrown from the Python worker. Please see the stack trace below.
    Traceback (most recent call last):
      File "rows.py", line 81, in rows
    twitter_topics.search.faults.HandedBackError: Elasticsearch did not index 5 tweets. Raise max_shards_per_node

    JVM stacktrace:
    pyspark.errors.exceptions.base.PySparkRuntimeError: something later
    """
    reports, query = Reports(), Started({"batchId": 0})
    with running(QueryKeeper([Query("a", lambda: query)], reports, times=replace(QUICK, first=30.0))):
        until(lambda: reports.last("a").get("state") == "running")
        query.fail(text)
        until(lambda: bool(reports.last("a").get("error")))
        assert reports.last("a")["error"] == "Elasticsearch did not index 5 tweets. Raise max_shards_per_node"
