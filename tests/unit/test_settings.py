"""Settings: one place, clear refusals, and an example file that tells the truth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from twitter_topics import settings as module
from twitter_topics.errors import ConfigurationError
from twitter_topics.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def sections() -> list[type[BaseSettings]]:
    classes = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, BaseSettings)]
    return [one for one in classes if one is not BaseSettings]


def documented() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(match.groups() for line in lines if (match := re.match(r"^#([A-Z][A-Z0-9_]+)=(.*)$", line)))  # type: ignore[misc]


def test_the_example_lists_every_setting_with_its_default_and_no_other() -> None:
    defaults = {}
    for section in sections():
        for name, field in section.model_fields.items():
            value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
            defaults[f"{section.model_config['env_prefix']}{name.upper()}"] = str(value)
    assert documented() == defaults


@pytest.mark.parametrize(
    ("variable", "value", "section"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "broker", "kafka"),
        ("S3_ENDPOINT_URL", "storage:9000", "s3"),
        ("ELASTICSEARCH_RETENTION_DAYS", "0", "elasticsearch"),
        ("INFLUXDB_DATABASE", "a b", "influx"),
        ("PRODUCER_SOURCE", "telepathy", "producer"),
        ("PRODUCER_REPLAY_SPEED", "fast", "producer"),
        ("SPEED_MAX_AGE_DAYS", "-1", "speed"),
        ("TOPICS_K", "1", "topics"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, section: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        getattr(Settings(), section)
    assert variable in str(caught.value)
    assert repr(value) in str(caught.value)
    assert ".env.example" in str(caught.value)


def test_given_values_beat_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_RAW_TOPIC", "from-outside")
    assert Settings({"KAFKA_RAW_TOPIC": "given"}).kafka.raw_topic == "given"
    assert Settings().kafka.raw_topic == "from-outside"


def test_secrets_may_lie_in_files_and_the_environment_beats_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "X_BEARER_TOKEN").write_text("from-a-file\n")
    (tmp_path / "kafka_sasl_password").write_text("lower-case")
    monkeypatch.setenv("TWITTER_TOPICS_SECRETS_DIR", str(tmp_path))
    assert Settings().x.bearer_token.get_secret_value() == "from-a-file"
    assert Settings().kafka.sasl_password.get_secret_value() == "lower-case"
    monkeypatch.setenv("X_BEARER_TOKEN", "from-outside")
    assert Settings().x.bearer_token.get_secret_value() == "from-outside"
    assert Settings({"X_BEARER_TOKEN": "given"}).x.bearer_token.get_secret_value() == "given"


def test_a_folder_of_secrets_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for place in (file, tmp_path / "missing"):
        with pytest.raises(
            ConfigurationError, match=r"TWITTER_TOPICS_SECRETS_DIR: there is no folder .*(file|missing)"
        ):
            _ = Settings({"TWITTER_TOPICS_SECRETS_DIR": str(place)}).x
    (tmp_path / "X_BEARER_TOKEN").write_bytes(b"canary\xff")
    with pytest.raises(ConfigurationError, match="TWITTER_TOPICS_SECRETS_DIR") as caught:
        _ = Settings({"TWITTER_TOPICS_SECRETS_DIR": str(tmp_path)}).x
    assert "canary" not in f"{caught.value}{caught.value.__cause__}"


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_SECRET_ACCESS_KEY", "canary-9f2")
    assert "canary-9f2" not in repr(Settings().s3)
    assert "canary-9f2" not in str(Settings().s3)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().kafka.raw_topic = "other"  # type: ignore[misc]
