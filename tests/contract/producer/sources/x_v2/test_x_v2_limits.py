"""X's limits and costs: attempts, backfill and caps, against a server that counts too."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from producer.position import SourcePosition
from producer.receiving.http_stream import Pause
from producer.receiving.rules import X
from producer.source import Event
from producer.sources.x_v2.limits import CONNECTS_WINDOW_S, MAX_CONNECTS, Connects
from producer.sources.x_v2.spend import FILE, SpendGuard
from tests.fakes.script import (
    end,
    hang_up,
    keep_open,
    posts,
    status,
)
from tests.fakes.x_api import (
    STREAM,
    USAGE,
    FakeX,
)
from tests.fakes.x_setup import NOW_MS, Setup, follow, gaps, ids
from twitter_topics.errors import ConfigurationError
from twitter_topics.records.gap import Gap

# --- limits


def test_never_more_attempts_than_x_allows(setup: Setup) -> None:
    with FakeX(130, [[posts(1), end]], now_ms=setup.clock.now_ms) as x:
        follow(setup.source(x), 130)
        assert len(x.connected_at) >= 130
        assert x.rejected_429 == 0
    assert sum(setup.clock.waits) > 2 * CONNECTS_WINDOW_S


def test_attempts_of_earlier_runs_count(setup: Setup) -> None:
    with FakeX(2, [[posts(1), end], [posts(1), keep_open]], now_ms=setup.clock.now_ms) as x:
        x.connected_at += [NOW_MS - 100_000] * (MAX_CONNECTS - 1)
        follow(setup.source(x), 2)
        assert x.rejected_429 == 0
    assert setup.clock.waits == [800.0], "the headers of the last response said: none left until then"


def test_attempts_that_failed_after_x_had_the_request_count_too(setup: Setup) -> None:
    with FakeX(0, [[hang_up]], now_ms=setup.clock.now_ms) as x:
        for event in setup.source(x).events():
            assert event is None
            if len(x.connected_at) > MAX_CONNECTS:
                break
        assert x.rejected_429 == 0
    assert sum(setup.clock.waits[: MAX_CONNECTS + 1]) >= CONNECTS_WINDOW_S


def test_attempts_that_never_reached_x_do_not_count(setup: Setup) -> None:
    for event in setup.source("http://127.0.0.1:9").events():
        assert event is None
        if len(setup.clock.waits) > MAX_CONNECTS:
            break
    assert max(setup.clock.waits[: MAX_CONNECTS + 1]) <= X.network_max_s
    assert "refused" in setup.context.status.sentence


def test_the_window_slides(setup: Setup) -> None:
    connects = Connects(setup.context)
    for _ in range(MAX_CONNECTS):
        assert connects.pause() is None
        connects.taken()
        setup.clock.advance(10)
    assert connects.pause() == Pause(
        CONNECTS_WINDOW_S - 10 * MAX_CONNECTS,
        "rate-limit",
        "X allows 50 connections in 15 minutes, and all are used",
    )
    setup.clock.advance(CONNECTS_WINDOW_S - 10 * MAX_CONNECTS)
    assert connects.pause() is None


# --- gaps and backfill


@pytest.mark.parametrize(
    ("away_s", "setting", "asked", "estimated"),
    [
        (90, "5", ["2"], 0),
        (90, "1", ["1"], 90),
        (290, "5", ["5"], 0),
        (301, "5", None, 301),
        (90, "0", None, 90),
    ],
)
def test_backfill_is_requested_only_where_it_helps(
    setup: Setup, away_s: int, setting: str, asked: list[str] | None, estimated: int
) -> None:
    with FakeX(1) as x:
        saved = SourcePosition({"url": x.url}, alive_ms=NOW_MS - away_s * 1000, rate=1.0)
        events = follow(setup.source(x, saved, X_BACKFILL_MINUTES=setting), 1)
        assert x.asked(STREAM)[0].query.get("backfill_minutes") == asked
    [gap] = gaps(events)
    assert (gap.cause, gap.seconds, gap.estimated_posts) == ("stopped", away_s, estimated)


def test_a_backfill_closes_only_the_gap_it_was_requested_for(setup: Setup) -> None:
    source = setup.source("http://127.0.0.1:9")
    source._backfill = (NOW_MS - 120_000, NOW_MS)
    for begin, end_ms, estimated in ((-60_000, 5, 0), (-121_000, 5, 7), (-100_000, -50_000, 7)):
        gap = Gap("x_v2", NOW_MS + begin, NOW_MS + end_ms, "network", 7)
        judged = source._judged(Event("gap", gap.key(), gap.value()))
        assert Gap.from_value(judged.value).estimated_posts == estimated


def test_the_first_start_has_no_gap(setup: Setup) -> None:
    with FakeX(1) as x:
        assert gaps(follow(setup.source(x, X_BACKFILL_MINUTES="5"), 1)) == []
        assert "backfill_minutes" not in x.asked(STREAM)[0].query


def test_another_address_is_another_stream(setup: Setup) -> None:
    with FakeX() as x:
        saved = SourcePosition({"url": "https://elsewhere"}, count=7, alive_ms=5)
        assert setup.source(x, saved).start == SourcePosition({"url": x.url})
        saved = SourcePosition({"url": x.url}, count=7, alive_ms=5)
        assert setup.source(x, saved).start is saved


def test_backfill_without_enterprise_is_explained(setup: Setup) -> None:
    with FakeX(0, [[status(403)]]) as x:
        saved = SourcePosition({"url": x.url}, alive_ms=NOW_MS - 60_000)
        with pytest.raises(ConfigurationError, match="X_BACKFILL_MINUTES needs an Enterprise account"):
            list(setup.source(x, saved, X_BACKFILL_MINUTES="2").events())


# --- money


def test_it_pauses_before_the_cap_and_resumes_the_next_day(setup: Setup) -> None:
    with FakeX(100, [[posts(45), keep_open], [posts(5), keep_open]]) as x:
        events = follow(setup.source(x, X_DAILY_CAP_POSTS="50", X_MONTHLY_CAP_DOLLARS="0"), 50)
        assert sorted(Counter(ids(events)).items()) == sorted((one, 1) for one in x.sent_ids)
        assert len(x.sent_ids) == 50
    waits = setup.clock.waits
    assert sum(waits) == 12 * 3600, "from noon to midnight UTC"
    assert set(waits) == {3600.0}, "checking again each hour"
    [gap] = gaps(events)
    assert (gap.cause, gap.seconds) == ("spend-cap", 12 * 3600)
    assert setup.context.status.spend is not None
    assert setup.context.status.spend.posts_this_month == 50
    assert (setup.context.status.spend.posts_today, setup.context.status.spend.paused) == (5, False)


def test_the_pause_is_reported(setup: Setup) -> None:
    (setup.state_dir / FILE).write_text(
        json.dumps({"day": "2026-11-01", "posts_today": 9_000, "posts_this_month": 9_000, "users_this_month": 0})
    )
    with FakeX(5) as x:
        setup.stop_at_the_first_wait()
        assert not any(setup.source(x, X_MONTHLY_CAP_DOLLARS="50").events())
        assert x.connected_at == []
    status = setup.context.status
    assert status.sentence.startswith("paused before reaching a cap: $45.00 of $50.00 this month")
    assert status.sentence.endswith("resumes at 2026-12-01 00:00 UTC")
    assert status.spend is not None
    assert status.spend.paused
    assert not status.connected


def test_xs_own_count_is_used(setup: Setup) -> None:
    with FakeX(5) as x:
        x.usage = {"2026-11-01": 95}
        setup.stop_at_the_first_wait()
        assert not any(setup.source(x, X_DAILY_CAP_POSTS="100").events())
        assert x.connected_at == []
        assert len(x.asked(USAGE)) == 1


def test_without_xs_own_count_it_still_reads(setup: Setup) -> None:
    with FakeX(5) as x:
        x.usage = None
        assert len(follow(setup.source(x), 5)) == 5


def test_a_crash_while_reading_counts_every_post(setup: Setup) -> None:
    with FakeX(300) as x:
        source = setup.source(x)
        follow_some = source.events()
        while sum(1 for _ in x.sent_ids) < 300 or source._guard.spend.posts_today < 300:
            next(follow_some)
        crashed = SpendGuard(setup.state_dir / FILE, setup.settings(x).x, setup.new_context())
        assert 300 <= crashed.spend.posts_this_month <= 400
    source.close()
    ended = SpendGuard(setup.state_dir / FILE, setup.settings(x).x, setup.new_context())
    assert (ended.spend.posts_this_month, ended.spend.users_this_month) == (300, 7)


def test_nothing_is_read_while_the_spend_cannot_be_saved(setup: Setup) -> None:
    with FakeX(5) as x:
        setup.stop_at_the_first_wait()
        source = setup.source(x)
        setup.state_dir.joinpath(FILE).mkdir()
        assert not any(source.events())
        assert x.connected_at == []
        assert "cannot save the X spend" in setup.context.status.sentence
