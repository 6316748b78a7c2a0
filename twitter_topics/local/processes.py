"""Processes of this machine, from /proc. Standard library only: the runner of each service imports this."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Process:
    """One line of /proc/PID/stat. `started` is in clock ticks since boot; with the pid it identifies a process
    uniquely."""

    pid: int
    parent: int
    session: int
    started: int


def snapshot() -> dict[int, Process]:
    """Return all live processes. Zombies are left out: where pid 1 does not reap them, they stay forever."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (process := look_up(int(entry))):
            found[process.pid] = process
    return found


def look_up(pid: int) -> Process | None:
    """Return the live process of a pid, None if there is none."""
    try:
        # the second field is the program's name in parentheses, which can contain spaces and parentheses
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        state, parent, session, started = fields[0], int(fields[1]), int(fields[3]), int(fields[19])
    except (OSError, IndexError):
        return None
    return None if state in "ZX" else Process(pid, parent, session, started)


def descendants(roots: Collection[int], among: dict[int, Process]) -> set[int]:
    """Return all descendants of the roots, without the roots."""
    children: dict[int, list[int]] = {}
    for process in among.values():
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    ahead = list(roots)
    while ahead:
        for child in children.get(ahead.pop(), []):
            if child not in found:
                found.add(child)
                ahead.append(child)
    return found - set(roots)


def ancestors(pid: int, among: dict[int, Process]) -> set[int]:
    """Return all ancestors of a process."""
    found: set[int] = set()
    while (process := among.get(pid)) and process.parent not in found:
        pid = process.parent
        found.add(pid)
    return found


def command_line(pid: int) -> list[str]:
    """Return the arguments of a process, empty if it has ended or cannot be read."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def short_name(pid: int) -> str:
    """Return the name of a process's program, for people."""
    arguments = command_line(pid)
    return Path(arguments[0]).name if arguments else "a program"


def has_variable(pid: int, assignment: str) -> bool:
    """Return whether a process was started with NAME=value in its environment (if this user can read it)."""
    try:
        return assignment.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def send(pids: Collection[int], number: signal.Signals) -> int:
    """Send a signal to all and return how many received it."""
    reached = 0
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
            reached += 1
    return reached


def terminate(find: Callable[[], Collection[int]], grace_seconds: float) -> int:
    """Terminate the processes that `find` returns, kill those left after the grace period, and return the initial
    number."""
    first = find()
    send(first, signal.SIGTERM)
    patience = time.monotonic() + grace_seconds
    while time.monotonic() < patience and find():
        time.sleep(0.1)
    patience = time.monotonic() + 10
    while time.monotonic() < patience and (left := find()):
        send(left, signal.SIGKILL)
        time.sleep(0.1)
    return len(first)


def become_subreaper() -> None:
    """Make orphaned descendants children of this process, not of init. Survives exec, not fork."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Have the kernel send SIGTERM to this process when its parent ends, even by SIGKILL. Survives exec, not fork."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
