"""Gap detection with its own clock: each period without a connection is recorded once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.position import SourcePosition
from producer.receiving.gaps import GapWatch
from producer.source import Context, Event
from tests.fakes.script import FakeClock
from twitter_topics.records.gap import Gap

BEGIN_MS = 1_790_000_000_000


@dataclass
class Watched:
    clock: FakeClock
    context: Context
    gaps: GapWatch


def watch(start: SourcePosition | None = None) -> Watched:
    clock = FakeClock(BEGIN_MS)
    context = Context(now_ms=clock.now_ms, monotonic=clock.monotonic)
    return Watched(clock, context, GapWatch("here", start or SourcePosition({}), context))


def read(event: Event | None) -> Gap:
    assert event is not None
    assert event.kind == "gap"
    gap = Gap.from_value(event.value)
    assert event.key == gap.key()
    assert event.event_time_ms == gap.from_ms
    return gap


def test_the_very_first_connection_ends_no_gap() -> None:
    assert watch().gaps.connected() is None


def test_a_disconnect_is_a_gap_from_the_last_sign_of_life() -> None:
    w = watch()
    w.gaps.connected()
    w.clock.advance(10)
    w.gaps.alive()
    w.clock.advance(21)
    w.gaps.lost("stall", "silent")
    assert (w.context.status.connected, w.context.status.sentence) == (False, "silent")
    w.clock.advance(5)
    w.gaps.lost("http-503", "busy")
    w.clock.advance(5)
    gap = read(w.gaps.connected())
    assert gap == Gap("here", BEGIN_MS + 10_000, BEGIN_MS + 41_000, "stall", 0)
    assert w.context.status.reconnects == {"stall": 1, "http-503": 1}
    assert (w.context.status.connected, w.context.status.sentence) == (True, "")
    assert w.context.status.gap_seconds == 31.0


def test_a_stop_of_the_producer_is_a_gap_with_estimated_posts() -> None:
    w = watch(SourcePosition({}, alive_ms=BEGIN_MS - 60_000, rate=2.5))
    assert w.context.status.alive_ms == BEGIN_MS - 60_000
    w.gaps.lost("network", "refused")  # the server is down too: still one gap
    w.clock.advance(10)
    assert read(w.gaps.connected()) == Gap("here", BEGIN_MS - 60_000, BEGIN_MS + 10_000, "stopped", 175)


def test_a_pause_opens_a_gap_and_is_not_a_reconnect() -> None:
    w = watch()
    w.gaps.connected()
    w.gaps.paused("spend-cap", "the cap is reached")
    assert w.context.status.sentence == "the cap is reached"
    w.clock.advance(3600)
    assert read(w.gaps.connected()).cause == "spend-cap"
    assert not w.context.status.reconnects


def test_a_clock_that_is_set_back_loses_no_gap() -> None:
    w = watch()
    w.gaps.connected()
    w.clock.advance(10)
    w.gaps.alive()
    w.gaps.lost("network", "broken")
    w.clock._now_ms -= 3_600_000
    w.clock.advance(7)
    assert read(w.gaps.connected()).seconds == 7.0


def test_posts_still_queued_do_not_advance_the_sign_of_life() -> None:
    w = watch()
    w.gaps.connected()
    assert w.context.status.alive_ms == 0
    w.clock.advance(1)
    first = w.gaps.alive(1, handed_on=False)
    w.clock.advance(1)
    second = w.gaps.alive(1, handed_on=False)
    assert w.context.status.alive_ms == 0
    assert w.gaps.alive_ms == second
    w.gaps.handed_on(second)
    w.gaps.handed_on(first)
    assert w.context.status.alive_ms == second == BEGIN_MS + 2000


def test_the_rate_follows_the_posts_and_survives_a_reconnect() -> None:
    w = watch()
    w.gaps.connected()
    for _ in range(600):
        w.clock.advance(1)
        w.gaps.alive(5)
    assert w.context.status.rate == pytest.approx(5.0)
    w.gaps.lost("network", "broken")
    w.clock.advance(100)
    assert read(w.gaps.connected()).estimated_posts == 500
    w.clock.advance(1)
    w.gaps.alive(0)
    assert 4.9 < w.context.status.rate < 5.0
    for _ in range(3000):
        w.clock.advance(1)
        w.gaps.alive(20)
    assert w.context.status.rate == pytest.approx(20.0, abs=0.01)


def test_posts_count_towards_the_rate_at_the_next_sign_of_life() -> None:
    w = watch()
    w.gaps.count(7)
    w.gaps.connected()
    w.gaps.count(2)
    w.gaps.count(3)
    w.clock.advance(1)
    assert w.context.status.rate == 0.0
    w.gaps.alive()
    assert w.context.status.rate == 5.0


STEPS = st.lists(
    st.tuples(st.sampled_from(["connected", "alive", "lost", "paused"]), st.integers(0, 100_000)), max_size=60
)


@given(STEPS, st.integers(0, 10**6))
@settings(max_examples=200)
def test_no_gap_is_lost_or_counted_twice(steps: list[tuple[str, int]], stopped_ms: int) -> None:
    """Against a model: a time is missed if it is between a sign of life and the connection after the next loss."""
    w = watch(SourcePosition({}, alive_ms=BEGIN_MS - stopped_ms) if stopped_ms else None)
    gaps: list[Gap] = []
    missed_ms, alive, is_open, connected = 0, BEGIN_MS - stopped_ms, bool(stopped_ms), False
    for action, wait_ms in steps:
        w.clock.advance(wait_ms / 1000)
        now = w.clock.now_ms()
        if action == "alive" and connected:
            w.gaps.alive()
            alive = now
        elif action in ("lost", "paused"):
            getattr(w.gaps, action)(action, "")
            if not is_open and not connected:
                alive = now  # never connected: the gap begins with the first failure
            is_open, connected = True, False
        elif action == "connected" and not connected:
            event = w.gaps.connected()
            missed_ms += now - alive if is_open else 0
            gaps += [Gap.from_value(event.value)] if event else []
            alive, is_open, connected = now, False, True
    assert sum(gap.to_ms - gap.from_ms for gap in gaps) == missed_ms
    assert all(earlier.to_ms <= later.from_ms for earlier, later in pairwise(gaps))
    assert len({gap.key() for gap in gaps}) == len(gaps)
    assert round(w.context.status.gap_seconds * 1000) == missed_ms
