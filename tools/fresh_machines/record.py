"""The record of a trial: one JSON file per system and user."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PASSED = "passed"
UNREACHABLE = "archive not reachable"


@dataclass(frozen=True)
class Step:
    name: str
    seconds: int
    memory_mib: int  # highest sum of all processes' proportional set sizes (PSS)


@dataclass(frozen=True)
class Typed:
    """A line that the project asked for, run in a root shell."""

    line: str
    seconds: int


@dataclass(frozen=True)
class Audit:
    state: str
    produced: int


@dataclass(frozen=True)
class Record:
    suite: str
    user: str  # root or ordinary
    commit: str
    date: str
    cores: int
    preinstalled: tuple[str, ...]
    tests_args: str | None  # None: not run; empty: all
    system: str = ""  # from /etc/os-release
    base_seconds: int = 0
    python: str = ""
    java: str = ""
    steps: tuple[Step, ...] = ()
    typed: tuple[Typed, ...] = ()
    audit: Audit | None = None
    tests: str = ""
    disk_mib: int = 0
    load: float = 0  # load average of the host over the last 15 minutes of the run
    result: str = ""  # PASSED, UNREACHABLE, or the step that failed and why
    output: tuple[str, ...] = ()  # last lines of the failed step

    @property
    def file_name(self) -> str:
        return f"{self.suite}-{self.user}.json"

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / self.file_name).write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")


def load_all(folder: Path) -> list[Record]:
    """Return all records in the folder, sorted by file name."""
    return [_load(json.loads(file.read_text())) for file in sorted(folder.glob("*.json"))]


def _load(values: dict[str, Any]) -> Record:
    return Record(
        **{
            **values,
            "preinstalled": tuple(values["preinstalled"]),
            "steps": tuple(Step(**step) for step in values["steps"]),
            "typed": tuple(Typed(**typed) for typed in values["typed"]),
            "output": tuple(values["output"]),
            "audit": Audit(**values["audit"]) if values["audit"] else None,
        }
    )
