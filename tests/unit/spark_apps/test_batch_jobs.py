"""Every batch job reports a wrong argument or setting in one sentence and with one exit code, before Spark starts."""

from __future__ import annotations

import argparse
import logging
import runpy
import sys
from pathlib import Path
from typing import NoReturn

import pytest

import spark_apps.batch
from twitter_topics.backends import spark_session
from twitter_topics.errors import EXIT_CONFIGURATION

FOLDER = Path(spark_apps.batch.__file__).parent
JOBS = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))

VERSION, HOUR, NEXT_HOUR = "20261104T120000Z-gsdmm", "2024-11-01T10:00Z", "2024-11-01T11:00Z"
VALID: dict[str, dict[str, str]] = {
    "apply_deletions": {"--run": "manual__1"},
    "evaluate_topics": {"--version": VERSION},
    "maintain_archive": {
        "--snapshot": "1",
        "--closed-before": HOUR,
        "--min-files": "2",
        "--expire-hours": "24",
        "--orphan-hours": "72",
    },
    "measure_drift": {"--version": VERSION, "--day": "2024-11-01"},
    "recount_topics": {"--from": HOUR, "--to": NEXT_HOUR, "--version": VERSION},
    "train_topics": {"--version": VERSION},
}
OUT_OF_RANGE: list[tuple[str, dict[str, str]]] = [
    ("maintain_archive", {"--closed-before": "2926-11-01T10:00Z"}),
    ("maintain_archive", {"--closed-before": "2024-11-01T10:30Z"}),
    ("maintain_archive", {"--min-files": "1"}),
    ("maintain_archive", {"--snapshot": "0"}),
    ("maintain_archive", {"--orphan-hours": "23"}),
    ("measure_drift", {"--day": "2926-11-01"}),
    ("measure_drift", {"--day": "2024-13-01"}),
    ("recount_topics", {"--to": HOUR}),
    ("recount_topics", {"--to": "2926-11-01T10:00Z"}),
    ("recount_topics", {"--from": "2024-09-01T00:00Z"}),
    ("recount_topics", {"--from": "0001-01-01T00:00+14:00"}),
    ("train_topics", {"--k": "1"}),
    ("train_topics", {"--min-documents": "3"}),
    ("train_topics", {"--from": "2027-01-01"}),
    ("train_topics", {"--window-hours": "99999999999"}),
    ("train_topics", {"--version": "20269999T999999Z-gsdmm"}),
]


class SparkStartedError(Exception):
    """A JVM was asked for."""


class Context:
    """Stands for SparkContext."""

    @staticmethod
    def _ensure_initialized(**_: object) -> NoReturn:
        raise SparkStartedError


@pytest.fixture(autouse=True)
def _no_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "connector.jar").touch()
    monkeypatch.setenv("SPARK_JARS_DIR", str(tmp_path))
    monkeypatch.setenv("S3_ACCESS_KEY_ID", "nobody")  # otherwise boto3 asks the cloud for keys
    monkeypatch.setenv("S3_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setattr(spark_session, "SparkContext", Context)


def start(name: str, options: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> object:
    """Run the job's script as Airflow does; return its exit code."""
    script = str(FOLDER / f"{name}.py")
    monkeypatch.setattr(sys, "argv", [script, *(word for option in options.items() for word in option)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(script, run_name="__main__")
    return ended.value.code


def options_of(name: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the job's options that do not accept every text."""
    seen: list[argparse.Action] = []

    def look(parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        seen.extend(parser._actions)
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(argparse.ArgumentParser, "parse_args", look)
        start(name, {}, patched)
    return [action.option_strings[0] for action in seen if action.type or action.choices]


def only_error(caplog: pytest.LogCaptureFixture) -> str:
    (record,) = caplog.records
    assert (record.levelno, record.exc_info) == (logging.ERROR, None)
    return record.getMessage()


@pytest.mark.parametrize("name", JOBS)
def test_right_arguments_reach_spark(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the tests below could pass for the wrong reason."""
    monkeypatch.setattr(sys, "argv", [name, *(word for option in VALID[name].items() for word in option)])
    with pytest.raises(SparkStartedError):
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize(("variable", "value"), [("SPARK_SHUFFLE_PARTITIONS", "many"), ("S3_ENDPOINT_URL", "nowhere")])
def test_a_wrong_setting(
    name: str, variable: str, value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(variable, value)
    assert start(name, VALID[name], monkeypatch) == EXIT_CONFIGURATION
    assert variable in only_error(caplog)


@pytest.mark.parametrize("name", JOBS)
def test_a_missing_argument_and_one_that_does_not_exist(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert start(name, {}, monkeypatch) == EXIT_CONFIGURATION
    assert next(iter(VALID[name])) in only_error(caplog)
    caplog.clear()
    assert start(name, VALID[name] | {"--no-such-option": "1"}, monkeypatch) == EXIT_CONFIGURATION
    assert "--no-such-option" in only_error(caplog)


@pytest.mark.parametrize("name", JOBS)
def test_no_option_takes_nonsense(name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for option in options_of(name, monkeypatch):
        caplog.clear()
        assert start(name, VALID[name] | {option: "../../x"}, monkeypatch) == EXIT_CONFIGURATION, option
        assert option in only_error(caplog)


@pytest.mark.parametrize(("name", "wrong"), OUT_OF_RANGE)
def test_a_range_that_cannot_be(
    name: str, wrong: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert start(name, VALID[name] | wrong, monkeypatch) == EXIT_CONFIGURATION
    assert only_error(caplog)
