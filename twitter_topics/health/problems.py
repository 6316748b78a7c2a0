"""Problems of the speed layer, as sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from twitter_topics.backends.kafka_offsets import Stamps
    from twitter_topics.health.report import Health

STREAMING_PARTS = ("archiver", "classifier", "aggregator")

ENDED_ON_PURPOSE = ("finished", "stopped")
"""States in which a silent part is healthy: its source has ended, or a person stopped it."""


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """When to raise an alarm."""

    silent_seconds: float = 120
    min_lag: int = 1000
    """A smaller lag is one batch in flight, whatever its trend."""
    lag_growth: float = 1.2
    max_dead_letter_share: float = 0.05
    min_dead_letters: int = 20
    dead_letter_seconds: float = 3600
    max_clock_difference_seconds: float = 60


def find_problems(
    reports: Mapping[str, Health],
    previous_lag: Mapping[str, int],
    *,
    now: float,
    limits: WatchLimits,
    parts: Iterable[str],
) -> list[str]:
    """Return one sentence per problem; empty if there is none.

    Args:
        parts: parts that should be running.
        reports: latest report by part.
        previous_lag: lag by part at the previous check; a part seen for the first time has no trend.
        now: Unix seconds.
    """
    problems = []
    for part in parts:
        report = reports.get(part)
        if report is None:
            problems.append(f"{part} has never reported; see `twitter-topics status`")
        elif report.state not in ENDED_ON_PURPOSE:
            problems += _of_running_part(report, previous_lag.get(part), now, limits)
    return problems


def dead_letter_problem(dead_letters: int, raw_records: int, limits: WatchLimits) -> list[str]:
    """Return a sentence if too many of the records of the last `dead_letter_seconds` became dead letters."""
    if dead_letters < limits.min_dead_letters or dead_letters <= limits.max_dead_letter_share * raw_records:
        return []
    share = f" ({dead_letters / raw_records:.1%}, allowed {limits.max_dead_letter_share:.1%})" if raw_records else ""
    return [
        f"{dead_letters:,} dead letters and {raw_records:,} records in the last "
        f"{limits.dead_letter_seconds / 60:.0f} minutes{share}; `twitter-topics dead-letters` shows the reasons"
    ]


def clock_problems(newest: Sequence[Stamps], *, now: float, limits: WatchLimits) -> list[str]:
    """Return a sentence if the broker's clock differs from ours or from the producer's.

    A record cannot arrive before the producer has received it, nor later than now. It may arrive long after, from a
    producer's spool.

    Args:
        newest: of the newest records of the raw topic.
        now: Unix seconds.
    """
    ahead = max((one.broker_ms / 1000 - now for one in newest), default=0)
    behind = max(((one.producer_ms - one.broker_ms) / 1000 for one in newest if one.producer_ms is not None), default=0)
    problems = []
    if ahead > limits.max_clock_difference_seconds:
        problems.append(f"Kafka's clock is {ahead / 60:.0f} minutes ahead of this machine's; set the clocks")
    if behind > limits.max_clock_difference_seconds:
        problems.append(
            f"Kafka's clock is {behind / 60:.0f} minutes behind the producer's, so live tweets seem to come from the "
            "future and are rejected (SPEED_MAX_FUTURE_MINUTES); set the clocks"
        )
    return problems


def _of_running_part(report: Health, previous_lag: int | None, now: float, limits: WatchLimits) -> list[str]:
    silent = now - report.at
    if silent > limits.silent_seconds:
        last = f"{report.state!r}: {report.error}" if report.error else f"{report.state!r}"
        return [f"{report.part} has been silent for {silent / 60:.0f} minutes; its last state was {last}"]
    problems = []
    if not report.ok:
        problems.append(f"{report.part} reports {report.state!r}: {report.error or 'no reason given'}")
    if report.state.startswith("waiting"):
        return problems  # its lag grows while it waits, which is no extra problem
    if previous_lag is not None and report.lag >= limits.min_lag and report.lag > previous_lag * limits.lag_growth:
        problems.append(f"{report.part} is falling behind: lag {report.lag:,}, previously {previous_lag:,}")
    return problems
