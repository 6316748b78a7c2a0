"""The audit's report for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twitter_topics.audit.balance import Report


def as_dict(report: Report) -> dict[str, Any]:
    """Return plain values. All numbers but `counted_now` cover the records produced before the audit began."""
    facts = report.facts
    return {
        "state": report.state,
        "produced": facts.produced,
        "archived": facts.archived,
        "archived_records": facts.archived_records,
        "archived_distinct": facts.archived_distinct,
        "archive_rejects": facts.archive_rejects,
        "deleted": facts.deleted,
        "indexed": facts.indexed,
        "expired_from_index": facts.expired_from_index,
        "counted": facts.counted_before_cut,
        "counted_now": facts.counted,
        "hours_compared": facts.shown,
        "hours_wrong": len(facts.shown_wrong),
        "hours_compared_with_documents": facts.hours_compared,
        "view_behind_seconds": round(facts.view_behind_seconds, 1),
        "dead_letters": sum(facts.dead_letters.values()),
        "dead_letters_by_stage": facts.dead_letters,
        "expired_in_kafka": facts.expired_in_kafka,
        "findings": [asdict(finding) for finding in report.findings],
        "days": {
            str(day.day): {"archived": day.expected, "indexed": day.indexed, "expired": day.expired}
            for day in facts.days
        },
    }
