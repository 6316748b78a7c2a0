"""The plan of elasticsearch_retention against the setting."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from twitter_topics.errors import ConfigurationError
from twitter_topics.search.retention_tasks import plan

STORE: Any = SimpleNamespace(daily_indices=lambda: {"tweets-2026.11.23": 1, "tweets-2026.11.13": 1})


def planned(days: int, *, dry_run: bool = False) -> list[str]:
    given: Any = {"prefix": "tweets", "today": date(2026, 11, 23), "allow_all": False, "dry_run": dry_run}
    return plan(STORE, days=days, setting=8, **given)


def test_fewer_days_than_the_setting_are_refused_except_in_a_dry_run() -> None:
    with pytest.raises(ConfigurationError, match="Set ELASTICSEARCH_RETENTION_DAYS=7 instead"):
        planned(7)
    assert planned(7, dry_run=True) == planned(8) == ["tweets-2026.11.13"]
    assert planned(10) == []
