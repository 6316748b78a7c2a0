"""Runs one service for supervisord: restarts it with capped backoff, leaves no processes behind.

    python -S -m twitter_topics.local.runner NAME --state FILE [options] -- PROGRAM ARGUMENT…

Why not supervisord's own restarts: they either give up (FATAL) or wait without a cap. This process is a child
subreaper: whatever the service starts, even in another session or process group as Airflow does, stays below it and
ends with it. When supervisord dies, the kernel sends it SIGTERM.

Standard library only, started with -S: small and quick, because every service has one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twitter_topics.errors import EXIT_CONFIGURATION
from twitter_topics.local import processes
from twitter_topics.logs import FORMAT_VARIABLE, TEXT, start_logging

if TYPE_CHECKING:
    from collections.abc import Sequence

LOGGER = "runner"
_TICK_SECONDS = 0.1
_MODULE = "twitter_topics.local.runner"
log = logging.getLogger(LOGGER)
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass
class RestartPauses:
    """Pauses between restarts: doubling up to a cap, reset after a healthy run."""

    first_seconds: float = 1.0
    longest_seconds: float = 30.0
    healthy_after_seconds: float = 60.0
    _next: float = field(default=0.0, init=False)

    def after(self, ran_seconds: float) -> float:
        """Return the pause after a run of this length, before jitter."""
        if not self._next or ran_seconds >= self.healthy_after_seconds:
            self._next = self.first_seconds
        pause = min(self._next, self.longest_seconds)
        self._next = pause * 2
        return pause


@dataclass
class Runner:
    """One service: its command and its state."""

    name: str
    command: Sequence[str]
    state_file: Path
    environment_file: Path | None
    grace_seconds: float
    finishes: bool
    pauses: RestartPauses
    restarts: int = 0
    last_exit: int | None = None
    stopping: bool = False
    fingerprint: str = ""

    def run(self) -> None:
        """Run the service until SIGTERM."""
        while not self.stopping:
            began = time.monotonic()
            self.last_exit = self._run_once()
            if not self.stopping:
                self._after_exit(time.monotonic() - began)
        _kill_descendants()
        self._report("stopped")

    def _run_once(self) -> int:
        """Start the service, wait until it and all its descendants have ended, and return its exit code."""
        environment, self.fingerprint = self.environment()
        pid = os.fork()
        if pid == 0:
            _become(self.command, environment)
        self._report("running", pid)
        exit_code = None
        while exit_code is None and not self.stopping:
            time.sleep(_TICK_SECONDS)
            exit_code = _reap().get(pid)
        if exit_code is None:
            exit_code = self._stop(pid)
        if left := _kill_descendants():
            log.warning(f"{self.name}: killed {left} leftover processes")
        return exit_code

    def _stop(self, pid: int) -> int:
        self._report("stopping", pid)
        processes.send([pid], signal.SIGTERM)  # only the service: it stops its own workers in the right order
        patience = time.monotonic() + self.grace_seconds
        while time.monotonic() < patience:
            if (exit_code := _reap().get(pid)) is not None:
                log.info(f"{self.name} stopped, exit code {exit_code}")
                return exit_code
            time.sleep(_TICK_SECONDS)
        log.warning(f"{self.name} did not stop within {self.grace_seconds:.0f} s; killing it")
        return -signal.SIGKILL

    def _after_exit(self, ran_seconds: float) -> None:
        if self.last_exit == EXIT_CONFIGURATION:
            self._rest(
                "misconfigured", "its configuration is wrong, restarting does not help; its last lines name the fix"
            )
        elif self.last_exit == 0 and self.finishes:
            self._rest("finished", "it is done")
        else:
            self.restarts += 1
            pause = self.pauses.after(ran_seconds) * random.uniform(0.8, 1.2)  # noqa: S311 - not a secret
            log.warning(
                f"{self.name} ended with exit code {self.last_exit} after {ran_seconds:.0f} s; "
                f"restart {self.restarts} in {pause:.1f} s"
            )
            self._report("backoff")
            self._pause(pause)

    def _rest(self, phase: str, why: str) -> None:
        """Wait for SIGTERM without the service, so that supervisord does not restart it."""
        log.info(f"{self.name} ended with exit code {self.last_exit}: {why}")
        self._report(phase)
        while not self.stopping:
            time.sleep(_TICK_SECONDS)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.stopping:
            time.sleep(_TICK_SECONDS)

    def environment(self) -> tuple[dict[str, str] | None, str]:
        """The service's variables (None = the runner's own) and their fingerprint. Read at each start, so that a
        restarted service sees the settings of now."""
        if self.environment_file is None:
            return None, ""
        text = self.environment_file.read_text(encoding="utf-8")
        variables: dict[str, str] = json.loads(text)
        return variables, hashlib.sha256(text.encode()).hexdigest()

    def _report(self, phase: str, pid: int = 0) -> None:
        process = processes.look_up(pid) if pid else None
        state: dict[str, Any] = {
            "name": self.name,
            "phase": phase,
            "runner": os.getpid(),
            "pid": pid,
            "started": process.started if process else None,
            "restarts": self.restarts,
            "last_exit": self.last_exit,
            "fingerprint": self.fingerprint,
            "at": time.time(),
        }
        temporary = self.state_file.with_name(f".{self.state_file.name}.{os.getpid()}")
        temporary.write_text(json.dumps(state))
        temporary.replace(self.state_file)


def _become(command: Sequence[str], environment: dict[str, str] | None) -> None:
    """Become the service, in the forked child. Never returns."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    processes.die_with_parent()
    try:
        if environment is None:
            os.execvp(command[0], list(command))  # noqa: S606 - no shell is the point
        os.execvpe(command[0], list(command), environment)  # noqa: S606 - no shell is the point
    except OSError as error:
        log.error(f"{command[0]}: {error.strerror}")
    finally:
        os._exit(127)


def _reap() -> dict[int, int]:
    """Return the exit codes of the children that have ended, including adopted ones."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)


def _kill_descendants() -> int:
    killed: set[int] = set()
    while left := processes.descendants([os.getpid()], processes.snapshot()):
        killed |= left
        processes.send(left, signal.SIGKILL)
        time.sleep(0.02)
        _reap()
    return len(killed)


def strays(supervisor: int) -> set[int]:
    """Return the processes left by a killed runner: children of supervisord, also a subreaper, that are not runners.

    Empty if the parent is not supervisord: then its other children are not ours.
    """
    supervisor_command = processes.command_line(supervisor)
    if not any("supervisord" in argument for argument in supervisor_command):
        return set()
    everything = processes.snapshot()
    orphans = set()
    for process in everything.values():
        command = processes.command_line(process.pid)
        young = command in ([], supervisor_command)  # just forked by supervisord, not yet a runner
        if process.parent == supervisor and not young and _MODULE not in command:
            orphans.add(process.pid)
    return orphans | processes.descendants(orphans, everything)


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, Sequence[str]]:
    border = arguments.index("--")
    parser = argparse.ArgumentParser(prog=_MODULE)
    parser.add_argument("name")
    parser.add_argument("--state", type=Path, required=True, help="file for the state of the service")
    parser.add_argument("--environment", type=Path, help="JSON file with all variables of the service")
    parser.add_argument("--grace", type=float, default=10.0, help="seconds between SIGTERM and SIGKILL")
    parser.add_argument("--finishes", action="store_true", help="exit code 0 means done: do not restart")
    parser.add_argument("--first-pause", type=float, default=RestartPauses.first_seconds)
    parser.add_argument("--longest-pause", type=float, default=RestartPauses.longest_seconds)
    return parser.parse_args(arguments[:border]), arguments[border + 1 :]


def main() -> int:
    """Run the service of the command line."""
    parent = os.getppid()
    options, command = _parse(sys.argv[1:])
    runner = Runner(
        name=options.name,
        command=command,
        state_file=options.state,
        environment_file=options.environment,
        grace_seconds=options.grace,
        finishes=options.finishes,
        pauses=RestartPauses(options.first_pause, options.longest_pause),
    )

    def stop(*_: object) -> None:
        runner.stopping = True

    variables, _ = runner.environment()
    start_logging((variables or {}).get(FORMAT_VARIABLE, TEXT))
    for number in _SIGNALS:
        signal.signal(number, stop)
    processes.become_subreaper()
    processes.die_with_parent()
    if os.getppid() != parent:  # it died before we could ask for the signal
        return 0
    if orphans := strays(parent):
        processes.send(orphans, signal.SIGKILL)
        log.warning(f"{runner.name}: killed {len(orphans)} processes of a killed runner")
    runner.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
