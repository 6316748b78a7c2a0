"""The rolling hour against its definition, on any input."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from twitter_topics.counts.panes import (
    PANE_MS,
    WINDOW_MS,
    Ends,
    HourPoint,
    Pane,
    Series,
    Sums,
    changed_ends,
    merge,
    pane_start,
    rolling_hours,
)

A, B = Series(1, "a", "m"), Series(2, "b", "m")
T0 = 1_790_000_000_000


def pane(start: int, series: Series = A, tweets: int = 1) -> Pane:
    return Pane(start, series, Sums(tweets, tweets, 10 * tweets, -tweets))


def test_a_pane_starts_at_a_multiple_of_ten_seconds_also_before_1970() -> None:
    assert [pane_start(ms) for ms in (T0, T0 + 1, T0 + 9_999, T0 + 10_000, -1)] == [T0, T0, T0, T0 + 10_000, -10_000]


def test_a_live_batch_changes_the_newest_end_and_what_else_is_alive_has_it_too() -> None:
    newest = [Ends(T0 + 30_000, T0 + 30_000)]
    assert changed_ends({A: [T0 + 20_000]}, [A, B], T0, T0 + 20_000) == {
        A: [Ends(T0 + 20_000, T0 + 30_000)],
        B: [Ends(T0 + 20_000, T0 + 30_000)],
    }
    assert changed_ends({A: [T0 + 20_000]}, [A, B], T0 + 10_000, T0 + 20_000) == {A: newest, B: newest}


def test_old_data_changes_its_own_hour_only() -> None:
    old = T0 - 30 * 24 * 3_600_000
    assert changed_ends({A: [old]}, [], T0, T0) == {A: [Ends(old + PANE_MS, old + WINDOW_MS + PANE_MS)]}


def test_after_a_long_silence_only_hours_that_can_hold_something_change() -> None:
    later = T0 + 24 * 3_600_000
    assert changed_ends({A: [later]}, [A], T0, later) == {
        A: [Ends(T0 + 2 * PANE_MS, T0 + WINDOW_MS + 2 * PANE_MS), Ends(later + PANE_MS, later + PANE_MS)]
    }


def test_touching_intervals_become_one() -> None:
    assert merge([Ends(T0 + PANE_MS, T0 + PANE_MS), Ends(T0 + 3 * PANE_MS, T0 + 3 * PANE_MS), Ends(T0, T0)]) == [
        Ends(T0, T0 + PANE_MS),
        Ends(T0 + 3 * PANE_MS, T0 + 3 * PANE_MS),
    ]


def test_a_series_falls_to_zero_once() -> None:
    points = rolling_hours([pane(T0)], Ends(T0 + PANE_MS, T0 + WINDOW_MS + 5 * PANE_MS))
    assert len(points) == len({point.end_ms for point in points}) == 361
    assert [point.sums.tweets for point in points] == [1] * 360 + [0]
    assert points[-1] == HourPoint(T0 + WINDOW_MS + PANE_MS, A, Sums())


@settings(max_examples=150)
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
                expected[end, series] = Sums(tweets, tweets, 10 * tweets, -tweets)
    points = rolling_hours([pane(start, series, n) for (start, series), n in panes.items()], ends)
    assert len(points) == len({(p.end_ms, p.series) for p in points}) == len(expected)
    assert {(p.end_ms, p.series): p.sums for p in points} == expected
