"""The task of speed_layer_watch: check the parts' health reports and the dead letters."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from twitter_topics.backends.kafka_offsets import newest_stamps, records_since
from twitter_topics.errors import RetryableError
from twitter_topics.health.problems import (
    STREAMING_PARTS,
    WatchLimits,
    clock_problems,
    dead_letter_problem,
    find_problems,
)
from twitter_topics.health.report import Health, read_health

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)


def read_reports(settings: Settings) -> dict[str, Health]:
    """Return the latest report of each part."""
    return read_health(settings.speed.health_dir)


def look(
    settings: Settings, reports: Mapping[str, Health], previous_lag: Mapping[str, int], *, now: float
) -> list[str]:
    """Return all problems, as sentences.

    Args:
        previous_lag: lag by part at the previous check.
        now: Unix seconds.
    """
    limits = WatchLimits()
    parts = (*settings.producer.parts, *STREAMING_PARTS)
    problems = find_problems(reports, previous_lag, now=now, limits=limits, parts=parts)
    since_ms = int((now - limits.dead_letter_seconds) * 1000)
    try:
        raw = records_since(settings.kafka, settings.kafka.raw_topic, since_ms)
        dead = records_since(settings.kafka, settings.kafka.dead_letter_topic, since_ms)
        problems += dead_letter_problem(dead, raw, limits)
        problems += clock_problems(newest_stamps(settings.kafka, settings.kafka.raw_topic), now=now, limits=limits)
    except RetryableError as error:
        problems.append(str(error))
    for report in reports.values():
        log.info("%s: %s, lag %d", report.part, report.state, report.lag)
    return problems
