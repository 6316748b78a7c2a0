"""The runner as a real process, with services that are small shell or Python programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.waiting import until
from twitter_topics.errors import EXIT_CONFIGURATION
from twitter_topics.local import processes
from twitter_topics.local.runner import RestartPauses
from twitter_topics.logs import read_line
from twitter_topics.settings import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
IGNORES_TERM = [
    *(sys.executable, "-S", "-c"),
    "import pathlib, signal, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "pathlib.Path(sys.argv[1]).touch()\n"
    "time.sleep(600)",
]


class Started:
    """A runner under test."""

    def __init__(self, folder: Path, *options: str, command: list[str]) -> None:
        self.state_file = folder / "service.state.json"
        runner = [sys.executable, "-S", "-m", "twitter_topics.local.runner", "service", "--state", str(self.state_file)]
        self.log_file = folder / "service.log"
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*runner, "--first-pause", "0.02", "--longest-pause", "0.1", *options, "--", *command],
                env={"PYTHONPATH": str(PROJECT), "PATH": os.environ["PATH"]},
                stderr=log,
            )

    @property
    def state(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.state_file.read_text())
        except OSError:
            return {}
        return found

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=10)


@pytest.fixture
def runners() -> Iterator[list[Started]]:
    started: list[Started] = []
    yield started
    for runner in started:
        if runner.process.poll() is None:
            left = processes.descendants([runner.process.pid], processes.snapshot())
            runner.process.kill()
            processes.send(left, signal.SIGKILL)
            runner.process.wait()


def start(runners: list[Started], folder: Path, *options: str, command: list[str]) -> Started:
    runners.append(Started(folder, *options, command=command))
    return runners[-1]


def test_pauses_double_up_to_their_cap_and_start_again_after_a_healthy_run() -> None:
    pauses = RestartPauses()
    assert [pauses.after(ran_seconds=1) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert pauses.after(ran_seconds=60) == 1
    assert pauses.after(ran_seconds=1) == 2


def test_a_failing_service_is_restarted_without_limit(tmp_path: Path, runners: list[Started]) -> None:
    runner = start(
        runners, tmp_path, command=["sh", "-c", "echo x >> starts; exit 3".replace("starts", f"{tmp_path}/starts")]
    )
    until(lambda: runner.state.get("restarts", 0) >= 6)
    assert runner.state["last_exit"] == 3
    assert len((tmp_path / "starts").read_text().splitlines()) >= 6
    assert runner.stop() == 0
    assert runner.state["phase"] == "stopped"


def test_a_service_that_ends_well_is_restarted_too(tmp_path: Path, runners: list[Started]) -> None:
    runner = start(runners, tmp_path, command=["true"])
    until(lambda: runner.state.get("restarts", 0) >= 2)
    assert runner.state["last_exit"] == 0


def test_wrong_configuration_is_not_tried_again(tmp_path: Path, runners: list[Started]) -> None:
    command = ["sh", "-c", f"echo x >> {tmp_path}/starts; exit {EXIT_CONFIGURATION}"]
    runner = start(runners, tmp_path, command=command)
    until(lambda: runner.state.get("phase") == "misconfigured")
    with pytest.raises(subprocess.TimeoutExpired):
        runner.process.wait(timeout=0.5)  # five times the longest pause
    assert runner.state["restarts"] == 0
    assert (tmp_path / "starts").read_text() == "x\n"
    assert runner.stop() == 0


def test_a_finished_service_is_not_started_again(tmp_path: Path, runners: list[Started]) -> None:
    runner = start(runners, tmp_path, "--finishes", command=["sh", "-c", f"echo x >> {tmp_path}/starts"])
    until(lambda: runner.state.get("phase") == "finished")
    with pytest.raises(subprocess.TimeoutExpired):
        runner.process.wait(timeout=0.5)
    assert (tmp_path / "starts").read_text() == "x\n"


def test_a_program_that_does_not_exist_is_a_failure_like_any(tmp_path: Path, runners: list[Started]) -> None:
    runner = start(runners, tmp_path, command=["/no/such/program"])
    until(lambda: runner.state.get("restarts", 0) >= 1)
    assert runner.state["last_exit"] == 127


def test_leftover_processes_end_with_their_service(tmp_path: Path, runners: list[Started]) -> None:
    # setsid: another session and process group, as Airflow's tasks have another group
    script = f"setsid sleep 600 & echo $! > {tmp_path}/child; wait"
    runner = start(runners, tmp_path, command=["sh", "-c", script])
    until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text().strip())
    until(lambda: runner.state.get("pid"))
    child = int((tmp_path / "child").read_text())
    os.kill(runner.state["pid"], signal.SIGKILL)
    until(lambda: processes.look_up(child) is None)
    until(lambda: runner.state.get("restarts") == 1)


def test_a_service_that_ignores_the_request_is_killed_after_its_grace(tmp_path: Path, runners: list[Started]) -> None:
    ready = tmp_path / "ready"
    runner = start(runners, tmp_path, "--grace", "0.3", command=[*IGNORES_TERM, str(ready)])
    until(ready.exists)
    until(lambda: runner.state.get("phase") == "running")
    pid = runner.state["pid"]
    assert runner.stop() == 0
    assert processes.look_up(pid) is None
    assert runner.state["last_exit"] == -signal.SIGKILL


def test_a_service_ends_with_its_killed_runner(tmp_path: Path, runners: list[Started]) -> None:
    runner = start(runners, tmp_path, command=SLEEPER)
    until(lambda: runner.state.get("phase") == "running")
    pid = runner.state["pid"]
    # by then the fork has asked the kernel for the signal and has become the program
    until(lambda: "import time" in " ".join(processes.command_line(pid)))
    runner.process.kill()
    runner.process.wait()
    until(lambda: processes.look_up(pid) is None)


def test_each_start_reads_the_environment_again(tmp_path: Path, runners: list[Started]) -> None:
    file, seen = tmp_path / "environment.json", tmp_path / "seen"
    file.write_text(json.dumps({"WORD": "first", "PATH": os.environ["PATH"]}))
    command = ["sh", "-c", f'echo "$WORD" > {seen}; exec sleep 600']
    runner = start(runners, tmp_path, "--environment", str(file), command=command)
    until(lambda: seen.exists() and seen.read_text() == "first\n")
    until(lambda: runner.state.get("phase") == "running")
    before = runner.state["fingerprint"]
    file.write_text(json.dumps({"WORD": "second", "PATH": os.environ["PATH"]}))
    os.kill(runner.state["pid"], signal.SIGKILL)
    until(lambda: seen.read_text() == "second\n")
    until(lambda: runner.state["phase"] == "running")
    assert runner.state["fingerprint"] != before


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_runners_lines_have_the_form_of_its_services(tmp_path: Path, runners: list[Started], form: str) -> None:
    file = tmp_path / "environment.json"
    file.write_text(json.dumps({"TWITTER_TOPICS_LOG_FORMAT": form, "PATH": os.environ["PATH"]}))
    runner = start(runners, tmp_path, "--environment", str(file), command=["sh", "-c", "exit 3"])
    until(lambda: runner.log_file.read_text())
    line = runner.log_file.read_text().splitlines()[0]
    assert line.startswith("{") == (form == "json")
    logger, message = read_line(line)
    assert (logger, message[:32]) == ("runner", "service ended with exit code 3 a")
