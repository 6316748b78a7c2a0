"""Statements of include/sql, so that no SQL stands in Python."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "include" / "sql"

_IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


def statement(name: str, **identifiers: str) -> str:
    """The text of `include/sql/<name>.sql` with its `{placeholders}` filled by identifiers.

    Values never come in this way: they are bound with `spark.sql(statement, args={…})`.

    Raises:
        ValueError: a placeholder's value is not a plain identifier.
    """
    for key, value in identifiers.items():
        if not _IDENTIFIER.match(value):
            msg = f"{key}={value!r} is not an identifier"
            raise ValueError(msg)
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8").format_map(identifiers)
