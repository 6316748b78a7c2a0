"""The stack's decisions, without its servers. (tests/e2e runs it.)"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.local import jars, services, stack
from twitter_topics.local.java import Java
from twitter_topics.local.ports import DEFAULT_PORTS
from twitter_topics.local.stack import Stack
from twitter_topics.settings import Settings


@pytest.fixture(autouse=True)
def _without_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stack, "find_java", lambda: Java(Path("/java"), 17))
    monkeypatch.setattr(services, "find_influxd", lambda: "/usr/bin/influxd")
    monkeypatch.setattr(jars, "require", lambda: None)


def make(tmp_path: Path, **given: str) -> tuple[Stack, list[str]]:
    said: list[str] = []
    made = Stack(Settings({"LOCAL_STATE_DIR": str(tmp_path / "state")} | given), said.append)
    made.layout.make()
    return made, said


def environment(made: Stack, name: str) -> dict[str, str]:
    made._write_environments()
    found: dict[str, str] = json.loads(made.layout.service_environment(name).read_text())
    return found


def test_all_services_are_there_and_start_after_what_they_need(tmp_path: Path) -> None:
    made, _ = make(tmp_path)
    by_name = {service.name: service for service in made.all_services}
    assert list(by_name) == [
        *("kafka", "elasticsearch", "s3", "influxdb"),
        *("producer", "classify-tweets", "aggregate-topics"),
        *("api-server", "scheduler", "dag-processor", "triggerer"),
    ]
    assert {service.name for service in made.all_services if service.tier == 0} == set(list(by_name)[:4])
    for name in ("producer", "classify-tweets", "aggregate-topics"):
        assert "tcp:" not in services.runner_command(by_name[name], made.layout), "it waits for no server"
    assert [service.name for service in made.all_services if service.finishes] == ["producer"]
    assert {port for service in made.all_services for port in service.ports} == set(DEFAULT_PORTS)


def test_each_source_has_its_own_producer(tmp_path: Path) -> None:
    made, _ = make(tmp_path, PRODUCER_SOURCE="bluesky,mastodon")
    producers = {service.name: service for service in made.all_services if service.name.startswith("producer")}
    assert list(producers) == ["producer-bluesky", "producer-mastodon"]
    for name, producer in producers.items():
        assert producer.command[-3:] == ("-m", "producer", name.removeprefix("producer-"))
        assert producer.reports == (name,)
        assert producer.finishes
        health = made.layout.health / f"{name}.json"
        assert not producer.ready(0)
        health.write_text('{"at": 1.0}')
        assert producer.ready(0)


def test_a_source_that_is_not_followed_any_more_is_not_shown(tmp_path: Path) -> None:
    made, _ = make(tmp_path, PRODUCER_SOURCE="bluesky,mastodon")
    for part in ("producer", "producer-bluesky", "archiver"):
        (made.layout.health / f"{part}.json").write_text("{}")
    made._delete_stale_health()
    assert {file.stem for file in made.layout.health.iterdir()} == {"producer-bluesky", "archiver"}


def test_a_producer_sees_its_own_networks_credentials_only(tmp_path: Path) -> None:
    tokens = {"MASTODON_ACCESS_TOKEN": "m", "X_BEARER_TOKEN": "x", "TWITTER_CONSUMER_KEY": "t"}
    made, _ = make(tmp_path, PRODUCER_SOURCE="bluesky,mastodon,x_v2,replay", **tokens)
    seen = {
        name: {key for key in environment(made, name) if key in tokens}
        for name in (*made._settings.producer.parts, "scheduler", "classify-tweets", "kafka")
    }
    assert seen == {
        "producer-bluesky": set(),
        "producer-mastodon": {"MASTODON_ACCESS_TOKEN"},
        "producer-x_v2": {"X_BEARER_TOKEN"},
        "producer-replay": set(),
        "scheduler": {"X_BEARER_TOKEN"},
        "classify-tweets": set(),
        "kafka": set(),
    }
    assert environment(made, "producer-replay")["S3_SECRET_ACCESS_KEY"]
    assert "S3_SECRET_ACCESS_KEY" not in environment(made, "producer-bluesky")
    assert environment(made, "producer-bluesky")["INFLUXDB_PASSWORD"]
    assert environment(made, "scheduler")["PRODUCER_SOURCE"] == "bluesky,mastodon,x_v2,replay"


def test_a_server_elsewhere_is_not_started(tmp_path: Path) -> None:
    made, _ = make(tmp_path, ELASTICSEARCH_URL="https://search.example.org")
    assert "elasticsearch" not in {service.name for service in made.all_services}


def test_a_service_sees_its_own_settings_only(tmp_path: Path) -> None:
    made, _ = make(tmp_path, PRODUCER_SOURCE="twitter_v1", TWITTER_CONSUMER_KEY="a credential", TOPICS_K="7")
    assert environment(made, "producer")["TWITTER_CONSUMER_KEY"] == "a credential"
    for name in ("classify-tweets", "scheduler", "kafka"):
        assert "TWITTER_CONSUMER_KEY" not in environment(made, name)
    assert environment(made, "scheduler")["TOPICS_K"] == "7"
    assert "AIRFLOW_FERNET_KEY" in environment(made, "scheduler")
    assert "AIRFLOW_FERNET_KEY" not in environment(made, "classify-tweets")
    assert not {name for name in environment(made, "kafka") if name.startswith(("S3_", "INFLUXDB_", "AIRFLOW_"))}


def test_a_changed_setting_concerns_the_services_that_see_it(tmp_path: Path) -> None:
    before, _ = make(tmp_path)
    before._write_environments()
    for service in before.all_services:
        text = before.layout.service_environment(service.name).read_text()
        state = {"phase": "running", "fingerprint": hashlib.sha256(text.encode()).hexdigest()}
        before.layout.service_state(service.name).write_text(json.dumps(state))
    assert make(tmp_path)[0]._write_environments() == set()
    assert make(tmp_path, PRODUCER_LIMIT="5")[0]._write_environments() == {"producer"}


def test_the_first_passwords_are_shown_once(tmp_path: Path) -> None:
    made, said = make(tmp_path)
    made._show_new_passwords()
    assert any("admin" in line for line in said)
    again, said = make(tmp_path)
    again._show_new_passwords()
    assert said == []


@pytest.mark.parametrize(
    "log",
    [
        "2026-11-25T21:08:21.123Z ERROR producer: PRODUCER_REPLAY_FILE: no such file\n"
        "2026-11-25T21:08:21.456Z WARNING runner: producer ended\n",
        '{"logger": "producer", "message": "PRODUCER_REPLAY_FILE: no such file"}\n'
        '{"logger": "runner", "message": "producer ended"}\n',
    ],
)
@pytest.mark.parametrize(
    ("state", "error"),
    [({"phase": "misconfigured"}, ConfigurationError), ({"phase": "backoff", "restarts": 3}, RetryableError)],
)
def test_up_gives_up_on_a_service_that_does_not_start_with_its_last_message(
    tmp_path: Path, state: dict[str, object], error: type[Exception], log: str
) -> None:
    made, _ = make(tmp_path)
    producer = made._service("producer")
    made.layout.service_state("producer").write_text(json.dumps(state))
    made.layout.service_log("producer").write_text(log)
    with pytest.raises(error, match=r"^producer( keeps failing)?: PRODUCER_REPLAY_FILE: no such file \(full log: "):
        made._give_up_on_failure(producer, restarts_before=0)


class FakeSupervisor:
    """Runs two services."""

    def __init__(self) -> None:
        self.running = {"classify-tweets", "aggregate-topics"}

    def is_alive(self) -> bool:
        return True

    def states(self) -> dict[str, dict[str, int]]:
        return {name: {"pid": name in self.running} for name in ("kafka", "classify-tweets", "aggregate-topics")}

    def stop(self, names: list[str]) -> None:
        self.running -= set(names)


def test_one_service_is_stopped_and_the_others_run_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, said = make(tmp_path)
    supervisor = FakeSupervisor()
    monkeypatch.setattr(made, "supervisor", supervisor)
    with pytest.raises(
        ConfigurationError, match="'classifier': no such service; use some of aggregate-topics, classify-tweets, kafka"
    ):
        made.stop(["aggregate-topics", "classifier"])
    assert supervisor.running == {"classify-tweets", "aggregate-topics"}
    made.stop(["classify-tweets"])
    assert supervisor.running == {"aggregate-topics"}
    assert said == ["stopped classify-tweets; `twitter-topics up` starts what is missing"]
