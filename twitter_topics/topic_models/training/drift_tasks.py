"""Tasks of model_drift outside Spark."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.errors import IntegrityError
from twitter_topics.topic_models.registry.drift import (
    MIN_TWEETS,
    SHOWN_DAYS,
    drift_of,
    put_drift,
    sentence,
    unseen_part,
)
from twitter_topics.topic_models.registry.metrics import MetricsTable
from twitter_topics.topic_models.registry.store import ModelStore

if TYPE_CHECKING:
    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)


def plan(models: ModelStore, archive: ArchiveStore, *, day: str | None, now: datetime) -> dict[str, str] | None:
    """Return which version to measure on which day; None, with the reason in the log, if there is nothing to measure.

    Args:
        day: UTC, ISO 8601; None for the last one that has ended.

    Returns:
        {version, day}: the version that served at the end of the day.

    Raises:
        ValueError: not a date, or a day that has not ended.
    """
    last = now.astimezone(UTC).date() - timedelta(days=1)
    chosen = date.fromisoformat(day) if day else last
    if chosen > last:
        msg = f"{chosen} has not ended; the last day that has is {last} (UTC)"
        raise ValueError(msg)
    version = serving_at_end_of(models, chosen)
    if version is None:
        log.info("nothing to measure: no model served at the end of %s", chosen)
        return None
    start, end = unseen_part(models.manifest(version), chosen)
    tweets = archive.usable_tweets(start, end, enough=MIN_TWEETS) if start < end else 0
    if tweets < MIN_TWEETS:
        log.info(
            "nothing to measure: %d tweets of %s that %s was not trained on; %d are required",
            tweets, chosen, version, MIN_TWEETS,
        )  # fmt: skip
        return None
    return {"version": version, "day": chosen.isoformat()}


def serving_at_end_of(models: ModelStore, day: date) -> str | None:
    """Return the version that served at the end of a UTC day; None if there was none."""
    end = datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)
    before = (one.version for one in models.promotions() if datetime.fromisoformat(one.promoted_at) < end)
    return next(before, None)


def report(settings: Settings, models: ModelStore, table: MetricsTable, planned: dict[str, str]) -> dict[str, Any]:
    """Read back what was measured, log it in a sentence, and keep the version's last SHOWN_DAYS days for the page.

    Returns:
        The numbers of the day, see `registry.drift.drift_of`.

    Raises:
        IntegrityError: the table has no row of this day.
    """
    version, day = planned["version"], planned["day"]
    limit = settings.topics.max_word_drift
    drift = drift_of(models.manifest(version), table.of_version(version), limit=limit)
    measured = next((one for one in drift["days"] if one["day"] == day), None)
    if measured is None:
        msg = f"tweets.model_metrics has no row of {version} on {day}"
        raise IntegrityError(msg)
    put_drift(models, version, drift | {"days": drift["days"][-SHOWN_DAYS:]})
    log.info("%s", sentence(drift, measured))
    return {"version": version, **measured}
