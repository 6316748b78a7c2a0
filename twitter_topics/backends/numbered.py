"""Objects whose names are numbers of one width, of which the largest counts."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WIDTH = 12


def numbered(prefix: str, number: int, suffix: str = "") -> str:
    """Return the key of the object with this number."""
    return f"{prefix}{number:0{_WIDTH}d}{suffix}"


def numbers(keys: Iterable[str], prefix: str, suffix: str = "") -> list[int]:
    """Return the numbers in such keys, sorted. Other keys are left out: the local S3 lists the files of writes that it
    has not finished, for ever if it was killed."""
    key_of_number = re.compile(rf"{re.escape(prefix)}(\d{{{_WIDTH}}}){re.escape(suffix)}", re.ASCII)
    return sorted(int(found[1]) for key in keys if (found := key_of_number.fullmatch(key)))
