"""When a post was written, from any of the ways in which files and networks say it."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

_TWITTER = re.compile(
    r"^[A-Z][a-z]{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
    r"(\d{2}) (\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2}) (\d{4})$",
    re.ASCII,
)
_MONTHS = {name: number for number, name in enumerate(calendar.month_abbr) if name}
_ISO = re.compile(r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}", re.ASCII)
_RFC_2822 = re.compile(r"^(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}", re.ASCII)
_ZONE = re.compile(r" (?:UTC|GMT|Z)$| (?=[+-]\d)", re.ASCII)
"""What may follow a time of ISO 8601 after a space: a name of UTC, as in BigQuery's text, or an offset."""

_NUMBER = re.compile(r"^\d{1,15}(?:\.\d{1,9})?$", re.ASCII)

_FIRST_MS = 100_000_000_000
"""A smaller number counts seconds: as milliseconds it would be before 1973; as seconds this one is the year 5138."""

_TWITTERS_FIRST_DAY_MS = 1_142_899_200_000
"""2006-03-21. A number that says an earlier time is something else: a missing time, or a date such as 20261118."""

_LAST_MS = 10**15
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING, _MILLISECOND = timedelta(0), timedelta(milliseconds=1)


def post_time(body: dict[str, Any]) -> int | None:
    """Return event time in Unix milliseconds, from `timestamp_ms`, else from `created_at`; None if neither has one."""
    stamp = _number(body.get("timestamp_ms"))
    if stamp is None or stamp < _TWITTERS_FIRST_DAY_MS:
        return read_time(body.get("created_at"))
    return int(stamp)


def read_time(value: Any) -> int | None:
    """Return Unix milliseconds of Twitter's date format, ISO 8601 or RFC 2822 with a time of day, or of a number.

    A time without an offset is UTC. None for anything else, such as a zone whose name is not known, for what is before
    1970, and for a number that says a time before Twitter.
    """
    if not isinstance(value, str):
        return unix_ms(value)
    text = value.strip()
    match = _TWITTER.match(text)  # nearly always
    if match is not None:
        return _twitter_ms(match)
    try:
        if _ISO.match(text):
            return iso_ms(_ZONE.sub("", text.upper()))
        if _RFC_2822.match(text):
            moment = parsedate_to_datetime(text)  # without an offset also where it does not know the zone's name
            return None if moment.tzinfo is None and not text[-1].isdigit() else _milliseconds(moment)
    except (ValueError, OverflowError, TypeError):
        return None
    return unix_ms(text)


def iso_ms(text: Any) -> int | None:
    """Return Unix milliseconds of an ISO 8601 time; without an offset it is UTC. None for anything else, such as a date
    without a time of day, and before 1970."""
    try:
        if not _ISO.match(text):
            return None
        return _milliseconds(datetime.fromisoformat(text))
    except (TypeError, ValueError):
        return None


def unix_ms(value: Any) -> int | None:
    """Return Unix milliseconds from a number or its text, which counts seconds or milliseconds; None before Twitter."""
    number = _number(value)
    if number is None:
        return None
    time_ms = int(number) if number >= _FIRST_MS else round(number * 1000)
    return time_ms if time_ms >= _TWITTERS_FIRST_DAY_MS else None


def _number(value: Any) -> int | float | None:
    if isinstance(value, str):
        text = value.strip()
        if not _NUMBER.match(text):
            return None
        value = float(text) if "." in text else int(text)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LAST_MS:
        return None
    return value


def _twitter_ms(match: re.Match[str]) -> int | None:
    month, day, hour, minute, second, sign, off_h, off_m, year = match.groups()
    try:
        moment = datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None
    offset = timedelta(hours=int(off_h), minutes=int(off_m))
    return _since_1970(moment - _EPOCH + (-offset if sign == "+" else offset))


def _milliseconds(moment: datetime) -> int | None:
    return _since_1970((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH)


def _since_1970(elapsed: timedelta) -> int | None:
    return elapsed // _MILLISECOND if elapsed >= _NOTHING else None
