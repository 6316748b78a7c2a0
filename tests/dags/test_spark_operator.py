"""How a job is submitted."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from twitter_topics.logs import SPARK_LOGGING
from twitter_topics.orchestration.spark import SPARK_APPS, SparkJobOperator, exit_code

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

pytestmark = pytest.mark.dags


def job(**options: Any) -> SparkJobOperator:
    return SparkJobOperator(task_id="job", job="train_topics", arguments=["--k", "{{ params.k }}"], **options)


def rendered(operator: SparkJobOperator) -> SparkJobOperator:
    """Render with the context of a run without a logical date, as started by an asset event or the REST API."""

    class Run:
        run_after = datetime(2026, 11, 1, 4, tzinfo=UTC)
        run_id = "asset_triggered__1"

    operator.render_template_fields({"params": {"k": 7}, "dag_run": Run()}, jinja_env=None)
    return operator


def test_the_connection_is_local_and_not_yarn(submitted: list[list[str]]) -> None:
    rendered(job()).execute({})
    (command,) = submitted
    assert command[:3] == ["spark-submit", "--master", "local[2]"]
    assert command[command.index("--deploy-mode") + 1] == "client"


def test_the_command(submitted: list[list[str]]) -> None:
    rendered(job()).execute({})
    (command,) = submitted
    assert command[-3:] == [str(SPARK_APPS / "batch" / "train_topics.py"), "--k", "7"]
    assert command[command.index("--jars") + 1] == "/jars/one.jar,/jars/two.jar"
    assert command[command.index("--driver-memory") + 1] == "1500m"
    assert command[command.index("--name") + 1] == "train_topics-20261101T040000Z"
    assert "--packages" not in command


def test_the_jvm_gets_the_options_of_the_setting(submitted: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_JAVA_OPTIONS", "-Xss4m -XX:+UseG1GC")
    rendered(job()).execute({})
    (command,) = submitted
    (given,) = [part for part in command if part.startswith("spark.driver.extraJavaOptions=")]
    log = f"-Dlog4j2.configurationFile={SPARK_LOGGING.as_uri()}"
    assert given.partition("=")[2] == f"{log} -Xss4m -XX:+UseG1GC"


def test_no_secret_is_on_the_command_line(submitted: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_SECRET_ACCESS_KEY", "do-not-show-me")
    monkeypatch.setenv("INFLUXDB_PASSWORD", "nor-me")
    rendered(job()).execute({})
    assert not any("not-show-me" in part or "nor-me" in part for part in submitted[0])


@pytest.mark.usefixtures("submitted")
@pytest.mark.parametrize(("setting", "before", "after"), [("", 0, 10), ("0", 0, 0), ("7", 0, 7), ("7", 15, 15)])
def test_a_job_leaves_the_cpu_to_the_streaming_apps(
    monkeypatch: pytest.MonkeyPatch, setting: str, before: int, after: int
) -> None:
    given: list[int] = []
    if setting:
        monkeypatch.setenv("SPARK_JOB_NICENESS", setting)
    monkeypatch.setattr("os.getpriority", lambda *_: before)
    monkeypatch.setattr("os.setpriority", lambda _which, _who, priority: given.append(priority))
    rendered(job()).execute({})
    assert given == [after]


def test_house_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    operator = job()
    assert (operator.pool, operator.retries) == ("spark", 1)
    assert operator.execution_timeout == timedelta(hours=6)
    monkeypatch.setenv("SPARK_MAX_JOB_HOURS", "30")
    assert job().execution_timeout == timedelta(hours=30)
    assert operator.env_vars == {"PYSPARK_PYTHON": sys.executable}


def test_every_job_has_its_application_and_the_log_settings_exist(dagbag: DagBag) -> None:
    from pathlib import Path

    jobs = [task for dag in dagbag.dags.values() for task in dag.tasks if task.task_type == "SparkJobOperator"]
    assert len(jobs) == 6
    assert [task.application for task in jobs if not Path(task.application).is_file()] == []
    assert {task.execution_timeout for task in jobs} == {timedelta(hours=6)}
    dags = {task.dag.dag_id: task.dag.doc_md or "" for task in jobs}
    assert [
        name for name, text in dags.items() if "`SPARK_MAX_JOB_HOURS`" not in text.split("**When it fails.**")[1]
    ] == []
    assert {task.pool for task in jobs} == {"spark"}
    assert (SPARK_APPS / "log4j2.properties").is_file()


@pytest.mark.parametrize(("code", "again"), [(1, True), (137, True), (70, False), (75, False), (78, False)])
def test_errors_that_a_retry_cannot_fix_fail_at_once(
    submitted: list[list[str]], monkeypatch: pytest.MonkeyPatch, code: int, again: bool
) -> None:
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    def fail(_self: Any, *_arguments: Any, **_options: Any) -> None:
        raise AirflowException(f"Cannot execute: spark-submit. Error code is: {code}.")

    monkeypatch.setattr(SparkSubmitHook, "submit", fail)
    with pytest.raises(AirflowException) as raised:
        rendered(job()).execute({"dag_run": SimpleNamespace(run_type="manual")})
    assert isinstance(raised.value, AirflowFailException) is not again
    assert f"Error code is: {code}" in str(raised.value)


@pytest.mark.usefixtures("submitted")
@pytest.mark.parametrize(
    ("run_type", "code", "ends"),
    [
        ("scheduled", 75, "AirflowSkipException"),
        ("asset_triggered", 75, "AirflowSkipException"),
        ("asset_materialization", 75, "AirflowFailException"),
        ("manual", 75, "AirflowFailException"),
        ("scheduled", 73, "AirflowFailException"),
    ],
)
def test_too_few_tweets_fail_only_what_a_person_asked_for(
    monkeypatch: pytest.MonkeyPatch, run_type: str, code: int, ends: str
) -> None:
    """TOPICS_LANGUAGES may name a language of few tweets, and every compaction asks for a training."""
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
    from airflow.sdk.exceptions import AirflowException
    from airflow.utils.types import DagRunType

    def fail(_self: Any, *_arguments: Any, **_options: Any) -> None:
        raise AirflowException(f"Cannot execute: spark-submit. Error code is: {code}.")

    monkeypatch.setattr(SparkSubmitHook, "submit", fail)
    with pytest.raises(AirflowException) as raised:
        rendered(job()).execute({"dag_run": SimpleNamespace(run_type=DagRunType(run_type))})
    assert type(raised.value).__name__ == ends
    assert ("too few tweets" in str(raised.value)) is (code == 75)


def test_an_error_without_a_code() -> None:
    assert exit_code(RuntimeError("killed")) == -1
