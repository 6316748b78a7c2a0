"""Which trainings start by themselves, with a fake archive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.settings import Settings
from twitter_topics.testing.models import planted_files
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.training.retraining_tasks import decide
from twitter_topics.topic_models.training.when_to_retrain import Decision

FIRST, SECOND = (f"2026110{day}T000000Z-gsdmm" for day in (1, 2))
NOW = datetime(2026, 11, 3, 4, tzinfo=UTC)
WINDOW = (NOW - timedelta(hours=48), NOW)


class Archive:
    """Says how many usable tweets there are, and notes what it was asked."""

    def __init__(self, tweets: int, new: int = 0) -> None:
        self._tweets, self._new = tweets, new
        self.asked: list[Any] = []

    def usable_tweets(
        self, start: datetime, end: datetime, *, enough: int, received_since: datetime | None = None
    ) -> int:
        assert (start, end) == WINDOW
        self.asked.append((enough, received_since))
        return min(enough, self._new if received_since else self._tweets)


@pytest.fixture
def models() -> ModelStore:
    return ModelStore(Settings({}), objects=MemoryObjects())


def register(models: ModelStore, version: str, state: str, *, champion: bool = False, **manifest: Any) -> None:
    verdict = {"state": state, "promote": state == "promote", "reasons": []}
    models.put_files(version, planted_files())
    content = {"created_at": "2026-11-02T00:00:00+00:00", "tweets": 3_000, "documents": 1_800} | manifest
    serving = models.champion()
    compared_with = {"version": serving.version, "etag": serving.etag} if serving else None
    models.register(version, {**content, "evaluation": {"verdict": verdict, "champion": compared_with}})
    if champion:
        models.promote(version, None, "good", "tests")


def asked(models: ModelStore, archive: Archive, *, by_person: bool = False, max_documents: int = 1_000_000) -> Decision:
    return decide(
        Settings({}),
        asked_by_person=by_person,
        at=NOW,
        window_hours=48,
        min_documents=2_000,
        max_documents=max_documents,
        models=models,
        archive=cast("ArchiveStore", archive),
    )


def test_the_first_training_waits_for_usable_tweets_of_the_window(models: ModelStore) -> None:
    assert not asked(models, Archive(1_999)).train
    archive = Archive(2_000)
    assert asked(models, archive).train
    assert archive.asked == [(2_000, None)]


def test_a_person_is_not_asked_for_tweets(models: ModelStore) -> None:
    archive = Archive(0)
    assert asked(models, archive, by_person=True).train
    assert archive.asked == []


def test_new_tweets_are_counted_since_the_newest_version_was_trained(models: ModelStore) -> None:
    register(models, FIRST, "promote", champion=True, tweets=90_000)
    archive = Archive(100_000, new=19_999)
    assert not asked(models, archive).train
    assert archive.asked == [(135_000, None), (20_000, datetime(2026, 11, 2, tzinfo=UTC))]
    assert asked(models, Archive(100_000, new=20_000)).train


@pytest.mark.parametrize("state", ["refuse", "cannot_tell", "promote"])
def test_a_first_version_has_a_successor_with_half_as_many_tweets_more(models: ModelStore, state: str) -> None:
    """Whether it was refused, waits for a person, or serves provisionally."""
    register(models, FIRST, state, champion=state == "promote")
    assert not asked(models, Archive(4_499, new=1_499)).train
    assert asked(models, Archive(4_500, new=1_500)).train
    register(models, SECOND, "promote" if state == "promote" else state, tweets=4_500)
    assert asked(models, Archive(6_750, new=2_250)).train is (state != "promote"), "it replaces a provisional one"


def test_a_small_stream_retrains_when_its_whole_window_is_newer_than_the_model(models: ModelStore) -> None:
    register(models, FIRST, "promote", champion=True)
    register(models, SECOND, "promote")
    archive = Archive(14_000, new=13_999)
    assert not asked(models, archive).train
    assert archive.asked[1] == (14_000, datetime(2026, 11, 2, tzinfo=UTC))
    assert asked(models, Archive(14_000, new=14_000)).train


def test_an_hour_after_a_training_nothing_small_is_reason_for_the_next_one(models: ModelStore) -> None:
    """Even if its tweets seem to be newer, by a clock of Kafka's that is ahead."""
    register(models, FIRST, "promote", champion=True)
    register(models, SECOND, "promote", created_at=(NOW - timedelta(hours=1)).isoformat(), tweets=14_000)
    assert not asked(models, Archive(14_000, new=14_000)).train


@pytest.mark.parametrize(("state", "retries"), [("refuse", False), ("cannot_tell", True), ("person", False)])
def test_with_a_champion_only_doubt_is_a_reason_to_try_again(models: ModelStore, state: str, retries: bool) -> None:
    register(models, FIRST, "promote", champion=True)
    register(models, SECOND, state)
    assert asked(models, Archive(4_500, new=1_500)).train is retries


@pytest.mark.parametrize("tweets", [3_000, 4_000])
def test_a_version_that_no_training_can_exceed_by_half_is_tried_again_only_with_new_tweets(
    models: ModelStore, tweets: int
) -> None:
    """The window has more, but a training would read the same number again, every hour."""
    register(models, FIRST, "cannot_tell", tweets=tweets)
    decision = asked(models, Archive(10_000, new=100), max_documents=4_000)
    assert not decision.train
    assert decision.reason.startswith("100 new tweets since the newest model; 20,000 required, or all 10,000 of the ")
    assert "in all" not in decision.reason
    assert asked(models, Archive(10_000, new=20_000), max_documents=4_000).train
    assert asked(models, Archive(10_000, new=100), max_documents=6_000).train


def test_a_version_of_an_older_release_that_was_refused_is_tried_again_too(models: ModelStore) -> None:
    models.put_files(FIRST, planted_files())
    evaluation = {"verdict": {"promote": False, "reasons": []}}
    models.register(FIRST, {"created_at": "2026-11-02T00:00:00+00:00", "documents": 1_800, "evaluation": evaluation})
    assert not asked(models, Archive(2_699)).train
    assert asked(models, Archive(2_700)).train
