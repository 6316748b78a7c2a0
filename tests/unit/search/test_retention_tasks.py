"""The tasks of elasticsearch_retention against the setting."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from twitter_topics.errors import ConfigurationError
from twitter_topics.search.retention_tasks import apply, plan

TODAY = date(2026, 11, 23)
STORE: Any = SimpleNamespace(daily_indices=lambda: {"tweets-2026.11.23": 1, "tweets-2026.11.13": 1})


def planned(days: int, *, dry_run: bool = False) -> list[str]:
    given: Any = {"prefix": "tweets", "today": TODAY, "allow_all": False, "dry_run": dry_run}
    return plan(STORE, days=days, setting=8, **given)


def test_fewer_days_than_the_setting_are_refused_except_in_a_dry_run() -> None:
    with pytest.raises(ConfigurationError, match="Set ELASTICSEARCH_RETENTION_DAYS=7 instead"):
        planned(7)
    assert planned(7, dry_run=True) == planned(8) == ["tweets-2026.11.13"]
    assert planned(10) == []


def test_a_plan_that_is_carried_out_later_deletes_nothing_that_the_setting_keeps_by_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    names = planned(8)
    deleted: list[str] = []

    def delete_index(name: str) -> bool:
        deleted.append(name)
        return True

    store: Any = SimpleNamespace(delete_index=delete_index)

    def applied(*, setting: int, days_later: int = 1) -> list[str]:
        today = TODAY + timedelta(days=days_later)
        return apply(store, names, prefix="tweets", setting=setting, today=today, dry_run=False)

    assert applied(setting=11) == deleted == []
    assert "kept, because ELASTICSEARCH_RETENTION_DAYS is 11 now: tweets-2026.11.13" in caplog.text
    assert applied(setting=11, days_later=2) == deleted == names
    assert applied(setting=8) == names
