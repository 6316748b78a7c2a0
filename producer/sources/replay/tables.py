"""Recognises CSV and TSV, which hold no whole tweets, and says what helps."""

from __future__ import annotations

import csv
import re
from collections import Counter
from typing import NamedTuple

from producer.sources.replay.foreign import ADVICE, COLUMNS_OF_TWARC, HYDRATE, IDS, ROUNDED, ROUNDED_IDS

_DELIMITERS = {",": "CSV", "\t": "TSV", ";": "CSV with semicolons", "|": "a table with `|`"}
_ROWS = 50
_NO_TABLE = "it has no whole tweets, and replay reads JSON"

_ID_COLUMNS = ("tweet_id", "tweetid", "status_id", "id_str", "id")
_OF_OTHERS = re.compile("user|author|account|repl|conversation|retweet|quote")
"""In headings of ids that are not the tweets' own."""

_ID = re.compile(r"(tag:.*:)?\d{5,20}", re.ASCII)
_LONG_ID = re.compile(r"(tag:.*:)?\d{15,20}", re.ASCII)
_R_ID = re.compile(r"x\d{5,20}", re.ASCII)
"""rtweet writes an `x` in front, so that spreadsheets do not round it."""

_ROUNDED = re.compile(r"\d([.,]\d+)?[eE]\+?\d+|\d{5,20}\.\d*|[1-9]\d{14}0{3,5}", re.ASCII)
"""Of a spreadsheet, which keeps 15 digits, or of a program that took an id for a float."""

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
    lines = [line.strip(" \t\r\"',") for line in text.decode("utf-8", "replace").split("\n")]
    ids = [line for line in lines if line][1:_ROWS]
    name = ROUNDED_IDS if _share(_ROUNDED, ids) > 0.5 else IDS if _share(_ID, ids) > 0.5 else ""
    return Table(name, ADVICE[name]) if name else None


def _known(rows: list[list[str]], columns: set[str]) -> Table | None:
    if {"from_user_name", "text"} <= columns:
        return Table("an export of DMI-TCAT", f"it has no whole tweets; export its tweet ids and run {HYDRATE}")
    if {"thread_id", "body", "author"} <= columns:
        return Table("an export of 4CAT", "download the dataset as NDJSON instead, which has the original objects")
    if not COLUMNS_OF_TWARC.isdisjoint(columns):
        return Table("made by `twarc2 csv`", "replay the .jsonl file that it was made from")
    if {"tweet", "username"} <= columns:
        return Table("of Twint", f"it has no whole tweets; hydrate its ids: {HYDRATE}")
    first = rows[0]
    if len(first) == 6 and _SENTIMENT140.fullmatch(first[0].strip()) and _ID.fullmatch(first[1].strip()):
        advice = "its rows are label, id, time, query, user and text; hydrate the ids: `cut -d'\"' -f4 FILE > ids.txt`"
        return Table("Sentiment140", f"{advice} and {HYDRATE}")
    return None


def _of_any(rows: list[list[str]]) -> str:
    headings = [name.strip().lower() for name in rows[0]]
    columns = [[row[index].strip() for row in rows[1:] or rows if index < len(row)] for index in range(len(headings))]
    index = _id_column(headings, columns)
    if index is None:
        return _NO_TABLE
    where, ids = f"its ids are in column {index + 1}", columns[index]
    if _share(_ROUNDED, ids) > 0.5:
        return f"{_NO_TABLE}; {where}, but {ROUNDED}"
    without_x = ", with an x in front: write them without it" if _share(_R_ID, ids) > 0.5 else ": write them"
    return f"{_NO_TABLE}; {where}{without_x} to ids.txt and run {HYDRATE}"


def _id_column(headings: list[str], columns: list[list[str]]) -> int | None:
    """Return the column that is headed as the tweets' ids, else the only one that looks like them; None if unknown."""
    kinds = (_ID, _R_ID, _ROUNDED)
    for name in _ID_COLUMNS:
        if name in headings:
            index = headings.index(name)
            return index if max(_share(kind, columns[index]) for kind in kinds) > 0.5 else None
    found = [
        index
        for index, heading in enumerate(headings)
        if _share(_LONG_ID, columns[index]) >= 0.9 and not _OF_OTHERS.search(heading)
    ]
    return found[0] if len(found) == 1 else None


def _share(kind: re.Pattern[str], values: list[str]) -> float:
    return sum(1 for value in values if kind.fullmatch(value)) / len(values) if values else 0.0
