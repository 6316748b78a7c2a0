"""Recognises CSV and TSV, which hold no whole tweets, and says what helps."""

from __future__ import annotations

import csv
import re
from collections import Counter
from typing import NamedTuple

from producer.sources.replay.foreign import ADVICE, HYDRATE, IDS

_DELIMITERS = {",": "CSV", "\t": "TSV", ";": "CSV with semicolons", "|": "a table with `|`"}
_ROWS = 50
_ID = re.compile(r"(tag:.*:)?\d{5,20}(\.0)?|\d([.,]\d+)?[eE]\+\d+", re.ASCII)
_SENTIMENT140 = re.compile(r"[024]")


class Table(NamedTuple):
    """What a table is called, and what helps."""

    name: str
    advice: str


def table_refusal(text: bytes, complete: bool) -> Table | None:
    """Return the kind of table that begins so; None if it is none: no delimiter gives two columns or more."""
    rows_by_kind = {kind: _rows(text, delimiter, complete) for delimiter, kind in _DELIMITERS.items()}
    kind = max(rows_by_kind, key=lambda one: _agreement(rows_by_kind[one]))
    rows = rows_by_kind[kind]
    if not _agreement(rows):
        return _single_column(text)
    known = _known(rows, {name.strip().lower() for name in rows[0]})
    return Table(f"{kind} ({known.name})", known.advice) if known else Table(kind, _of_any(rows))


def _rows(text: bytes, delimiter: str, complete: bool) -> list[list[str]]:
    lines = text.decode("utf-8", "replace").splitlines(keepends=True)
    if not complete and len(lines) > 1:
        lines.pop()
    rows = []
    try:
        for row in csv.reader(lines, delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) >= _ROWS:
                break
    except csv.Error:  # a field of more than 128 KiB, NUL
        pass
    return rows


def _agreement(rows: list[list[str]]) -> float:
    """Return the share of rows as wide as the first, a little more for more columns; 0 for a single column."""
    widths = Counter(len(row) for row in rows)
    width = len(rows[0]) if rows else 1
    share = widths[width] / len(rows) if rows else 0.0
    return share + width / 1000 if width > 1 and share > 0.5 else 0.0


def _single_column(text: bytes) -> Table | None:
    """Return a list of ids under a heading."""
    lines = text.decode("utf-8", "replace").split()
    ids = sum(1 for line in lines[1:_ROWS] if _ID.fullmatch(line.strip("\"',")))
    return Table(IDS, ADVICE[IDS]) if ids else None


def _known(rows: list[list[str]], columns: set[str]) -> Table | None:
    if {"from_user_name", "text"} <= columns:
        return Table("an export of DMI-TCAT", f"it has no whole tweets; export its tweet ids and run {HYDRATE}")
    if {"thread_id", "body", "author"} <= columns:
        return Table("an export of 4CAT", "download the dataset as NDJSON instead, which has the original objects")
    if "author.username" in columns or "public_metrics.like_count" in columns:
        return Table("made by `twarc2 csv`", "replay the .jsonl file that it was made from")
    if {"tweet", "username"} <= columns:
        return Table("of Twint", f"it has no whole tweets; hydrate its ids: {HYDRATE}")
    first = rows[0]
    if len(first) == 6 and _SENTIMENT140.fullmatch(first[0].strip()) and _ID.fullmatch(first[1].strip()):
        advice = "its rows are label, id, time, query, user and text; hydrate the ids: `cut -d'\"' -f4 FILE > ids.txt`"
        return Table("Sentiment140", f"{advice} and {HYDRATE}")
    return None


def _of_any(rows: list[list[str]]) -> str:
    body = rows[1] if len(rows) > 1 else rows[0]
    column = next((index for index, value in enumerate(body, 1) if _ID.fullmatch(value.strip())), None)
    ids = f"; its ids are in column {column}: write them to ids.txt and run {HYDRATE}" if column else ""
    return f"it has no whole tweets, and replay reads JSON{ids}"
