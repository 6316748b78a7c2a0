"""The stack's decisions, without its servers. (tests/e2e runs it.)"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.local import followed, jars, secrets, services, stack, status
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


def test_services_that_see_s3_have_the_sdks_own_credentials_while_the_settings_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a credential")
    names = ("producer", "classify-tweets", "aggregate-topics", "api-server", "scheduler", "kafka")

    def seers(**given: str) -> set[str]:
        made, _ = make(tmp_path, **given)
        return {name for name in names if {"AWS_PROFILE", "AWS_SESSION_TOKEN"} <= environment(made, name).keys()}

    assert seers(S3_ENDPOINT_URL="") == {"classify-tweets", "aggregate-topics", "api-server", "scheduler"}
    assert seers(S3_ENDPOINT_URL="", PRODUCER_SOURCE="replay") == set(names) - {"kafka"}
    assert seers(S3_ENDPOINT_URL="", S3_ACCESS_KEY_ID="a", S3_SECRET_ACCESS_KEY="b") == set()
    assert seers() == set(), "the stack's own S3 has a key"


def test_a_changed_setting_concerns_the_services_that_see_it(tmp_path: Path) -> None:
    before, _ = make(tmp_path)
    before._write_environments()
    for service in before.all_services:
        text = before.layout.service_environment(service.name).read_text()
        state = {"phase": "running", "fingerprint": hashlib.sha256(text.encode()).hexdigest()}
        before.layout.service_state(service.name).write_text(json.dumps(state))
    assert make(tmp_path)[0]._write_environments() == set()
    assert make(tmp_path, PRODUCER_LIMIT="5")[0]._write_environments() == {"producer"}


class FakeSupervisor:
    """A supervisor that runs with the configuration of some stack."""

    def __init__(self, of: Stack) -> None:
        self.configuration_file = of.supervisor.configuration_file
        self.configuration_file.write_text(of._configuration())
        self.alive = True

    def is_alive(self) -> bool:
        return self.alive

    def states(self) -> dict[str, dict[str, Any]]:
        return {}

    def leftovers(self) -> set[int]:
        return set()

    def stop(self, names: Collection[str]) -> None:
        pass

    def shut_down(self) -> None:
        self.alive = False


@pytest.mark.parametrize(
    ("given", "stops"),
    [
        ({}, False),
        ({"PRODUCER_LIMIT": "5"}, False),
        ({"LOCAL_PORT_OFFSET": "100"}, True),
        ({"LOCAL_ELASTICSEARCH_HEAP": "1g"}, True),
        ({"ELASTICSEARCH_URL": "https://search.example.org"}, True),
    ],
)
def test_another_configuration_of_the_servers_stops_the_running_stack(
    tmp_path: Path, given: dict[str, str], stops: bool
) -> None:
    before, _ = make(tmp_path)
    after, said = make(tmp_path, **given)
    supervisor = FakeSupervisor(before)
    after.supervisor = supervisor  # type: ignore[assignment]
    after._stop_outdated_stack()
    assert supervisor.is_alive() is not stops
    assert [line for line in said if "ports or memory of servers have changed" in line] == said
    assert before._secrets["S3_SECRET_ACCESS_KEY"] not in supervisor.configuration_file.read_text()


def started(tmp_path: Path, **given: str) -> Stack:
    made, _ = make(tmp_path, **given)
    made._remember_wanted(made.all_services)
    followed.remember(made.layout, made._settings, made.addresses.variables)
    return made


def test_a_start_that_names_no_source_keeps_that_of_the_last_one(tmp_path: Path) -> None:
    started(tmp_path, PRODUCER_SOURCE="bluesky,mastodon")
    again, said = make(tmp_path)
    again._say_what_is_kept()
    assert said == ["PRODUCER_SOURCE=bluesky,mastodon as at the last start; set PRODUCER_SOURCE to choose anew"]
    assert {"producer-bluesky", "producer-mastodon"} <= {service.name for service in again.all_services}
    assert environment(again, "scheduler")["PRODUCER_SOURCE"] == "bluesky,mastodon"
    named, said = make(tmp_path, PRODUCER_SOURCE="synthetic")
    named._say_what_is_kept()
    assert (said, named._settings.producer.sources) == ([], ("synthetic",))


def test_the_first_start_and_the_default_source_are_not_mentioned(tmp_path: Path) -> None:
    first, said = make(tmp_path)
    first._say_what_is_kept()
    started(tmp_path)
    second, said_again = make(tmp_path)
    second._say_what_is_kept()
    assert said == said_again == []
    assert second._settings.producer.sources == ("synthetic",)


def test_a_replay_keeps_its_files_but_only_as_long_as_it_is_kept(tmp_path: Path) -> None:
    started(tmp_path, PRODUCER_SOURCE="replay", PRODUCER_REPLAY_FILE="a.jsonl", PRODUCER_REPLAY_TIMES="shift")
    kept = make(tmp_path, PRODUCER_REPLAY_TIMES="keep")[0]._settings.producer
    assert (kept.sources, kept.replay_file, kept.replay_times) == (("replay",), str(tmp_path / "a.jsonl"), "keep")
    other = make(tmp_path, PRODUCER_SOURCE="bluesky")[0]._settings.producer
    assert (other.sources, other.replay_file) == (("bluesky",), "")


def test_a_limited_run_stays_limited_until_the_limit_is_removed_or_a_source_is_named(tmp_path: Path) -> None:
    started(tmp_path, PRODUCER_SOURCE="x_v2", PRODUCER_LIMIT="95")
    again, said = make(tmp_path)
    again._say_what_is_kept()
    assert environment(again, "producer").get("PRODUCER_LIMIT") == "95"
    assert said == [
        "PRODUCER_SOURCE=x_v2 PRODUCER_LIMIT=95 as at the last start; set PRODUCER_SOURCE to choose anew, "
        "or PRODUCER_LIMIT=0 for no limit"
    ]
    assert make(tmp_path, PRODUCER_SOURCE="x_v2")[0]._settings.producer.limit == 0
    removed = started(tmp_path, PRODUCER_LIMIT="0")._settings.producer
    later, said = make(tmp_path)
    later._say_what_is_kept()
    assert (removed.source, removed.limit, later._settings.producer.limit) == ("x_v2", 0, 0)
    assert said == ["PRODUCER_SOURCE=x_v2 as at the last start; set PRODUCER_SOURCE to choose anew"]


def test_generated_tweets_keep_their_languages(tmp_path: Path) -> None:
    started(tmp_path, PRODUCER_SYNTHETIC_LANGUAGES="en,es", PRODUCER_SYNTHETIC_SEED="7")
    again, said = make(tmp_path)
    again._say_what_is_kept()
    producer = again._settings.producer
    assert (producer.synthetic_languages, producer.synthetic_seed) == ("en,es", 7)
    assert len(said) == 1
    assert "PRODUCER_SYNTHETIC_LANGUAGES=en,es" in said[0]
    assert make(tmp_path, PRODUCER_SYNTHETIC_LANGUAGES="ja")[0]._settings.producer.synthetic_languages == "ja"
    assert make(tmp_path, PRODUCER_SOURCE="synthetic")[0]._settings.producer.synthetic_languages == ""


def test_a_running_stack_is_shown_with_the_source_that_it_was_started_with(tmp_path: Path) -> None:
    before = started(tmp_path, PRODUCER_SOURCE="bluesky,mastodon")
    shown = {}
    for given in ({}, {"PRODUCER_SOURCE": "synthetic"}):
        now = make(tmp_path, **given)[0]
        seen = Stack(followed.as_started(now.layout, now._given), now._say)
        seen.supervisor = FakeSupervisor(before)  # type: ignore[assignment]
        shown[given.get("PRODUCER_SOURCE")] = [row.name for row in status.read(seen).services]
    assert shown[None] == shown["synthetic"]
    assert [name for name in shown[None] if name.startswith("producer")] == ["producer-bluesky", "producer-mastodon"]


def test_a_started_service_that_the_settings_lack_is_not_healthy(tmp_path: Path) -> None:
    before = started(tmp_path)
    after, _ = make(tmp_path, ELASTICSEARCH_URL="https://search.example.org")
    after.supervisor = FakeSupervisor(before)  # type: ignore[assignment]
    row = next(row for row in status.read(after).services if row.name == "elasticsearch")
    assert (row.ok, row.phase) == (False, "not in the settings")


def test_reports_in_another_folder_are_refused_before_anything_starts(tmp_path: Path) -> None:
    made = Stack(Settings({"LOCAL_STATE_DIR": str(tmp_path / "state"), "SPEED_HEALTH_DIR": "reports"}), print)
    with pytest.raises(ConfigurationError, match=r"^SPEED_HEALTH_DIR=reports: .*/state/health; unset SPEED_HEALTH_DIR"):
        made.up()
    assert not made.layout.state.exists()
    make(tmp_path, SPEED_HEALTH_DIR=str(tmp_path / "state" / "health"))[0]._check_health_folder()
    make(tmp_path)[0]._check_health_folder()


@pytest.mark.parametrize("terminal", [True, False])
def test_the_first_passwords_are_shown_once_and_only_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    made, said = make(tmp_path)
    made._show_new_passwords()
    known = secrets.load(made.layout.secrets)
    passwords = [known["AIRFLOW_ADMIN_PASSWORD"], known["AIRFLOW_VIEWER_PASSWORD"]]
    assert [one for one in passwords if any(one in line for line in said)] == (passwords if terminal else [])
    assert str(made.layout.secrets) in said[0]
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


class TwoServices:
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
    supervisor = TwoServices()
    monkeypatch.setattr(made, "supervisor", supervisor)
    with pytest.raises(
        ConfigurationError, match="'classifier': no such service; use some of aggregate-topics, classify-tweets, kafka"
    ):
        made.stop(["aggregate-topics", "classifier"])
    assert supervisor.running == {"classify-tweets", "aggregate-topics"}
    made.stop(["classify-tweets"])
    assert supervisor.running == {"aggregate-topics"}
    assert said == ["stopped classify-tweets; `twitter-topics up` starts what is missing"]
