"""Bad input of a training and an evaluation, read from an archive by Spark: see tests/bad_input.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.bad_input import ROWS
from tests.spark.topic_models.training.archived import (
    FIRST,
    NOW,
    SECOND,
    START,
    append,
    append_planted,
    request,
    tweet,
)
from twitter_topics.archive.rows import raw_table
from twitter_topics.errors import TwitterTopicsError
from twitter_topics.settings import Settings
from twitter_topics.testing.models import register_planted_model
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.topic_models.registry.files import EVALUATION, PIPELINE, TRAINING
from twitter_topics.topic_models.registry.store import ARRAYS, ModelStore
from twitter_topics.topic_models.training.jobs import evaluate, train

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


@pytest.fixture
def store() -> ModelStore:
    return ModelStore(Settings({}), objects=MemoryObjects())


def refused(key: str, task: Callable[[], object]) -> None:
    """Assert that a job ends as the table says."""
    with pytest.raises(TwitterTopicsError) as caught:
        task()
    assert ROWS[key].matches(str(caught.value)), caught.value
    assert ROWS[key].ends == str(caught.value.job_exit_code)


def test_an_archive_that_has_nothing_to_train_on(
    spark: SparkSession, local_archive: Settings, store: ModelStore
) -> None:
    register_planted_model(store, SECOND)
    champion = store.promote(SECOND, None, "first", "tests")
    refused("no snapshot", lambda: train(spark, local_archive, store, request(FIRST)))
    append(spark, local_archive, [tweet(i, ["storm"], START) for i in range(1200)])
    day = timedelta(days=1)
    earlier = request(FIRST, start=START - day, end=START)
    refused("empty window", lambda: train(spark, local_archive, store, earlier))
    refused("one word", lambda: train(spark, local_archive, store, request(FIRST)))
    refused("no language", lambda: train(spark, local_archive, store, request(FIRST, languages="ja")))
    spark.sql(f"DROP TABLE {raw_table(local_archive)}")
    refused("no table", lambda: train(spark, local_archive, store, request(FIRST)))
    assert store.files(FIRST) == []
    assert store.champion() == champion


def test_a_version_that_cannot_be_evaluated(spark: SparkSession, local_archive: Settings, store: ModelStore) -> None:
    append_planted(spark, local_archive)
    train(spark, local_archive, store, request(FIRST))

    def damaged(key: str, name: str, change: Callable[[bytes], bytes]) -> None:
        whole = store.read_unregistered(FIRST, name)
        store.put_files(FIRST, {name: change(whole)})
        refused(key, lambda: evaluate(spark, local_archive, store, FIRST, NOW))
        store.put_files(FIRST, {name: whole})

    def more_required(training: bytes) -> bytes:
        content = json.loads(training)
        content["request"]["min_documents"] = 2401  # one more than are left
        return json.dumps(content).encode()

    damaged("flipped challenger", ARRAYS, lambda body: body[:28] + bytes([body[28] ^ 0xFF]) + body[29:])
    for name in store.files(FIRST):
        if name.startswith(PIPELINE) and "/part-" in name and name.endswith((".parquet", "part-00000")):
            damaged("damaged pipeline", name, lambda body: body[: len(body) // 2])
    damaged("deleted", TRAINING, more_required)
    register_planted_model(store, SECOND)
    champion = store.promote(SECOND, None, "meanwhile", "tests")
    refused("other champion", lambda: evaluate(spark, local_archive, store, FIRST, NOW))
    assert EVALUATION not in store.files(FIRST)
    assert store.champion() == champion
