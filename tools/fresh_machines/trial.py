"""The README's two commands on a fresh machine, step by step, as a newcomer types them."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tools.fresh_machines.errors import FreshMachineError
from tools.fresh_machines.machine import Machine
from tools.fresh_machines.record import Audit, Record, Step, Typed
from twitter_topics.local.memory import PeakMemory

CLONE = "twitter-topics"
_SAMPLE_SECONDS = 2.0
_ENDING_SECONDS = 10.0
_MAX_TYPED = 6
_SHOWN_LINES = 30
_TYPE_THIS = re.compile(r"\btype: (sudo .*\S)")
_PYTEST_END = re.compile(r"^=+ (.*\b(?:passed|failed|error).*) in [\d.]+s\b.*=+$", re.MULTILINE)
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# so that a root shell without sudo can run the line unchanged
_SUDO = 'sudo() { "$@"; }; '


class TrialStepError(FreshMachineError):
    """A step ended with an error; the message has the end of its output."""

    def __init__(self, step: str, reason: str, output: str) -> None:
        end = output.rstrip().splitlines()[-_SHOWN_LINES:]
        super().__init__("\n".join([f"{step}: {reason}", *end]))
        self.step, self.reason, self.output = step, reason, tuple(end)


@dataclass
class Trial:
    """A trial so far: its steps and measurements. `say` receives a line for each step."""

    machine: Machine
    say: Callable[[str], None]
    steps: list[Step] = field(default_factory=list)
    typed: list[Typed] = field(default_factory=list)
    audit: Audit | None = None
    tests: str = ""
    disk_bytes: int = 0
    python: str = ""
    java: str = ""

    def run(self, bundle: str, tests: str | None) -> None:
        """Run all steps. `tests` are arguments for pytest; None skips the tests.

        Raises:
            TrialStepError: a step failed; earlier measurements are kept.
        """
        self._step("git clone", f"git -c advice.detachedHead=false clone --quiet /{bundle} {CLONE}", folder="")
        before = self.machine.disk_bytes()
        self._demo()
        self.disk_bytes = self.machine.disk_bytes() - before
        self.python = self._ask(".venv/bin/python -c 'import platform; print(platform.python_version())'")
        self.java = self._ask('java -version 2>&1 | sed -n \'s/.*version "\\([^"]*\\)".*/\\1/p\'')
        report = json.loads(self._step("audit", ".venv/bin/twitter-topics audit --json"))
        self.audit = Audit(report["state"], report["produced"])
        self._step("make stop", "make stop")
        self._nothing_runs("make stop")
        if tests is not None:
            line = f'make test ARGS="{tests}"' if tests else "make test"
            try:
                output = self._step("make test", line)
            except TrialStepError as error:
                self.tests = pytest_result(str(error))
                raise
            self.tests = pytest_result(output)
            self._nothing_runs("make test")

    def into(self, record: Record) -> Record:
        """Return the record with the measurements so far."""
        return replace(
            record,
            python=self.python,
            java=self.java,
            steps=tuple(self.steps),
            typed=tuple(self.typed),
            audit=self.audit,
            tests=self.tests,
            disk_mib=self.disk_bytes // 2**20,
            load=round(os.getloadavg()[2], 1),
        )

    def _demo(self) -> None:
        """Run the demo and record two steps: the installation, and from the first server on."""
        start: list[float] = []

        def processes() -> list[int]:
            found = self.machine.namespace.processes()
            if not start and any(_runs_demo(pid) for pid in found):
                start.append(time.monotonic())
            return found

        began = time.monotonic()
        self._step("make demo", "make demo", processes)
        whole = self.steps.pop()
        installing = round(start[0] - began) if start else 0
        self.steps += [Step("installation", installing, 0), Step("demo", whole.seconds - installing, whole.memory_mib)]

    def _step(self, name: str, line: str, processes: Callable[[], list[int]] | None = None, folder: str = CLONE) -> str:
        """Type a line until it succeeds, installing what it asks for; return the output of the last attempt."""
        began = time.monotonic()
        with PeakMemory(processes or self.machine.namespace.processes, _SAMPLE_SECONDS) as memory:
            while True:
                code, output = self._type(line, folder)
                if not code:
                    break
                wanted = what_to_type(output)
                if not wanted or len(self.typed) == _MAX_TYPED or wanted in (typed.line for typed in self.typed):
                    raise TrialStepError(name, f"exit code {code}", output)
                self._type_as_root(wanted)
        seconds = round(time.monotonic() - began)
        self.steps.append(Step(name, seconds, round(memory.peak / 2**20)))
        self.say(f"{seconds:5} s  {name}")
        return output

    def _type(self, line: str, folder: str, *, root_shell: bool = False) -> tuple[int, str]:
        start = self.machine.log.stat().st_size
        code = self.machine.type(line, folder=folder, root_shell=root_shell)
        with self.machine.log.open("rb") as log:
            log.seek(start)
            output = _ESCAPES.sub("", log.read().decode(errors="replace"))
        return code, output.split("\n", 2)[2]  # after the prompt

    def _type_as_root(self, line: str) -> None:
        began = time.monotonic()
        code, output = self._type(_SUDO + line, "", root_shell=True)
        seconds = round(time.monotonic() - began)
        self.typed.append(Typed(line, seconds))
        self.say(f"{seconds:5} s  typed as root: {line}")
        if code:
            raise TrialStepError(line, f"exit code {code}", output)

    def _ask(self, line: str) -> str:
        return self._type(line, CLONE)[1].strip()

    def _nothing_runs(self, step: str) -> None:
        end = time.monotonic() + _ENDING_SECONDS
        while left := self.machine.namespace.processes():
            if time.monotonic() > end:
                raise TrialStepError(step, "leaves processes running", "\n".join(map(_command_line, left)))
            time.sleep(0.2)


def _command_line(pid: int) -> str:
    """Return the command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""


def what_to_type(output: str) -> str:
    """Return the line that a message asks the user to type; empty if there is none."""
    found = _TYPE_THIS.findall(output)
    return found[-1] if found else ""


def pytest_result(output: str) -> str:
    """Return pytest's last line without its time, e.g. `1852 passed, 3 skipped`."""
    found = _PYTEST_END.findall(output)
    return found[-1] if found else ""


def _runs_demo(pid: int) -> bool:
    try:
        return b"/twitter-topics\0demo\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
