"""A champion is measured on the archived tweets of a day, once, and not on those that it was trained on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spark_apps.batch import measure_drift
from tests.spark.topic_models.training.archived import FIRST, START, append, request, tweet
from twitter_topics.errors import TooFewTweetsError
from twitter_topics.settings import Settings
from twitter_topics.testing.corpora import planted_documents
from twitter_topics.testing.models import register_planted_model
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.topic_models.registry.drift import drift_of
from twitter_topics.topic_models.registry.metrics import MetricsTable
from twitter_topics.topic_models.registry.registration import register_version
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.training import drift
from twitter_topics.topic_models.training.jobs import evaluate, train
from twitter_topics.topic_models.training.record import record_evaluation

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

OLD = ["storm", "football", "kitchen"]
NOW = datetime(2026, 11, 4, 1, 30, tzinfo=UTC)
TRAINED, CALM, MOVED = (date(2026, 11, day) for day in (1, 2, 3))


def spread(count: int, first: int, day: date, **planted: Any) -> list[bytes]:
    """Return tweets spread over a day."""
    documents, _ = planted_documents(count, **planted)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return [tweet(first + i, words, midnight + timedelta(seconds=60 * i)) for i, words in enumerate(documents)]


@pytest.fixture
def store() -> ModelStore:
    return ModelStore(Settings({}), objects=MemoryObjects())


def test_days_are_measured_once_and_a_new_theme_shows(
    spark: SparkSession, local_archive: Settings, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, table = local_archive, MetricsTable(local_archive)
    assert table.of_version(FIRST) == []
    documents, _ = planted_documents(2400, seed=21, themes=OLD)
    append(spark, settings, [tweet(i, words, START + timedelta(seconds=20 * i)) for i, words in enumerate(documents)])
    train(spark, settings, store, request(FIRST, k=6))
    evaluate(spark, settings, store, FIRST, NOW)
    record_evaluation(spark, settings, store, FIRST, NOW)
    register_version(store, FIRST)
    again = spread(300, 100_000, CALM, seed=22, themes=OLD)
    append(spark, settings, spread(1200, 100_000, CALM, seed=22, themes=OLD), first_offset=10_000, at=NOW)
    append(spark, settings, [*again, b"no tweet"], first_offset=20_000, at=NOW)
    append(spark, settings, spread(1200, 200_000, MOVED, seed=23), first_offset=30_000, at=NOW)

    for day in (MOVED, CALM, CALM):
        drift.measure_day(spark, settings, store, FIRST, day, NOW)

    rows = table.of_version(FIRST)
    keys = {(row["measurement"], row["slice"], row["role"], row["metric"]) for row in rows}
    assert len(rows) == len(keys) == spark.table(f"{settings.archive.catalog_name}.tweets.model_metrics").count()
    shown = drift_of(store.manifest(FIRST), rows, limit=0.03)
    calm, moved = shown["days"]
    assert (calm["day"], moved["day"]) == (CALM.isoformat(), MOVED.isoformat())
    assert (calm["tweets"], moved["tweets"]) == (1200, 1200), "a tweet that was archived twice counts once"
    assert calm["age_days"] == pytest.approx(1 + 4 / 24)
    assert (calm["advised"], moved["advised"]) == (False, True)
    assert calm["word_drift"] < 0.01 < 0.03 < moved["word_drift"]
    assert calm["known_words"] > 0.98 > 0.9 > moved["known_words"]
    held_out = shown["held_out"]["perplexity_to_unigram"]
    assert calm["perplexity_to_unigram_low"] < held_out < calm["perplexity_to_unigram_high"]

    monkeypatch.setattr(drift, "MAX_TWEETS", 600)
    monkeypatch.setattr(drift, "MIN_TWEETS", 100)
    drift.measure_day(spark, settings, store, FIRST, CALM, NOW)
    sampled = drift_of(store.manifest(FIRST), table.of_version(FIRST), limit=0.03)["days"][0]
    assert 400 < sampled["tweets"] < 600, "600 of 1500 rows"
    assert sampled["word_drift"] < 0.02
    with pytest.raises(TooFewTweetsError, match=r"^0 tweets between 2026-11-01 20:00"):
        drift.measure_day(spark, settings, store, FIRST, TRAINED, NOW)


def test_an_empty_archive_is_not_measured(
    spark: SparkSession, local_archive: Settings, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure_drift, "ModelStore", lambda _settings: store)
    register_planted_model(store, FIRST)
    work = measure_drift.prepare(local_archive, ["--version", FIRST, "--day", "2024-11-02"])
    with pytest.raises(TooFewTweetsError, match="0 tweets"):
        work(spark)
