from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from twitter_topics.archive.hours import closed_hours, last_closed, parse_hour

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def test_a_range_in_any_offset_is_the_same_range() -> None:
    hours = closed_hours("2026-11-23T10:00:00+02:00", "2026-11-23T10:00", now=NOW)
    assert (hours.start, hours.end) == (datetime(2026, 11, 23, 8, tzinfo=UTC), datetime(2026, 11, 23, 10, tzinfo=UTC))
    assert hours.hours == 2
    assert hours.end_ms - hours.start_ms == 2 * 3_600_000
    assert hours.start_ms == 1795420800000


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z", "not before end"),
        ("2026-11-23T11:00:00Z", "2026-11-23T10:00:00Z", "not before end"),
        ("2026-11-23T10:00:01Z", "2026-11-23T11:00:00Z", "not on the hour"),
        ("2026-11-23T10:00:00Z", "2026-11-23T11:30:00Z", "not on the hour"),
        ("2026-11-23T10:00:00+05:30", "2026-11-23T11:00:00Z", "not on the hour"),
        ("2026-11-23T10:00:00Z", "2026-11-23T13:00:00Z", "the latest possible end now is 2026-11-23T12:00:00"),
        ("2026-10-01T00:00:00Z", "2026-11-01T01:00:00Z", "more than 31 days"),
        ("1926-11-01T00:00Z", "1926-11-02T00:00Z", "start 1926-11-01T00:00:00\\+00:00 is before 1970"),
        ("1926-11-01T00:00Z", "2026-11-02T00:00Z", "before 1970"),
        ("0001-01-01T00:00+01:00", "2026-11-01T01:00Z", "outside the years 1 to 9999"),
        ("yesterday", "2026-11-01T01:00:00Z", "Invalid isoformat"),
    ],
)
def test_rejected(start: str, end: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        closed_hours(start, end, now=NOW)


def test_the_longest_range() -> None:
    assert closed_hours("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", now=NOW).hours == 31 * 24


@pytest.mark.parametrize(("minutes", "closed"), [(0, 11), (4, 11), (5, 12), (59, 12)])
def test_an_hour_is_closed_five_minutes_after_its_end(minutes: int, closed: int) -> None:
    now = datetime(2026, 11, 23, 12, minutes, tzinfo=UTC)
    assert last_closed(now) == datetime(2026, 11, 23, closed, tzinfo=UTC)
    assert last_closed(now.astimezone(timezone(timedelta(hours=5, minutes=45)))) == last_closed(now)


def test_a_time_without_an_offset_is_utc() -> None:
    assert parse_hour("2026-11-23T10:00") == datetime(2026, 11, 23, 10, tzinfo=UTC)
