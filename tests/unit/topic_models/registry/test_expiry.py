"""Which versions expire, and that nothing else is deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from twitter_topics.errors import IntegrityError, RetryableError
from twitter_topics.search.store import SearchStore
from twitter_topics.settings import Settings
from twitter_topics.testing.models import planted_files
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.topic_models.registry.expiry_tasks import expire
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.registry.succession import CHAMPION_KEY

NOW = datetime(2026, 11, 26, 3, 45, tzinfo=UTC)


def version(age: int) -> str:
    """Return the name of a version that is so many days old."""
    return f"{NOW - timedelta(days=age):%Y%m%dT%H%M%SZ}-gsdmm"


class Search:
    """An Elasticsearch whose documents name these versions."""

    def __init__(self, *named: str) -> None:
        self.named = set(named)
        self.down = False

    def model_versions(self) -> set[str]:
        if self.down:
            raise RetryableError("Elasticsearch at http://es: no connection")
        return self.named


class Bench:
    """A registry with versions of these ages in days."""

    def __init__(self, *ages: int) -> None:
        self.now, self.search = NOW, Search()
        self.objects = MemoryObjects(lambda: self.now)
        self.models = ModelStore(Settings({}), objects=self.objects, clock=lambda: self.now)
        for number, age in enumerate(ages):
            self.at(age).models.put_files(version(age), planted_files())
            self.models.register(version(age), {"next_topic_id": 10 * (number + 1)})
        self.now = NOW

    def at(self, age: int) -> Bench:
        self.now = NOW - timedelta(days=age)
        return self

    def promote(self, age: int, *, days_ago: int) -> None:
        champion = self.at(days_ago).models.champion()
        self.models.promote(version(age), champion.etag if champion else None, "good", "tests")
        self.now = NOW

    def expire(
        self, *, days: int = 30, newest: int = 1, max_job_hours: int = 6, dry_run: bool = False
    ) -> dict[str, Any]:
        search = cast("SearchStore", self.search)
        return expire(
            self.models, search, days=days, newest=newest, max_job_hours=max_job_hours, now=NOW, dry_run=dry_run
        )

    def ages(self) -> list[int]:
        return [(NOW - datetime.strptime(one[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)).days for one in self.names()]

    def names(self) -> Iterator[str]:
        return reversed(self.models.versions())


def test_old_versions_without_a_reason_to_stay_expire() -> None:
    bench = Bench(90, 80, 70, 60, 50, 40, 29, 2, 1)
    done = bench.expire(newest=4)
    assert done["expired"] == [version(age) for age in (90, 80, 70, 60, 50)]
    assert bench.ages() == [1, 2, 29, 40], "the newest four; all but one are young"
    assert bench.expire(newest=4)["expired"] == []


def test_the_champion_and_those_to_roll_back_to_stay() -> None:
    bench = Bench(99, 95, 90, 80, 70, 60, 1)
    for age, days_ago in ((99, 98), (95, 94), (90, 35), (80, 20), (70, 10)):
        bench.promote(age, days_ago=days_ago)
    bench.expire()
    assert bench.ages() == [1, 70, 80, 90], "90 days: until 20 days ago it was the champion"


def test_the_champion_before_one_that_has_served_for_long_stays() -> None:
    bench = Bench(99, 95, 90, 1)
    for age, days_ago in ((99, 98), (95, 94), (90, 80)):
        bench.promote(age, days_ago=days_ago)
    bench.expire()
    assert bench.ages() == [1, 90, 95]


def test_after_a_rollback_what_was_promoted_in_between_stays() -> None:
    bench = Bench(99, 95, 90, 1)
    for age, days_ago in ((99, 98), (95, 60), (90, 20), (95, 5)):
        bench.promote(age, days_ago=days_ago)
    bench.expire()
    assert bench.ages() == [1, 90, 95]


def test_a_version_that_a_document_names_stays() -> None:
    bench = Bench(99, 95, 90, 1)
    bench.search.named = {version(95), "20200101T000000Z-gsdmm"}
    bench.expire()
    assert bench.ages() == [1, 95]


def test_without_elasticsearch_nothing_is_deleted() -> None:
    bench = Bench(99, 95, 1)
    bench.search.down = True
    with pytest.raises(RetryableError, match="no version is deleted, because documents may name it: Elasticsearch at"):
        bench.expire()
    assert bench.ages() == [1, 95, 99]


@pytest.mark.parametrize("damage", [b"{", None])
def test_without_a_champion_that_can_be_read_nothing_is_deleted(damage: bytes | None) -> None:
    bench = Bench(99, 95, 1)
    bench.promote(95, days_ago=90)
    bench.objects.delete(CHAMPION_KEY)
    if damage:
        bench.objects.put(CHAMPION_KEY, damage)
    with pytest.raises(IntegrityError, match=CHAMPION_KEY):
        bench.expire()
    assert bench.ages() == [1, 95, 99]


def test_before_the_first_promotion_old_versions_expire_too() -> None:
    bench = Bench(99, 1)
    bench.expire()
    assert bench.ages() == [1]


def test_a_dry_run_says_what_is_kept_and_why_and_deletes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench = Bench(99, 95, 90, 2, 1)
    bench.promote(95, days_ago=90)
    bench.search.named = {version(90)}
    before = bench.objects.keys("")
    done = bench.expire(dry_run=True)
    assert bench.objects.keys("") == before
    assert (done["expired"], done["dry_run"]) == ([version(99)], True)
    assert caplog.messages[0] == (
        f"dry run, nothing is deleted: 4 versions are kept (the champion: {version(95)}; documents name them: "
        f"{version(90)}; the 1 newest: {version(1)}; younger than 30 days: {version(2)})"
    )
    assert caplog.messages[1] == f"expired: {version(99)}"


def test_files_of_a_training_that_was_given_up_are_deleted() -> None:
    bench = Bench(1)
    for age, days_ago in ((50, 3), (40, 1), (2, 2)):  # the second one is an old run that was started again
        bench.at(days_ago).models.put_files(version(age), {"arrays.npz": b"arrays"})
    bench.now = NOW
    assert bench.expire()["abandoned"] == [version(50)]
    assert bench.models.unregistered() == [version(40), version(2)]
    assert not bench.models.has_expired(version(50)), "its name may be used: no model of that name was ever registered"


def test_files_of_a_training_whose_jobs_may_take_days_stay_until_both_tries_have_ended() -> None:
    bench = Bench(1)
    for age in (3, 9):
        bench.at(age).models.put_files(version(age), {"arrays.npz": b"arrays"})
    bench.now = NOW
    assert bench.expire(max_job_hours=100)["abandoned"] == [version(9)]
    assert bench.models.unregistered() == [version(3)]
    assert bench.expire(max_job_hours=6)["abandoned"] == [version(3)]


def test_what_a_killed_run_left_is_deleted_by_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(99, 95, 1)
    with monkeypatch.context() as patch:
        patch.setattr(bench.models, "_delete_files", lambda _version: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            bench.expire()
    assert bench.models.half_deleted() == [version(99)]
    assert bench.expire()["expired"] == [version(99), version(95)]
    assert bench.models.half_deleted() == bench.models.unregistered() == []


def test_a_marked_version_goes_even_if_there_is_a_reason_to_keep_it_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mark was the decision; keeping it would leave a version that nobody can promote."""
    bench = Bench(99, 1)
    with monkeypatch.context() as patch:
        patch.setattr(bench.objects, "delete", lambda _key: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            bench.models.expire(version(99))
    bench.search.named = {version(99)}
    assert bench.ages() == [1, 99]
    assert bench.expire()["expired"] == [version(99)]
    assert bench.ages() == [1]


def test_ids_of_topics_outlive_the_version_that_had_them() -> None:
    bench = Bench(1, 99)  # the older one had the larger ids
    bench.promote(1, days_ago=0)
    bench.expire()
    assert bench.ages() == [1]
    assert bench.models.next_topic_id() == 20
