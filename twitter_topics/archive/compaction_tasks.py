"""The tasks of archive_compaction outside Spark: plan the work and report the result."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

from twitter_topics.archive.hours import last_closed
from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.errors import IntegrityError

if TYPE_CHECKING:
    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)


def plan_compaction(settings: Settings, *, now: datetime, min_files: int) -> dict[str, Any] | None:
    """Return the state of the closed hours, or None if none of them has `min_files` files. Reads metadata only.

    Returns:
        {snapshot, closed_before (ISO 8601), hours (with too many files), files, rows (of all closed hours)}.
    """
    store, closed_before = ArchiveStore(settings), last_closed(now)
    per_hour = {hour: held for hour, held in store.files_per_hour().items() if hour < closed_before}
    crowded = [hour for hour, held in per_hour.items() if held.files >= min_files]
    if not crowded:
        log.info("none of %d closed hours has %d files or more: nothing to do", len(per_hour), min_files)
        return None
    plan = {
        "snapshot": store.current_snapshot_id(),
        "closed_before": closed_before.isoformat(),
        "hours": len(crowded),
        "files": sum(held.files for held in per_hour.values()),
        "rows": sum(held.rows for held in per_hour.values()),
    }
    log.info("%(hours)d closed hours have too many files; all closed hours: %(files)d files, %(rows)d rows", plan)
    return plan


def compaction_report(settings: Settings, plan: dict[str, Any]) -> dict[str, Any]:
    """Return the state before and after, from the archive's metadata.

    Raises:
        IntegrityError: closed hours have fewer rows than before. (The job has compared them exactly.)
    """
    closed_before = datetime.fromisoformat(plan["closed_before"])
    per_hour = ArchiveStore(settings).files_per_hour()
    files = sum(held.files for hour, held in per_hour.items() if hour < closed_before)
    rows = sum(held.rows for hour, held in per_hour.items() if hour < closed_before)
    if rows < plan["rows"]:
        msg = f"closed hours had {plan['rows']:,} rows before the compaction and have {rows:,} now"
        raise IntegrityError(msg)
    report = {
        "closed_before": plan["closed_before"],
        "files_before": plan["files"],
        "files_after": files,
        "rows": rows,
        "late_rows": rows - plan["rows"],
    }
    log.info("%(files_before)d files -> %(files_after)d, %(rows)d rows (%(late_rows)d late)", report)
    return report
