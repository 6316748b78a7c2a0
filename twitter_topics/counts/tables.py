"""Tables of the counts database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

SCHEMA_VERSION = 1
METADATA = sa.MetaData()

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts up only an INTEGER

META = sa.Table(
    "counts_meta",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("state_id", sa.String(32), nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("topic_id", sa.Text, nullable=False),
    sa.Column("raw_topic_id", sa.Text, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("newest_ms", sa.BigInteger),
    sa.Column("tweets", sa.BigInteger, nullable=False),
    sa.Column("rejected", sa.BigInteger, nullable=False),
    sa.Column("shares", sa.BigInteger, nullable=False),
)

OFFSET = sa.Table(
    "counts_offset",
    METADATA,
    sa.Column("kafka_partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("next_offset", sa.BigInteger, nullable=False),
)

LANE = sa.Table(
    "counts_lane",
    METADATA,
    sa.Column("raw_topic_id", sa.Text, primary_key=True),
    sa.Column("raw_partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kafka_partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("low_offset", sa.BigInteger, nullable=False),
    sa.Column("high_water_mark", sa.BigInteger, nullable=False),
)

SERIES = sa.Table(
    "counts_series",
    METADATA,
    sa.Column("id", _ID, primary_key=True, autoincrement=True),
    sa.Column("topic_id", sa.Integer, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("model_version", sa.Text, nullable=False),
    sa.UniqueConstraint("topic_id", "model_version", "label"),
)

PANE = sa.Table(
    "counts_pane",
    METADATA,
    sa.Column("start_ms", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("series_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("tweets", sa.BigInteger, nullable=False),
    sa.Column("scored", sa.BigInteger, nullable=False),
    sa.Column("mass", sa.BigInteger, nullable=False),
    sa.Column("sentiment", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

UNPUBLISHED = sa.Table(
    "counts_unpublished",
    METADATA,
    sa.Column("id", _ID, primary_key=True, autoincrement=True),
    sa.Column("series_id", sa.BigInteger, nullable=False),
    sa.Column("first_end_ms", sa.BigInteger, nullable=False),
    sa.Column("last_end_ms", sa.BigInteger, nullable=False),
    sa.Column("noted_at", sa.Float, nullable=False),
    sqlite_autoincrement=True,  # ids are never used again: they tell later changes from published ones
)

RESTORATION = sa.Table(
    "counts_restoration",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("restoration", sa.Text, nullable=False),
)
"""One row while tweets are to be counted from the archive; JSON of a `Restoration`."""


def add_to(table: sa.Table, dialect: str, columns: Sequence[str]) -> Any:
    """An insert that adds `columns` to the row where there is one."""
    return _upsert(table, dialect, lambda new: {name: table.c[name] + new[name] for name in columns})


def replace(table: sa.Table, dialect: str, columns: Sequence[str]) -> Any:
    """An insert that replaces `columns` of the row where there is one."""
    return _upsert(table, dialect, lambda new: {name: new[name] for name in columns})


def _upsert(table: sa.Table, dialect: str, changes: Any) -> Any:
    insert: Any = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    keys = [column.name for column in table.primary_key]
    return insert.on_conflict_do_update(index_elements=keys, set_=changes(insert.excluded))
