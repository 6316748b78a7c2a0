"""The rolling hour as a sum of panes: Spark's window('1 hour', '10 seconds') without its 360 copies of each tweet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from twitter_topics.counts.series import PANE_MS, WINDOW_MS, HourPoint, Pane, Series, Sums

PaneKey = tuple[int, Series]
"""(start of the pane in ms, series)."""

_PANES_PER_WINDOW = WINDOW_MS // PANE_MS
_MAX_ENDS = 24 * 3_600_000 // PANE_MS


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


def pane_start(event_time_ms: int) -> int:
    """Start of the pane of a time. Panes are aligned to the epoch, as Spark's windows are."""
    return event_time_ms - event_time_ms % PANE_MS


def apply(panes: Mapping[PaneKey, Pane], deltas: Mapping[PaneKey, Sums], sequence: int) -> dict[PaneKey, Pane]:
    """The panes that a batch changes, with their new totals.

    Args:
        panes: the panes so far; a missing one is empty.
        deltas: what the batch adds.
        sequence: number of the batch.

    Returns:
        One pane for each key of `deltas`. Its base is the total before this batch, so that the batch can be taken back.
    """
    changed = {}
    for key, delta in deltas.items():
        before = panes[key].total if key in panes else Sums()
        changed[key] = Pane(key[0], key[1], before.plus(delta), before, sequence)
    return changed


def ends_to_rewrite(touched_ms: Iterable[int], previous_newest_ms: int | None, newest_ms: int) -> list[Ends]:
    """Which hours a batch changes: few for a live batch, and only its own hours for old data.

    A pane p lies in the hours that end in (p, p + WINDOW_MS]; the next end is where a series may fall to zero. All ends
    since the previous newest pane are due as well, because time went on for every series.

    Args:
        touched_ms: starts of the panes that the batch changed.
        previous_newest_ms: start of the newest pane before the batch.
        newest_ms: start of the newest pane now. No hour ends later than this pane.

    Returns:
        Separate intervals in order, none longer than a day.
    """
    last_end = newest_ms + PANE_MS
    starts = sorted(set(touched_ms))
    if previous_newest_ms is not None and previous_newest_ms < newest_ms:
        starts = sorted({*starts, previous_newest_ms})
    merged: list[list[int]] = []
    for start in starts:
        first, last = start + PANE_MS, min(start + WINDOW_MS + PANE_MS, last_end)
        if merged and first <= merged[-1][1] + PANE_MS:
            merged[-1][1] = max(merged[-1][1], last)
        elif first <= last:
            merged.append([first, last])
    return [part for first, last in merged for part in _split(first, last)]


def _split(first_ms: int, last_ms: int) -> Iterator[Ends]:
    step = _MAX_ENDS * PANE_MS
    for start in range(first_ms, last_ms + 1, step):
        yield Ends(start, min(start + step - PANE_MS, last_ms))


def rolling_hours(panes: Iterable[Pane], ends: Ends, touched: Iterable[PaneKey] = ()) -> list[HourPoint]:
    """Sums of the hours that end in `ends`.

    A series has a point where its hour or the hour before is not empty: it moves every PANE_MS while it lives, falls to
    zero once and is silent after that.

    Args:
        panes: all panes from `ends.panes_from_ms` to `ends.last_ms`; others are passed over.
        ends: the hours to write.
        touched: panes whose hours are written in any case, zero or not (a pane that was taken back).

    Returns:
        Points by end, then by series.
    """
    inside = [pane for pane in panes if ends.panes_from_ms <= pane.start_ms < ends.last_ms]
    touched = [(start, series) for start, series in touched if ends.panes_from_ms <= start < ends.last_ms]
    names = sorted({pane.series for pane in inside} | {series for _, series in touched})
    column = {series: index for index, series in enumerate(names)}
    sums = _windows(inside, ends, column)
    alive = (sums != 0).any(axis=2)
    due = alive[1:] | alive[:-1]
    for start, series in touched:
        # the row of an end: 0 is ends.first_ms; the first hour that holds a pane ends PANE_MS after its start
        row = (start + PANE_MS - ends.first_ms) // PANE_MS
        due[max(row, 0) : max(row + _PANES_PER_WINDOW, 0), column[series]] = True
    rows, columns = np.nonzero(due)
    values = sums[rows + 1, columns].tolist()
    return [
        HourPoint(ends.first_ms + row * PANE_MS, names[index], Sums(*value))
        for row, index, value in zip(rows.tolist(), columns.tolist(), values, strict=True)
    ]


def _windows(panes: list[Pane], ends: Ends, column: Mapping[Series, int]) -> np.ndarray:
    """Sums by (end, series, kind of sum). The first row is the hour before `ends.first_ms`."""
    cells = np.zeros((len(ends) + _PANES_PER_WINDOW + 1, len(column), 3), dtype=np.int64)
    if panes:
        rows = np.array([(pane.start_ms - ends.panes_from_ms) // PANE_MS + 1 for pane in panes])
        columns = np.array([column[pane.series] for pane in panes])
        np.add.at(cells, (rows, columns), np.array([pane.total for pane in panes], dtype=np.int64))
    running = cells.cumsum(axis=0)
    windows: np.ndarray = running[_PANES_PER_WINDOW:] - running[:-_PANES_PER_WINDOW]
    return windows
