"""The tasks of elasticsearch_retention: plan by name, then apply that plan as far as it still holds."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from twitter_topics.errors import ConfigurationError
from twitter_topics.search.index import index_day
from twitter_topics.search.retention import plan_retention

if TYPE_CHECKING:
    from datetime import date

    from twitter_topics.search.store import SearchStore

log = logging.getLogger(__name__)


def plan(
    store: SearchStore, *, prefix: str, days: int, setting: int, today: date, allow_all: bool, dry_run: bool
) -> list[str]:
    """Return the names of the indices to delete, oldest first.

    Args:
        setting: ELASTICSEARCH_RETENTION_DAYS. Only a dry run may plan with fewer days.

    Raises:
        ConfigurationError: `days` is below the setting; or see search.retention.plan_retention.
        IntegrityError: see search.retention.plan_retention.
        RetryableError: Elasticsearch stays unavailable.
    """
    if days < setting and not dry_run:
        msg = (
            f"days={days} is less than ELASTICSEARCH_RETENTION_DAYS={setting}: nothing is deleted. "
            f"Set ELASTICSEARCH_RETENTION_DAYS={days} instead: the audit and search rely on it."
        )
        raise ConfigurationError(msg)
    documents = store.daily_indices()
    decided = plan_retention(documents, prefix=prefix, days=days, today=today, allow_all=allow_all)
    for name in decided.delete:
        log.info("to delete: %s, %d documents", name, documents[name])
    log.info("%d to delete, %d to keep, %d ignored", len(decided.delete), len(decided.keep), len(decided.ignored))
    return list(decided.delete)


def apply(store: SearchStore, names: list[str], *, prefix: str, setting: int, today: date, dry_run: bool) -> list[str]:
    """Delete these indices, one by one. Returns those that existed.

    Args:
        names: as planned, perhaps days ago.
        setting: ELASTICSEARCH_RETENTION_DAYS. An index that it keeps by now may have been filled again, and stays.

    Raises:
        ValueError: a name is not a daily index; nothing was deleted.
        RetryableError: Elasticsearch stays unavailable; a retry deletes the rest.
    """
    days = {name: index_day(name, prefix) for name in names}
    strange = [name for name, day in days.items() if day is None]
    if strange:
        msg = f"not names of daily indices: {', '.join(strange)}"
        raise ValueError(msg)
    if dry_run:
        log.info("dry run: nothing is deleted")
        return []
    oldest_kept = today - timedelta(days=setting)
    kept = [name for name, day in days.items() if day is not None and day >= oldest_kept]
    if kept:
        log.warning("kept, because ELASTICSEARCH_RETENTION_DAYS is %d now: %s", setting, ", ".join(kept))
    deleted = [name for name in names if name not in kept and store.delete_index(name)]
    log.info("deleted: %s", ", ".join(deleted) or "nothing")
    return deleted
