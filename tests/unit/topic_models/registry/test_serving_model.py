"""The model that serves, whatever is wrong with the champion."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from twitter_topics.backends.objects import StoredObject
from twitter_topics.errors import ConfigurationError, DeniedError, IntegrityError, RetryableError, TwitterTopicsError
from twitter_topics.settings import Settings
from twitter_topics.testing.models import planted_model
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.topic_models.registry.champion import RETRY_SECONDS, ServingModel, check_golden
from twitter_topics.topic_models.registry.files import GOLDEN
from twitter_topics.topic_models.registry.store import ARRAYS, ModelStore
from twitter_topics.topic_models.registry.succession import CHAMPION_KEY, HISTORY
from twitter_topics.topic_models.scoring.scorer import Scorer

MODEL_OF_RULES_1 = Path(__file__).parent / "model_of_rules_1"
"""Written by the last version that had no other text rules. It knows words, and has golden texts, of which rules 2 make
something else."""

V1, V2, V3 = (f"2026110{day}T000000Z-gsdmm" for day in (1, 2, 3))
DAMAGED = {
    "not JSON": b"{",
    "not an object": b"[]",
    "empty": b"",
    "a field is missing": b'{"version": "20261101T000000Z-gsdmm"}',
    "an impossible version": "../../secrets",
    "a version that is a number": 5,
    "a version that does not exist": "20290101T000000Z-gsdmm",
}


class Objects(MemoryObjects):
    """Counts reads, and fails them on request."""

    def __init__(self) -> None:
        super().__init__()
        self.error: TwitterTopicsError | None = None
        self.reads: list[str] = []

    def get(self, key: str) -> StoredObject | None:
        self.reads.append(key)
        if self.error is not None:
            raise self.error
        return super().get(key)


class Bench:
    """A store with promoted versions, oldest first."""

    def __init__(self, *versions: str) -> None:
        self.objects, self.now = Objects(), 0.0
        moments = count()
        start = datetime(2026, 11, 5, tzinfo=UTC)
        self.store = ModelStore(
            Settings({}), objects=self.objects, clock=lambda: start + timedelta(seconds=next(moments))
        )
        self.serving = self.restarted()
        for version in versions:
            self.promote(version)

    def restarted(self) -> ServingModel:
        self.serving = ServingModel(self.store, lambda: self.now)
        return self.serving

    def promote(self, version: str) -> None:
        model = planted_model(("goal", "match", "team", "rain", "storm", "wind"), ("football", version))
        arrays, texts = model.to_bytes(), ["goal match", "rain"]
        golden = {"texts": texts, "theta": Scorer.load(arrays).score(texts).theta.tolist()}
        self.store.put_files(version, {ARRAYS: arrays, GOLDEN: json.dumps(golden).encode()})
        self.store.register(version, {})
        champion = self.store.champion()
        self.store.promote(version, champion.etag if champion else None, "better", "tests")

    def damage_champion(self, damage: bytes | str | int) -> None:
        if isinstance(damage, bytes):
            self.objects.put(CHAMPION_KEY, damage)
            return
        found = self.objects.get(CHAMPION_KEY)
        assert found
        self.objects.put(CHAMPION_KEY, json.dumps(json.loads(found.body) | {"version": damage}).encode())

    def version(self) -> str:
        loaded = self.serving.refresh()
        assert loaded
        return loaded.version


def test_before_the_first_promotion_there_is_none() -> None:
    bench = Bench()
    assert bench.serving.refresh() is None
    assert bench.serving.fault == ""


def test_a_promotion_is_followed_and_read_once() -> None:
    bench = Bench(V1)
    assert bench.version() == V1
    bench.objects.reads.clear()
    assert bench.version() == V1
    assert bench.objects.reads == [CHAMPION_KEY]
    bench.promote(V2)
    assert (bench.version(), bench.serving.fault) == (V2, "")


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_champion_leaves_the_model_in_use(damage: bytes | str | int) -> None:
    bench = Bench(V1)
    assert bench.version() == V1
    bench.damage_champion(damage)
    assert bench.version() == V1
    assert bench.serving.fault.startswith(f"model {V1} stays in use: ")


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED.keys())
def test_after_a_restart_with_a_damaged_champion_the_newest_loadable_promotion_serves(
    damage: bytes | str | int, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(V1, V2, V3)
    bench.objects.put(f"models/{V3}/{ARRAYS}", b"damaged")
    bench.objects.put(f"{HISTORY}20261106T000000.000000Z-{V3}.json", b"{cut o")
    bench.damage_champion(damage)
    bench.restarted()
    assert bench.version() == V2
    assert f"model {V2} stays in use" in bench.serving.fault
    assert "stays in use" in caplog.text


def test_a_missing_champion_is_not_the_time_before_the_first_one() -> None:
    bench = Bench(V1, V2)
    assert bench.version() == V2
    bench.objects.delete(CHAMPION_KEY)
    assert bench.version() == V2
    assert f"{CHAMPION_KEY} is missing" in bench.serving.fault
    bench.restarted()
    assert bench.version() == V2
    assert f"{CHAMPION_KEY} is missing" in bench.serving.fault


@pytest.mark.parametrize("error", [RetryableError("S3 is down"), ConfigurationError("S3_BUCKET"), DeniedError("403")])
def test_a_store_that_fails_leaves_the_model_in_use_and_recovers(error: TwitterTopicsError) -> None:
    bench = Bench(V1)
    assert bench.version() == V1
    bench.objects.error = error
    assert bench.version() == V1
    assert str(error) in bench.serving.fault
    bench.objects.error = None
    assert (bench.version(), bench.serving.fault) == (V1, "")


@pytest.mark.parametrize("error", [RetryableError("S3 is down"), ConfigurationError("S3_BUCKET"), DeniedError("403")])
def test_without_a_model_in_use_a_store_that_fails_is_no_reason_for_an_old_one(error: TwitterTopicsError) -> None:
    bench = Bench(V1, V2)
    bench.objects.error = error
    with pytest.raises(type(error)):
        bench.serving.refresh()
    bench.objects.error = None
    assert bench.version() == V2


def test_a_champion_that_cannot_be_loaded_is_read_as_a_whole_only_now_and_then() -> None:
    bench = Bench(V1)
    assert bench.version() == V1
    bench.promote(V2)
    whole = bench.objects.get(f"models/{V2}/{ARRAYS}")
    assert whole
    bench.objects.put(f"models/{V2}/{ARRAYS}", b"damaged")
    assert bench.version() == V1
    bench.objects.reads.clear()
    assert bench.version() == V1
    assert bench.objects.reads == [CHAMPION_KEY]
    assert "sha256" in bench.serving.fault
    bench.objects.put(f"models/{V2}/{ARRAYS}", whole.body)
    bench.now += RETRY_SECONDS
    assert (bench.version(), bench.serving.fault) == (V2, "")


def test_nothing_loadable_is_an_error() -> None:
    bench = Bench(V1)
    bench.objects.put(f"models/{V1}/{GOLDEN}", b"{}")
    with pytest.raises(IntegrityError, match="sha256"):
        bench.serving.refresh()


def test_a_champion_of_the_first_text_rules_goes_on() -> None:
    bench = Bench()
    files = {name: (MODEL_OF_RULES_1 / name).read_bytes() for name in (ARRAYS, GOLDEN)}
    bench.store.put_files(V1, files)
    bench.store.register(V1, {})
    bench.store.promote(V1, None, "first", "tests")
    loaded = bench.serving.refresh()
    assert loaded
    assert (loaded.version, loaded.scorer.rules.number, bench.serving.fault) == (V1, 1, "")
    scorer = Scorer(replace(loaded.scorer.model, text_rules=2))
    with pytest.raises(IntegrityError, match="scores its golden sample differently"):
        check_golden(scorer, files[GOLDEN], V1)
