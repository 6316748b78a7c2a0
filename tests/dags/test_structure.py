"""House policy of the DAGs: what each file must have, and the edges that must never change."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from twitter_topics.orchestration.schedules import reject_unknown_parameters
from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

pytestmark = pytest.mark.dags

DAG_IDS = {
    "archive_compaction",
    "elasticsearch_retention",
    "model_drift",
    "model_promotion",
    "model_retention",
    "speed_layer_watch",
    "stores_audit",
    "topic_names",
    "topic_recount",
    "topic_retraining",
    "tweet_deletions",
}
CHAPTERS = ("What it does.", "What it does not do.", "Parameters.", "Example.", "When it fails.")


def test_every_file_imports(dagbag: DagBag) -> None:
    assert dagbag.import_errors == {}


def test_no_dag_is_missing_and_none_is_unknown(dagbag: DagBag) -> None:
    assert set(dagbag.dags) == DAG_IDS


@pytest.mark.parametrize("dag_id", sorted(DAG_IDS))
def test_house_rules(dagbag: DagBag, dag_id: str) -> None:
    dag = dagbag.dags[dag_id]
    assert dag.doc_md is not None
    assert dag.doc_md.startswith(f"# {dag_id}: ")
    assert [chapter for chapter in CHAPTERS if f"**{chapter}**" not in dag.doc_md] == []
    assert dag.tags
    assert not dag.catchup
    assert dag.max_active_runs == 1
    assert dag.start_date is None, "with a start date the last moment that has passed is run at once"
    dag.check_cycle()
    for one in dag.tasks:
        assert one.owner == "twitter-topics"
        assert one.execution_timeout is not None, one.task_id
        assert one.retries > 0, f"{one.task_id} gives up at an outage"
        assert one.retry_policy is not None, f"{one.task_id} tries again what cannot succeed"
        assert one._pre_execute_hook is reject_unknown_parameters, f"{one.task_id} runs with a misspelt parameter"


@pytest.mark.parametrize("dag_id", sorted(DAG_IDS))
def test_serializes(dagbag: DagBag, dag_id: str) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    stored = DagSerialization.to_dict(dagbag.dags[dag_id])
    assert DagSerialization.from_dict(stored).dag_id == dag_id


@pytest.mark.parametrize(
    ("dag_id", "first", "then"),
    [
        ("archive_compaction", "plan", "compact"),
        ("archive_compaction", "compact", "report"),
        ("topic_retraining", "enough_new_tweets", "name_version"),
        ("topic_retraining", "name_version", "train"),
        ("topic_retraining", "train", "evaluate"),
        ("topic_retraining", "evaluate", "register"),
        ("model_drift", "plan", "measure"),
        ("model_drift", "measure", "report"),
        ("model_promotion", "judge", "gate"),
        ("model_promotion", "gate", "promote"),
        ("model_promotion", "gate", "not_promoted"),
        ("elasticsearch_retention", "plan", "apply"),
        ("topic_recount", "check_range", "recount"),
        ("topic_recount", "recount", "report"),
        ("tweet_deletions", "collect_ids", "ask_x"),
        ("tweet_deletions", "ask_x", "wait_for_x"),
        ("tweet_deletions", "wait_for_x", "publish"),
        ("tweet_deletions", "publish", "apply"),
        ("tweet_deletions", "publish", "report"),
        ("tweet_deletions", "apply", "report"),
    ],
)
def test_edges(dagbag: DagBag, dag_id: str, first: str, then: str) -> None:
    assert then in dagbag.dags[dag_id].get_task(first).downstream_task_ids


def test_nothing_is_promoted_past_the_gate(dagbag: DagBag) -> None:
    promote = dagbag.dags["model_promotion"].get_task("promote")
    assert "gate" in promote.upstream_task_ids
    assert promote.trigger_rule == "all_success"


def test_assets(dagbag: DagBag) -> None:
    from airflow.sdk import AssetOrTimeSchedule

    from twitter_topics.orchestration.assets import TOPIC_CHAMPION, TOPIC_MODEL, TWEETS_ARCHIVE

    dags = dagbag.dags
    assert dags["archive_compaction"].get_task("report").outlets == [TWEETS_ARCHIVE]
    assert dags["topic_retraining"].get_task("register").outlets == [TOPIC_MODEL]
    assert dags["model_promotion"].get_task("promote").outlets == [TOPIC_CHAMPION]
    assert dags["model_promotion"].schedule == [TOPIC_MODEL]
    assert isinstance(dags["topic_retraining"].schedule, AssetOrTimeSchedule)
    assert dags["topic_retraining"].schedule.asset_condition.objects == (TWEETS_ARCHIVE,)


@pytest.mark.parametrize(
    ("dag_id", "cron"),
    [
        ("archive_compaction", "5 * * * *"),
        ("elasticsearch_retention", "30 3 * * *"),
        ("model_retention", "45 3 * * *"),
        ("model_drift", "30 1 * * *"),
        ("speed_layer_watch", "*/5 * * * *"),
        ("stores_audit", "45 */6 * * *"),
        ("topic_retraining", "0 4 * * *"),
        ("tweet_deletions", "30 2 * * *"),
    ],
)
def test_first_run_waits_for_the_next_moment(dagbag: DagBag, dag_id: str, cron: str) -> None:
    schedule = dagbag.dags[dag_id].schedule
    timetable = getattr(schedule, "timetable", schedule)
    assert (timetable.expression, str(timetable.timezone)) == (cron, "UTC")
    assert timetable.run_immediately is False


def test_defaults_are_the_settings(dagbag: DagBag) -> None:
    topics = Settings().topics
    given = dagbag.dags["topic_retraining"].params.dump()
    assert given.pop("start") == "champion", "a start from scratch changes topic ids, so a person asks for it each time"
    assert given == {name: getattr(topics, name) for name in given}
    days = Settings().elasticsearch.retention_days
    assert dagbag.dags["elasticsearch_retention"].params["days"] == days
    kept, form = Settings().models, dagbag.dags["model_retention"].params
    assert (form["days"], form["versions"], form["dry_run"]) == (kept.keep_days, kept.keep_versions, False)


SETTING_OF_PARAMETER = {
    ("elasticsearch_retention", "days"): ("elasticsearch", "retention_days"),
    ("model_retention", "days"): ("models", "keep_days"),
    ("model_retention", "versions"): ("models", "keep_versions"),
} | {
    ("topic_retraining", name): ("topics", name)
    for name in ("k", "iterations", "seed", "window_hours", "max_documents", "min_documents", "min_confidence")
}


@pytest.mark.parametrize(("parameter", "setting"), SETTING_OF_PARAMETER.items())
def test_a_form_takes_the_values_that_its_setting_takes(
    dagbag: DagBag, parameter: tuple[str, str], setting: tuple[str, str]
) -> None:
    """Airflow checks defaults as well: a setting that the form refuses would hide the whole DAG."""
    (dag_id, name), (section, field) = parameter, setting
    form = dagbag.dags[dag_id].params.get_param(name).schema
    allowed = type(getattr(Settings(), section)).model_json_schema()["properties"][field]
    assert (form["minimum"], form["maximum"]) == (allowed["minimum"], allowed["maximum"])


RANGE = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-01T01:00:00Z"}


@pytest.mark.parametrize(
    ("dag_id", "given"),
    [
        ("archive_compaction", {"min_files": 1}),
        ("archive_compaction", {"expire_hours": 0}),
        ("archive_compaction", {"orphan_hours": 23}),
        ("topic_retraining", {"trainer": "word2vec"}),
        ("topic_retraining", {"k": 1}),
        ("topic_retraining", {"k": 201}),
        ("topic_retraining", {"k": "20; rm -rf /"}),
        ("topic_retraining", {"iterations": 0}),
        ("topic_retraining", {"seed": -1}),
        ("topic_retraining", {"window_hours": 0}),
        ("topic_retraining", {"min_documents": 99}),
        ("topic_retraining", {"languages": "english"}),
        ("topic_retraining", {"languages": "en, ja"}),
        ("topic_retraining", {"min_confidence": 1.5}),
        ("topic_retraining", {"start": "nothing"}),
        ("model_drift", {"date": "yesterday"}),
        ("model_drift", {"date": "2026-13-01"}),
        ("model_drift", {"date": "2026-02-30"}),
        ("model_drift", {"date": "2026-11-01T00:00:00Z"}),
        ("model_promotion", {"version": "../champion"}),
        ("model_promotion", {"version": "20261101T040000Z-gsdmm/x"}),
        ("model_promotion", {"force": "yes"}),
        ("elasticsearch_retention", {"days": 0}),
        ("elasticsearch_retention", {"days": 36501}),
        ("model_retention", {"days": 0}),
        ("model_retention", {"versions": 0}),
        ("model_retention", {"dry_run": "maybe"}),
        ("topic_names", {}),
        ("topic_names", {"topic_id": -1}),
        ("topic_names", {"topic_id": "7"}),
        ("topic_names", {"topic_id": 7, "name": "x" * 61}),
        ("topic_names", {"topic_id": 7, "name": "two\nlines"}),
        ("topic_names", {"topic_id": 7, "name": "a line\n"}),
        ("topic_names", {"topic_id": 7, "name": "red \x1b[31m"}),
        ("topic_names", {"topic_id": 7, "name": None}),
        ("topic_names", {"topic_id": 7, "shown_with": -1}),
        ("topic_names", {"topic_id": 7, "shown_with": "12"}),
        ("topic_names", {"topic_id": 7, "reason": "x" * 501}),
        ("topic_recount", {}),
        ("topic_recount", RANGE | {"start": "yesterday"}),
        ("topic_recount", RANGE | {"end": "2026-11-01T01:30:00Z"}),
        ("topic_recount", RANGE | {"model": "newest"}),
        ("tweet_deletions", {"ask_x": "maybe"}),
        ("tweet_deletions", {"ask_x": True}),
    ],
)
def test_a_form_rejects(dagbag: DagBag, dag_id: str, given: dict[str, Any]) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        filled_in(dagbag, dag_id, given)


@pytest.mark.parametrize(
    ("dag_id", "given"),
    [
        ("archive_compaction", {"min_files": 2, "expire_hours": 1}),
        ("topic_retraining", {"trainer": "spark-lda", "k": 30, "iterations": 60}),
        ("topic_retraining", {"languages": "en,ja"}),
        ("topic_retraining", {"languages": "all"}),
        ("topic_retraining", {"min_confidence": 0}),
        ("topic_retraining", {"start": "scratch"}),
        ("model_drift", {}),
        ("model_drift", {"date": "2026-11-01"}),
        ("model_promotion", {"version": "20261101T040000Z-gsdmm", "force": True, "reason": "why"}),
        ("model_promotion", {"version": "20261101T040000Z-spark-lda"}),
        ("elasticsearch_retention", {"days": 7, "dry_run": True, "allow_all": True}),
        ("model_retention", {"days": 7, "versions": 3, "dry_run": True}),
        ("topic_names", {"topic_id": 0}),
        ("topic_names", {"topic_id": 7, "name": "Storm Eunice · 台風", "shown_with": None, "reason": "why"}),
        ("topic_names", {"topic_id": 7, "shown_with": 12}),
        ("topic_recount", RANGE | {"model": "champion"}),
        ("topic_recount", {"start": "2026-11-01T00:00:00.000+01:00", "end": "2026-11-01T01:00"}),
        ("topic_recount", RANGE | {"model": "20261101T040000Z-gsdmm"}),
        ("tweet_deletions", {"ask_x": "no"}),
    ],
)
def test_a_form_accepts(dagbag: DagBag, dag_id: str, given: dict[str, Any]) -> None:
    filled_in(dagbag, dag_id, given)


def filled_in(dagbag: DagBag, dag_id: str, given: dict[str, Any]) -> None:
    params = deepcopy(dagbag.dags[dag_id].params)
    params.update(given)
    params.validate()
