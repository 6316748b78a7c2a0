"""The rolling hour against its definition, on any input."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from twitter_topics.counts.panes import Ends, apply, ends_to_rewrite, pane_start, rolling_hours
from twitter_topics.counts.series import PANE_MS, WINDOW_MS, HourPoint, Pane, Series, Sums

A, B = Series(1, "a", "m"), Series(2, "b", "m")
T0 = 1_790_000_000_000


def pane(start: int, series: Series = A, tweets: int = 1) -> Pane:
    return Pane(start, series, Sums(tweets, 10 * tweets, -tweets), Sums(), 1)


def test_a_pane_starts_at_a_multiple_of_ten_seconds_also_before_1970() -> None:
    assert [pane_start(ms) for ms in (T0, T0 + 1, T0 + 9_999, T0 + 10_000, -1)] == [T0, T0, T0, T0 + 10_000, -10_000]


def test_apply_adds_and_remembers_what_was_before() -> None:
    before = pane(T0, tweets=3)
    changed = apply({(T0, A): before}, {(T0, A): Sums(2, 5, 1), (T0, B): Sums(1, 1, 1)}, sequence=7)
    assert changed[T0, A] == Pane(T0, A, Sums(5, 35, -2), before.total, 7)
    assert changed[T0, B] == Pane(T0, B, Sums(1, 1, 1), Sums(), 7)
    assert changed[T0, A].as_of(7) == Sums(5, 35, -2)
    assert changed[T0, A].as_of(6) == before.total


def test_a_live_batch_rewrites_the_few_newest_ends() -> None:
    assert ends_to_rewrite({T0 + 20_000}, T0, T0 + 20_000) == [Ends(T0 + PANE_MS, T0 + 30_000)]


def test_old_data_rewrites_its_own_hour_only() -> None:
    old = T0 - 30 * 24 * 3_600_000
    assert ends_to_rewrite({old}, T0, T0) == [Ends(old + PANE_MS, old + WINDOW_MS + PANE_MS)]


def test_after_a_long_silence_only_hours_that_can_hold_something_are_written() -> None:
    later = T0 + 24 * 3_600_000
    assert ends_to_rewrite({later}, T0, later) == [
        Ends(T0 + PANE_MS, T0 + WINDOW_MS + PANE_MS),
        Ends(later + PANE_MS, later + PANE_MS),
    ]


def test_long_intervals_come_in_days() -> None:
    touched = range(T0, T0 + 50 * 3_600_000, WINDOW_MS)
    parts = ends_to_rewrite(touched, None, T0 + 50 * 3_600_000)
    ends = [end for part in parts for end in range(part.first_ms, part.last_ms + 1, PANE_MS)]
    assert len(ends) == len(set(ends)) == 50 * 360 + 1  # (T0, T0 + 50 h], and the end that may be zero
    assert max(len(part) for part in parts) == 24 * 360


def test_a_series_falls_to_zero_once() -> None:
    points = rolling_hours([pane(T0)], Ends(T0 + PANE_MS, T0 + WINDOW_MS + 5 * PANE_MS))
    assert len(points) == len({point.end_ms for point in points}) == 361
    assert [point.sums.tweets for point in points] == [1] * 360 + [0]
    assert points[-1] == HourPoint(T0 + WINDOW_MS + PANE_MS, A, Sums())


def test_touched_panes_are_written_even_when_empty() -> None:
    points = rolling_hours([], Ends(T0 + PANE_MS, T0 + 3 * PANE_MS), [(T0 + PANE_MS, A), (T0 - 2 * WINDOW_MS, B)])
    assert points == [HourPoint(T0 + 2 * PANE_MS, A, Sums()), HourPoint(T0 + 3 * PANE_MS, A, Sums())]


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 1200).map(lambda n: T0 + n * PANE_MS), st.sampled_from([A, B])), st.integers(1, 9)
    ),
    st.integers(0, 1600),
    st.integers(0, 400),
)
def test_rolling_hours_are_the_sums_of_360_panes(panes: dict[tuple[int, Series], int], first: int, length: int) -> None:
    ends = Ends(T0 + first * PANE_MS, T0 + (first + length) * PANE_MS)

    def hour(end: int, series: Series) -> int:
        return sum(n for (start, owner), n in panes.items() if owner == series and end - WINDOW_MS <= start < end)

    expected = {}
    for end in range(ends.first_ms, ends.last_ms + 1, PANE_MS):
        for series in (A, B):
            tweets = hour(end, series)
            if tweets or hour(end - PANE_MS, series):
                expected[end, series] = Sums(tweets, 10 * tweets, -tweets)
    points = rolling_hours([pane(start, series, n) for (start, series), n in panes.items()], ends)
    assert len(points) == len({(p.end_ms, p.series) for p in points}) == len(expected)
    assert {(p.end_ms, p.series): p.sums for p in points} == expected
