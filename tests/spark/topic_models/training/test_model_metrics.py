"""What is measured of models is kept in an Iceberg table, once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spark_apps.batch import evaluate_topics
from tests.spark.topic_models.training.archived import FIRST, SECOND, START, append, append_planted, request, tweet
from twitter_topics.settings import Settings
from twitter_topics.testing.corpora import planted_documents
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.topic_models.registry.card import model_card
from twitter_topics.topic_models.registry.files import EVALUATION, read_json
from twitter_topics.topic_models.registry.metrics import MEASURED, MeasuredSlice, Metric
from twitter_topics.topic_models.registry.registration import register_version
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.training.jobs import evaluate, train
from twitter_topics.topic_models.training.record import record, record_evaluation

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

NOW = datetime(2026, 11, 2, 0, 10, tzinfo=UTC)
END = START + timedelta(hours=20)
KEY = ("measurement", "slice", "role", "language", "metric")


@pytest.fixture
def store() -> ModelStore:
    return ModelStore(Settings({}), objects=MemoryObjects())


@pytest.fixture
def archive(spark: SparkSession, local_archive: Settings) -> Settings:
    append_planted(spark, local_archive)
    return local_archive


def rows(spark: SparkSession, settings: Settings) -> list[dict[str, Any]]:
    table = spark.table(f"{settings.archive.catalog_name}.tweets.model_metrics")
    return [row.asDict() for row in table.orderBy(*KEY).collect()]


def of(found: list[dict[str, Any]], **chosen: str) -> dict[str, Any]:
    """Return the one row that has these values."""
    (row,) = [row for row in found if chosen.items() <= row.items()]
    return row


def test_an_evaluation_is_kept_once_however_often_it_is_repeated(
    spark: SparkSession, archive: Settings, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate_topics, "ModelStore", lambda _settings: store)
    evaluate_as_airflow_does = evaluate_topics.prepare(archive, ["--version", FIRST])
    train(spark, archive, store, request(FIRST))
    evaluate_as_airflow_does(spark)
    once = rows(spark, archive)
    evaluate_as_airflow_does(spark)
    register_version(store, FIRST)
    store.promote(FIRST, None, "first", "tests")
    train(spark, archive, store, request(SECOND, seed=2))
    for day in (0, 1, 40):  # the last repeat is in another partition
        evaluate(spark, archive, store, SECOND, NOW)
        count = record_evaluation(spark, archive, store, SECOND, NOW + timedelta(days=day))

    found = rows(spark, archive)
    keys = Counter(tuple(row[name] for name in KEY) for row in found)
    assert len(found) == len(keys) == len(once) + count
    assert [row for row in found if row["measurement"] == FIRST] == once
    second = [row for row in found if row["measurement"] == SECOND]
    assert {row["measured_at"] for row in second} == {(NOW + timedelta(days=40)).replace(tzinfo=None)}
    assert {(row["role"], row["version"]) for row in second} == {("challenger", SECOND), ("champion", FIRST)}
    assert {row["slice"] for row in found} == {"held_out"}
    files = spark.table(f"{archive.archive.catalog_name}.tweets.model_metrics.data_files")
    assert files.count() == files.select("partition").distinct().count() == 2, "one small file a month"


def test_rows_that_a_repeat_no_longer_measures_vanish(spark: SparkSession, local_archive: Settings) -> None:
    def measured(*names: str) -> tuple[MeasuredSlice, ...]:
        return (
            MeasuredSlice("held_out", START, END, tuple(Metric(FIRST, "challenger", "all", n, 1, 9) for n in names)),
        )

    for measurement, names in (("a", ("topics", "coherence")), ("b", ("coherence",)), ("a", ("topics", "diversity"))):
        assert record(spark, local_archive, measurement, measured(*names), NOW) == len(names)
    found = [(row["measurement"], row["metric"]) for row in rows(spark, local_archive)]
    assert found == [("a", "diversity"), ("a", "topics"), ("b", "coherence")]


def test_the_numbers_are_those_of_the_evaluation(spark: SparkSession, archive: Settings, store: ModelStore) -> None:
    train(spark, archive, store, request(FIRST))
    evaluate(spark, archive, store, FIRST, NOW)
    register_version(store, FIRST)
    store.promote(FIRST, None, "first", "tests")
    documents, _ = planted_documents(400, seed=22)
    more = [tweet(9000 + i, words, START + timedelta(seconds=20 * i)) for i, words in enumerate(documents)]
    append(spark, archive, more, first_offset=10_000)
    train(spark, archive, store, request(SECOND, seed=2))
    evaluate(spark, archive, store, SECOND, NOW)
    record_evaluation(spark, archive, store, SECOND, NOW)
    found, evaluation = rows(spark, archive), read_json(store, SECOND, EVALUATION)
    for role, metrics in (("challenger", evaluation["metrics"]), ("champion", evaluation["comparison"]["champion"])):
        ratio = of(found, role=role, metric="perplexity_to_unigram")
        assert ratio["value"] == pytest.approx(metrics["perplexity"] / metrics["unigram_perplexity"])
        assert ratio["low"] < ratio["value"] < ratio["high"] < 1
        assert of(found, role=role, metric="topics")["value"] == metrics["topics"]
        assert of(found, role=role, metric="diversity")["value"] == metrics["diversity"]
        assert of(found, role=role, metric="share_without_topic")["value"] == pytest.approx(1 - metrics["coverage"])
        assert of(found, role=role, metric="share_without_topic")["documents"] == metrics["held_out"]
        assert 1 / metrics["topics"] < of(found, role=role, metric="share_of_largest_topic")["value"] < 0.6
        assert 0.9 < of(found, role=role, metric="known_words")["value"] <= 1
    compared, against = evaluation["comparison"], of(found, metric="perplexity_to_champion")
    assert (against["low"], against["high"]) == (compared["ratio"]["low"], compared["ratio"]["high"])
    assert against["low"] < against["value"] < against["high"]
    for name in ("share_kept", "share_kept_confident"):
        assert of(found, metric=name)["value"] == compared[name]
    spans = {(row["slice_start"], row["slice_end"]) for row in found}
    assert spans == {(START.replace(tzinfo=None), END.replace(tzinfo=None))}
    documents = read_json(store, SECOND, MEASURED)["topic_documents"]
    assert sum(documents) == evaluation["metrics"]["held_out"]
    assert len(documents) == evaluation["metrics"]["topics"]


def test_a_later_slice_is_measured_from_2000_tweets_on_and_not_judged(
    spark: SparkSession, archive: Settings, store: ModelStore
) -> None:
    train(spark, archive, store, request(FIRST))
    documents, _ = planted_documents(2000, seed=33, themes=["space", "kitchen"])
    values = [tweet(50_000 + i, words, END + timedelta(seconds=5 * i)) for i, words in enumerate(documents)]
    append(spark, archive, values[:1999], first_offset=50_000, at=NOW)
    before = evaluate(spark, archive, store, FIRST, NOW)
    assert read_json(store, FIRST, EVALUATION)["later"] is None

    append(spark, archive, values[1999:], first_offset=60_000, at=NOW)
    assert evaluate(spark, archive, store, FIRST, NOW) == before
    later = read_json(store, FIRST, EVALUATION)["later"]
    assert (later["start"], later["metrics"]["held_out"], later["comparison"]) == (END.isoformat(), 2000, None)
    record_evaluation(spark, archive, store, FIRST, NOW)
    found = rows(spark, archive)
    held_out, after = (of(found, slice=name, metric="share_of_largest_topic") for name in ("held_out", "later"))
    assert after["documents"] == 2000
    assert after["value"] > held_out["value"] + 0.1, "only two of four themes go on"
    assert "On 2,000 tweets after the window" in model_card(FIRST, register_version(store, FIRST))
