"""Whole runs in which only the stores and spark-submit are fakes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.contract.archive_table import make_table
from tests.fakes.x_api import TOKEN, FakeX
from twitter_topics.archive.hours import HourRange, last_closed
from twitter_topics.archive.reader import ArchiveStore, HourFiles
from twitter_topics.counts import recount_tasks
from twitter_topics.counts.topic_hours import HourTotal, TopicHourStore
from twitter_topics.deletions.x_compliance import Job
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.orchestration.schedules import reject_unknown_parameters
from twitter_topics.records.notice import Notice
from twitter_topics.testing.models import planted_files
from twitter_topics.topic_models.registry import json_objects
from twitter_topics.topic_models.registry.drift import read_drift
from twitter_topics.topic_models.registry.files import EVALUATION, TOPICS, TRAINING
from twitter_topics.topic_models.registry.metrics import MetricsTable
from twitter_topics.topic_models.registry.registration import register_version
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.registry.topic_names import read_names

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.dag_processing.dagbag import DagBag

    from twitter_topics.testing.objects import MemoryObjects

pytestmark = [pytest.mark.dags, pytest.mark.usefixtures("airflow_database")]

OLD, NEW = "20261101T040000Z-gsdmm", "20261102T040000Z-gsdmm"
METRICS = {
    "topics": 8,
    "vocabulary": 900,
    "documents": 5000,
    "held_out": 250,
    "perplexity": 500.0,
    "unigram_perplexity": 900.0,
    "coherence": 0.2,
    "diversity": 0.8,
    "coverage": 0.95,
}


def run(dagbag: DagBag, dag_id: str, **conf: Any) -> Any:
    """Run a DAG in this process."""
    dag = deepcopy(dagbag.dags[dag_id])
    for one in dag.tasks:
        one.params = deepcopy(one.params)  # a run modifies them, and copies of tasks share them
    return dag.test(run_conf=conf)


def states(dag_run: Any) -> dict[str, str]:
    return {one.task_id: str(one.state) for one in dag_run.get_task_instances()}


def tried(dag_run: Any, task_id: str) -> tuple[str, int]:
    """Return how a task ended, and at which try."""
    one = next(one for one in dag_run.get_task_instances() if one.task_id == task_id)
    return str(one.state), one.try_number


def returned(dag_run: Any, task_id: str) -> Any:
    one = next(one for one in dag_run.get_task_instances() if one.task_id == task_id)
    return one.xcom_pull(task_ids=task_id)


def trained(store: ModelStore, version: str, *, champion: str | None = None, **metrics: float) -> None:
    """Write the files that training and evaluation leave for a version."""
    request = {"trainer": "gsdmm", "k": 8}
    training = {"request": request, "snapshot": 1, "tweets": 6000, "documents": 5000, "next_topic_id": 8}
    evaluation = {
        "metrics": METRICS | metrics,
        "comparison": None,
        "champion": {"version": champion, "etag": "x"} if champion else None,
        "verdict": {"promote": True, "reasons": ["good"]},
    }
    files: dict[str, dict[str, Any]] = {TRAINING: training, EVALUATION: evaluation, TOPICS: {"topics": []}}
    store.put_files(version, planted_files() | {name: json_objects.encode(content) for name, content in files.items()})


@pytest.fixture(autouse=True)
def _prompt_retries(dagbag: DagBag, monkeypatch: pytest.MonkeyPatch) -> None:
    for dag in dagbag.dags.values():
        for one in dag.tasks:
            monkeypatch.setattr(one, "retry_delay", timedelta(0))


@pytest.fixture
def models(model_objects: MemoryObjects, settings: Any) -> ModelStore:
    return ModelStore(settings, objects=model_objects)


@pytest.fixture
def settings() -> Any:
    from twitter_topics.settings import Settings

    return Settings()


# --- every DAG


def test_a_misspelt_parameter_ends_the_run_before_anything_is_deleted(
    dagbag: DagBag, indices: list[str], submitted: list[list[str]]
) -> None:
    indices += days_ago(0, 20, 21)
    done = run(dagbag, "elasticsearch_retention", allow_all=True, dryrun=True)
    assert (tried(done, "plan"), states(done)["apply"]) == (("failed", 1), "upstream_failed")
    assert indices == days_ago(0, 20, 21)
    # this task runs also after others have failed
    assert tried(run(dagbag, "tweet_deletions", askx="no"), "apply") == ("failed", 1)
    assert submitted == []


def test_only_names_that_a_dag_lacks_are_rejected(dagbag: DagBag) -> None:
    def check(dag_id: str, conf: dict[str, Any] | None) -> None:
        context: Any = {"dag": dagbag.dags[dag_id], "dag_run": SimpleNamespace(conf=conf)}
        reject_unknown_parameters(context)

    check("model_retention", None)
    check("stores_audit", {})
    check("model_retention", {"dry_run": True, "days": 3})
    with pytest.raises(ConfigurationError, match=r"^day, dryrun: no such .*; model_retention has days, dry_run, versi"):
        check("model_retention", {"dryrun": True, "day": 3, "versions": 2})
    with pytest.raises(ConfigurationError, match=r"^dry_run: no such parameter; stores_audit has none$"):
        check("stores_audit", {"dry_run": True})


# --- topic_retraining


def test_retraining_gives_train_evaluate_and_register_one_version(
    dagbag: DagBag, models: ModelStore, submitted: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook

    note = SparkSubmitHook.submit

    def train_for_real(self: Any, application: str = "", **options: Any) -> None:
        note(self, application, **options)
        if "train_topics" in application:
            trained(models, value_of(submitted[-1], "--version"))

    monkeypatch.setattr(SparkSubmitHook, "submit", train_for_real)
    done = run(dagbag, "topic_retraining", trainer="spark-lda", k=7)

    assert done.state == "success", states(done)
    train, evaluate = submitted
    version = value_of(train, "--version")
    assert version == value_of(evaluate, "--version") == f"{done.run_after:%Y%m%dT%H%M%SZ}-spark-lda"
    assert [value_of(train, option) for option in ("--trainer", "--k", "--seed")] == ["spark-lda", "7", "1"]
    assert models.versions() == [version]


def test_no_scheduled_run_trains_without_enough_tweets(
    dagbag: DagBag, models: ModelStore, submitted: list[list[str]], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    asked: list[tuple[Any, ...]] = []

    def usable_tweets(_self: Any, *window: datetime, enough: int, received_since: datetime | None = None) -> int:
        asked.append((*window, enough, received_since))
        return enough - 1

    monkeypatch.setattr(ArchiveStore, "usable_tweets", usable_tweets)
    decide = dagbag.dags["topic_retraining"].get_task("enough_new_tweets").python_callable
    topics = settings.topics
    params = {"min_documents": topics.min_documents, "max_documents": topics.max_documents, "window_hours": 48}
    now = datetime(2026, 11, 5, 4, tzinfo=UTC)

    def by(run_type: str) -> Any:
        return SimpleNamespace(run_type=run_type, run_after=now)

    assert decide(params=params, dag_run=by("scheduled")) is False
    assert decide(params=params, dag_run=by("asset_triggered")) is False
    assert asked == [(now - timedelta(hours=48), now, settings.topics.min_documents, None)] * 2
    assert decide(params=params, dag_run=by("manual")) is True
    assert submitted == []


def test_materialize_on_the_asset_trains(dagbag: DagBag, models: ModelStore) -> None:
    from airflow.utils.types import DagRunType

    decide = dagbag.dags["topic_retraining"].get_task("enough_new_tweets").python_callable
    asked = SimpleNamespace(run_type=DagRunType.ASSET_MATERIALIZATION, run_after=datetime(2026, 11, 5, tzinfo=UTC))
    params = {"min_documents": 2_000, "max_documents": 4_000, "window_hours": 48}
    assert decide(params=params, dag_run=asked) is True


# --- model_promotion


def test_the_first_model_is_promoted(dagbag: DagBag, models: ModelStore) -> None:
    trained(models, OLD)
    register_version(models, OLD)

    done = run(dagbag, "model_promotion")

    assert done.state == "success", states(done)
    assert states(done)["not_promoted"] == "skipped"
    champion = models.champion()
    assert champion is not None
    assert (champion.version, champion.previous) == (OLD, None)
    assert "there is no champion yet" in champion.reason


def test_a_bad_model_is_rejected_visibly(dagbag: DagBag, models: ModelStore) -> None:
    trained(models, OLD, perplexity=1000.0)
    register_version(models, OLD)

    done = run(dagbag, "model_promotion")

    assert done.state == "success"
    assert (states(done)["promote"], states(done)["not_promoted"]) == ("skipped", "success")
    assert "perplexity 1000.0 is not below 900.0" in returned(done, "not_promoted")["reasons"][0]
    assert models.champion() is None


def test_never_means_only_by_a_person_with_a_reason(
    dagbag: DagBag, models: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(models, OLD)
    register_version(models, OLD)
    monkeypatch.setenv("TOPICS_PROMOTION", "never")

    assert states(run(dagbag, "model_promotion"))["not_promoted"] == "success"
    assert models.champion() is None
    without_reason = run(dagbag, "model_promotion", version=OLD, force=True)
    assert tried(without_reason, "judge") == ("failed", 1)
    assert models.champion() is None
    forced = run(dagbag, "model_promotion", version=OLD, force=True, reason="to look at it")

    assert states(forced)["promote"] == "success"
    champion = models.champion()
    assert champion is not None
    assert champion.reason == "to look at it"


def test_a_dry_run_promotes_nothing(dagbag: DagBag, models: ModelStore) -> None:
    trained(models, OLD)
    register_version(models, OLD)

    done = run(dagbag, "model_promotion", dry_run=True)

    assert states(done)["promote"] == "skipped"
    assert (returned(done, "not_promoted")["state"], returned(done, "not_promoted")["dry_run"]) == ("promote", True)
    assert models.champion() is None


def test_rollback_to_an_older_version(dagbag: DagBag, models: ModelStore) -> None:
    for version in (OLD, NEW):
        trained(models, version)
        register_version(models, version)
        current = models.champion()
        models.promote(version, current.etag if current else None, "first", "test")

    assert states(run(dagbag, "model_promotion", version=OLD))["not_promoted"] == "success", "compared with no model"
    run(dagbag, "model_promotion", version=OLD, force=True, reason="the new one is worse")

    champion = models.champion()
    assert champion is not None
    assert (champion.version, champion.previous) == (OLD, NEW)
    assert [promotion.version for promotion in models.history()] == [OLD, NEW, OLD]


# --- model_drift


def drifting_rows(_table: Any, version: str) -> list[dict[str, Any]]:
    numbers = {"age_days": 0.5, "tweets": 4_000.0, "share_without_topic": 0.1, "word_drift": 0.01}
    about = {"measurement": f"{version}/2026-11-01", "slice": "day", "role": "champion", "low": None, "high": None}
    return [about | {"metric": name, "value": value} for name, value in numbers.items()]


@pytest.fixture
def served(models: ModelStore, model_objects: MemoryObjects, settings: Any) -> ModelStore:
    """A store in which OLD was promoted on the day of its training."""
    trained(models, OLD)
    register_version(models, OLD)
    then = ModelStore(settings, objects=model_objects, clock=lambda: datetime(2026, 11, 1, 4, 10, tzinfo=UTC))
    then.promote(OLD, None, "first", "test")
    return models


def test_a_day_is_measured_and_reported(
    dagbag: DagBag, served: ModelStore, submitted: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ArchiveStore, "usable_tweets", lambda _self, _start, _end, enough: enough)
    monkeypatch.setattr(MetricsTable, "of_version", drifting_rows)

    done = run(dagbag, "model_drift", date="2026-11-01")

    assert done.state == "success", states(done)
    (command,) = submitted
    assert [value_of(command, name) for name in ("--version", "--day")] == [OLD, "2026-11-01"]
    assert returned(done, "report")["word_drift"] == 0.01
    kept = read_drift(served, OLD)
    assert kept is not None
    assert [day["day"] for day in kept["days"]] == ["2026-11-01"]


def test_a_day_with_few_tweets_is_skipped(
    dagbag: DagBag, served: ModelStore, submitted: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ArchiveStore, "usable_tweets", lambda _self, _start, _end, enough: enough - 1)
    done = run(dagbag, "model_drift", date="2026-11-02")
    assert states(done) == {"plan": "success", "measure": "skipped", "report": "skipped"}
    assert submitted == []


def test_a_day_that_has_not_ended_is_rejected_at_once(
    dagbag: DagBag, served: ModelStore, submitted: list[list[str]]
) -> None:
    assert tried(run(dagbag, "model_drift", date="2999-01-01"), "plan") == ("failed", 1)
    assert submitted == []


# --- topic_names


def test_a_topic_gets_a_name_and_a_part(dagbag: DagBag, models: ModelStore) -> None:
    models.use_topic_ids(20)
    done = run(dagbag, "topic_names", topic_id=7, name="Storm Eunice", reason="it has a name now")
    assert returned(done, "name_topic") == "topic 7 is shown by the name 'Storm Eunice', by itself"
    run(dagbag, "topic_names", topic_id=12, shown_with=7)
    names = read_names(models)
    assert (names.name(7), names.shown_with(12)) == ("Storm Eunice", 7)
    assert (names.topics[7].reason, names.topics[7].by) == ("it has a name now", "dag_test")


def test_the_user_who_triggers_it_is_kept(dagbag: DagBag, models: ModelStore) -> None:
    models.use_topic_ids(20)
    name_topic = dagbag.dags["topic_names"].get_task("name_topic").python_callable
    params = {"topic_id": 7, "name": "Storm", "shown_with": None, "reason": ""}
    for triggered_by, kept in (("anna", "anna"), (None, "topic_names")):
        name_topic(params=params, dag_run=SimpleNamespace(triggering_user_name=triggered_by))
        assert read_names(models).topics[7].by == kept


def test_a_topic_that_nobody_had_is_not_named(dagbag: DagBag, models: ModelStore) -> None:
    models.use_topic_ids(20)
    assert tried(run(dagbag, "topic_names", topic_id=20, name="Storm"), "name_topic") == ("failed", 1)
    assert tried(run(dagbag, "topic_names", topic_id=7, shown_with=7), "name_topic") == ("failed", 1)
    assert read_names(models).history == ()


# --- archive_compaction


def hours_before(now: datetime, files: int) -> dict[datetime, HourFiles]:
    closed = last_closed(now)
    return {closed - timedelta(hours=2): HourFiles(files, 100), closed: HourFiles(50, 100)}


def test_no_spark_without_an_hour_to_compact(
    dagbag: DagBag, submitted: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ArchiveStore, "files_per_hour", lambda _self: hours_before(datetime.now(UTC), files=5))
    done = run(dagbag, "archive_compaction")
    assert states(done) == {"plan": "success", "compact": "skipped", "report": "skipped"}
    assert submitted == []


def test_compaction_of_closed_hours(
    dagbag: DagBag, submitted: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hours_before(datetime.now(UTC), files=9)
    monkeypatch.setattr(ArchiveStore, "files_per_hour", lambda _self: held)
    monkeypatch.setattr(ArchiveStore, "current_snapshot_id", lambda _self: 8_214_565_329_611_200_237)
    done = run(dagbag, "archive_compaction", expire_hours=3)
    assert done.state == "success", states(done)
    (command,) = submitted
    assert value_of(command, "--snapshot") == "8214565329611200237"
    assert value_of(command, "--closed-before") == last_closed(done.start_date).isoformat()
    assert [value_of(command, name) for name in ("--min-files", "--expire-hours", "--orphan-hours")] == ["6", "3", "72"]


def test_fewer_rows_after_the_compaction_fail_the_run(
    dagbag: DagBag, submitted: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hours_before(datetime.now(UTC), files=9)
    after = {hour: HourFiles(1, 99) for hour in before}
    monkeypatch.setattr(ArchiveStore, "files_per_hour", lambda _self: after if submitted else before)
    monkeypatch.setattr(dagbag.dags["archive_compaction"].get_task("report"), "retries", 0)
    done = run(dagbag, "archive_compaction")
    assert states(done)["report"] == "failed"


# --- topic_recount


def test_recount_of_two_hours(
    dagbag: DagBag, models: ModelStore, submitted: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(models, OLD)
    register_version(models, OLD)
    models.promote(OLD, None, "first", "test")
    hour = datetime(2026, 11, 1, 10, tzinfo=UTC)
    totals = [HourTotal(hour, 5, 2, (OLD,)), HourTotal(hour + timedelta(hours=1), 7, 3, (OLD,))]
    monkeypatch.setattr(TopicHourStore, "totals", lambda _self, _start, _end: totals)
    monkeypatch.setattr(recount_tasks, "check_archived", lambda _settings, _hours: None)

    done = run(dagbag, "topic_recount", start="2026-11-01T10:00:00Z", end="2026-11-01T13:00:00+01:00")

    assert done.state == "success", states(done)
    (command,) = submitted
    asked = [value_of(command, name) for name in ("--from", "--to", "--version")]
    assert asked == ["2026-11-01T10:00:00+00:00", "2026-11-01T12:00:00+00:00", OLD]
    assert returned(done, "report") == {"version": OLD, "hours": 2, "hours_with_tweets": 2, "tweets": 12}


def test_recount_waits_for_the_archiver(
    dagbag: DagBag, models: ModelStore, submitted: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(models, OLD)
    register_version(models, OLD)
    asked: list[HourRange] = []

    def behind(_settings: Any, hours: HourRange) -> None:
        asked.append(hours)
        raise RetryableError("the archive lacks 7 records")

    monkeypatch.setattr(recount_tasks, "check_archived", behind)
    done = run(dagbag, "topic_recount", start="2026-11-01T10:00:00Z", end="2026-11-01T12:00:00Z", model=OLD)
    assert tried(done, "check_range") == ("failed", 2), "the archiver may come so far in between"
    assert [hours.hours for hours in asked] == [2, 2]
    assert submitted == []


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-01T12:00:00Z", "2026-11-01T12:00:00Z"),
        ("2026-09-01T00:00:00Z", "2026-11-01T00:00:00Z"),
        ("2026-11-01T00:00:00Z", "2999-01-01T00:00:00Z"),
        ("1926-11-01T00:00Z", "1926-11-01T01:00Z"),
    ],
)
def test_recount_rejects_a_range(
    dagbag: DagBag, models: ModelStore, submitted: list[list[str]], start: str, end: str
) -> None:
    trained(models, OLD)
    register_version(models, OLD)
    assert tried(run(dagbag, "topic_recount", start=start, end=end, model=OLD), "check_range") == ("failed", 1)
    assert submitted == []


# --- elasticsearch_retention


def days_ago(*ages: int) -> list[str]:
    today = datetime.now(UTC).date()
    return [f"tweets-{today - timedelta(days=age):%Y.%m.%d}" for age in ages]


@pytest.fixture
def indices(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Indices of a fake Elasticsearch; the test fills the list."""
    from twitter_topics.search.store import SearchStore

    names: list[str] = []

    def delete(_self: Any, name: str) -> bool:
        if name in names:
            names.remove(name)
            return True
        return False

    monkeypatch.setattr(SearchStore, "daily_indices", lambda _self: dict.fromkeys(names, 1))
    monkeypatch.setattr(SearchStore, "delete_index", delete)
    return names


def test_retention_deletes_what_it_planned(dagbag: DagBag, indices: list[str]) -> None:
    indices += [*days_ago(0, 17, 18, 19), "tweets-other", "tweets-2020.13.99"]
    rehearsal = run(dagbag, "elasticsearch_retention", days=18, dry_run=True)
    assert returned(rehearsal, "plan") == days_ago(19)
    assert returned(rehearsal, "apply") == []
    assert len(indices) == 6

    done = run(dagbag, "elasticsearch_retention", days=18)

    assert returned(done, "apply") == days_ago(19)
    assert indices == [*days_ago(0, 17, 18), "tweets-other", "tweets-2020.13.99"]


def test_only_a_dry_run_plans_with_fewer_days_than_the_setting(
    dagbag: DagBag, indices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit takes a younger day without its index for lost tweets."""
    indices += days_ago(0, 1, 9)
    assert tried(run(dagbag, "elasticsearch_retention", days=8), "plan") == ("failed", 1)
    assert indices == days_ago(0, 1, 9)
    assert returned(run(dagbag, "elasticsearch_retention", days=8, dry_run=True), "plan") == days_ago(9)
    monkeypatch.setenv("ELASTICSEARCH_RETENTION_DAYS", "8")
    assert returned(run(dagbag, "elasticsearch_retention", days=8), "apply") == days_ago(9)


def test_retention_needs_allow_all_to_delete_most(dagbag: DagBag, indices: list[str]) -> None:
    indices += days_ago(0, 20, 21)
    assert tried(run(dagbag, "elasticsearch_retention"), "plan") == ("failed", 1)
    assert len(indices) == 3
    run(dagbag, "elasticsearch_retention", allow_all=True)
    assert indices == days_ago(0)


def test_after_an_outage_of_elasticsearch_it_is_asked_again(dagbag: DagBag, monkeypatch: pytest.MonkeyPatch) -> None:
    from twitter_topics.search.store import SearchStore

    asked: list[str] = []

    def daily_indices(_self: Any) -> dict[str, int]:
        asked.append("indices")
        if len(asked) == 1:
            raise RetryableError("Elasticsearch is down")
        return dict.fromkeys(days_ago(0, 19), 1)

    monkeypatch.setattr(SearchStore, "daily_indices", daily_indices)
    done = run(dagbag, "elasticsearch_retention", dry_run=True)
    assert (tried(done, "plan"), returned(done, "plan")) == (("success", 2), days_ago(19))


# --- model_retention


def test_old_models_expire_and_cannot_be_named_any_more(
    dagbag: DagBag, models: ModelStore, submitted: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from twitter_topics.errors import RetryableError
    from twitter_topics.search.store import SearchStore

    def down(_self: Any) -> set[str]:
        raise RetryableError("Elasticsearch is down")

    old = ["20250101T040000Z-gsdmm", "20250102T040000Z-gsdmm", "20250103T040000Z-gsdmm"]
    for version in old:
        trained(models, version)
        register_version(models, version)
    monkeypatch.setattr(SearchStore, "model_versions", down)
    monkeypatch.setattr(dagbag.dags["model_retention"].get_task("expire"), "retries", 0)
    assert states(run(dagbag, "model_retention", versions=1)) == {"expire": "failed"}
    monkeypatch.setattr(SearchStore, "model_versions", lambda _self: {old[0]})
    assert returned(run(dagbag, "model_retention", versions=1, dry_run=True), "expire")["expired"] == [old[1]]
    assert models.versions() == old

    done = run(dagbag, "model_retention", versions=1)

    assert returned(done, "expire") == {
        "kept": [old[0], old[2]],
        "expired": [old[1]],
        "abandoned": [],
        "dry_run": False,
    }
    assert models.versions() == [old[0], old[2]]
    hours = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-01T02:00:00Z"}
    assert states(run(dagbag, "topic_recount", **hours, model=old[1]))["check_range"] == "failed"
    assert submitted == []
    named = run(dagbag, "model_promotion", version=old[1], force=True, reason="it was better")
    assert tried(named, "judge") == ("failed", 1)
    assert models.champion() is None


# --- tweet_deletions


@dataclass
class Deletions:
    """A working X, and the stores in memory."""

    x: FakeX
    objects: MemoryObjects
    published: list[Notice]
    ids: list[str]
    summary_of: str = ""

    def x_states(self, done: Any) -> list[str]:
        return [states(done)[name] for name in ("collect_ids", "ask_x", "wait_for_x", "publish")]


DONE = {"notices": 3, "unreadable": 1, "tweets": 2, "rows": 2, "scrubbed": 0, "rejects": 0, "documents": 2}


@pytest.fixture
def deletions(
    monkeypatch: pytest.MonkeyPatch, submitted: list[list[str]], settings: Any, dagbag: DagBag
) -> Iterator[Deletions]:
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook

    from twitter_topics.deletions import tasks as work
    from twitter_topics.deletions.handover import DeletionFiles
    from twitter_topics.testing.objects import MemoryObjects

    made = Deletions(FakeX(), MemoryObjects(), [], ["1001", "1002", "1003"])
    note = SparkSubmitHook.submit

    def apply_for_real(self: Any, application: str = "", **options: Any) -> None:
        note(self, application, **options)
        DeletionFiles(made.objects).put_summary(made.summary_of or value_of(submitted[-1], "--run"), DONE)

    def publish(_settings: Any, notices: Iterable[Notice]) -> int:
        made.published += notices
        return len(made.published)

    monkeypatch.setattr(SparkSubmitHook, "submit", apply_for_real)
    monkeypatch.setattr(work, "S3Objects", lambda _settings: made.objects)
    monkeypatch.setattr(work, "publish", publish)
    monkeypatch.setattr(ArchiveStore, "twitter_ids", lambda _self: pa.array(made.ids, pa.large_string()))
    monkeypatch.setattr(ArchiveStore, "uuid", lambda _self: "0a1b2c3d-0000-0000-0000-000000000000")
    monkeypatch.setattr(dagbag.dags["tweet_deletions"].get_task("wait_for_x"), "poke_interval", 0.01)
    monkeypatch.setenv("X_API_URL", made.x.url)
    monkeypatch.setenv("X_BEARER_TOKEN", TOKEN)
    yield made
    made.x.close()


def test_deletions_without_x(dagbag: DagBag, deletions: Deletions, submitted: list[list[str]]) -> None:
    done = run(dagbag, "tweet_deletions")
    assert done.state == "success", states(done)
    assert deletions.x_states(done) == ["success", "skipped", "skipped", "skipped"]
    assert (states(done)["apply"], returned(done, "report")) == ("success", DONE)
    assert value_of(submitted[0], "--run") == done.run_id
    assert deletions.x.requests == []


def test_deletions_ask_x_if_the_setting_is_true(
    dagbag: DagBag, deletions: Deletions, submitted: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X_COMPLIANCE", "true")
    deletions.x.jobs.redactions = {"1002": "suspended", "1003": "scrub_geo"}
    done = run(dagbag, "tweet_deletions")
    assert done.state == "success", states(done)
    assert set(states(done).values()) == {"success"}
    (job,) = deletions.x.jobs.jobs.values()
    assert (job["ids"], job["name"]) == (deletions.ids, "tweet_deletions 0a1b2c3d tweets")
    assert [(notice.event, notice.tweet_id) for notice in deletions.published] == [
        ("delete", "1002"),
        ("scrub_geo", "1003"),
    ]
    assert returned(done, "publish") == {"scrub_geo": 1, "suspended": 1}
    assert len(submitted) == 1

    monkeypatch.setenv("X_COMPLIANCE", "false")
    assert deletions.x_states(run(dagbag, "tweet_deletions", ask_x="yes"))[1:] == ["success"] * 3
    monkeypatch.setenv("X_COMPLIANCE", "true")
    assert deletions.x_states(run(dagbag, "tweet_deletions", ask_x="no"))[1:] == ["skipped"] * 3
    deletions.ids.clear()
    assert deletions.x_states(run(dagbag, "tweet_deletions"))[1:] == ["skipped"] * 3
    assert len(deletions.x.jobs.jobs) == 2


@pytest.mark.parametrize(("fault", "failed"), [("token", "collect_ids"), ("forbidden", "ask_x"), ("job", "wait_for_x")])
def test_notices_are_applied_even_if_x_fails(
    dagbag: DagBag,
    deletions: Deletions,
    submitted: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    failed: str,
) -> None:
    deletions.x.forbidden = fault == "forbidden"
    if fault == "token":
        monkeypatch.setenv("X_BEARER_TOKEN", "")
    if fault == "job":
        monkeypatch.setattr(
            "twitter_topics.deletions.x_compliance.XCompliance.job", lambda *_: Job("7", "", "failed", "", 0, "")
        )
    done = run(dagbag, "tweet_deletions", ask_x="yes")
    assert done.state == "failed"
    assert (tried(done, failed), states(done)["apply"]) == (("failed", 1), "success")
    assert states(done)["report"] == "upstream_failed", "the run must not look like a good one"
    assert len(submitted) == 1


def test_two_archives_do_not_take_over_each_others_job(tmp_path: Path) -> None:
    from twitter_topics.deletions.tasks import job_name
    from twitter_topics.settings import Settings

    names: list[str] = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        settings = Settings({"ARCHIVE_CATALOG_URI": f"sqlite:///{folder}/catalog.db", "S3_BUCKET": "b" * 63})
        make_table(settings, f"file://{folder}/lake")
        names += [job_name(settings), job_name(settings)]
    assert names[0] == names[1] != names[2] == names[3]
    assert {len(name) for name in names} == {64}, "X allows no more"


def test_a_summary_of_another_run_is_not_reported(dagbag: DagBag, deletions: Deletions) -> None:
    deletions.summary_of = "last week"
    done = run(dagbag, "tweet_deletions")
    assert (states(done)["apply"], states(done)["report"]) == ("success", "failed")


# --- speed_layer_watch


def test_watch_names_the_silent_part(dagbag: DagBag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from twitter_topics.audit import audit_tasks
    from twitter_topics.errors import TwitterTopicsError
    from twitter_topics.health import watch_tasks
    from twitter_topics.health.report import write_health

    monkeypatch.setenv("SPEED_HEALTH_DIR", str(tmp_path))
    monkeypatch.setattr(watch_tasks, "records_since", lambda _settings, _topic, _since_ms: 0)
    monkeypatch.setattr(watch_tasks, "newest_stamps", lambda _settings, _topic: [])
    monkeypatch.setattr(audit_tasks, "measure", lambda _settings, *, now: measured.append(now))
    measured: list[float] = []
    for part in ("producer", "archiver", "classifier", "aggregator"):
        write_health(tmp_path, part, ok=True, state="running", lag=5000)
    for _ in range(3):  # each run compares with its predecessor
        assert run(dagbag, "speed_layer_watch").state == "success"
    assert len(measured) == 3

    write_health(tmp_path, "aggregator", ok=True, state="running", lag=9000)
    (tmp_path / "producer.json").unlink()

    class LastLook:
        def xcom_pull(self, **_options: Any) -> dict[str, int]:
            return {"aggregator": 5000}

        def xcom_push(self, **_options: Any) -> None: ...

    look = dagbag.dags["speed_layer_watch"].get_task("look").python_callable
    with pytest.raises(TwitterTopicsError) as failure:
        look(ti=LastLook())
    assert "producer has never reported" in str(failure.value)
    assert "aggregator is falling behind: lag 9,000, previously 5,000" in str(failure.value)


# --- stores_audit


def test_a_broken_audit_fails_its_task_and_models_are_published(
    dagbag: DagBag, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twitter_topics.audit import audit_tasks
    from twitter_topics.errors import IntegrityError

    def broken(_settings: Any, *, now: float) -> dict[str, Any]:
        raise IntegrityError("3 records are missing between archived ones")

    monkeypatch.setattr(audit_tasks, "publish_models", lambda _settings: 2)
    monkeypatch.setattr(audit_tasks, "audit_stores", lambda _settings, **_now: {"state": "ok"})
    done = run(dagbag, "stores_audit")
    assert states(done) == {"audit": "success", "publish_models": "success"}
    assert (returned(done, "audit"), returned(done, "publish_models")) == ({"state": "ok"}, 2)
    monkeypatch.setattr(audit_tasks, "audit_stores", broken)
    done = run(dagbag, "stores_audit")
    assert states(done) == {"audit": "failed", "publish_models": "success"}
    assert tried(done, "audit") == ("failed", 2), "it may have been a deletion at work"


def value_of(command: list[str], option: str) -> str:
    """Return the value of an option in a spark-submit command."""
    return command[command.index(option) + 1]
