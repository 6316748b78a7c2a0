"""The demo's steps: what they wait for and report, also on failure."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from twitter_topics.audit.balance import Facts, balance
from twitter_topics.backends.kafka_offsets import Range
from twitter_topics.errors import RetryableError
from twitter_topics.health.report import write_health
from twitter_topics.local import tour as tour_module
from twitter_topics.local.airflow_rest import Run, TaskState
from twitter_topics.local.layout import Layout
from twitter_topics.local.memory import PeakMemory, resident_bytes
from twitter_topics.local.ports import Ports
from twitter_topics.local.tour import StepFailedError, Tour
from twitter_topics.settings import Settings
from twitter_topics.topic_models.registry.promotion import Champion

CHAMPION = Champion("20270114T000000Z-gsdmm", '"1"', "2027-01-14T00:10:00+00:00", "first model", "airflow", None)
S3_KEYS = {"S3_ACCESS_KEY_ID": "nobody", "S3_SECRET_ACCESS_KEY": "nothing"}
"""Without keys boto3 asks the cloud's metadata service for some."""


@dataclass
class FakeStack:
    layout: Layout
    ports: Ports = field(default_factory=Ports)


@dataclass
class FakeArchive:
    held: int = 0

    def rows(self) -> int:
        return self.held


@dataclass
class FakeModels:
    serving: Champion | None = None

    def champion(self) -> Champion | None:
        return self.serving


class FakeAirflow:
    """Answers in turn from lists; the last answer stays."""

    def __init__(self, states: list[str], tasks: list[TaskState], promotion: Run | None = None) -> None:
        self.states, self.listed, self.promotion = states, tasks, promotion
        self.triggered: list[str] = []
        self.unknown = 2

    def trigger(self, dag_id: str) -> Run | None:
        self.unknown -= 1
        if self.unknown >= 0:
            return None
        self.triggered.append(dag_id)
        return Run(dag_id, "manual__1", "queued")

    def run(self, run: Run) -> Run:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return Run(run.dag_id, run.run_id, state)

    def tasks(self, _: Run) -> list[TaskState]:
        return self.listed

    def newest_run(self, _: str) -> Run | None:
        return self.promotion

    def result(self, _run: Run, _task: str) -> Any:
        return {"reasons": ["perplexity 900.0 is above the unigram model's 800.0"]}

    def log(self, _run: Run, task: TaskState) -> list[str]:
        return [f"{task.task_id}: no space left on device"]


@pytest.fixture
def said() -> list[str]:
    """The lines of the tour."""
    return []


@pytest.fixture
def tour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]) -> Tour:
    """A tour with fake stores that never waits."""
    clock = iter(range(10**9))
    monkeypatch.setattr("twitter_topics.local.tour.time.sleep", lambda _: None)
    monkeypatch.setattr("twitter_topics.local.tour.time.monotonic", lambda: float(next(clock)))
    settings = Settings({"SPEED_HEALTH_DIR": str(tmp_path / "health"), "TOPICS_MIN_DOCUMENTS": "2000"} | S3_KEYS)
    made = Tour(FakeStack(Layout(tmp_path)), settings, said.append)  # type: ignore[arg-type]
    made._archive, made._models = FakeArchive(), FakeModels()  # type: ignore[assignment]
    return made


def produced(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(tour_module, "topic_ranges", lambda *_: {0: Range(0, count)})


def health(tour: Tour, state: str, lag: int = 0, rate: float = 0.0) -> None:
    write_health(tour._settings.speed.health_dir, "producer", ok=True, state=state, lag=lag, rate=rate)


@pytest.mark.parametrize(("state", "lag", "archived"), [("finished", 9_999, 5_000), ("running", 3, 4_990)])
def test_tweets_are_waited_for_until_the_backlog_is_archived(
    tour: Tour, monkeypatch: pytest.MonkeyPatch, said: list[str], state: str, lag: int, archived: int
) -> None:
    produced(monkeypatch, 5_000)
    health(tour, state, lag, rate=0.5)
    tour._archive = FakeArchive(archived)  # type: ignore[assignment]
    tour.wait_for_tweets()
    assert f"{archived:,} of 5,000 tweets archived" in said


def test_a_long_backlog_is_not_waited_for_forever(tour: Tour, monkeypatch: pytest.MonkeyPatch) -> None:
    produced(monkeypatch, 900_000)
    health(tour, "running", lag=80_000, rate=3_000)
    tour._archive = FakeArchive(50_000)  # type: ignore[assignment]
    tour.wait_for_tweets()


def test_after_the_end_of_a_fast_source_everything_is_waited_for(
    tour: Tour, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    class Growing(FakeArchive):
        def rows(self) -> int:
            self.held = min(95_000, self.held + 1_000)
            return self.held

    produced(monkeypatch, 95_000)
    health(tour, "finished", rate=9_000)
    tour._archive = Growing(20_000)  # type: ignore[assignment]
    tour.wait_for_tweets()
    assert "95,000 of 95,000 tweets archived" in said


def test_with_several_sources_all_must_have_ended_or_arrived(tmp_path: Path) -> None:
    health = tmp_path / "health"
    settings = Settings({"PRODUCER_SOURCE": "replay,bluesky", "SPEED_HEALTH_DIR": str(health)} | S3_KEYS)
    tour = Tour(FakeStack(Layout(tmp_path)), settings, lambda _: None)  # type: ignore[arg-type]
    assert tour._producers() == (False, False)
    write_health(health, "producer-replay", ok=True, state="finished", lag=99_999)
    assert tour._producers() == (False, False), "the other one has not reported"
    write_health(health, "producer-bluesky", ok=True, state="running", lag=99_999, rate=3.0)
    assert tour._producers() == (False, False)
    write_health(health, "producer-bluesky", ok=True, state="running", lag=2, rate=3.0)
    assert tour._producers() == (False, True)
    assert tour._moments_worth() == 2 * settings.speed.archive_trigger_seconds * 3
    write_health(health, "producer-bluesky", ok=True, state="finished")
    assert tour._producers() == (True, True)


def test_a_source_that_ends_too_early_is_reported(tour: Tour, monkeypatch: pytest.MonkeyPatch) -> None:
    produced(monkeypatch, 100)
    health(tour, "finished")
    tour._archive = FakeArchive(100)  # type: ignore[assignment]
    with pytest.raises(StepFailedError, match=r"ended after 100 tweets, but a first model needs 2,000(.|\n)*LIMIT"):
        tour.wait_for_tweets()


def test_no_tweets_at_all_shows_the_log(tour: Tour, monkeypatch: pytest.MonkeyPatch) -> None:
    produced(monkeypatch, 0)
    tour._stack.layout.make()
    tour._stack.layout.service_log("classify-tweets").write_text("first\nlast words\n")
    with pytest.raises(StepFailedError, match=r"only 0 of 2,000(.|\n)*last words(.|\n)*make logs"):
        tour.wait_for_tweets()


def with_airflow(tour: Tour, airflow: FakeAirflow) -> FakeAirflow:
    tour.__dict__["_airflow"] = airflow
    return airflow


def test_an_existing_champion_is_enough(tour: Tour) -> None:
    airflow = with_airflow(tour, FakeAirflow(["success"], []))
    tour._models = FakeModels(CHAMPION)  # type: ignore[assignment]
    assert tour.wait_for_champion() == CHAMPION
    assert airflow.triggered == []


def test_the_first_model_is_trained_and_promoted(tour: Tour, said: list[str]) -> None:
    airflow = with_airflow(tour, FakeAirflow(["queued", "running", "success"], [TaskState("train", "success", 1)]))
    models = FakeModels()
    tour._models = models  # type: ignore[assignment]
    airflow.newest_run = lambda _: setattr(models, "serving", CHAMPION)  # type: ignore[method-assign]
    assert tour.wait_for_champion() == CHAMPION
    assert airflow.triggered == ["topic_retraining"]
    assert said.count("Airflow: topic_retraining.train success") == 1
    assert "Airflow: model_promotion: first model" in said


def test_a_busy_airflow_is_asked_again(tour: Tour, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    airflow = with_airflow(tour, FakeAirflow(["running", "success"], []))
    answer, failures = airflow.run, [RetryableError("Airflow on port 18080 does not answer: timed out")]

    def run(asked: Run) -> Run:
        if failures:
            raise failures.pop()
        return answer(asked)

    monkeypatch.setattr(airflow, "run", run)
    tour._follow(Run("topic_retraining", "manual__1", "queued"))
    assert said == ["trying again: Airflow on port 18080 does not answer: timed out"]


def test_an_airflow_that_cannot_start_a_run_now_is_asked_again(
    tour: Tour, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow = with_airflow(tour, FakeAirflow(["success"], []))
    answer, failures = airflow.trigger, [RetryableError("Airflow answered 500 to POST dagRuns: Database error")]

    def trigger(dag_id: str) -> Run | None:
        if failures:
            raise failures.pop()
        return answer(dag_id)

    monkeypatch.setattr(airflow, "trigger", trigger)
    assert tour._trigger("topic_retraining").run_id == "manual__1"
    assert said[0] == "trying again: Airflow answered 500 to POST dagRuns: Database error"


def test_an_airflow_that_stays_silent_ends_the_tour(tour: Tour, monkeypatch: pytest.MonkeyPatch) -> None:
    airflow = with_airflow(tour, FakeAirflow(["running"], []))

    def run(_: Run) -> Run:
        raise RetryableError("Airflow on port 18080 does not answer: timed out")

    monkeypatch.setattr(airflow, "run", run)
    with pytest.raises(RetryableError, match="does not answer"):
        tour._follow(Run("topic_retraining", "manual__1", "queued"))


def test_a_failed_training_shows_task_log_and_address(tour: Tour) -> None:
    tasks = [TaskState("name_version", "success", 1), TaskState("train", "failed", 2)]
    with_airflow(tour, FakeAirflow(["running", "failed"], tasks))
    with pytest.raises(
        StepFailedError, match=r"task train failed(.|\n)*no space left(.|\n)*/dags/topic_retraining/runs/"
    ):
        tour.wait_for_champion()


def test_a_rejected_model_shows_the_reason(tour: Tour) -> None:
    promotion = Run("model_promotion", "asset__1", "success")
    with_airflow(tour, FakeAirflow(["success"], [], promotion))
    with pytest.raises(StepFailedError, match=r"rejected: perplexity 900\.0 is above"):
        tour.wait_for_champion()


def facts(**changed: int) -> Facts:
    base: dict[str, Any] = {"produced": 9, "archived": 9, "archived_records": 9, "archived_distinct": 9}
    return Facts(**(base | {"counted": 9, "counted_expected": 9, "uncounted": 0} | changed))


def test_the_balance_at_the_end(tour: Tour, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [RetryableError("Elasticsearch is busy"), balance(facts())]

    def look(*_: Any, **__: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(tour_module, "audit", look)
    assert tour.wait_for_balance().state == "ok"
    answers.append(balance(facts(counted=10)))
    with pytest.raises(StepFailedError, match=r"broken(.|\n)*1 more tweets were counted"):
        tour.wait_for_balance()


def test_peak_memory_sees_a_process_grow_and_go() -> None:
    import os

    floor = resident_bytes([os.getpid()])
    assert floor > 5 * 2**20
    assert resident_bytes([2**22 + 1]) == 0  # no such process
    looks = threading.Event()
    seen = 0

    def find() -> list[int]:
        nonlocal seen
        seen += 1
        if seen > 3:
            looks.set()
        return [os.getpid()]

    with PeakMemory(find, sample_seconds=0.01) as memory:
        held = bytearray(b"x" * (64 * 2**20))
        assert looks.wait(30)
    del held
    assert memory.peak > floor + 32 * 2**20
    peak, until = memory.peak, time.monotonic() + 5
    while memory._thread.is_alive() and time.monotonic() < until:
        looks.wait(0.01)
    assert memory.peak == peak
