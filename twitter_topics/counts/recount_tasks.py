"""What topic_recount does outside Spark."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from twitter_topics.archive.completeness import check_archived
from twitter_topics.archive.hours import closed_hours
from twitter_topics.errors import IntegrityError

if TYPE_CHECKING:
    from datetime import datetime

    from twitter_topics.counts.topic_hours import TopicHourStore
    from twitter_topics.settings import Settings
    from twitter_topics.topic_models.registry.store import ModelStore

log = logging.getLogger(__name__)

CHAMPION = "champion"


def check_request(
    settings: Settings, models: ModelStore, *, start: str, end: str, model: str, now: datetime
) -> dict[str, str]:
    """The job's arguments {start, end, version}, checked; `champion` becomes the version that serves now.

    Raises:
        ValueError: the range is not one of closed, whole hours of at most 31 days, or there is no champion.
        IntegrityError: the version is not registered.
        RetryableError, ConfigurationError: as `check_archived`.
    """
    hours = closed_hours(start, end, now=now)
    version = _version(models, model)
    models.manifest(version)
    check_archived(settings, hours)
    log.info("%d hours from %s with %s", hours.hours, hours.start.isoformat(), version)
    return {"start": hours.start.isoformat(), "end": hours.end.isoformat(), "version": version}


def recount_report(store: TopicHourStore, request: dict[str, str], *, now: datetime) -> dict[str, Any]:
    """What the table holds for the range, read back without Spark.

    Raises:
        IntegrityError: some of it was counted with another model.
    """
    hours = closed_hours(request["start"], request["end"], now=now)
    totals = store.totals(hours.start, hours.end)
    others = sorted({version for total in totals for version in total.versions} - {request["version"]})
    if others:
        msg = f"hours of the range are counted with {', '.join(others)} and not with {request['version']}"
        raise IntegrityError(msg)
    for total in totals:
        log.info("%s: %d tweets in %d topics", total.hour.isoformat(), total.tweets, total.topics)
    return {
        "version": request["version"],
        "hours": hours.hours,
        "hours_with_tweets": len(totals),
        "tweets": sum(total.tweets for total in totals),
    }


def _version(models: ModelStore, model: str) -> str:
    if model != CHAMPION:
        return model
    champion = models.champion()
    if champion is None:
        msg = "there is no champion yet: topic_retraining trains the first model"
        raise ValueError(msg)
    return champion.version
