"""The view compared with the state: a difference is compared again until it is resolved or proven."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from twitter_topics.audit.shown import OLDER_ENDS, compare_hours
from twitter_topics.counts.panes import PANE_MS, Ends, HourPoint, Series, Sums
from twitter_topics.counts.position import Position

NEWEST = 1_790_000_000_000
A, B = Series(1, "a", "m"), Series(2, "b", "m")


def position(revision: int = 5) -> Position:
    return Position("s", "t", "p", "r", revision, "", NEWEST, 0, 0, 0, {}, {})


@dataclass
class Both:
    """State and view; `sleeps` run one after the other when the comparison waits."""

    counted: list[HourPoint]
    read: list[HourPoint]
    revision: int = 5
    since: float | None = None
    sleeps: list[Callable[[], None]] = field(default_factory=list)
    slept: int = 0
    reads: int = 0

    def position(self) -> Position | None:
        return position(self.revision)

    def unpublished_since(self) -> float | None:
        return self.since

    def sleep(self, _seconds: float) -> None:
        self.slept += 1
        if self.sleeps:
            self.sleeps.pop(0)()


@dataclass
class Side:
    points: list[HourPoint]
    both: Both

    def position(self) -> Position | None:
        return self.both.position()

    def unpublished_since(self) -> float | None:
        return self.both.since


class StateSide(Side):
    def hours(self, ends: Ends) -> list[HourPoint]:
        return [one for one in self.both.counted if ends.first_ms <= one.end_ms <= ends.last_ms]


class ViewSide(Side):
    def hours(self, from_ms: int, to_ms: int) -> list[HourPoint]:
        self.both.reads += 1
        return [one for one in self.both.read if from_ms <= one.end_ms < to_ms]


def points(*tweets: int) -> list[HourPoint]:
    return [HourPoint(NEWEST - at * PANE_MS, A, Sums(n, n, n * 1_000_000, 5)) for at, n in enumerate(tweets)]


def compare(both: Both) -> object:
    return compare_hours(StateSide([], both), ViewSide([], both), sleep=both.sleep, now=1_000.0)


def test_equal_is_equal_also_with_the_dust_of_floats() -> None:
    both = Both(points(3, 4), [one._replace(sums=one.sums._replace(mass=one.sums.mass + 1)) for one in points(3, 4)])
    found = compare(both)
    assert (found.compared, found.wrong, both.slept) == (2, (), 0)  # type: ignore[attr-defined]


def test_large_sums_are_equal_whatever_their_sign() -> None:
    for compound in (40_000_000_000, -40_000_000_000):  # of 100,000 tweets
        hours = [HourPoint(NEWEST, A, Sums(100_000, 100_000, 90_000_000_000, compound))]
        assert compare(Both(hours, hours)).wrong == ()  # type: ignore[attr-defined]


def test_a_wrong_a_missing_and_a_foreign_point_are_named() -> None:
    foreign = HourPoint(NEWEST, B, Sums(1))
    both = Both(points(3, 4, 5), [*points(2, 4), foreign])
    found = compare(both)
    wrong = {(one.end_ms, one.series, one.expected.tweets, one.read and one.read.tweets) for one in found.wrong}  # type: ignore[attr-defined]
    assert wrong == {(NEWEST, A, 3, 2), (NEWEST - 2 * PANE_MS, A, 5, None), (NEWEST, B, 0, 1)}


def test_a_zero_that_is_not_written_is_no_difference() -> None:
    zero = [HourPoint(NEWEST, A, Sums())]
    assert compare(Both(zero, [])).wrong == ()  # type: ignore[attr-defined]


def test_what_is_on_its_way_is_waited_for() -> None:
    both = Both(points(3), points(2), since=990.0)

    def arrive() -> None:
        both.read, both.since = points(3), None

    both.sleeps = [lambda: None, arrive]
    found = compare(both)
    assert (found.wrong, found.behind_seconds, both.slept) == ((), 0.0, 2)  # type: ignore[attr-defined]


def test_a_view_that_does_not_follow_is_behind_and_not_called_wrong() -> None:
    found = compare(Both(points(3), points(2), since=990.0))
    assert (found.wrong, found.behind_seconds) == ((), 10.0)  # type: ignore[attr-defined]


def test_what_has_not_been_published_for_long_is_behind_although_no_compared_hour_differs() -> None:
    assert compare(Both(points(3), points(3), since=990.0)).behind_seconds == 10.0  # type: ignore[attr-defined]
    assert compare(Both(points(3), points(3), since=996.0)).behind_seconds == 0.0  # type: ignore[attr-defined]


def test_a_state_that_moved_in_between_is_read_again() -> None:
    both = Both(points(3), points(2))
    positions = iter([1, 1, 2, 3, 3])
    both.position = lambda: position(next(positions))  # type: ignore[method-assign]

    def right() -> None:
        both.read = points(3)

    both.sleeps = [right]
    assert compare(both).wrong == ()  # type: ignore[attr-defined]


def test_hours_that_the_view_has_lost_are_wrong_although_counting_goes_on() -> None:
    """As after InfluxDB came back from a copy: nobody writes them again."""
    lost = points(*[3] * 30)
    both = Both(lost, [], since=999.0)
    revisions = iter(range(100))
    both.position = lambda: position(next(revisions))  # type: ignore[method-assign]
    found = compare(both)
    assert len(found.wrong) == 30  # type: ignore[attr-defined]
    assert both.reads == 1 + OLDER_ENDS + 7, "neighbours are read together"


def test_nothing_counted_is_nothing_compared() -> None:
    both = Both([], [])
    both.position = lambda: None  # type: ignore[method-assign]
    assert compare(both) == replace(compare(both))  # type: ignore[type-var]
    assert compare(both).compared == 0  # type: ignore[attr-defined]
