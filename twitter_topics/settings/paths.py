"""Settings that are paths."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
"""The project's folder (the checkout)."""

_SQLITE = "sqlite:///"


@dataclass(frozen=True)
class IsPath:
    """Marks a setting of type str that is a path unless it is a URL, the word `unless`, or empty."""

    unless: str = ""


def absolute(text: str, folder: Path, marker: IsPath) -> str:
    """Return the setting with a relative path resolved from `folder`, also in a SQLite URL."""
    if text.startswith(_SQLITE) and "://" not in text.removeprefix(_SQLITE):
        return _SQLITE + str((folder / text.removeprefix(_SQLITE)).resolve())
    if "://" in text or text in ("", marker.unless):
        return text
    return str((folder / Path(text).expanduser()).resolve())
