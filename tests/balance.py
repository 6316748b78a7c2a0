"""The audit as tests ask for it."""

from __future__ import annotations

from twitter_topics.audit.balance import Report
from twitter_topics.audit.run import audit
from twitter_topics.audit.stores import RealStores
from twitter_topics.settings import Settings


def balanced(settings: Settings, *, wait_seconds: float, still_seconds: float) -> Report:
    """Return the audit of a stack, once every record has arrived. Fails with the findings unless it is ok."""
    report = audit(RealStores(settings), retention_days=14, wait_seconds=wait_seconds, still_seconds=still_seconds)
    assert report.state == "ok", [f"{one.hop}: {one.text}" for one in report.findings]
    return report
