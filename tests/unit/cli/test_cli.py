"""The command line, mostly when something is wrong."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from twitter_topics.audit.balance import Facts, Report, State
from twitter_topics.cli.main import app
from twitter_topics.errors import EXIT_CONFIGURATION, EXIT_TRY_AGAIN, ConfigurationError, RetryableError
from twitter_topics.local import doctor, java, services
from twitter_topics.local.layout import Layout
from twitter_topics.settings import PROJECT, Settings
from twitter_topics.settings.env_file import ENV_FILE_VARIABLE


@pytest.fixture(autouse=True)
def _fresh_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCAL_STATE_DIR", str(tmp_path / "state"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_a_stack_that_does_not_run_is_not_healthy() -> None:
    shown = run("status")
    assert shown.exit_code == 1
    assert "make up" in shown.output
    as_json = run("status", "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.output) == {"healthy": False, "up": False, "services": [], "parts": []}


def test_down_without_a_stack_succeeds() -> None:
    stopped = run("down")
    assert stopped.exit_code == 0
    assert "was not running" in stopped.output


def test_stop_is_down() -> None:
    assert (run("stop").exit_code, run("stop").output) == (0, run("down").output)


def test_stop_of_some_services_without_a_stack_succeeds() -> None:
    stopped = run("stop", "classify-tweets")
    assert stopped.exit_code == 0
    assert "was not running" in stopped.output


def test_stop_stops_only_the_services_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[list[str]] = []
    monkeypatch.setattr("twitter_topics.local.stack.Stack.stop", lambda _self, names: stopped.append(names))
    assert run("stop", "classify-tweets", "producer").exit_code == 0
    assert stopped == [["classify-tweets", "producer"]]


def test_clean_finds_the_state_folder_that_only_the_env_file_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCAL_STATE_DIR")
    (tmp_path / ".env").write_text(f"LOCAL_STATE_DIR={tmp_path}/elsewhere\n")
    monkeypatch.setenv(ENV_FILE_VARIABLE, str(tmp_path / ".env"))
    layout = Layout(tmp_path / "elsewhere")
    layout.make()
    layout.secrets.touch()
    assert run("clean").exit_code != 0, "not confirmed"
    assert layout.secrets.exists()
    assert run("clean", "--yes").exit_code == 0
    assert list(layout.state.iterdir()) == []


def test_clean_without_a_stack_creates_and_deletes_nothing(tmp_path: Path) -> None:
    cleaned = run("clean", "--yes")
    assert cleaned.exit_code == 0
    assert "nothing to delete" in cleaned.output
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    "command", ["topics", "status", "up", "down", "stop kafka", "clean --yes", "logs kafka", "doctor", "sources list"]
)
def test_another_users_stack_is_named(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    layout = Layout.of(Settings().local)
    layout.make()
    monkeypatch.setattr("os.getuid", lambda: layout.run.stat().st_uid + 1)
    shown = run(*command.split())
    assert (shown.exit_code, str(layout.state) in shown.output) == (EXIT_CONFIGURATION, True), shown.exception
    assert "belongs to user" in shown.output


def test_root_stops_a_users_stack_but_starts_none_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Layout] = []
    Layout(tmp_path / "state").make()
    owner = tmp_path.stat().st_uid
    (tmp_path / "state" / "tmp").rmdir()  # of an older version
    monkeypatch.setattr("os.getuid", lambda: 0)
    monkeypatch.setattr("pathlib.Path.stat", owned_by(owner or 1000))
    monkeypatch.setattr(Layout, "make", lambda layout: made.append(layout))
    assert run("down").exit_code == run("stop", "kafka").exit_code == run("logs", "--help").exit_code == 0
    monkeypatch.setattr(doctor, "available_memory_gib", lambda: 64.0)
    refused = run("up")
    assert (refused.exit_code, "belongs to user" in refused.output) == (EXIT_CONFIGURATION, True)
    assert made == [], "root would own what it makes"


def owned_by(uid: int) -> Callable[..., os.stat_result]:
    real = Path.stat

    def stat_of(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = real(path, follow_symlinks=follow_symlinks)
        return os.stat_result((*found[:4], uid, *found[5:]))

    return stat_of


def test_make_clean_is_the_command() -> None:
    recipe = (PROJECT / "Makefile").read_text().split("\nclean:", 1)[1]
    assert "rm " not in recipe
    assert "$(CLI) clean --yes" in recipe


@pytest.mark.parametrize("target", ["status", "doctor", "logs", "clean"])
def test_a_fresh_clone_is_told_what_to_run_first(tmp_path: Path, target: str) -> None:
    command = ["make", "-f", str(PROJECT / "Makefile"), target]
    clean = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=clean, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == f"make {target} needs .venv; run make bootstrap first"


def dry(*arguments: str, **variables: str) -> str:
    """Return what make would run, or its error."""
    command = ["make", "-s", "-n", "-f", str(PROJECT / "Makefile"), *arguments]
    environment = {"PATH": "/usr/bin:/bin"} | variables
    done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_make_logs_takes_a_name_from_its_command_line_only() -> None:
    assert "logs classify-tweets\n" in dry("logs", NAME="my-laptop")
    assert "logs kafka\n" in dry("logs", "NAME=kafka", NAME="my-laptop")


@pytest.mark.parametrize("target", ["demo", "up"])
def test_the_whole_history_is_replayed_only_after_a_yes(target: str) -> None:
    for word in ("yes", "1", "true"):
        assert f"{target} --whole-history" in dry(target, f"WHOLE_HISTORY={word}")
    for word in ("no", "0", "false", ""):
        shown = dry(target, f"WHOLE_HISTORY={word}")
        assert f"twitter-topics {target}" in shown
        assert "--whole-history" not in shown
    wrong = dry(target, "WHOLE_HISTORY=maybe")
    assert "WHOLE_HISTORY=maybe is neither yes nor no" in wrong
    assert f"twitter-topics {target}" not in wrong


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_lacks_characters_shows_question_marks(tmp_path: Path, encoding: str) -> None:
    program = """if True:
        from twitter_topics.cli import screen
        from twitter_topics.cli.main import app
        @app.command()
        def shows() -> None:
            screen.say("台風 \\udcff")
            raise SystemExit(3)
        app(["shows"])
    """
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split()) == (3, [b"??", b"?"]), done.stderr.decode()


def test_the_version_is_the_packages() -> None:
    shown = run("--version")
    assert (shown.exit_code, shown.output) == (0, f"twitter-topics {version('twitter-topics')}\n")


def complete(line: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the shell's completions of a line's last word."""
    monkeypatch.setenv("_TWITTER_TOPICS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
    return CliRunner().invoke(app, prog_name="twitter-topics").output.split()


def test_a_shell_completes_commands_and_names_of_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert complete("twitter-topics st", monkeypatch) == ["status", "stop"]
    (tmp_path / "state" / "log").mkdir(parents=True)
    for name in ("kafka", "producer"):
        (tmp_path / "state" / "log" / f"{name}.log").touch()
    assert complete("twitter-topics logs pro", monkeypatch) == ["producer"]


def test_help_documents_completion_and_exit_codes() -> None:
    shown = " ".join(run("--help").output.split())
    assert "--install-completion" in shown
    for meaning in ("0 done", "1 failed", "2 wrong usage", "75 not ready", "78 wrong configuration"):
        assert meaning in shown
    assert run("up", "--no-such-option").exit_code == 2


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("broken", 1), ("lagging", EXIT_TRY_AGAIN)])
def test_the_audits_exit_code_is_never_that_of_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, state: State, code: int
) -> None:
    balance: dict[str, Any] = {"produced": 9, "archived": 9, "archived_records": 9, "archived_distinct": 9}
    facts = Facts(**balance, counted=9, counted_expected=9, uncounted=0)
    monkeypatch.setattr("twitter_topics.audit.run.audit", lambda *_, **__: Report(state, (), facts))
    monkeypatch.setattr("twitter_topics.audit.stores.RealStores", lambda _: None)
    assert run("audit").exit_code == code
    assert run("audit", "--wait", "soon").exit_code == 2


def test_an_unavailable_store_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(*_: object, **__: object) -> Report:
        raise RetryableError("Kafka is unavailable")

    monkeypatch.setattr("twitter_topics.audit.run.audit", look)
    monkeypatch.setattr("twitter_topics.audit.stores.RealStores", lambda _: None)
    failed = run("audit")
    assert failed.exit_code == EXIT_TRY_AGAIN
    assert "Kafka is unavailable" in failed.output


def test_a_wrong_setting_is_a_sentence_and_an_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_PORT_OFFSET", "many")
    failed = run("status")
    assert failed.exit_code == EXIT_CONFIGURATION
    assert "LOCAL_PORT_OFFSET" in failed.output
    assert "Traceback" not in failed.output


@pytest.mark.parametrize("arguments", [("counts", "status"), ("counts", "status", "--json"), ("counts", "rebuild")])
def test_counts_that_do_not_exist_are_not_made_by_a_look_at_them(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    failed = run(*arguments)
    assert failed.exit_code == EXIT_TRY_AGAIN
    said = " ".join(failed.output.split())
    assert "counts.db does not exist: the aggregator makes it at its first start (make up)" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["models", "topics"])
def test_before_the_first_start_the_models_need_credentials(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    failed = run(command)
    assert failed.exit_code == EXIT_CONFIGURATION
    said = " ".join(failed.output.split())
    assert "no credentials. Set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY. The local stack makes them" in said
    assert "(make up)" in said


def test_logs_of_an_unknown_service_names_the_known(tmp_path: Path) -> None:
    (tmp_path / "state" / "log").mkdir(parents=True)
    (tmp_path / "state" / "log" / "kafka.log").write_text("one\ntwo\n")
    failed = run("logs", "kafak")
    assert failed.exit_code == EXIT_CONFIGURATION
    assert "use one of kafka" in failed.output


@pytest.mark.parametrize("code", [0, 1, -13])
def test_logs_end_as_tail_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    (tmp_path / "state" / "log").mkdir(parents=True)
    (tmp_path / "state" / "log" / "kafka.log").touch()
    fake = tmp_path / "bin" / "tail"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\n{f'kill {code} $$' if code < 0 else f'exit {code}'}\n")
    fake.chmod(0o700)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    ended = run("logs", "kafka")
    assert ended.exit_code == (code if code >= 0 else 128 - code)
    assert ended.exception is None or isinstance(ended.exception, SystemExit)


def test_too_little_memory_stops_the_start_with_a_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "available_memory_gib", lambda: 1.0)
    failed = run("up")
    assert failed.exit_code == EXIT_CONFIGURATION
    assert "1.0 GiB available, 6.0 GiB needed" in failed.output
    assert "LOCAL_MIN_MEMORY_GIB" in failed.output
    assert not (Path("state") / "secrets.json").exists()


def test_a_part_of_the_stack_needs_a_part_of_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "available_memory_gib", lambda: 2.0)
    assert doctor.memory(Settings(), services.GROUPS[:1]).ok
    assert not doctor.memory(Settings(), services.GROUPS).ok


def fake_java(home: Path, version: str) -> None:
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("21.0.1", 21)])
def test_javas_that_spark_supports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, major: int) -> None:
    fake_java(tmp_path / "jdk", version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert java.find_java() == java.Java(tmp_path / "jdk", major)


@pytest.mark.parametrize("version", ["1.8.0_292", "11.0.2", "25"])
def test_other_javas_are_named_with_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    fake_java(tmp_path / "jdk", version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    with pytest.raises(ConfigurationError, match=r"JAVA_HOME=.* has Java \d+ .*install one, e\.g\. `sudo"):
        java.find_java()


def test_doctor_shows_a_fix_for_each_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "none"))
    results = {result.name: result for result in doctor.examine(Settings())}
    assert not results["java"].ok
    assert "apt-get install openjdk-21" in results["java"].fix
    assert results["python"].ok
    assert run("doctor").exit_code == 1


def test_doctor_finds_a_state_folder_that_is_not_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: not (path == tmp_path and mode & os.W_OK))
    (disk,) = [result for result in doctor.examine(Settings()) if result.name == "disk"]
    assert (disk.ok, disk.detail) == (False, f"{tmp_path} is not writable")
    assert "LOCAL_STATE_DIR" in disk.fix
