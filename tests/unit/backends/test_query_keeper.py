"""The query keeper with scripted queries. No JVM."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.waiting import until
from twitter_topics.backends.query_keeper import NotReady, Query, QueryKeeper, Times
from twitter_topics.backends.query_life import QueryLife
from twitter_topics.errors import ConfigurationError, RetryableError, SupersededError, WedgedError
from twitter_topics.health.report import Reporter, read_health

QUICK = Times(
    first=0.05,
    longest=0.2,
    misconfigured=0.3,
    settled=0.0,
    stalled=60.0,
    finish=2.0,
    report_every=0.01,
    look_every=0.01,
)


class Started:
    """A stand-in for Spark's StreamingQuery."""

    def __init__(self, progress: dict[str, Any] | None = None) -> None:
        self.isActive = True
        self.lastProgress = progress
        self.status = {"isTriggerActive": False}
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


def test_a_wrong_configuration_is_its_own_querys_and_is_tried_again() -> None:
    reports, other, right = Reports(), Started({"batchId": 1}), threading.Event()

    def start() -> Any:
        if not right.is_set():
            raise ConfigurationError("ELASTICSEARCH_API_KEY is wrong")
        return Started({"batchId": 0})

    with running(QueryKeeper([Query("a", start), Query("b", lambda: other)], reports, times=QUICK)) as errors:
        until(lambda: str(reports.last("a").get("state")).startswith("misconfigured"))
        assert (reports.last("a")["ok"], reports.last("a")["error"]) == (False, "ELASTICSEARCH_API_KEY is wrong")
        assert other.isActive
        right.set()
        until(lambda: reports.last("a").get("state") == "running")
        assert (errors, reports.last("b")["restarts"]) == ([], 0)


def test_a_wrong_configuration_that_a_batch_meets_is_named_as_such() -> None:
    reports, query = Reports(), Started({"batchId": 0})
    text = "[FOREACH_BATCH_USER_FUNCTION_ERROR] An error\ntwitter_topics.errors.ConfigurationError: S3_BUCKET: no such"
    with running(QueryKeeper([Query("a", lambda: query)], reports, times=replace(QUICK, misconfigured=30.0))):
        until(lambda: reports.last("a").get("state") == "running")
        query.fail(text)
        until(lambda: str(reports.last("a").get("state")).startswith("misconfigured, trying again in"))
        assert reports.last("a")["error"] == "S3_BUCKET: no such"


def test_a_start_that_hangs_holds_up_neither_the_others_nor_the_end() -> None:
    reports, hangs, steady = Reports(), threading.Event(), Started({"batchId": 1})

    def start() -> Any:
        hangs.wait(60)
        raise RetryableError("S3 is down")

    times = replace(QUICK, finish=0.1, stop=0.2)
    keeper = QueryKeeper([Query("a", start), Query("b", lambda: steady)], reports, times=times)
    try:
        with running(keeper):
            until(lambda: reports.last("b").get("state") == "running")
            assert reports.last("a")["state"] == "starting"
        assert steady.stopped
    finally:
        hangs.set()


def test_an_influxdb_that_hangs_delays_no_restart_and_no_end(tmp_path: Path) -> None:
    hangs, started = threading.Event(), [Started({"batchId": 0}), Started({"batchId": 1})]
    rest = iter(started)

    def write_point(_part: str, **_fields: Any) -> None:
        hangs.wait(60)

    report = Reporter(tmp_path, write_point)
    try:
        with running(QueryKeeper([Query("a", lambda: next(rest))], report, times=QUICK)):
            until(lambda: (tmp_path / "a.json").exists() and read_health(tmp_path)["a"].state == "running")
            started[0].fail("broken")
            until(lambda: (one := read_health(tmp_path)["a"]).restarts == 1 and one.state == "running")
        assert read_health(tmp_path)["a"].state == "stopped"
    finally:
        hangs.set()
        report.close()


def test_a_query_that_is_down_has_a_lag_too() -> None:
    reports, asked = Reports(), []

    def start() -> Any:
        raise RetryableError("Elasticsearch is down")

    def lag(started: object) -> int:
        asked.append(started)
        return 700

    with running(QueryKeeper([Query("a", start, lag)], reports, times=QUICK)):
        until(lambda: reports.last("a").get("error") == "Elasticsearch is down")
        assert reports.last("a")["lag"] == 700
    assert set(asked) == {None}


WEDGED = replace(QUICK, wedged=0.2)


def test_a_wedged_query_is_restarted_and_then_its_process() -> None:
    reports, started = Reports(), [Started({"batchId": 7}), Started()]
    rest = iter(started)
    keeper = QueryKeeper([Query("a", lambda: next(rest), lambda _started: 5)], reports, times=WEDGED)
    with pytest.raises(WedgedError, match=r"a: no progress for .* 5 records behind"):
        keeper.run()
    assert [query.stopped for query in started] == [True, True]
    assert next(rest, None) is None
    assert reports.last("a")["restarts"] == 1


def test_a_query_that_cannot_be_stopped_ends_the_process() -> None:
    class Stuck(Started):
        def stop(self) -> None:
            self.isActive = False  # Spark says so even if the thread does not end
            raise RuntimeError("the stream thread did not end")

    keeper = QueryKeeper([Query("a", lambda: Stuck({"batchId": 7}), lambda _: 5)], Reports(), times=WEDGED)
    with pytest.raises(WedgedError, match="cannot be stopped"):
        keeper.run()


def test_what_hangs_beside_a_query_ends_the_process() -> None:
    def check() -> None:
        raise WedgedError("the publisher makes no progress for 700 s")

    query = Started({"batchId": 7})
    keeper = QueryKeeper([Query("a", lambda: query, check_beside=check)], Reports(), times=QUICK)
    with pytest.raises(WedgedError, match="the publisher makes no progress"):
        keeper.run()


@pytest.mark.parametrize(("lag", "problem"), [(0, ""), (5, "S3 at 127.0.0.1:1 is unreachable")])
def test_without_work_or_without_a_store_nothing_is_wedged(lag: int, problem: str) -> None:
    reports, query = Reports(), Started({"batchId": 7})
    one = Query("a", lambda: query, lambda _started: lag, describe_problem=lambda: problem)
    with running(QueryKeeper([one], reports, times=WEDGED)) as errors:
        time.sleep(4 * WEDGED.wedged)
        assert errors == []
        assert reports.last("a")["restarts"] == 0
    assert query.stopped


def test_a_query_has_its_whole_time_once_its_stores_are_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now, problems = [1000.0], [""]
    monkeypatch.setattr("twitter_topics.backends.query_life.time", SimpleNamespace(monotonic=lambda: now[0]))
    one = Query("a", lambda: Started(), lambda _started: 5, describe_problem=lambda: problems[0])
    life = QueryLife(one, Times(wedged=100.0))
    life.look_after()
    away = "S3 is unreachable"
    looks = [(900, away, 0), (60, "", 0), (60, "", 0), (5, away, 0), (5, "", 0), (50, "", 1)]
    for seconds, problem, restarts in looks:  # a store that is away now and then is no excuse for ever
        now[0] += seconds
        problems[0] = problem
        life.describe()
        life.check_progress()
        assert life.describe()["restarts"] == restarts


def test_progress_after_a_restart_forgets_that_it_was_wedged() -> None:
    started: list[Started] = []

    def start() -> Any:
        started.append(Started({"batchId": len(started)}))
        return started[-1]

    times = replace(QUICK, wedged=2.0)  # many times the pause between two batches
    with running(QueryKeeper([Query("a", start, lambda _started: 5)], Reports(), times=times)) as errors:
        for number in range(2):
            until(partial(_has, started, number + 2))
            for batch in range(5):
                started[-1].lastProgress = {"batchId": 100 * (number + 1) + batch}
                time.sleep(0.05)
        assert errors == []


def _has(started: list[Started], number: int) -> bool:
    return len(started) >= number


def test_the_end_waits_for_the_batch_in_flight() -> None:
    query, reports = Started({"batchId": 1}), Reports()
    keeper = QueryKeeper([Query("a", lambda: query)], reports, times=replace(QUICK, finish=60.0))
    with running(keeper):
        until(lambda: reports.last("a").get("state") == "running")
        query.status["isTriggerActive"] = True
        keeper.stop()
        time.sleep(0.3)
        assert not query.stopped
        query.status["isTriggerActive"] = False
        until(lambda: query.stopped)


@pytest.mark.parametrize("ends_by", ["patience", "the next batch"])
def test_the_end_waits_for_no_more_than_one_batch_and_not_forever(ends_by: str) -> None:
    query, reports, batches = Started({"batchId": 1}), Reports(), count(2)
    times = replace(QUICK, finish=0.3 if ends_by == "patience" else 60.0)

    def ended() -> bool:
        if ends_by == "the next batch":
            query.lastProgress = {"batchId": next(batches)}
        return query.stopped

    keeper = QueryKeeper([Query("a", lambda: query)], reports, times=times)
    with running(keeper):
        until(lambda: reports.last("a").get("state") == "running")
        query.status["isTriggerActive"] = True
        keeper.stop()
        until(ended)


def test_a_process_that_was_superseded_ends_at_once_and_finishes_no_batch() -> None:
    query, other, taken = Started({"batchId": 1}), Started({"batchId": 1}), threading.Event()
    query.status["isTriggerActive"] = other.status["isTriggerActive"] = True

    def stale() -> str:
        if taken.is_set():
            raise SupersededError("another driver has taken over")
        return ""

    ended: list[None] = []
    queries = [Query("a", lambda: query, describe_stale=stale), Query("b", lambda: other)]
    keeper = QueryKeeper(queries, Reports(), times=replace(QUICK, finish=30.0), on_end=lambda: ended.append(None))
    threading.Timer(0.2, taken.set).start()
    began = time.monotonic()
    with pytest.raises(SupersededError, match="taken over"):
        keeper.run()
    assert time.monotonic() - began < 20
    assert query.stopped
    assert other.stopped
    assert len(ended) == 1


def test_what_is_wrong_although_it_goes_on_is_no_excuse_for_a_lag() -> None:
    reports, query = Reports(), Started({"batchId": 7})
    one = Query("a", lambda: query, lambda _started: 0, describe_fault=lambda: "champion.json is damaged")
    with running(QueryKeeper([one], reports, times=QUICK)):
        until(lambda: reports.last("a").get("state") == "running")
        assert (reports.last("a")["ok"], reports.last("a")["error"]) == (False, "champion.json is damaged")
    with pytest.raises(WedgedError):
        QueryKeeper([replace(one, lag=lambda _started: 5, start=lambda: Started())], reports, times=WEDGED).run()


def test_a_query_without_a_finished_batch_is_not_ok() -> None:
    reports = Reports()
    times = Times(stalled=0.2, report_every=0.01, look_every=0.01)
    with running(QueryKeeper([Query("a", lambda: Started({"batchId": 1}))], reports, times=times)):
        until(lambda: str(reports.last("a").get("state")).startswith("stalled"))
        assert reports.last("a")["ok"] is False


def test_a_query_is_reported_as_stalled_before_it_is_started_again() -> None:
    reports, starts = Reports(), []

    def start() -> Started:
        starts.append(1)
        return Started({"batchId": 1})

    times = Times(stalled=60.0, wedged=3.0, report_every=0.01, look_every=0.01)
    with running(QueryKeeper([Query("a", start, lambda _started: 5)], reports, times=times)):
        until(lambda: len(starts) > 1)
    before = [one for one in reports.all["a"] if one["restarts"] == 0]
    assert [one["ok"] for one in before if one["state"].startswith("stalled: no finished batch for")][:1] == [False]


@pytest.mark.parametrize("failure", [OSError("disk full"), ValueError("a lone surrogate")])
def test_unknown_lag_and_failing_reports_stop_nothing(failure: Exception) -> None:
    reports = Reports()

    def lag(_started: object) -> int:
        raise RetryableError("Kafka is down")

    def report(part: str, /, **fields: Any) -> None:
        reports(part, **fields)
        raise failure

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
