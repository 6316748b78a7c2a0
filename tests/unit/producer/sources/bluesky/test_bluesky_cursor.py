from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.sources.bluesky.cursor import (
    AHEAD_US,
    FIRST_TIME_US,
    LOOK_BACK_US,
    MARGIN_US,
    CursorTracker,
    JetstreamCursor,
    is_placed,
)
from producer.sources.bluesky.wire import JetstreamMessage
from tests.fakes.bluesky_network import make_tid
from twitter_topics.errors import IntegrityError

NOW = 1_790_000_000_000_000
HOUR_US = 3_600_000_000
HERE, THERE = "wss://here.example", "wss://there.example"


def message(time_us: int, seq: int = 0, late_us: int | None = None) -> JetstreamMessage:
    body = {} if late_us is None else {"rev": make_tid(time_us - late_us)}
    return JetstreamMessage("commit", "did:plc:a", time_us, seq, body)


def place(cursor: JetstreamCursor | None, *, rewind_s: int = 5, v2: bool = False, quiet: bool = False) -> CursorTracker:
    return CursorTracker(cursor, rewind_s, v2, quiet)


@given(st.sampled_from([HERE, THERE]), *[st.integers(0, 2**62)] * 3)
def test_a_cursor_survives_being_saved(host: str, time_us: int, seq: int, late_us: int) -> None:
    cursor = JetstreamCursor(host, time_us, seq, late_us)
    assert JetstreamCursor.from_text(cursor.text()) == cursor


@pytest.mark.parametrize("text", ["", "7", "wss://here 1", "wss://here one 2", "a b c d", "a 1 2 c", "a 1 2 3 4"])
def test_a_damaged_cursor_is_reported(text: str) -> None:
    with pytest.raises(IntegrityError, match="not a Bluesky cursor"):
        JetstreamCursor.from_text(text)


def test_the_first_start_begins_now() -> None:
    assert place(None).ask(HERE, NOW) is None


def test_the_same_host_is_asked_for_the_exact_cursor() -> None:
    cursor = JetstreamCursor(HERE, NOW - 1000, 42)
    assert place(cursor).ask(HERE, NOW) == NOW - 1000
    assert place(cursor, v2=True).ask(HERE, NOW) == 42


@pytest.mark.parametrize("v2", [False, True])
def test_another_host_is_asked_by_time_from_slightly_earlier(v2: bool) -> None:
    cursor = JetstreamCursor(HERE, NOW - 1000, 42)
    assert place(cursor, v2=v2).ask(THERE, NOW) == NOW - 1000 - 5_000_000
    assert place(cursor, v2=v2, rewind_s=0).ask(THERE, NOW) == NOW - 1000


@pytest.mark.parametrize("v2", [False, True])
def test_another_host_is_asked_for_what_a_late_host_had_not_seen(v2: bool) -> None:
    cursor = JetstreamCursor(HERE, NOW - 1000, 42, 600_000_000)
    assert place(cursor, v2=v2).ask(THERE, NOW) == NOW - 1000 - 600_000_000 - 5_000_000
    assert place(cursor, v2=v2).ask(HERE, NOW) == (42 if v2 else NOW - 1000)


def test_what_another_host_no_longer_has_is_missing_although_the_host_before_was_late() -> None:
    asking = place(JetstreamCursor(HERE, NOW, 42, 600_000_000))
    asking.ask(THERE, NOW)
    assert asking.resumed(message(NOW - 600_000_000 + MARGIN_US)) == "in order"
    assert asking.resumed(message(NOW - 1)) == "clamped"
    assert asking.unseen(message(NOW - 1)) == (NOW - 600_000_000, NOW - 1)


def test_how_late_a_host_is_comes_with_the_cursor() -> None:
    following = place(JetstreamCursor(HERE, NOW, 1, 600_000_000))
    following.ask(HERE, NOW)
    following.advance(message(NOW + 1))
    assert following.cursor == JetstreamCursor(HERE, NOW + 1, 1, 600_000_000), "until the first commit it is as before"
    following.advance(message(NOW + 2, late_us=7))
    assert following.cursor == JetstreamCursor(HERE, NOW + 2, 1, 7)
    following.ask(THERE, NOW)
    following.advance(message(NOW + 3))
    assert following.cursor == JetstreamCursor(THERE, NOW + 3), "of another host it is not known yet"


def test_a_cursor_whose_server_is_gone_is_another_hosts() -> None:
    asking = place(JetstreamCursor(HERE, NOW - 1000, 42, 7_000_000), v2=True)
    asking.ask(HERE, NOW)
    asking.forget_host()
    assert asking.ask(HERE, NOW) == NOW - 1000 - 7_000_000 - 5_000_000


def test_without_a_number_the_second_wire_is_asked_by_time() -> None:
    assert place(JetstreamCursor(HERE, NOW - 1000), v2=True).ask(HERE, NOW) == NOW - 1000


@given(st.integers(0, 2**62), st.integers(0, 3600), st.sampled_from([HERE, THERE]), st.integers(FIRST_TIME_US, 2**55))
def test_a_cursor_is_never_in_the_future_nor_mistaken_for_a_number(
    time_us: int, rewind: int, host: str, now: int
) -> None:
    asked = place(JetstreamCursor(HERE, time_us), rewind_s=rewind).ask(host, now)
    assert asked is None if time_us == 0 else FIRST_TIME_US <= (asked or 0) <= now


def test_a_late_first_event_means_that_events_are_missing() -> None:
    cursor = JetstreamCursor(HERE, NOW - 10**12)
    for late_us, expected in ((0, "in order"), (MARGIN_US, "in order"), (MARGIN_US + 1, "clamped")):
        for host in (HERE, THERE):
            asking = place(cursor)
            asking.ask(host, NOW)
            assert asking.resumed(message(cursor.time_us + late_us)) == expected


def test_nothing_is_missing_without_a_cursor() -> None:
    asking = place(None)
    asking.ask(HERE, NOW)
    assert asking.resumed(message(NOW)) == "in order"


def quiet_place(cursor_us: int, alive_us: int, outdated: bool = False) -> CursorTracker:
    """Return a tracker that asked for a cursor of this age, this long after the last sign of life."""
    asking = place(JetstreamCursor(HERE, NOW - cursor_us), quiet=True)
    asking.ask(HERE, NOW, NOW - alive_us)
    asking.outdated = outdated
    return asking


@pytest.mark.parametrize(
    ("cursor_us", "alive_us", "missed_us"),
    [
        (40 * HOUR_US, 1_000_000, None),
        (40 * HOUR_US, LOOK_BACK_US, None),
        (40 * HOUR_US, 37 * HOUR_US, 37 * HOUR_US),
        (40 * HOUR_US, 40 * HOUR_US, 40 * HOUR_US),
        (40 * HOUR_US, NOW, 40 * HOUR_US),  # unknown
        (30 * HOUR_US, 40 * HOUR_US, None),
    ],
)
def test_of_few_accounts_only_what_no_host_has_any_more_is_missing(
    cursor_us: int, alive_us: int, missed_us: int | None
) -> None:
    expected = None if missed_us is None else (NOW - missed_us, NOW - LOOK_BACK_US)
    for outdated in (False, True) if cursor_us > LOOK_BACK_US else (False,):
        asking = quiet_place(cursor_us, alive_us, outdated)
        assert asking.expired() == expected
        assert asking.resumed(message(NOW + HOUR_US)) == "in order", "their silence means nothing"


def test_a_host_may_announce_that_it_keeps_less_of_few_accounts() -> None:
    asking = quiet_place(30 * HOUR_US, 20 * HOUR_US, outdated=True)
    assert asking.resumed(message(NOW + HOUR_US)) == "clamped"
    assert asking.unseen(message(NOW + HOUR_US)) == (NOW - 20 * HOUR_US, NOW)
    assert asking.unseen(message(NOW - HOUR_US)) == (NOW - 20 * HOUR_US, NOW - HOUR_US)
    assert quiet_place(30 * HOUR_US, 1_000_000, outdated=True).resumed(message(NOW + HOUR_US)) == "in order"


def test_of_the_whole_network_only_the_first_event_tells_what_is_missing() -> None:
    asking = place(JetstreamCursor(HERE, NOW - 40 * HOUR_US))
    asking.ask(HERE, NOW, NOW - 40 * HOUR_US)
    assert asking.expired() is None


@pytest.mark.parametrize(
    ("seq", "later_us", "expected"),
    [(42, 0, "in order"), (43, MARGIN_US, "in order"), (41, 0, "elsewhere"), (42, MARGIN_US + 1, "elsewhere")],
)
def test_numbers_of_another_server_are_detected(seq: int, later_us: int, expected: str) -> None:
    asking = place(JetstreamCursor(HERE, NOW - 10**12, 42), v2=True)
    asking.ask(HERE, NOW)
    assert asking.resumed(message(NOW - 10**12 + later_us, seq)) == expected


def test_a_number_is_forgotten_once() -> None:
    asking = place(JetstreamCursor(HERE, NOW - 1000, 42), v2=True)
    assert asking.ask(HERE, NOW) == 42
    assert asking.forget_number()
    assert asking.ask(HERE, NOW) == NOW - 1000
    assert not asking.forget_number()


def test_the_cursor_never_moves_back() -> None:
    following = place(None, v2=True)
    following.ask(HERE, NOW)
    assert following.advance(message(NOW - 500, 7))
    assert not following.advance(message(NOW - 500, 7))
    assert not following.advance(message(NOW - 900, 6))
    assert following.advance(message(5, 8))  # an event imported with its old time
    assert following.cursor == JetstreamCursor(HERE, NOW - 500, 8)


def test_a_time_ahead_of_the_clock_is_ignored() -> None:
    assert is_placed(message(NOW + AHEAD_US), NOW)
    assert not is_placed(message(NOW + AHEAD_US + 1), NOW)
    assert not is_placed(message(0), NOW)
    assert not is_placed(message(NOW)._replace(kind="moon"), NOW)


def test_another_host_is_tracked_by_its_own_times() -> None:
    following = place(JetstreamCursor(HERE, NOW - 1000, 42))
    following.ask(THERE, NOW)
    assert following.advance(message(NOW - 4_000_000, 3))
    assert following.cursor == JetstreamCursor(THERE, NOW - 4_000_000, 3)
