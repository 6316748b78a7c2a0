"""The task of model_retention: delete old versions of the topic model, and what trainings that were given up left."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from twitter_topics.errors import RetryableError
from twitter_topics.topic_models.registry.expiry import ExpiryPlan, plan_expiry

if TYPE_CHECKING:
    from twitter_topics.search.store import SearchStore
    from twitter_topics.topic_models.registry.store import ModelStore

log = logging.getLogger(__name__)

GIVEN_UP = timedelta(days=2)
"""A training that has written nothing for so long is not running any more, unless its jobs, which are tried twice, may
take longer."""


def expire(
    models: ModelStore,
    search: SearchStore,
    *,
    days: int,
    newest: int,
    max_job_hours: int,
    now: datetime,
    dry_run: bool,
) -> dict[str, Any]:
    """Delete the versions that `plan_expiry` does not keep, and files of trainings that have written nothing for two
    days or twice `max_job_hours`, whichever is longer.

    Returns:
        {kept, expired, abandoned: versions, dry_run}.

    Raises:
        RetryableError: Elasticsearch does not say which versions its documents name, or S3 is unavailable. In the first
            case nothing was deleted; the next run finishes what this one began.
        IntegrityError: the champion is missing or damaged; nothing was deleted.
    """
    half_deleted = models.half_deleted()
    plan = _plan(models, search, half_deleted, days=days, newest=newest, now=now)
    since = now - max(GIVEN_UP, timedelta(hours=2 * max_job_hours))
    abandoned = [version for version in models.unregistered() if _is_given_up(models, version, half_deleted, since)]
    expired = sorted([*half_deleted, *plan.expire])
    log.info("%s%s", "dry run, nothing is deleted: " if dry_run else "", plan)
    log.info("expired: %s", ", ".join(expired) or "none")
    log.info("files of trainings that were never registered: %s", ", ".join(abandoned) or "none")
    if not dry_run and expired:
        models.use_topic_ids(models.next_topic_id())  # before a version that had the last ones is gone
        for version in expired:
            models.expire(version)
    if not dry_run:
        for version in abandoned:
            models.discard(version)
    kept = sorted(version for versions in plan.keep.values() for version in versions)
    return {"kept": kept, "expired": expired, "abandoned": abandoned, "dry_run": dry_run}


def _plan(
    models: ModelStore, search: SearchStore, half_deleted: list[str], *, days: int, newest: int, now: datetime
) -> ExpiryPlan:
    try:
        named = search.model_versions()
    except RetryableError as error:
        msg = f"no version is deleted, because documents may name it: {error}"
        raise RetryableError(msg) from error
    champion = models.champion()
    return plan_expiry(
        [version for version in models.versions() if version not in half_deleted],
        champion=champion.version if champion else None,
        promotions=models.promotions(),
        named=named,
        now=now,
        days=days,
        newest=newest,
    )


def _is_given_up(models: ModelStore, version: str, half_deleted: list[str], since: datetime) -> bool:
    changed = models.last_change(version)
    return version not in half_deleted and changed is not None and changed < since
