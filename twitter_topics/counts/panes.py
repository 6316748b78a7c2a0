"""The rolling hour as a sum of panes: Spark's window('1 hour', '10 seconds') without its 360 copies of each tweet."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np

PANE_MS = 10_000
"""Slide of the rolling window: a pane is ten seconds of event time, aligned to the epoch."""

WINDOW_MS = 3_600_000
"""Length of the rolling window: one hour."""

MILLION = 1_000_000
"""Mass and sentiment are summed as integers, in millionths: integers add up to the same total in any order."""

_PANES_PER_WINDOW = WINDOW_MS // PANE_MS
_Key = TypeVar("_Key", bound=Hashable)
"""A series, or its number."""

_Times = TypeVar("_Times", int, np.ndarray)


class Sums(NamedTuple):
    """Counts of one series.

    `tweets`: tweets whose dominant topic it is. `scored`: those of them that have a sentiment. `mass`: the topic's
    shares summed over all tweets. `sentiment`: the compounds of the scored tweets summed. The last two in millionths.
    """

    tweets: int = 0
    scored: int = 0
    mass: int = 0
    sentiment: int = 0

    def plus(self, other: Sums) -> Sums:
        """Field by field."""
        return Sums(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    @property
    def mean_sentiment(self) -> float | None:
        """Mean compound of the scored tweets, None without any."""
        return self.sentiment / self.scored / MILLION if self.scored else None


class Series(NamedTuple):
    """The tags of a count."""

    topic_id: int
    label: str
    model_version: str


class Pane(NamedTuple):
    """Totals of ten seconds of event time from `start_ms` on."""

    start_ms: int
    series: Series
    sums: Sums


class HourPoint(NamedTuple):
    """Counts of the hour [end_ms - WINDOW_MS, end_ms)."""

    end_ms: int
    series: Series
    sums: Sums


class Ends(NamedTuple):
    """Ends of hours from `first_ms` to `last_ms`, both included, every PANE_MS."""

    first_ms: int
    last_ms: int

    @property
    def panes_from_ms(self) -> int:
        """Start of the oldest pane that these hours, and the one before the first, depend on."""
        return self.first_ms - PANE_MS - WINDOW_MS

    def __len__(self) -> int:
        return (self.last_ms - self.first_ms) // PANE_MS + 1


def pane_start(event_time_ms: _Times) -> _Times:
    """Start of the pane of a time, or of each of several. Panes are aligned to the epoch, as Spark's windows are."""
    start: _Times = event_time_ms - event_time_ms % PANE_MS
    return start


def changed_ends(
    touched: Mapping[_Key, Collection[int]],
    alive: Iterable[_Key],
    previous_newest_ms: int | None,
    newest_ms: int,
) -> dict[_Key, list[Ends]]:
    """The hours that a batch changes: few for a live batch, and only its own hours for old data.

    A pane p lies in the hours that end in (p, p + WINDOW_MS]; one end later its series may fall to zero. As time moves
    on, every series that is alive has new ends, too.

    Args:
        touched: starts of the panes that the batch changed, by series.
        alive: series that have a pane in the hour of the previous newest pane, or just before it.
        previous_newest_ms: start of the newest pane before the batch, None before the first batch.
        newest_ms: start of the newest pane now. No hour ends later than this pane.

    Returns:
        For each series its changed ends as separate intervals, oldest first.
    """
    last_end = newest_ms + PANE_MS
    changed = {series: _merged(starts, last_end) for series, starts in touched.items()}
    if previous_newest_ms is not None and previous_newest_ms < newest_ms:
        # a series that is silent from now on reaches zero one window after its last pane
        first = previous_newest_ms + 2 * PANE_MS
        since = Ends(first, min(last_end, first + WINDOW_MS))
        for series in alive:
            changed[series] = merge([*changed.get(series, []), since])
    return {series: ends for series, ends in changed.items() if ends}


def _merged(starts: Iterable[int], last_end_ms: int) -> list[Ends]:
    ends = (Ends(start + PANE_MS, min(start + WINDOW_MS + PANE_MS, last_end_ms)) for start in starts)
    return merge(one for one in ends if one.first_ms <= one.last_ms)


def merge(intervals: Iterable[Ends]) -> list[Ends]:
    """The same ends as separate intervals, oldest first."""
    merged: list[Ends] = []
    for ends in sorted(intervals):
        if merged and ends.first_ms <= merged[-1].last_ms + PANE_MS:
            merged[-1] = Ends(merged[-1].first_ms, max(merged[-1].last_ms, ends.last_ms))
        else:
            merged.append(ends)
    return merged


def rolling_hours(panes: Iterable[Pane], ends: Ends) -> list[HourPoint]:
    """Sums of the hours that end in `ends`.

    A series has a point where its hour or the hour before is not empty: it moves every PANE_MS while it lives, falls to
    zero once and is silent after that.

    Args:
        panes: all panes from `ends.panes_from_ms` to `ends.last_ms`; others are passed over.
        ends: the hours to compute.

    Returns:
        Points by end, then by series.
    """
    inside = [pane for pane in panes if ends.panes_from_ms <= pane.start_ms < ends.last_ms]
    names = sorted({pane.series for pane in inside})
    column = {series: index for index, series in enumerate(names)}
    sums = _windows(inside, ends, column)
    alive = (sums != 0).any(axis=2)
    rows, columns = np.nonzero(alive[1:] | alive[:-1])
    values = sums[rows + 1, columns].tolist()
    return [
        HourPoint(ends.first_ms + row * PANE_MS, names[index], Sums(*value))
        for row, index, value in zip(rows.tolist(), columns.tolist(), values, strict=True)
    ]


def _windows(panes: list[Pane], ends: Ends, column: Mapping[Series, int]) -> np.ndarray:
    """Sums by (end, series, kind of sum). The first row is the hour before `ends.first_ms`."""
    cells = np.zeros((len(ends) + _PANES_PER_WINDOW + 1, len(column), len(Sums._fields)), dtype=np.int64)
    if panes:
        rows = np.array([(pane.start_ms - ends.panes_from_ms) // PANE_MS + 1 for pane in panes])
        columns = np.array([column[pane.series] for pane in panes])
        np.add.at(cells, (rows, columns), np.array([pane.sums for pane in panes], dtype=np.int64))
    running = cells.cumsum(axis=0)
    windows: np.ndarray = running[_PANES_PER_WINDOW:] - running[:-_PANES_PER_WINDOW]
    return windows
