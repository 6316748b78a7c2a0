"""A canary in every secret setting: whatever goes wrong, none is seen in a log, an error, a file or on a screen."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from tests.fakes.http import Connection, HttpServer
from tests.waiting import until
from twitter_topics.cli.main import app
from twitter_topics.errors import EXIT_CONFIGURATION, ConfigurationError
from twitter_topics.settings import Settings

CANARY = "canary-7c1f"
NOBODY = "127.0.0.1:9"


def secret_names() -> list[str]:
    return [
        f"{section.model_config['env_prefix']}{name.upper()}"
        for section in Settings.sections().values()
        for name, field in section.model_fields.items()
        if field.annotation is SecretStr
    ]


SECRETS = {name: f"{CANARY}-{number}" for number, name in enumerate(secret_names())}


def echo(connection: Connection) -> None:
    """A server that rejects every request, and echoes the whole request in its response."""
    request = connection.request
    echoed = {"error": "unauthorized", "title": str(request.headers), "detail": f"{request.query} {request.body!r}"}
    connection.answer(401, json.dumps(echoed).encode(), {"Content-Type": "application/json", "X-You-Said": CANARY})


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Every secret set, servers that echo them, and unused addresses for the rest."""
    with closing(HttpServer(echo)) as server:
        yield SECRETS | {
            "X_API_URL": server.url,
            "MASTODON_URL": server.url,
            "TWITTER_STREAM_URL": f"{server.url}/1.1",
            "INFLUXDB_URL": server.url,
            "INFLUXDB_USERNAME": "somebody",
            "S3_ENDPOINT_URL": server.url,
            "S3_ACCESS_KEY_ID": "somebody",
            "ELASTICSEARCH_URL": server.url,
            "BLUESKY_HOSTS": f"ws://{NOBODY}",
            "KAFKA_BOOTSTRAP_SERVERS": NOBODY,
            "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "KAFKA_SASL_MECHANISM": "PLAIN",
            "KAFKA_SASL_USERNAME": "somebody",
            "PRODUCER_REPLAY_FILE": "s3://tweets/2026/",
            "PRODUCER_STATE_DIR": str(tmp_path / "producer"),
            "SPEED_HEALTH_DIR": str(tmp_path / "health"),
            "LOCAL_STATE_DIR": str(tmp_path / "stack"),
        }


def assert_silent(text: str, folder: Path) -> None:
    basic = [base64.b64encode(f"somebody:{secret}".encode()).decode() for secret in SECRETS.values()]
    for seen in (CANARY, *basic):
        assert seen not in text
        for file in folder.rglob("*"):
            assert not file.is_file() or seen.encode() not in file.read_bytes(), file


def test_every_secret_setting_has_a_canary() -> None:
    assert len(SECRETS) >= 12
    assert {"X_BEARER_TOKEN", "MASTODON_ACCESS_TOKEN", "KAFKA_SASL_PASSWORD"} <= set(SECRETS)
    settings = Settings(SECRETS)
    held = [settings.x.bearer_token, settings.mastodon.access_token, settings.kafka.sasl_password]
    assert all(one.get_secret_value().startswith(CANARY) for one in held)


def test_sections_and_their_errors_hide_secrets() -> None:
    settings = Settings(SECRETS)
    for name in Settings.sections():
        section = getattr(settings, name)
        shown = f"{section!r} {section} {section.model_dump_json()} {vars(section)}"
        assert CANARY not in shown, name
    for wrong in ({"X_DAILY_CAP_POSTS": "many"}, {"MASTODON_STREAM": "all"}, {"LOCAL_PORT_OFFSET": "x"}):
        broken = Settings(SECRETS | wrong)
        with pytest.raises(ConfigurationError) as caught:
            getattr(broken, next(iter(wrong)).partition("_")[0].lower())
        assert CANARY not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__}"


@pytest.mark.parametrize("name", ["x_v2", "replay"])
def test_a_rejected_producer(tmp_path: Path, environment: dict[str, str], name: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "producer"],
        cwd=tmp_path,
        env={**os.environ, **environment, "PRODUCER_SOURCE": name},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == EXIT_CONFIGURATION, ended.stderr
    assert_silent(ended.stdout + ended.stderr, tmp_path)


def test_a_producer_whose_kafka_and_influxdb_fail(tmp_path: Path, environment: dict[str, str]) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "producer"], cwd=tmp_path, env={**os.environ, **environment}, stderr=file
        )
        try:
            said = ("retrying, the producer keeps running", "waiting: ")
            until(lambda: all(one in log.read_text() for one in said) or process.poll() is not None, 240, log.read_text)
            assert process.poll() is None, log.read_text()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()
    assert json.loads((tmp_path / "health" / "producer.json").read_text())["state"] == "stopped"
    assert "rejected INFLUXDB_USERNAME" in log.read_text()
    assert_silent("", tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "status --json",
        "doctor",
        "sources list",
        "sources list --json",
        "sources check x_v2",
        "sources check mastodon",
        "sources check twitter_v1",
        "sources check replay",
        "sources check bluesky",
        "sources rules rules.yml",
        "sources gaps",
        "topics",
        "models",
    ],
)
def test_no_command_reveals_a_secret(
    tmp_path: Path, environment: dict[str, str], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yml").write_text("- value: cats\n  tag: cats\n")
    shown = CliRunner().invoke(app, command.split(), env={**environment, "COLUMNS": "4000"})
    assert shown.output
    assert "Traceback" not in shown.output
    assert shown.exception is None or isinstance(shown.exception, SystemExit), repr(shown.exception)
    assert_silent(shown.output, tmp_path)
