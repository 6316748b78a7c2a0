"""Statements in include/sql, so that Python contains no SQL."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "include" / "sql"

_IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


def statement(name: str, **identifiers: str) -> str:
    """Return the text of `include/sql/<name>.sql` with its `{placeholders}` replaced by identifiers.

    Bind values with `spark.sql(statement, args={…})` instead.

    Raises:
        ValueError: a placeholder's value is not a plain identifier.
    """
    for key, value in identifiers.items():
        if not _IDENTIFIER.match(value):
            msg = f"{key}={value!r} is not an identifier"
            raise ValueError(msg)
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8").format_map(identifiers)
