"""Which version is measured on which day, and what is kept of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest

from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.errors import IntegrityError
from twitter_topics.settings import Settings
from twitter_topics.testing.models import planted_files
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.topic_models.registry.drift import read_drift
from twitter_topics.topic_models.registry.metrics import MetricsTable, day_of_version
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.training.drift_tasks import plan, report

FIRST, SECOND = (f"2026110{day}T040000Z-gsdmm" for day in (1, 3))
NOW = datetime(2026, 11, 6, 1, 30, tzinfo=UTC)


class Archive:
    """Has so many usable tweets in whatever it is asked for, and notes it."""

    def __init__(self, tweets: int = 1_000) -> None:
        self._tweets = tweets
        self.asked: list[tuple[datetime, datetime]] = []

    def usable_tweets(self, start: datetime, end: datetime, *, enough: int) -> int:
        self.asked.append((start, end))
        return min(enough, self._tweets)


class Table:
    """Has word drift of some days of FIRST."""

    def __init__(self, days: list[date]) -> None:
        self._days = days

    def of_version(self, version: str) -> list[dict[str, Any]]:
        numbers = {"age_days": 1.0, "tweets": 1_000.0, "share_without_topic": 0.1, "word_drift": 0.04}
        return [
            {"measurement": day_of_version(version, day), "slice": "day", "role": "champion", "metric": name}
            | {"value": value, "low": None, "high": None}
            for day in self._days
            for name, value in numbers.items()
        ]


@pytest.fixture
def models() -> ModelStore:
    """FIRST served from 1 November, 04:10, SECOND from 3 November, 04:10."""
    now = [NOW]
    store = ModelStore(Settings({}), objects=MemoryObjects(), clock=lambda: now[0])
    for version, day in ((FIRST, 1), (SECOND, 3)):
        now[0] = datetime(2026, 11, day, 4, 10, tzinfo=UTC)
        store.put_files(version, planted_files())
        store.register(version, {})
        champion = store.champion()
        store.promote(version, champion.etag if champion else None, "better", "tests")
    return store


def planned(models: ModelStore, day: str | None, archive: Archive | None = None, now: datetime = NOW) -> Any:
    return plan(models, cast("ArchiveStore", archive or Archive()), day=day, now=now)


def test_the_last_complete_day_is_measured_with_the_champion(models: ModelStore) -> None:
    archive = Archive()
    assert planned(models, None, archive) == {"version": SECOND, "day": "2026-11-05"}
    assert archive.asked == [(datetime(2026, 11, 5, tzinfo=UTC), datetime(2026, 11, 6, tzinfo=UTC))]
    just_promoted = datetime(2026, 11, 4, 0, 0, 1, tzinfo=UTC)
    assert planned(models, None, archive, now=just_promoted) == {"version": SECOND, "day": "2026-11-03"}
    assert archive.asked[1][0] == datetime(2026, 11, 3, 4, tzinfo=UTC), "not on what it was trained on"


def test_a_past_day_is_measured_with_the_version_that_served_then(models: ModelStore) -> None:
    assert planned(models, "2026-11-02") == {"version": FIRST, "day": "2026-11-02"}
    assert planned(models, "2026-11-03") == {"version": SECOND, "day": "2026-11-03"}
    assert planned(models, "2026-10-31") is None


@pytest.mark.parametrize("day", ["2026-11-06", "2027-01-01", "2026-13-01", "yesterday"])
def test_a_day_that_has_not_ended_is_rejected(models: ModelStore, day: str) -> None:
    with pytest.raises(ValueError, match=r"has not ended|month|isoformat"):
        planned(models, day)


def test_too_few_tweets_are_not_measured(models: ModelStore, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert planned(models, None, Archive(999)) is None
    assert f"999 tweets of 2026-11-05 that {SECOND} was not trained on; 1000 are required" in caplog.text
    assert planned(ModelStore(Settings({}), objects=MemoryObjects()), None) is None
    assert "no model served at the end of 2026-11-05" in caplog.text


def reported(models: ModelStore, days: list[date], day: str, **settings: str) -> dict[str, Any]:
    table = cast("MetricsTable", Table(days))
    return report(Settings(settings), models, table, {"version": FIRST, "day": day})


def test_a_measured_day_is_logged_and_kept_for_the_page(models: ModelStore, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    days = [date(2026, 11, 1) + timedelta(days=number) for number in range(20)]
    done = reported(models, days, "2026-11-02")
    assert (done["version"], done["day"], done["word_drift"], done["advised"]) == (FIRST, "2026-11-02", 0.04, True)
    assert f"{FIRST} on 2026-11-02" in caplog.text
    assert "retraining advised" in caplog.text
    kept = read_drift(models, FIRST)
    assert kept is not None
    assert [one["day"] for one in kept["days"]] == [day.isoformat() for day in days[-14:]], (
        "a backfill hides no newer day"
    )
    assert reported(models, days, "2026-11-02", TOPICS_MAX_WORD_DRIFT="0.05")["advised"] is False


def test_a_day_without_rows_fails(models: ModelStore) -> None:
    with pytest.raises(IntegrityError, match="no row of"):
        reported(models, [date(2026, 11, 2)], "2026-11-03")
    assert read_drift(models, FIRST) is None
