"""Health reports: one small JSON file per running part, replaced atomically, and points in InfluxDB."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

UNREADABLE = "unreadable"
"""State of a part whose report cannot be read."""

_LAST_POINTS_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Health:
    """State of one part.

    `state` begins with one word (`starting`, `running`, `waiting`, `stalled`, `failed`, `misconfigured`, `finished`,
    `stopped`, `unreadable`), `rate` records per second, `lag` seconds or records behind (depending on the part),
    `batch_seconds` the duration of the last batch, `restarts` since the part last ended on purpose, `error` what keeps
    it from working, or is wrong although it works, `at` Unix seconds of writing, `detail` more for people.
    """

    part: str
    ok: bool
    state: str
    rate: float = 0.0
    lag: int = 0
    batch_seconds: float = 0.0
    restarts: int = 0
    error: str = ""
    at: float = 0.0
    detail: str = ""


def write_health(directory: Path, part: str, **fields: Any) -> Health:
    """Replace `<directory>/<part>.json`. A reader sees the old or the new file, never a partial one.

    Args:
        directory: created if missing.
        part: name of the part and of its file.
        fields: the other fields of `Health`; `ok` and `state` are required, `at` defaults to now.

    Raises:
        OSError: the folder is not writable.
        TypeError: a field is unknown to `Health`, or a required one is missing.
    """
    fields.setdefault("at", time.time())
    health = Health(part=part, **fields)
    directory.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=directory, prefix=f".{part}-", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(health), file, ensure_ascii=False)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(directory / f"{part}.json")
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return health


class Reporter:
    """Writes a part's health to its file at once, and to InfluxDB in a thread of its own: there the newest report of
    each part, so that a server that hangs delays nothing and is not flooded when it is back.

    Args:
        directory: as of `write_health`.
        write_point: writes `(part, **fields)`; what it raises is only logged.
    """

    def __init__(self, directory: Path, write_point: Callable[..., object]) -> None:
        self._directory, self._write_point = directory, write_point
        self._newest: dict[str, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)
        self._thread.start()

    def __call__(self, part: str, /, **fields: Any) -> None:
        """Report.

        Raises:
            OSError: the file cannot be written; InfluxDB gets the point nevertheless.
        """
        fields.setdefault("at", time.time())
        with self._changed:
            self._newest[part] = fields
            self._changed.notify()
        write_health(self._directory, part, **fields)

    def close(self) -> None:
        """End the thread, leaving a moment for the last points."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout=_LAST_POINTS_SECONDS)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest or self._closing)
                if not self._newest:
                    return
                due, self._newest = self._newest, {}
            for part, fields in due.items():
                self._write(part, fields)

    def _write(self, part: str, fields: dict[str, Any]) -> None:
        trouble = ""
        try:
            self._write_point(part, **fields)
        except Exception as error:  # noqa: BLE001 - the thread lives as long as the process
            trouble = str(error) or type(error).__name__
        if trouble and trouble != self._trouble:
            log.warning("cannot report the health of %s to InfluxDB: %s", part, trouble)
        self._trouble = trouble


def read_health(directory: Path) -> dict[str, Health]:
    """Return all reports by part. A part that never ran is absent; the caller checks the age by `at`."""
    parts = sorted(path.stem for path in directory.glob("*.json"))
    return {part: health for part in parts if (health := read_part(directory, part)) is not None}


def read_part(directory: Path, part: str) -> Health | None:
    """Return the report of a part; None if it never ran. A file that is none, such as the empty one that a power cut
    leaves, becomes an `unreadable` report."""
    path, at = directory / f"{part}.json", 0.0
    try:
        at = path.stat().st_mtime
        fields = json.loads(path.read_text(encoding="utf-8"))
        return Health(**{name: fields[name] for name in Health.__dataclass_fields__ if name in fields})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        return Health(part, ok=False, state=UNREADABLE, error=f"{path} is not a health report: {error}", at=at)
