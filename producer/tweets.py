"""Dates and ids in the v1.1 format."""

from __future__ import annotations

import time

SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
"""Twitter's epoch: 2010-11-04T01:42:54.657Z."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def created_at(time_ms: int) -> str:
    """Return Twitter's date format, English in any locale: `Sun Nov 01 00:00:03 +0000 2026`."""
    utc = time.gmtime(time_ms // 1000)
    clock = f"{utc.tm_hour:02}:{utc.tm_min:02}:{utc.tm_sec:02}"
    return f"{_DAYS[utc.tm_wday]} {_MONTHS[utc.tm_mon - 1]} {utc.tm_mday:02} {clock} +0000 {utc.tm_year}"


def snowflake(time_ms: int, worker: int, sequence: int) -> int:
    """Return a tweet id: 42 bits of time, 10 of `worker` and 12 of `sequence` (both truncated to their bits)."""
    return (time_ms - SNOWFLAKE_EPOCH_MS) << 22 | (worker & 0x3FF) << 12 | (sequence & 0xFFF)
