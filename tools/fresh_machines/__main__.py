"""The command `tools/fresh-machine`."""

from __future__ import annotations

import argparse
import datetime
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType

from tools.fresh_machines import machine, page, systems
from tools.fresh_machines.errors import FreshMachineError, UnreachableError
from tools.fresh_machines.record import PASSED, UNREACHABLE, Record, load_all
from tools.fresh_machines.trial import Trial, TrialStepError

PROJECT = Path(__file__).resolve().parents[2]
RECORDS = PROJECT / "docs" / "fresh-machines"
BUNDLE = "project.bundle"
RECORDED_LINES = 8
PAGE = PROJECT / "docs" / "fresh-machines.md"


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)
    chosen = _arguments()
    try:
        if chosen.suite:
            return _try(chosen)
        return _render()
    except FreshMachineError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing is left mounted or running", file=sys.stderr)
        return 130


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="fresh-machine",
        description="Try the README's commands on a fresh root filesystem, and record the result.",
    )
    parser.add_argument("suite", nargs="?", choices=systems.SUITES, help="without it, only render the page again")
    parser.add_argument("--user", action="store_true", help="as an ordinary user without sudo; otherwise as root")
    parser.add_argument("--tests", default="", metavar="ARGS", help="for pytest, e.g. tests/unit; `none`; default: all")
    parser.add_argument("--port-offset", type=int, default=7000, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--work",
        type=Path,
        default=os.environ.get("FRESH_MACHINE_WORK", PROJECT / ".local" / "fresh-machines"),
        metavar="FOLDER",
        help="for base systems, root filesystems and logs: 15 GB (default: FRESH_MACHINE_WORK, or %(default)s)",
    )
    parser.add_argument("--records", type=Path, default=RECORDS, metavar="FOLDER", help=argparse.SUPPRESS)
    return parser.parse_args()


def _try(chosen: argparse.Namespace) -> int:
    machine.check_host()
    user = "ordinary" if chosen.user else "root"
    work = chosen.work.resolve()
    log = work / "logs" / f"{chosen.suite}-{user}.log"
    for folder in (log.parent, work / "base", work / "roots"):
        folder.mkdir(parents=True, exist_ok=True)
    if _git("status", "--porcelain"):
        _say("uncommitted changes are not tested: HEAD is cloned")
    _say(f"{chosen.suite}, {user}; log: {log}")
    with machine.alone(work):
        log.write_bytes(b"")
        record = _record(chosen, user, work, log)
    kept = chosen.records / record.file_name
    if record.result == UNREACHABLE and kept.exists():
        _say(f"{UNREACHABLE}; {kept} is unchanged")
    else:
        record.save(chosen.records)
        if chosen.records == RECORDS:
            _render()
        _say(f"{record.result}: {chosen.suite}, {user}")
    return 0 if record.result == PASSED else 1


def _record(chosen: argparse.Namespace, user: str, work: Path, log: Path) -> Record:
    """Run a trial, from the base system to the last test. A failure on the fresh machine is a result, not an error."""
    tests = None if chosen.tests == "none" else chosen.tests
    who = machine.NEWCOMER if chosen.user else "root"
    mirrors = systems.Mirrors.choose(systems.SUITES[chosen.suite], systems.host_sources())
    record = Record(
        suite=chosen.suite,
        user=user,
        commit=_git("rev-parse", "--short=12", "HEAD"),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        cores=os.cpu_count() or 1,
        preinstalled=systems.PREINSTALLED,
        tests_args=tests,
    )
    try:
        systems.check_reachable(chosen.suite, mirrors)
        made = machine.base(chosen.suite, mirrors, work, log)
        record = replace(record, base_seconds=made.seconds)
        _say(f"{made.seconds:5} s  debootstrap (when the base system was made)")
        with machine.machine(chosen.suite, who, made, mirrors, work, log, chosen.port_offset) as fresh:
            record = replace(record, system=fresh.system())
            _git("bundle", "create", "--quiet", str(fresh.root / BUNDLE), "HEAD")
            trial = Trial(fresh, _say)
            try:
                trial.run(BUNDLE, tests)
            finally:
                record = trial.into(record)
    except UnreachableError as error:
        _say(str(error))
        return replace(record, result=UNREACHABLE)
    except TrialStepError as error:
        _say(f"{error}\nfull output: {log}")
        return replace(record, result=f"failed: {error.step}: {error.reason}", output=error.output[-RECORDED_LINES:])
    return replace(record, result=PASSED)


def _render() -> int:
    if not (records := load_all(RECORDS)):
        raise FreshMachineError(f"{RECORDS} has no records: run tools/fresh-machine SUITE first")
    PAGE.write_text(page.render(records))
    return 0


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", PROJECT, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
