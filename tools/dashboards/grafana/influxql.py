"""InfluxQL of the panels. Names come from the contract in twitter_topics/records/measurements.py."""

from __future__ import annotations

from collections.abc import Sequence

from twitter_topics.records.measurements import Measurement

RANGE = "$timeFilter"
STEP = "$__interval"


def select(
    columns: str, source: str | Measurement, *, where: str = "", step: str = "", by: Sequence[str] = (), fill: str = ""
) -> str:
    """Return a SELECT over the dashboard's time range.

    Args:
        columns: what to select, as InfluxQL.
        source: a measurement, or a SELECT.
        where: a further condition.
        step: groups by time.
        by: tags to group by.
        fill: what an empty step yields; the default is nothing.
    """
    name = f"({source})" if isinstance(source, str) else f'"{source.name}"'
    condition = f"{RANGE} AND {where}" if where else RANGE
    groups = [f"time({step})"] if step else []
    groups += [f'"{tag}"' for tag in by]
    grouped = f" GROUP BY {', '.join(groups)}" if groups else ""
    filled = f" fill({fill or 'none'})" if step else ""
    return f"SELECT {columns} FROM {name} WHERE {condition}{grouped}{filled}"  # noqa: S608 - names of the contract


def newest(measurement: Measurement, columns: str, *, where: str = "", step: str = "") -> str:
    """Return a SELECT of the newest revision of each series: `columns` are `last(…)`, grouped by all tags. Its series
    can be added up within a step."""
    return select(columns, measurement, where=where, step=step, by=measurement.tags)


def last(*fields: str) -> str:
    """Return the columns `last(field) AS field`."""
    return ", ".join(f'last("{field}") AS "{field}"' for field in fields)
