"""Ranges of whole hours, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)

GRACE = timedelta(minutes=5)
"""An hour is closed this long after its end: the archiver needs seconds, and sources' clocks differ."""

MAX_RANGE = timedelta(days=31)

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
"""Kafka and the archive have no earlier time."""


@dataclass(frozen=True, slots=True)
class HourRange:
    """From the start of the first hour to the end of the last one, `end` excluded."""

    start: datetime
    end: datetime

    @property
    def hours(self) -> int:
        """Number of hours."""
        return (self.end - self.start) // HOUR

    @property
    def start_ms(self) -> int:
        """Unix milliseconds of `start`."""
        return int(self.start.timestamp()) * 1000

    @property
    def end_ms(self) -> int:
        """Unix milliseconds of `end`."""
        return int(self.end.timestamp()) * 1000


def closed_hours(start: str | datetime, end: str | datetime, *, now: datetime) -> HourRange:
    """Return a range that is safe to count: whole hours that have ended, at most 31 days, none before 1970.

    Args:
        start, end: ISO 8601; UTC if without an offset.
        now: aware.

    Raises:
        ValueError: names the violated rule.
    """
    first, last = parse_hour(start), parse_hour(end)
    if first < _FIRST:
        msg = f"start {first.isoformat()} is before 1970"
        raise ValueError(msg)
    if first >= last:
        msg = f"start {first.isoformat()} is not before end {last.isoformat()} (the end is exclusive)"
        raise ValueError(msg)
    if last - first > MAX_RANGE:
        msg = f"{(last - first) // HOUR} hours are more than {MAX_RANGE.days} days; split the range into several runs"
        raise ValueError(msg)
    limit = last_closed(now)
    if last > limit:
        minutes = GRACE // timedelta(minutes=1)
        msg = (
            f"{last.isoformat()} is not closed yet: an hour can be counted {minutes} minutes after its end,"
            f" and the latest possible end now is {limit.isoformat()}"
        )
        raise ValueError(msg)
    return HourRange(first, last)


def last_closed(now: datetime) -> datetime:
    """Return the end of the newest closed hour."""
    return (now.astimezone(UTC) - GRACE).replace(minute=0, second=0, microsecond=0)


def parse_hour(value: str | datetime) -> datetime:
    """Return a time on the hour, in UTC.

    Raises:
        ValueError: not an ISO 8601 time, not on the hour, or outside the years 1 to 9999 in UTC.
    """
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        msg = f"{value} is outside the years 1 to 9999 (UTC)"
        raise ValueError(msg) from None
    if (moment.minute, moment.second, moment.microsecond) != (0, 0, 0):
        msg = f"{moment.isoformat()} is not on the hour"
        raise ValueError(msg)
    return moment
