"""Health reports: one small JSON file per running part, replaced atomically."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Health:
    """State of one part.

    `state` is one word (`running`, `waiting`, `finished`, `stopped`, `failed`), `rate` records per second, `lag`
    seconds or records behind (depending on the part), `batch_seconds` the duration of the last batch, `restarts` since
    the part last ended on purpose, `error` what keeps it from working, `at` Unix seconds of writing, `detail` further
    information for people.
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


def reporter(directory: Path, write_point: Callable[..., None]) -> Callable[..., None]:
    """Return a function `(part, **fields)` that writes the file, then the point, and raises their errors."""

    def report(part: str, /, **fields: Any) -> None:
        write_health(directory, part, **fields)
        write_point(part, **fields)

    return report


def read_health(directory: Path) -> dict[str, Health]:
    """Return all reports by part. A part that never ran is absent; the caller checks the age by `at`."""
    return {path.stem: _read(path) for path in sorted(directory.glob("*.json"))}


def _read(path: Path) -> Health:
    fields = json.loads(path.read_text(encoding="utf-8"))
    known = {name: fields[name] for name in Health.__dataclass_fields__ if name in fields}
    return Health(**known)
