"""What a running part says about itself: one small JSON file per part, replaced as a whole."""

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

    `state` is a short word (`running`, `waiting`, `finished`, `stopped`, `failed`), `rate` records per second, `lag`
    seconds or records behind (the part says which), `batch_seconds` the time of the last batch, `restarts` since the
    part last ended on purpose, `error` what keeps it from working, `at` Unix seconds of writing, `detail` what else a
    person may want to know.
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
    """Replace `<directory>/<part>.json`. A reader sees the old or the new file, never half of one.

    Args:
        directory: made when missing.
        part: name of the part, also of the file.
        fields: the other fields of `Health`; `ok` and `state` are required, `at` defaults to now.

    Raises:
        OSError: the folder cannot be written.
        TypeError: a field that `Health` does not have, or one of the required ones is missing.
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
    """A function `(part, **fields)` that writes the file, then the point; raises what either of them raises."""

    def report(part: str, /, **fields: Any) -> None:
        write_health(directory, part, **fields)
        write_point(part, **fields)

    return report


def read_health(directory: Path) -> dict[str, Health]:
    """All parts that have reported, by name. A part that never ran is absent; the caller judges the age by `at`."""
    return {path.stem: _read(path) for path in sorted(directory.glob("*.json"))}


def _read(path: Path) -> Health:
    fields = json.loads(path.read_text(encoding="utf-8"))
    known = {name: fields[name] for name in Health.__dataclass_fields__ if name in fields}
    return Health(**known)
