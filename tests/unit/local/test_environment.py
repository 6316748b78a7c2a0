"""Which variables reach which service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twitter_topics.local import environment, secrets
from twitter_topics.local.environment import Addresses
from twitter_topics.local.java import Java
from twitter_topics.local.ports import Ports
from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from twitter_topics.local.layout import Layout

PORTS = Ports(100)
JAVA = Java(Path("/usr/lib/jvm/some"), 17)


def addresses(layout: Layout, **given: str) -> Addresses:
    known, _ = secrets.load_or_make(layout.secrets)
    return environment.addresses(Settings(given), layout, PORTS, known)


@pytest.mark.usefixtures("settings")
def test_without_settings_everything_is_this_stacks_own(layout: Layout) -> None:
    found = addresses(layout)
    assert found.local_servers == {"kafka", "s3", "elasticsearch", "influxdb"}
    assert found.variables["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:19192"
    assert found.variables["S3_SECRET_ACCESS_KEY"]
    assert found.variables["ARCHIVE_CATALOG_URI"] == f"sqlite:///{layout.state}/archive/catalog.db"
    assert environment.waits_for(found.variables) == tuple(
        f"tcp:127.0.0.1:{PORTS[name]}" for name in ("kafka", "s3", "elasticsearch", "influxdb")
    )


@pytest.mark.usefixtures("settings")
def test_somebody_elses_server_is_not_started_and_gets_none_of_our_secrets(layout: Layout) -> None:
    found = addresses(
        layout, S3_ENDPOINT_URL="https://s3.example.org", KAFKA_BOOTSTRAP_SERVERS="broker.example.org:9092"
    )
    assert found.local_servers == {"elasticsearch", "influxdb"}
    assert "S3_SECRET_ACCESS_KEY" not in found.variables
    assert environment.waits_for(found.variables)[:2] == ("tcp:broker.example.org:9092", "tcp:s3.example.org:443")


def test_paths_are_made_absolute_where_the_user_stands(layout: Layout, settings: Settings) -> None:
    del settings  # only for its folder
    found = addresses(layout, PRODUCER_REPLAY_FILE="tweets.jsonl", PRODUCER_STATE_DIR="state").variables
    assert found["PRODUCER_REPLAY_FILE"] == str(Path.cwd() / "tweets.jsonl")
    assert found["PRODUCER_STATE_DIR"] == str(Path.cwd() / "state")


def test_the_callers_environment_does_not_leak(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("LANG", "C.UTF-8")
    base = environment.base(layout, JAVA)
    assert "GITHUB_TOKEN" not in base
    assert "PYTHONDONTWRITEBYTECODE" not in base
    assert base["LANG"] == "C.UTF-8"
    assert base["SPARK_HOME"].endswith("/pyspark")
    assert base["NO_PROXY"] == "127.0.0.1,localhost"


def test_the_spark_connection_is_json_because_a_url_may_silently_become_yarn(
    layout: Layout, settings: Settings
) -> None:
    found = addresses(layout)
    variables = environment.airflow_variables(settings, layout, PORTS, secrets.load(layout.secrets), found.variables)
    connection = json.loads(variables["AIRFLOW_CONN_SPARK_DEFAULT"])
    assert (connection["conn_type"], connection["host"]) == ("spark", "local[2]")
    s3 = json.loads(variables["AIRFLOW_CONN_AWS_DEFAULT"])
    assert s3["extra"]["service_config"]["s3"]["endpoint_url"] == PORTS.url("s3")
    assert s3["password"] == found.variables["S3_SECRET_ACCESS_KEY"]


def test_the_callers_connection_beats_ours(layout: Layout, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", "spark://host:7077")
    found = addresses(layout)
    variables = environment.airflow_variables(settings, layout, PORTS, secrets.load(layout.secrets), found.variables)
    assert variables["AIRFLOW_CONN_SPARK_DEFAULT"] == "spark://host:7077"


def test_only_the_producer_sees_the_credentials_of_its_source() -> None:
    seers = {
        kind for kind, prefixes in environment.SETTINGS_OF.items() if "TWITTER_".startswith(tuple(prefixes) or "\0")
    }
    assert seers == {"producer"}


def test_nothing_is_adopted_before_the_first_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings({"LOCAL_STATE_DIR": str(tmp_path / "none"), "LOCAL_PORT_OFFSET": "100"})
    environment.adopt(settings)
    assert Settings().kafka.bootstrap_servers == "127.0.0.1:19092"
    secrets.load_or_make(tmp_path / "secrets.json")
    with monkeypatch.context() as patch:
        patch.setattr("os.environ", {})
        environment.adopt(Settings({"LOCAL_STATE_DIR": str(tmp_path), "LOCAL_PORT_OFFSET": "100"}))
        assert Settings().kafka.bootstrap_servers == "127.0.0.1:19192"
