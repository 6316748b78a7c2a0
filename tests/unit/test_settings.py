"""Settings: sources and their order, errors, documentation."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from twitter_topics.errors import ConfigurationError
from twitter_topics.settings import PROJECT, Settings, reference
from twitter_topics.settings.env_file import ENV_FILE_VARIABLE

PATHS = {"database_uri", "state_dir", "health_dir", "jars_dir", "catalog_uri", "checkpoint_dir"}
TOPIC_AT_IMPORT = Settings({}).kafka.raw_topic


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of the project's, with the current folder elsewhere."""
    folder, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for made in (folder, elsewhere):
        made.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr("twitter_topics.settings.paths.PROJECT", folder)
    monkeypatch.delenv(ENV_FILE_VARIABLE, raising=False)
    return folder


def test_the_documentation_of_the_settings_is_current() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run `make docs`"
    assert reference.EXAMPLE.read_text(encoding="utf-8") == reference.example(), "run `make docs`"


def test_every_setting_is_described() -> None:
    sections = Settings.sections().values()
    assert [name for section in sections for name, field in section.model_fields.items() if not field.description] == []


def test_the_example_changes_no_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = reference.EXAMPLE.read_text(encoding="utf-8").splitlines()
    settings = [line.removeprefix("#") for line in lines if re.match(r"#[A-Z_0-9]+=", line)]
    (tmp_path / "all.env").write_text("\n".join(settings))
    defaults = [getattr(Settings(), name).model_dump(exclude=PATHS) for name in Settings.sections()]
    monkeypatch.setenv(ENV_FILE_VARIABLE, str(tmp_path / "all.env"))
    assert [getattr(Settings(), name).model_dump(exclude=PATHS) for name in Settings.sections()] == defaults


@pytest.mark.parametrize(
    ("variable", "value", "section"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "broker", "kafka"),
        ("S3_ENDPOINT_URL", "storage:9000", "s3"),
        ("ELASTICSEARCH_RETENTION_DAYS", "0", "elasticsearch"),
        ("INFLUXDB_DATABASE", "a b", "influx"),
        ("PRODUCER_SOURCE", "telepathy", "producer"),
        ("PRODUCER_SYNTHETIC_LANGUAGES", "en,nl", "producer"),
        ("PRODUCER_REPLAY_SPEED", "fast", "producer"),
        ("SPEED_MAX_AGE_DAYS", "-1", "speed"),
        ("TOPICS_K", "2", "topics"),
        ("TOPICS_MIN_DOCUMENTS", "600000", "topics"),
        ("TOPICS_SEED", "-1", "topics"),
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
    assert "docs/settings.md" in str(caught.value)


def test_given_values_override_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_RAW_TOPIC", "from-outside")
    assert Settings({"KAFKA_RAW_TOPIC": "given"}).kafka.raw_topic == "given"
    assert Settings().kafka.raw_topic == "from-outside"


def test_the_env_file_is_the_projects_wherever_the_program_runs(tmp_path: Path) -> None:
    checkout, elsewhere = tmp_path / "checkout", tmp_path / "elsewhere"
    shutil.copytree(PROJECT / "twitter_topics", checkout / "twitter_topics")
    elsewhere.mkdir()
    (checkout / ".env").write_text("KAFKA_RAW_TOPIC=of-the-checkout\n")
    (elsewhere / ".env").write_text("KAFKA_RAW_TOPIC=of-the-current-folder\n")
    program = "from twitter_topics.settings import Settings; print(Settings().kafka.raw_topic)"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=elsewhere,
        env={"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == "of-the-checkout"


def test_the_environment_overrides_the_env_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".env").write_text("KAFKA_RAW_TOPIC=file\nKAFKA_GAP_TOPIC=file\n")
    monkeypatch.setenv("KAFKA_RAW_TOPIC", "environment")
    assert (Settings().kafka.raw_topic, Settings().kafka.gap_topic) == ("environment", "file")


def test_a_relative_path_in_the_env_file_starts_at_the_file(project: Path) -> None:
    (project / ".env").write_text(
        "PRODUCER_STATE_DIR=state\nX_RULES_FILE=rules.yaml\nARCHIVE_CATALOG_URI=sqlite:///catalog.db\n"
        "PRODUCER_REPLAY_FILE=archive\nSPEED_CHECKPOINT_DIR=s3a://bucket/checkpoints\n"
    )
    settings = Settings()
    assert settings.producer.state_dir == project / "state"
    assert settings.x.rules_file == str(project / "rules.yaml")
    assert settings.archive.catalog_uri == f"sqlite:///{project}/catalog.db"
    assert settings.producer.replay_file == "archive"
    assert settings.speed.checkpoint_dir == "s3a://bucket/checkpoints"


def test_another_env_file_can_be_named_and_none_at_all(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".env").write_text("KAFKA_RAW_TOPIC=of-the-project\n")
    other = project / "other.env"
    other.write_text("KAFKA_RAW_TOPIC=other\n")
    monkeypatch.setenv(ENV_FILE_VARIABLE, str(other))
    assert Settings().kafka.raw_topic == "other"
    monkeypatch.setenv(ENV_FILE_VARIABLE, "")
    assert Settings().kafka.raw_topic == "raw_tweets"


def test_an_env_file_that_cannot_be_read_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".env").write_bytes(b"X_BEARER_TOKEN=\xff")
    with pytest.raises(ConfigurationError, match=r"cannot read .*/project/\.env"):
        _ = Settings().kafka
    monkeypatch.setenv(ENV_FILE_VARIABLE, "missing.env")
    with pytest.raises(ConfigurationError, match=r"TWITTER_TOPICS_ENV_FILE=missing\.env does not exist"):
        _ = Settings().kafka


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("X_MONTHLY_CAP_DOLLAR=5", "X_MONTHLY_CAP_DOLLAR is no setting; did you mean X_MONTHLY_CAP_DOLLARS?"),
        ("export kafka_bootstrap_server = broker:9092", "KAFKA_BOOTSTRAP_SERVER is no .* KAFKA_BOOTSTRAP_SERVERS?"),
        ("PRODCUER_LIMIT=5", "PRODCUER_LIMIT is no setting; did you mean PRODUCER_LIMIT?"),
        ("ELASTIC_SEARCH_URL=http://h:9200", "ELASTIC_SEARCH_URL is no setting; did you mean ELASTICSEARCH_URL?"),
        ("SPEED_QQQQQQQQQQQQ=", "SPEED_QQQQQQQQQQQQ is no setting\n"),
        ("SPARK_CONF_DIR=/etc/spark", "SPARK_CONF_DIR is read from the environment only"),
    ],
)
def test_a_misspelt_line_of_the_env_file_is_named(project: Path, line: str, problem: str) -> None:
    file = project / ".env"
    file.write_text(f"# KAFKA_NOTHING=1\nKAFKA_RAW_TOPIC=raw\n\n{line}\n")
    with pytest.raises(ConfigurationError, match=rf"^wrong name in {file}\n  line 4: {problem.replace('?', '[?]')}"):
        _ = Settings().local
    file.write_text("KAFKA_RAW_TOPIC=raw\n")
    assert Settings().kafka.raw_topic == "raw"


def test_the_env_file_may_have_names_of_other_programs(project: Path) -> None:
    others = [
        "HTTPS_PROXY",
        "COMPOSE_PROJECT_NAME",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AIRFLOW_CONN_SPARK_DEFAULT",
    ]
    others += ["POSTGRES_PASSWORD", "ELASTIC_PASSWORD", "KIBANA_URL", "GRAFANA_ADMIN_PASSWORD", "DATABASE_URL", "TZ"]
    others += re.findall(r"\$\{([A-Z_]+)", (PROJECT / "dashboards" / "compose.yaml").read_text("utf-8"))
    (project / ".env").write_text("".join(f"{name}=http://h\n" for name in others))
    assert Settings().speed.max_age_days == 30


def test_tests_never_read_the_developers_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("KAFKA_RAW_TOPIC=developers\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("twitter_topics.settings.paths.PROJECT", tmp_path)
    assert Settings({}).kafka.raw_topic == "raw_tweets"


def test_settings_at_import_are_the_defaults() -> None:
    assert TOPIC_AT_IMPORT == "raw_tweets"


def test_tests_never_read_the_callers_environment_not_even_at_import(tmp_path: Path) -> None:
    inner = f"{__file__}::{test_settings_at_import_are_the_defaults.__name__}"
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/inner", inner],
        cwd=PROJECT,
        env={**os.environ, "KAFKA_RAW_TOPIC": "callers"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout


def test_an_empty_endpoint_means_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ENDPOINT_URL", "")
    assert Settings().s3.endpoint_url == ""


def test_secrets_can_be_files_and_the_environment_overrides_them(
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


def test_a_missing_folder_of_secrets_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for place in (file, tmp_path / "missing"):
        with pytest.raises(ConfigurationError, match=r"TWITTER_TOPICS_SECRETS_DIR: .*(file|missing) is not a folder"):
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
        Settings().kafka.raw_topic = "other"
