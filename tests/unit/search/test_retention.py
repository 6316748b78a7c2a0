from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twitter_topics.errors import ConfigurationError, IntegrityError
from twitter_topics.search.index import index_day
from twitter_topics.search.retention import MAX_SHARE, plan_retention

TODAY = date(2026, 11, 23)


def index(age: int) -> str:
    return f"tweets-{TODAY - timedelta(days=age):%Y.%m.%d}"


def test_only_strictly_older_indices_are_deleted() -> None:
    plan = plan_retention([index(age) for age in (0, 1, 13, 14, 15)], prefix="tweets", days=14, today=TODAY)
    assert plan.delete == (index(15),)
    assert plan.keep == tuple(index(age) for age in (14, 13, 1, 0))


@pytest.mark.parametrize(
    "name",
    [
        "tweets",
        "tweets-2026.11",
        "tweets-2026.13.01",
        "tweets-2026.02.30",
        "tweets-2020.01.01-old",
        "tweetsx-2020.01.01",
        "my-tweets-2020.01.01",
        ".tweets-2020.01.01",
        "tweets-2020.01.01\n",
        "tweets-２０２０.01.01",
        "tweets-*",
    ],
)
def test_other_names_are_never_touched(name: str) -> None:
    assert index_day(name, "tweets") is None
    plan = plan_retention([name, index(0)], prefix="tweets", days=1, today=TODAY)
    assert plan.delete == ()
    assert plan.ignored == (name,)


def test_a_dot_in_the_prefix_is_literal() -> None:
    assert index_day("a.b-2026.11.23", "a.b") == TODAY
    assert index_day("axb-2026.11.23", "a.b") is None


@pytest.mark.parametrize("days", [-1, 0, 36501, 10**9])
def test_days_out_of_range_are_rejected(days: int) -> None:
    with pytest.raises(ConfigurationError, match="between 1 and 36500"):
        plan_retention([index(0)], prefix="tweets", days=days, today=TODAY)


def test_a_clock_behind_the_newest_index_is_rejected_even_with_allow_all() -> None:
    names = [index(-3), index(0)]
    with pytest.raises(IntegrityError, match="clock"):
        plan_retention(names, prefix="tweets", days=1, today=TODAY, allow_all=True)
    assert plan_retention([index(-2)], prefix="tweets", days=1, today=TODAY).delete == ()


def test_a_clock_far_ahead_is_rejected_without_allow_all() -> None:
    names = [index(61), index(62)]
    with pytest.raises(IntegrityError, match="clock"):
        plan_retention(names, prefix="tweets", days=14, today=TODAY)
    assert plan_retention(names, prefix="tweets", days=14, today=TODAY, allow_all=True).delete == (index(62), index(61))


def test_more_than_half_is_rejected_without_allow_all() -> None:
    names = [index(0), index(20), index(21)]
    with pytest.raises(IntegrityError, match="2 of 3"):
        plan_retention(names, prefix="tweets", days=14, today=TODAY)
    assert len(plan_retention(names, prefix="tweets", days=14, today=TODAY, allow_all=True).delete) == 2
    assert len(plan_retention([*names, index(1)], prefix="tweets", days=14, today=TODAY).delete) == 2


def test_no_indices_mean_an_empty_plan() -> None:
    plan = plan_retention([], prefix="tweets", days=14, today=TODAY)
    assert (plan.delete, plan.keep, plan.ignored) == ((), (), ())


@given(st.lists(st.integers(-2, 60), unique=True), st.integers(1, 100), st.booleans())
def test_every_name_is_in_one_group_and_no_young_one_is_deleted(ages: list[int], days: int, allow_all: bool) -> None:
    names = [index(age) for age in ages]
    try:
        plan = plan_retention(names, prefix="tweets", days=days, today=TODAY, allow_all=allow_all)
    except IntegrityError:
        assert not allow_all
        assert sum(age > days for age in ages) > MAX_SHARE * len(ages)
        return
    assert sorted(plan.delete + plan.keep + plan.ignored) == sorted(names)
    assert set(plan.delete) == {index(age) for age in ages if age > days}
