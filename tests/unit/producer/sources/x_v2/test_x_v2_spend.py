"""The spend guard never exceeds a cap and never under-counts, whatever happens to process and clock."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.source import Context
from producer.sources.x_v2.spend import LINE_POSTS, LOOK_AGAIN_S, MAX_BLOCK, REMEMBERED, SpendGuard
from twitter_topics.errors import IntegrityError
from twitter_topics.settings import Settings, XSettings

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


class Clock:
    """Unix milliseconds that change only when set."""

    def __init__(self, at: datetime = NOON) -> None:
        self.ms = int(at.timestamp() * 1000)

    def forward(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)

    def __call__(self) -> int:
        return self.ms


def caps(daily: int = 0, monthly: int = 0, dollars: float = 0.0) -> XSettings:
    given = {"X_DAILY_CAP_POSTS": daily, "X_MONTHLY_CAP_POSTS": monthly, "X_MONTHLY_CAP_DOLLARS": dollars}
    return Settings({name: str(value) for name, value in given.items()}).x


def guard(path: Path, settings: XSettings, clock: Clock) -> SpendGuard:
    return SpendGuard(path / "spend.json", settings, Context(now_ms=clock))


def read(one: SpendGuard, *posts: int) -> str:
    return one.received([str(post) for post in posts], [])


def written(path: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads((path / "spend.json").read_text())
    return found


def test_it_pauses_until_midnight_before_the_daily_cap(tmp_path: Path) -> None:
    clock = Clock(NOON.replace(hour=23, minute=30))
    one = guard(tmp_path, caps(daily=100), clock)
    assert one.pause() is None
    asked = [read(one, number) for number in range(90)]
    assert asked[:89] == [""] * 89
    assert asked[89] == "pausing before reaching a cap: 90 of 100 posts today (X_DAILY_CAP_POSTS)"

    pause = one.pause()
    assert pause is not None
    assert (pause.seconds, pause.cause) == (1800.0, "spend-cap")
    assert pause.sentence.endswith("resumes at 2026-12-01 00:00 UTC")
    assert (one.spend.paused, one.spend.reset_ms) == (True, clock.ms + 1_800_000)

    clock.forward(pause.seconds)
    assert one.pause() is None
    assert (one.spend.paused, one.spend.posts_today, one.spend.reset_ms) == (False, 0, 0)


@pytest.mark.parametrize(
    ("at", "end"),
    [
        (datetime(2026, 11, 15, 7, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2028, 2, 28, 5, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
        (datetime(2027, 1, 31, 23, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC)),
    ],
)
def test_it_pauses_until_the_next_month(tmp_path: Path, at: datetime, end: datetime) -> None:
    clock = Clock(at)
    one = guard(tmp_path, caps(monthly=20), clock)
    assert one.pause() is None
    assert [bool(read(one, number)) for number in range(17)] == [False] * 16 + [True]
    pause = one.pause()
    assert pause is not None
    assert one.spend.reset_ms == int(end.timestamp() * 1000)
    assert pause.seconds == min(LOOK_AGAIN_S, (end - at).total_seconds())
    clock.ms = int(end.timestamp() * 1000)
    assert one.pause() is None
    assert one.spend.posts_this_month == 0


def test_users_cost_too(tmp_path: Path) -> None:
    one = guard(tmp_path, caps(dollars=1.0), Clock())
    assert one.pause() is None
    asked = [one.received([f"p{number}"], [f"u{number}"]) for number in range(60)]
    assert asked.index(next(filter(None, asked))) == 59, "60 posts with an author each: 0.90 of 1.00 dollars"
    assert asked[-1] == "pausing before reaching a cap: $0.90 of $1.00 this month (X_MONTHLY_CAP_DOLLARS)"
    assert one.spend.dollars_this_month == pytest.approx(0.9)


def test_an_id_is_billed_once_a_day(tmp_path: Path) -> None:
    clock = Clock(NOON.replace(day=20))
    one = guard(tmp_path, caps(daily=1000), clock)
    for _ in range(3):
        one.received(["1", "2", "1"], ["1"])
    assert (one.spend.posts_today, one.spend.users_this_month) == (2, 1)
    clock.forward(86_400)
    one.received(["1"], ["1"])
    assert (one.spend.posts_today, one.spend.posts_this_month, one.spend.users_this_month) == (1, 3, 2)


def test_remembered_ids_are_bounded(tmp_path: Path) -> None:
    one = guard(tmp_path, caps(), Clock())
    one.received((str(number) for number in range(REMEMBERED + 5)), [])
    assert read(one, REMEMBERED + 4) == ""
    assert one.spend.posts_today == REMEMBERED + 5
    read(one, 0)
    assert one.spend.posts_today == REMEMBERED + 6, "forgotten: counted again, rather too much than too little"


def test_a_crash_counts_at_most_a_block_too_much(tmp_path: Path) -> None:
    clock = Clock()
    one = guard(tmp_path, caps(), clock)
    assert one.pause() is None
    for number in range(777):
        read(one, number)
        assert one.spend.posts_today < written(tmp_path)["posts_today"] <= one.spend.posts_today + MAX_BLOCK
    again = guard(tmp_path, caps(), clock)
    assert 777 <= again.spend.posts_today <= 777 + MAX_BLOCK


def test_a_clean_stop_counts_exactly(tmp_path: Path) -> None:
    clock = Clock()
    one = guard(tmp_path, caps(), clock)
    assert one.pause() is None
    one.received([str(number) for number in range(777)], ["a", "b"])
    one.close()
    again = guard(tmp_path, caps(), clock)
    assert (again.spend.posts_today, again.spend.posts_this_month, again.spend.users_this_month) == (777, 777, 2)


def test_closing_without_reading_writes_nothing(tmp_path: Path) -> None:
    guard(tmp_path, caps(), Clock()).close()
    assert not (tmp_path / "spend.json").exists()


def test_a_clock_set_back_frees_no_budget(tmp_path: Path) -> None:
    clock = Clock(datetime(2026, 12, 1, 0, 5, tzinfo=UTC))
    one = guard(tmp_path, caps(monthly=1000), clock)
    read(one, 1)
    one.close()
    clock.forward(-3600)
    again = guard(tmp_path, caps(monthly=1000), clock)
    read(again, 2)
    assert again.spend.posts_this_month == 2


def test_xs_higher_count_wins(tmp_path: Path) -> None:
    one = guard(tmp_path, caps(daily=100, monthly=1000), Clock())
    read(one, 1, 2, 3)
    one.learn({"2026-10-31": 5000, "2026-11-01": 400, "2026-11-30": 2})
    assert (one.spend.posts_today, one.spend.posts_this_month) == (3, 402), "the larger of each"
    one.learn({"2026-11-30": 95})
    assert (one.spend.posts_today, one.spend.posts_this_month) == (95, 402)
    assert one.pause() is not None
    assert written(tmp_path)["posts_this_month"] >= 402


@pytest.mark.parametrize("content", ["", "{", "[]", '{"day": "x"}', '{"day": "2026-11-30", "posts_today": -1}'])
def test_an_invalid_file_is_rejected(tmp_path: Path, content: str) -> None:
    (tmp_path / "spend.json").write_text(content)
    with pytest.raises(IntegrityError, match=r"spend.json does not contain the X spend"):
        guard(tmp_path, caps(), Clock())


def test_nothing_is_read_if_it_cannot_be_saved(tmp_path: Path) -> None:
    blocked = SpendGuard(tmp_path / "later" / "spend.json", caps(), Context(now_ms=Clock()))
    (tmp_path / "later").write_text("a file in the way")
    with pytest.raises(OSError, match="later"):
        blocked.pause()


@dataclass
class World:
    """What X would bill, counted independently of the guard and never reset by a crash."""

    by_day: dict[str, set[str]]

    def bill(self, day: str, posts: list[str]) -> None:
        self.by_day.setdefault(day, set()).update(posts)

    def of_month(self, month: str) -> int:
        return sum(len(posts) for day, posts in self.by_day.items() if day[:7] == month)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(1, 60)),
        st.tuples(st.just("wait"), st.sampled_from([1, 600, 6 * 3600, 20 * 3600, 9 * 86_400])),
        st.tuples(st.sampled_from(["crash", "end", "break"]), st.just(0)),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60)
@given(ACTIONS, st.sampled_from([0, 12, 50, 200]), st.sampled_from([0, 40, 150, 600]), st.integers(0, 99))
def test_never_beyond_a_cap_and_never_counted_too_little(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, int]], daily: int, monthly: int, seed: int
) -> None:
    path, clock, chance = tmp_path_factory.mktemp("spend"), Clock(), random.Random(seed)
    wanted = caps(daily, monthly)
    world = World({})
    one = guard(path, wanted, clock)

    def today() -> str:
        return datetime.fromtimestamp(clock.ms / 1000, UTC).date().isoformat()

    def bring(most: int) -> tuple[int, str]:
        posts = [str(chance.randrange(100_000)) for _ in range(chance.randint(1, most))]
        world.bill(today(), posts)
        return len(posts), one.received(posts, [])

    for action, amount in actions:
        if action == "wait":
            clock.forward(amount)
        elif action == "crash":
            one = guard(path, wanted, clock)
        elif action == "end":
            one.close()
            one = guard(path, wanted, clock)
        elif one.pause() is None:
            for _ in range(amount):
                _, stop = bring(LINE_POSTS)
                if stop:
                    left = min(max(LINE_POSTS, cap // 10) for cap in (daily, monthly) if cap) - (LINE_POSTS - 1)
                    while left > 0:  # what was in flight
                        left -= bring(min(left, LINE_POSTS))[0]
                    break
        day = today()
        assert not daily or len(world.by_day.get(day, ())) <= daily
        assert not monthly or world.of_month(day[:7]) <= monthly
        one.pause()
        assert one.spend.posts_today >= len(world.by_day.get(day, ()))
        assert one.spend.posts_this_month >= world.of_month(day[:7])
        if (path / "spend.json").exists():
            assert written(path)["posts_this_month"] >= world.of_month(day[:7])
