"""Rows of panes, series and unpublished hours, inside a transaction of the counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

from twitter_topics.backends.influx import tag_text
from twitter_topics.counts import tables as t
from twitter_topics.counts.batch import TopicPane
from twitter_topics.counts.panes import (
    WINDOW_MS,
    Ends,
    HourPoint,
    Pane,
    Series,
    Sums,
    changed_ends,
    merge,
    rolling_hours,
)
from twitter_topics.records.processed import NO_TOPIC, NO_TOPIC_LABEL

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def with_series(connection: Connection, sums: Mapping[TopicPane, Sums]) -> dict[tuple[int, int], Sums]:
    """Sums by (pane start, series id). A record without labels belongs to the first series of its topic."""
    known: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    for row in connection.execute(sa.select(t.SERIES).order_by(t.SERIES.c.id)):
        known[row.topic_id, row.model_version][row.label] = row.id
    result: dict[tuple[int, int], Sums] = defaultdict(Sums)
    # labels first: a batch of old and new records has one series for both
    for pane in sorted(sums, key=lambda one: (one.label is None, one)):
        series = known[pane.topic_id, pane.model_version]
        label = tag_text(pane.label) if pane.label else next(iter(series), _label_of_old(pane.topic_id))
        if label not in series:
            values = {"topic_id": pane.topic_id, "label": label, "model_version": pane.model_version}
            key = connection.execute(sa.insert(t.SERIES).values(values)).inserted_primary_key
            series[label] = int(key[0]) if key else 0
        result[pane.start_ms, series[label]] = result[pane.start_ms, series[label]].plus(sums[pane])
    return dict(result)


def add_panes(
    connection: Connection, deltas: Mapping[tuple[int, int], Sums], previous_newest_ms: int | None, now: float
) -> int | None:
    """Add to the panes and note what the view lacks from now on; returns the newest pane."""
    if not deltas:
        return previous_newest_ms
    starts = {start for start, _ in deltas}
    newest = max(starts) if previous_newest_ms is None else max(previous_newest_ms, *starts)
    rows = [{"start_ms": start, "series_id": series} | sums._asdict() for (start, series), sums in deltas.items()]
    connection.execute(t.add_to(t.PANE, connection.dialect.name, Sums._fields), rows)
    touched: dict[int, list[int]] = defaultdict(list)
    for start, series in deltas:
        touched[series].append(start)
    alive: Iterable[int] = ()
    if previous_newest_ms is not None and previous_newest_ms < newest:
        recent = t.PANE.c.start_ms >= previous_newest_ms - WINDOW_MS
        alive = connection.execute(sa.select(t.PANE.c.series_id).where(recent).distinct()).scalars().all()
    note_unpublished(connection, changed_ends(touched, alive, previous_newest_ms, newest), now)
    return newest


def note_unpublished(connection: Connection, changed: Mapping[int, Iterable[Ends]], now: float) -> None:
    """The view lacks these ends of the series since `now` (Unix seconds)."""
    rows = [
        {"series_id": series, "first_end_ms": ends.first_ms, "last_end_ms": ends.last_ms, "noted_at": now}
        for series, intervals in changed.items()
        for ends in intervals
    ]
    if rows:
        connection.execute(sa.insert(t.UNPUBLISHED), rows)


def starts_by_series(connection: Connection) -> dict[int, list[int]]:
    """Return the first and the last pane of each hour by series: they change the same hours as all of its panes."""
    start = t.PANE.c.start_ms
    of_hours = sa.select(t.PANE.c.series_id, sa.func.min(start), sa.func.max(start))
    found: dict[int, list[int]] = defaultdict(list)
    for series, first, last in connection.execute(of_hours.group_by(t.PANE.c.series_id, start // WINDOW_MS)):
        found[series] += [first, last]
    return found


def points(connection: Connection, due: Mapping[int, list[Ends]]) -> list[HourPoint]:
    """The rolling hours that are due, by series."""
    names = _series_names(connection)
    by_name = {names[series]: ends for series, ends in due.items()}
    found = []
    for ends in merge(ends for intervals in due.values() for ends in intervals):
        parts = panes(connection, ends.panes_from_ms, ends.last_ms, due)
        found += [
            point
            for point in rolling_hours(parts, ends)
            if any(one.first_ms <= point.end_ms <= one.last_ms for one in by_name[point.series])
        ]
    return found


def panes(connection: Connection, from_ms: int, to_ms: int, series: Iterable[int] | None = None) -> list[Pane]:
    """Panes that start in [from_ms, to_ms), in order; only those of some series."""
    names = _series_names(connection)
    query = sa.select(t.PANE).where(t.PANE.c.start_ms >= from_ms, t.PANE.c.start_ms < to_ms)
    if series is not None:
        query = query.where(t.PANE.c.series_id.in_(list(series)))
    rows = connection.execute(query.order_by(t.PANE.c.start_ms, t.PANE.c.series_id))
    return [Pane(start, names[one], Sums(*sums)) for start, one, *sums in rows]


def topics(connection: Connection, from_ms: int, to_ms: int) -> dict[tuple[int, str], int]:
    """Tweets of the panes that start in [from_ms, to_ms), by (topic id, model version)."""
    key = t.SERIES.c.topic_id, t.SERIES.c.model_version
    query = sa.select(*key, sa.func.sum(t.PANE.c.tweets)).join(t.SERIES, t.SERIES.c.id == t.PANE.c.series_id)
    query = query.where(t.PANE.c.start_ms >= from_ms, t.PANE.c.start_ms < to_ms).group_by(*key)
    return {(topic, version): int(tweets) for topic, version, tweets in connection.execute(query)}


def tweets_by_hour(connection: Connection) -> dict[int, int]:
    """Tweets of the panes by the hour (Unix ms of its start) of their event time."""
    hour = t.PANE.c.start_ms - t.PANE.c.start_ms % WINDOW_MS
    rows = connection.execute(sa.select(hour, sa.func.sum(t.PANE.c.tweets)).group_by(hour))
    return {int(start): int(tweets) for start, tweets in rows}


def _series_names(connection: Connection) -> dict[int, Series]:
    rows = connection.execute(sa.select(t.SERIES))
    return {row.id: Series(row.topic_id, row.label, row.model_version) for row in rows}


def _label_of_old(topic_id: int) -> str:
    """For a record without labels whose topic nobody has named yet."""
    return NO_TOPIC_LABEL if topic_id == NO_TOPIC else f"topic {topic_id}"
