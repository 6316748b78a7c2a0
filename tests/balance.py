"""The audit as tests ask for it."""

from __future__ import annotations

from twitter_topics.audit.balance import Report
from twitter_topics.audit.run import audit
from twitter_topics.audit.stores import RealStores
from twitter_topics.settings import Settings

_PATIENCE_S = 600.0


def balanced(settings: Settings) -> Report:
    """Return the audit of a stack, once every record has arrived. Fails with the findings unless it is ok.

    However long no number changes, nothing counts as stuck before the wait is over: a JVM may be starting.
    """
    report = audit(RealStores(settings), retention_days=14, wait_seconds=_PATIENCE_S, still_seconds=_PATIENCE_S)
    assert report.state == "ok", [f"{one.hop}: {one.text}" for one in report.findings]
    return report
