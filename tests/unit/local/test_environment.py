"""Which variables reach which service."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url

from twitter_topics.local import environment, followed, secrets
from twitter_topics.local.environment import Addresses
from twitter_topics.local.java import Java
from twitter_topics.local.layout import Layout
from twitter_topics.local.ports import Ports
from twitter_topics.settings import PROJECT, Settings
from twitter_topics.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator

PORTS = Ports(100)
JAVA = Java(Path("/usr/lib/jvm/some"), 17)


def addresses(layout: Layout, **given: str) -> Addresses:
    known, _ = secrets.load_or_make(layout.secrets)
    return environment.addresses(Settings(given), layout, PORTS, known)


def test_services_run_in_a_utf_8_locale(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LANG", "LC_CTYPE"):
        monkeypatch.setenv(name, "C")
    base = environment.base_variables(layout, JAVA)
    assert {name: value for name, value in base.items() if name.startswith(("LC_", "LANG"))} == {"LC_ALL": "C.UTF-8"}


@pytest.mark.usefixtures("settings")
def test_without_settings_everything_is_this_stacks_own(layout: Layout) -> None:
    found = addresses(layout)
    assert found.local_servers == {"kafka", "s3", "elasticsearch", "influxdb"}
    assert found.variables["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:19192"
    assert found.variables["S3_SECRET_ACCESS_KEY"]
    assert found.variables["ARCHIVE_CATALOG_URI"] == f"sqlite:///{layout.state}/archive/catalog.db"


@pytest.mark.usefixtures("settings")
def test_somebody_elses_server_is_not_started_and_gets_none_of_our_secrets(layout: Layout) -> None:
    found = addresses(
        layout, S3_ENDPOINT_URL="https://s3.example.org", KAFKA_BOOTSTRAP_SERVERS="broker.example.org:9092"
    )
    assert found.local_servers == {"elasticsearch", "influxdb"}
    assert "S3_SECRET_ACCESS_KEY" not in found.variables


@pytest.mark.usefixtures("settings")
def test_empty_credentials_do_not_replace_those_of_the_stacks_own_server(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = {"S3_ACCESS_KEY_ID": "", "S3_SECRET_ACCESS_KEY": ""}
    own = addresses(layout).variables
    assert [addresses(layout, **empty).variables[name] for name in empty] == [own[name] for name in empty]
    assert own["S3_ACCESS_KEY_ID"] == "local"
    aws = addresses(layout, S3_ENDPOINT_URL="", **empty).variables
    assert [aws[name] for name in ("S3_ENDPOINT_URL", *empty)] == ["", "", ""], "the SDK's own chain"
    monkeypatch.setattr("os.environ", {**empty, "KAFKA_BOOTSTRAP_SERVERS": "", "LOCAL_STATE_DIR": str(layout.state)})
    environment.adopt(Settings({"LOCAL_PORT_OFFSET": "100"}))
    assert (Settings().s3.access_key_id, Settings().kafka.bootstrap_servers) == ("local", "127.0.0.1:19192")


def test_paths_are_relative_to_the_users_folder(layout: Layout, settings: Settings) -> None:
    del settings  # only for its folder
    found = addresses(layout, PRODUCER_REPLAY_FILE="tweets.jsonl", PRODUCER_STATE_DIR="state").variables
    assert found["PRODUCER_REPLAY_FILE"] == str(Path.cwd() / "tweets.jsonl")
    assert found["PRODUCER_STATE_DIR"] == str(Path.cwd() / "state")


def test_the_callers_environment_does_not_leak(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    base = environment.base_variables(layout, JAVA)
    assert "GITHUB_TOKEN" not in base
    assert "PYTHONDONTWRITEBYTECODE" not in base
    assert base["TZ"] == "Europe/Berlin"
    assert base["SPARK_HOME"].endswith("/pyspark")
    assert base["TWITTER_TOPICS_ENV_FILE"] == "", "a service sees its own settings only"


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "s3.example.org, 10.0.0.0/8,"}, "s3.example.org,10.0.0.0/8,127.0.0.1,localhost"),
        ({"no_proxy": "localhost,.example.org"}, "localhost,.example.org,127.0.0.1"),
        ({"NO_PROXY": "*"}, "*"),
    ],
)
def test_this_machine_is_added_to_the_hosts_that_need_no_proxy(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], passed: str
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert environment.base_variables(layout, JAVA)["NO_PROXY"] == passed


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


def test_airflows_own_database_waits_for_another_process(layout: Layout, settings: Settings) -> None:
    url = make_url(environment.airflow_variables(settings, layout, PORTS, {}, {})["AIRFLOW_DATABASE_URL"])
    (file,), options = url.get_dialect()().create_connect_args(url)
    assert file == str(layout.airflow / "airflow.db")
    assert options["timeout"] == 60


def test_the_callers_connection_overrides_ours(
    layout: Layout, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", "spark://host:7077")
    found = addresses(layout)
    variables = environment.airflow_variables(settings, layout, PORTS, secrets.load(layout.secrets), found.variables)
    assert variables["AIRFLOW_CONN_SPARK_DEFAULT"] == "spark://host:7077"


def test_urls_stay_and_paths_of_rule_files_become_absolute(layout: Layout, settings: Settings) -> None:
    del settings  # only for its folder
    for place in ("s3://tweets/2026/", "archive"):
        assert addresses(layout, PRODUCER_REPLAY_FILE=place).variables["PRODUCER_REPLAY_FILE"] == place
    found = addresses(layout, X_RULES_FILE="rules.yml").variables
    assert found["X_RULES_FILE"] == str(Path.cwd() / "rules.yml")
    assert "PRODUCER_REPLAY_FILE" not in found


def test_every_section_that_a_service_reads_is_passed_on(layout: Layout, settings: Settings) -> None:
    del settings
    given = {
        "X_BEARER_TOKEN": "a",
        "BLUESKY_WIRE": "v2",
        "MASTODON_STREAM": "hashtag/x",
        "TWITTER_TRACK": "b",
        "KAFKA_GAP_TOPIC": "gaps",
    }
    assert given.items() <= addresses(layout, **given).variables.items()


@pytest.mark.parametrize(
    ("credential", "seers"),
    [
        ("TWITTER_CONSUMER_KEY", {"twitter_v1"}),
        ("X_BEARER_TOKEN", {"x_v2", "airflow"}),
        ("MASTODON_ACCESS_TOKEN", {"mastodon"}),
        ("S3_SECRET_ACCESS_KEY", {"replay", "stream", "airflow", "page"}),
        ("ARCHIVE_CATALOG_PASSWORD", {"replay", "stream", "airflow"}),
        ("ELASTICSEARCH_PASSWORD", {"stream", "airflow"}),
        ("INFLUXDB_PASSWORD", {*SOURCES, "stream", "airflow"}),
        ("INFLUXDB_READ_PASSWORD", {*SOURCES, "stream", "airflow", "page"}),
        ("INFLUXDB_CA_FILE", {*SOURCES, "stream", "airflow", "page"}),
    ],
)
def test_credentials_reach_only_those_who_need_them(credential: str, seers: set[str]) -> None:
    kinds = environment.SETTINGS_OF.items()
    assert {kind for kind, prefixes in kinds if credential.startswith(prefixes)} == seers


def test_the_page_reads_as_a_user_that_may_only_read(layout: Layout, settings: Settings) -> None:
    del settings
    local = addresses(layout).variables
    assert (local["INFLUXDB_USERNAME"], local["INFLUXDB_READ_USERNAME"]) == ("admin", "reader")
    assert local["INFLUXDB_PASSWORD"] != local["INFLUXDB_READ_PASSWORD"]
    elsewhere = {"INFLUXDB_URL": "https://series.example.org", "INFLUXDB_USERNAME": "me", "INFLUXDB_PASSWORD": "one"}
    only_one = addresses(layout, **elsewhere).variables
    assert (only_one["INFLUXDB_READ_USERNAME"], only_one["INFLUXDB_READ_PASSWORD"]) == ("me", "one")
    reader = {"INFLUXDB_READ_USERNAME": "you", "INFLUXDB_READ_PASSWORD": "two"}
    two = addresses(layout, **elsewhere, **reader).variables
    assert (two["INFLUXDB_READ_USERNAME"], two["INFLUXDB_READ_PASSWORD"]) == ("you", "two")
    anonymous = addresses(layout, INFLUXDB_URL="https://series.example.org").variables
    assert "INFLUXDB_READ_USERNAME" not in anonymous


def test_spark_listens_on_loopback_only_unless_its_executors_are_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_SPARK_DEFAULT", raising=False)  # set for the tests of the DAGs
    loopback = {"SPARK_LOCAL_IP": "127.0.0.1"}
    assert environment.spark_variables(Settings({})) == loopback
    assert environment.spark_variables(Settings({"SPARK_MASTER": "local[4]"})) == loopback
    for name in ("SPARK_MASTER", "LOCAL_SPARK_JOBS_MASTER"):
        assert environment.spark_variables(Settings({name: "spark://master:7077"})) == {}
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", "spark://master:7077")
    assert environment.spark_variables(Settings({})) == {}


def test_every_source_has_a_producer_that_knows_its_settings() -> None:
    assert set(SOURCES) <= set(environment.SETTINGS_OF)
    for source in SOURCES:
        assert {"KAFKA_", "INFLUXDB_", "PRODUCER_", "SPEED_"} <= set(environment.SETTINGS_OF[source])


def test_secrets_from_files_reach_the_services_that_need_them(layout: Layout, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "MASTODON_ACCESS_TOKEN").write_text("from a file\n")
    found = addresses(layout, TWITTER_TOPICS_SECRETS_DIR=str(folder)).variables
    assert found["MASTODON_ACCESS_TOKEN"] == "from a file"
    assert "TWITTER_TOPICS_SECRETS_DIR" not in found


def test_nothing_is_adopted_before_the_first_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings({"LOCAL_STATE_DIR": str(tmp_path / "none"), "LOCAL_PORT_OFFSET": "100"})
    environment.adopt(settings)
    assert Settings().kafka.bootstrap_servers == "127.0.0.1:19092"
    secrets.load_or_make(tmp_path / "secrets.json")
    layout = Layout(tmp_path)
    layout.run.mkdir()
    followed.remember(layout, Settings({"PRODUCER_SOURCE": "replay"}), {"PRODUCER_REPLAY_FROM": "2026-11-01T00:00Z"})
    with monkeypatch.context() as patch:
        patch.setattr("os.environ", {})
        environment.adopt(Settings({"LOCAL_STATE_DIR": str(tmp_path), "LOCAL_PORT_OFFSET": "100"}))
        assert Settings().kafka.bootstrap_servers == "127.0.0.1:19192"
        assert (Settings().producer.source, Settings().producer.replay_from) == ("replay", "")


def code_that_runs(*folders: str) -> str:
    """Return the text of these files and of all project files that they import."""
    found: dict[Path, str] = {}
    due = [file for folder in folders for file in (PROJECT / folder).glob("*.py")]
    while due:
        if (file := due.pop()) not in found:
            found[file] = file.read_text()
            due += project_imports(found[file])
    return "\n".join(found.values())


def project_imports(text: str) -> Iterator[Path]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                path = PROJECT.joinpath(*name.split("."))
                yield from (file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file())


@pytest.mark.parametrize(
    ("kind", "folders"),
    [("airflow", ("dags", "plugins", "spark_apps/batch")), ("stream", ("spark_apps/speed",))],
)
def test_the_settings_that_the_code_of_a_service_reads_reach_it(kind: str, folders: tuple[str, ...]) -> None:
    read = set(re.findall(r"[sS]ettings(?:\(\))?\.(\w+)", code_that_runs(*folders)))
    prefixes = {
        attribute: str(section.model_config.get("env_prefix"))
        for attribute, section in Settings.sections().items()
        if attribute in read
    }
    assert {"s3", "kafka", "log"} <= set(prefixes), "the code was found"
    passed = environment.SETTINGS_OF[kind]
    assert [name for name, prefix in prefixes.items() if not any(one.startswith(prefix) for one in passed)] == []
