"""Looks for secrets where other users, crash reports and monitoring can see them: in command lines and environments."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from twitter_topics.local import processes

COMMAND_LINE = "command line"
_RUNNER = "twitter_topics.local.runner"


class Sighting(NamedTuple):
    """A secret that a process shows. `part` is the service of the stack, or the program; `where` is COMMAND_LINE or the
    name of a variable."""

    part: str
    where: str
    secret: str


def family(pid: int) -> set[int]:
    """Return a process and its descendants."""
    return {pid} | processes.descendants([pid], processes.snapshot())


def sightings(
    pids: Collection[int], secrets: Mapping[str, str], services: dict[tuple[int, int], str] | None = None
) -> set[Sighting]:
    """Return every secret ({name: value}) in the command line or the environment of a process.

    Args:
        services: remembers the service of each process: one whose parent is killed is nobody's child for a moment.
    """
    everything = processes.snapshot()
    known = {} if services is None else services
    found = set()
    for pid in everything.keys() & set(pids):
        process = (pid, everything[pid].started)
        if service := _service(pid, everything):
            known[process] = service
        places = {COMMAND_LINE: "\0".join(processes.command_line(pid))} | _environment(pid)
        for where, text in places.items():
            for name, value in secrets.items():
                if value in text:
                    found.add(Sighting(known.get(process) or processes.short_name(pid), where, name))
    return found


class Watch:
    """Looks all the time: many processes live for a second only."""

    def __init__(self, pids: Callable[[], Collection[int]], secrets: Mapping[str, str], pause: float = 0.3) -> None:
        self._pids, self._secrets, self._pause = pids, secrets, pause
        self._services: dict[tuple[int, int], str] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.found: set[Sighting] = set()
        self.programs: set[str] = set()
        """The command lines that were seen."""

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(self._pause):
            pids = self._pids()
            self.found |= sightings(pids, self._secrets, self._services)
            self.programs |= {" ".join(processes.command_line(pid)) for pid in pids}


def _environment(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return {}
    return {name: value for name, _, value in (one.partition("=") for one in text.split("\0"))}


def _service(pid: int, everything: dict[int, processes.Process]) -> str:
    for one in (pid, *processes.ancestors(pid, everything)):
        arguments = processes.command_line(one)
        if _RUNNER in arguments:
            return arguments[arguments.index(_RUNNER) + 1]
    return ""
