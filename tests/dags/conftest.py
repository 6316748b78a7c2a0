"""A separate Airflow for this tier: the caller's is never read. Must run before airflow is imported."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

    from twitter_topics.testing.objects import MemoryObjects

PROJECT = Path(__file__).resolve().parents[2]
DAGS = PROJECT / "dags"
CONNECTION = {"conn_type": "spark", "host": "local[2]", "extra": {"deploy-mode": "client"}}


def _isolate() -> None:
    home = os.environ.get("AIRFLOW_HOME", "")
    if "airflow" not in sys.modules and not home.startswith(tempfile.gettempdir()):
        for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
            del os.environ[name]
        home = tempfile.mkdtemp(prefix="airflow-test-")
    bundle = {
        "name": "dags",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(DAGS)},
    }
    os.environ.update(
        AIRFLOW_HOME=home,
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home}/airflow.db",
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__DAGS_FOLDER=str(DAGS),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(PROJECT / "plugins"),
        AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST=json.dumps([bundle]),
        AIRFLOW__API_AUTH__JWT_SECRET="a secret of the tests, longer than thirty-two bytes",
        AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING",
        AIRFLOW_CONN_SPARK_DEFAULT=json.dumps(CONNECTION),
    )


_isolate()


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """An empty metadata database with the pool that the local stack creates."""
    from airflow.models.pool import Pool
    from airflow.utils.db import initdb

    initdb()
    Pool.create_or_update_pool("spark", slots=1, description="", include_deferred=False)


@pytest.fixture(scope="session")
def dagbag() -> DagBag:
    """All DAGs, parsed once."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(DAGS), bundle_path=DAGS, bundle_name="dags", known_pools={"default_pool", "spark"})


@pytest.fixture
def model_objects(monkeypatch: pytest.MonkeyPatch) -> MemoryObjects:
    """The bucket of the models, in memory, for every ModelStore of this test."""
    from twitter_topics.testing.objects import MemoryObjects

    objects = MemoryObjects()
    monkeypatch.setattr("twitter_topics.topic_models.registry.store.S3Objects", lambda *_, **__: objects)
    return objects


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands passed to spark-submit; none is run."""
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook

    commands: list[list[str]] = []

    def submit(self: Any, application: str = "", **_options: Any) -> None:
        commands.append(self._build_spark_submit_command(application))

    monkeypatch.setattr(SparkSubmitHook, "submit", submit)
    monkeypatch.setattr("os.setpriority", lambda *_: None)  # these tests run in a process that goes on
    monkeypatch.setattr(
        "twitter_topics.backends.spark_session.jars", lambda _folder: ["/jars/one.jar", "/jars/two.jar"]
    )
    return commands
