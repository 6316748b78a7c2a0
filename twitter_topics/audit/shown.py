"""Compare the counts that a dashboard reads with the state that they come from."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from twitter_topics.counts.panes import PANE_MS, WINDOW_MS, Ends, HourPoint, Series, Sums, merge
from twitter_topics.counts.position import Position

RECENT_ENDS = 2 * WINDOW_MS // PANE_MS
"""All window ends of the last two hours are compared."""

OLDER_ENDS = 200
"""This many older ones are compared too, drawn at random."""

_SLACK = 2
"""Mass and sentiment are sent as floats, so they may differ by this many millionths."""

_TRIES, _PAUSE_SECONDS = 8, 1.0

_ON_ITS_WAY_SECONDS = 5.0
"""A running aggregator always has a batch that it publishes just now."""


class Mismatch(NamedTuple):
    """An hour whose shown value differs from the counted one. `read` is None if there is no point."""

    end_ms: int
    series: Series
    expected: Sums
    read: Sums | None


@dataclass(frozen=True, slots=True)
class ViewComparison:
    """The number of compared points, the wrong ones, and how long the view has been behind the state."""

    compared: int = 0
    wrong: tuple[Mismatch, ...] = ()
    behind_seconds: float = 0.0


class CountedHours(Protocol):
    """The state of the counts, as far as the comparison needs it."""

    def position(self) -> Position | None: ...
    def hours(self, ends: Ends) -> list[HourPoint]: ...
    def unpublished_since(self) -> float | None: ...


class ShownHours(Protocol):
    """The view, as far as the comparison needs it."""

    def hours(self, from_ms: int, to_ms: int) -> list[HourPoint]: ...


def compare_hours(
    state: CountedHours,
    view: ShownHours,
    *,
    seed: int = 0,
    sleep: Callable[[float], None] = time.sleep,
    now: float | None = None,
) -> ViewComparison:
    """Compare all topics of the last two hours, and a sample of older hours.

    State and view are read one after the other while counting continues. Differing hours are compared again until they
    are equal, or until they differ although nothing changed in between: then they are wrong. So are those that differ
    in the same way at each try while the view follows everything else. Otherwise the view is behind; also if the state
    has had something to publish for longer than a batch takes, for the sample may have missed it.

    Args:
        seed: seed of the sample.
    """
    position = state.position()
    if position is None or position.newest_ms is None:
        return ViewComparison()
    due = _intervals(position.newest_ms + PANE_MS, seed)
    wrong: tuple[Mismatch, ...] = ()
    lasting: set[Mismatch] | None = None
    compared = 0
    for _ in range(_TRIES):
        before, lacking = state.position(), state.unpublished_since()
        found = [_compare(state.hours(ends), view.hours(ends.first_ms, ends.last_ms + PANE_MS)) for ends in due]
        compared = max(compared, sum(count for count, _ in found))
        wrong = tuple(one for _, mismatches in found for one in mismatches)
        if not wrong:
            behind = _age(lacking, now)
            return ViewComparison(compared, (), behind if behind > _ON_ITS_WAY_SECONDS else 0.0)
        if lacking is None and state.unpublished_since() is None and _same(before, state.position()):
            return ViewComparison(compared, wrong)
        lasting = set(wrong) if lasting is None else lasting.intersection(wrong)
        due = _around(wrong)
        sleep(_PAUSE_SECONDS)
    behind = _age(state.unpublished_since(), now)
    follows = behind <= _ON_ITS_WAY_SECONDS
    return ViewComparison(compared, tuple(one for one in wrong if follows and one in (lasting or ())), behind)


def _age(since: float | None, now: float | None) -> float:
    return 0.0 if since is None else (now or time.time()) - since


def _same(before: Position | None, after: Position | None) -> bool:
    return before is not None and after is not None and before.revision == after.revision


def _intervals(newest_end_ms: int, seed: int) -> list[Ends]:
    recent = Ends(newest_end_ms - (RECENT_ENDS - 1) * PANE_MS, newest_end_ms)
    older = range(RECENT_ENDS, 30 * 24 * WINDOW_MS // PANE_MS)
    chosen = random.Random(seed).sample(older, OLDER_ENDS)  # noqa: S311 - a sample, not a secret
    ends = (newest_end_ms - back * PANE_MS for back in sorted(chosen))
    return [recent, *(Ends(end, end) for end in ends)]


def _around(wrong: Iterable[Mismatch]) -> list[Ends]:
    """Return the ends of the hours, neighbours together: read one by one they take longer than a batch."""
    return merge(Ends(end, end) for end in {one.end_ms for one in wrong})


def _compare(expected: list[HourPoint], read: list[HourPoint]) -> tuple[int, list[Mismatch]]:
    """Return the number of compared points, and those that differ. A point of zero may be missing."""
    shown = {(point.end_ms, point.series): point.sums for point in read}
    wrong = []
    for point in expected:
        sums = shown.pop((point.end_ms, point.series), None)
        if not _equal(point.sums, sums or Sums()):
            wrong.append(Mismatch(point.end_ms, point.series, point.sums, sums))
    wrong += [Mismatch(end, series, Sums(), sums) for (end, series), sums in shown.items() if not _equal(Sums(), sums)]
    return len(expected) + len(shown), wrong


def _equal(expected: Sums, read: Sums) -> bool:
    close = all(
        abs(one - other) <= _SLACK + abs(other) // 10**9 for one, other in zip(expected[2:], read[2:], strict=True)
    )
    return expected[:2] == read[:2] and close
