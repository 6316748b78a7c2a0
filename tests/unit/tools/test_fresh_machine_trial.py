"""A trial of the README's commands: what is typed, what is recorded, what stops it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from tools.fresh_machines.machine import Machine
from tools.fresh_machines.record import PASSED, Audit, Record, Step, Typed, load_all
from tools.fresh_machines.trial import Trial, TrialStepError, pytest_result, what_to_type

PYTHON_MISSING = (
    "bootstrap: Python with venv is needed; type: sudo apt-get update && sudo apt-get install -y python3-venv"
)
BALANCED = json.dumps({"state": "ok", "produced": 46_115})


@dataclass
class FakeNamespace:
    left: list[int] = field(default_factory=list)

    def processes(self) -> list[int]:
        return self.left


@dataclass
class FakeMachine:
    """Answers each line with the next of its outputs: (exit code, text)."""

    log: Path
    answers: dict[str, list[tuple[int, str]]]
    namespace: FakeNamespace = field(default_factory=FakeNamespace)
    as_root: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log.write_bytes(b"")

    def type(self, line: str, *, folder: str = "", root_shell: bool = False) -> int:
        if root_shell:
            self.as_root.append(line)
        waiting = self.answers.get(line, [])
        code, text = waiting.pop(0) if waiting else (0, "")
        with self.log.open("a") as log:
            log.write(f"\n$ {line}\n{text}\n")
        return code

    def disk_bytes(self) -> int:
        return self.log.stat().st_size * 2**20


def trial(tmp_path: Path, **answers: list[tuple[int, str]]) -> tuple[Trial, FakeMachine]:
    lines = {
        "audit": ".venv/bin/twitter-topics audit --json",
        "demo": "make demo",
        "test": "make test",
        "stop": "make stop",
    }
    known = {"audit": [(0, BALANCED)], "test": [(0, "===== 12 passed in 3.20s =====")], **answers}
    machine = FakeMachine(tmp_path / "log", {lines[name]: answer for name, answer in known.items()})
    return Trial(cast(Machine, machine), lambda _line: None), machine


@pytest.mark.parametrize(
    ("output", "line"),
    [
        (PYTHON_MISSING, "sudo apt-get update && sudo apt-get install -y python3-venv"),
        (
            "the package lists are empty; type: sudo apt-get update\nmake: *** [Makefile:41: bootstrap] Error 1\n",
            "sudo apt-get update",
        ),
        (
            "Java is needed; type: sudo apt-get install -y openjdk-21-jre-headless \n",
            "sudo apt-get install -y openjdk-21-jre-headless",
        ),
        ("type: a letter", ""),
        ("prototype: sudo", ""),
        ("", ""),
    ],
)
def test_finds_the_line_that_a_message_asks_for(output: str, line: str) -> None:
    assert what_to_type(output) == line


@pytest.mark.parametrize(
    ("output", "result"),
    [
        ("...\n======= 1852 passed, 3 skipped in 71.20s (0:01:11) =======\n", "1852 passed, 3 skipped"),
        (
            "FAILED tests/x.py\n= 1 failed, 2 passed, 1 warning in 0.5s =\nmake: *** [test] Error 1",
            "1 failed, 2 passed, 1 warning",
        ),
        ("==== no tests ran in 0.01s ====", ""),
        ("make: *** No rule", ""),
    ],
)
def test_takes_the_result_from_pytests_last_line(output: str, result: str) -> None:
    assert pytest_result(output) == result


def test_records_each_step(tmp_path: Path) -> None:
    done, _ = trial(tmp_path)
    done.run("project.bundle", "")
    assert [step.name for step in done.steps] == [
        "git clone",
        "installation",
        "demo",
        "audit",
        "make stop",
        "make test",
    ]
    assert (done.audit, done.tests, done.typed) == (Audit("ok", 46_115), "12 passed", [])
    assert done.disk_bytes > 0


def test_a_root_shell_runs_what_is_asked_for_and_the_user_goes_on(tmp_path: Path) -> None:
    done, machine = trial(tmp_path, demo=[(2, PYTHON_MISSING), (0, "done")])
    done.run("project.bundle", None)
    line = what_to_type(PYTHON_MISSING)
    assert [typed.line for typed in done.typed] == [line]
    [as_root] = machine.as_root
    assert as_root.endswith(line)
    assert shlex.split(as_root)[0] == "sudo()"
    assert done.tests == ""


def test_a_command_that_does_not_help_is_typed_once(tmp_path: Path) -> None:
    done, machine = trial(tmp_path, demo=[(2, PYTHON_MISSING)] * 9)
    with pytest.raises(TrialStepError, match=r"make demo: exit code 2\n.*Python with venv is needed"):
        done.run("project.bundle", "")
    assert len(machine.as_root) == 1


def test_what_was_measured_before_a_failure_is_kept(tmp_path: Path) -> None:
    done, _ = trial(
        tmp_path, test=[(2, "FAILED tests/unit/test_x.py\n== 1 failed, 11 passed in 3.0s ==\nmake: Error 1")]
    )
    with pytest.raises(TrialStepError, match=r"FAILED tests/unit/test_x\.py"):
        done.run("project.bundle", "")
    assert (done.tests, done.steps[-1].name) == ("1 failed, 11 passed", "make stop")


def test_processes_that_stay_after_make_stop_are_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.fresh_machines.trial._ENDING_SECONDS", 0)
    done, machine = trial(tmp_path)
    machine.namespace.left = [1]
    with pytest.raises(TrialStepError, match=r"make stop: leaves processes running\n.+"):
        done.run("project.bundle", "")


def test_records_survive_their_files(tmp_path: Path) -> None:
    record = a_record(steps=(Step("demo", 277, 6200),), typed=(Typed("sudo apt-get update", 4),), audit=Audit("ok", 1))
    record.save(tmp_path)
    failed = replace(
        record, user="ordinary", audit=None, tests_args=None, result="failed: make demo: exit code 2", output=("a", "b")
    )
    failed.save(tmp_path)
    assert load_all(tmp_path) == [failed, record]


def a_record(**changed: Any) -> Record:
    values = {
        "suite": "trixie",
        "user": "root",
        "commit": "0123456789ab",
        "date": "2026-11-25",
        "cores": 2,
        "preinstalled": ("git", "make"),
        "tests_args": "",
        "system": "Debian GNU/Linux 13 (trixie)",
        "result": PASSED,
    }
    return Record(**{**values, **changed})
