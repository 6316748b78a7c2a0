"""Run the audit: one check, or repeated checks until everything balances or nothing changes any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from twitter_topics.audit.balance import Report, balance
from twitter_topics.audit.collect import collect

if TYPE_CHECKING:
    from twitter_topics.audit.stores import Stores

STILL_SECONDS = 45.0
"""If nothing changes for this long, records that are behind are stuck: several times the slowest healthy trigger."""

_PAUSE_SECONDS = 2.0


def audit(
    stores: Stores,
    *,
    retention_days: int,
    wait_seconds: float = 0,
    still_seconds: float = STILL_SECONDS,
    seen: Callable[[Report], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Report:
    """Balance all records produced so far.

    Args:
        wait_seconds: time for the pipeline to process them. 0 = one check.
        still_seconds: within that time, stop if no number has changed for this long: records that are behind are stuck.
        seen: called with each report.

    Returns:
        The last report. A broken balance is checked twice, because the stores cannot be read at one instant.

    Raises:
        RetryableError: a store is unavailable.
    """
    cut = stores.raw_ranges()
    began = moved = clock()
    last: tuple[object, ...] = ()
    broken_before = False
    while True:
        looked = clock()
        facts = collect(
            stores, cut, today=datetime.now(UTC).date(), retention_days=retention_days, clock=clock, sleep=sleep
        )
        now = clock()
        if (movement := (facts.archived, facts.indexed, facts.counted, sum(facts.dead_letters.values()))) != last:
            last, moved = movement, now
        still = now - moved if now - moved >= still_seconds else 0
        report = balance(facts, still_seconds=still)
        seen(report)
        if report.state == "ok" or still or (report.state == "broken" and broken_before):
            return report
        if report.state == "lagging" and now - began >= wait_seconds:
            return report
        broken_before = report.state == "broken"
        sleep(max(_PAUSE_SECONDS, now - looked))  # a large archive must not be read without pauses
