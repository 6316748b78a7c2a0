"""A batch keeps its model: in the note beside the checkpoint, and in what the classifier uses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from pyspark.accumulators import _accumulatorRegistry

from twitter_topics.backends.query_keeper import NotReady
from twitter_topics.classification import classifier
from twitter_topics.classification.batch_model import BatchModel
from twitter_topics.classification.classifier import ModelInUse
from twitter_topics.classification.flood import Tally
from twitter_topics.errors import DeniedError, IntegrityError, RetryableError
from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark


def test_a_note_survives_the_process_and_belongs_to_one_batch(spark: SparkSession, tmp_path: Path) -> None:
    path = f"{tmp_path}/checkpoints/classifier-model.json"
    assert BatchModel(spark, path).of(0) is None
    BatchModel(spark, path).note(0, "v1")
    BatchModel(spark, path).note(1, "v2")
    assert BatchModel(spark, path).of(1) == "v2"
    assert BatchModel(spark, path).of(0) is None
    assert BatchModel(spark, path).of(2) is None


@pytest.mark.parametrize("torn", [b"", b'{"batch": 1, "mo', b"[]", b"7"])
def test_a_note_that_was_cut_off_is_no_note(spark: SparkSession, tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "classifier-model.json"
    BatchModel(spark, str(path)).note(1, "v1")
    path.write_bytes(torn)
    assert BatchModel(spark, str(path)).of(1) is None
    BatchModel(spark, str(path)).note(1, "v2")
    assert BatchModel(spark, str(path)).of(1) == "v2"


def test_a_note_that_cannot_be_read_now_is_waited_for(spark: SparkSession, tmp_path: Path) -> None:
    """As with S3 that is away: the batch must not get another model because of it."""
    path = str(tmp_path / "classifier-model.json")
    BatchModel(spark, path).note(1, "v1")
    noted = BatchModel(spark, path)
    hidden = tmp_path / "hidden"
    (tmp_path / "classifier-model.json").rename(hidden)
    (tmp_path / "classifier-model.json").mkdir()  # it exists, and opening it fails
    with pytest.raises(RetryableError, match=r"classifier-model\.json"):
        noted.of(1)
    (tmp_path / "classifier-model.json").rmdir()
    hidden.rename(tmp_path / "classifier-model.json")
    assert noted.of(1) == "v1"


@dataclass(frozen=True)
class Loaded:
    """As much of a loaded model as the classifier looks at."""

    version: str
    arrays: bytes = b""


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, spark: SparkSession) -> ModelInUse:
    monkeypatch.setattr(classifier, "ModelStore", Mock())
    monkeypatch.setattr(classifier, "ServingModel", Mock(return_value=Mock(refresh=lambda: Loaded("v2"), fault="")))
    monkeypatch.setattr(classifier, "load_version", lambda _store, version: Loaded(version))
    made = ModelInUse(spark, Settings({}))
    made.reload()
    return made


def used(model: ModelInUse, noted: Any) -> str:
    model.keep_for(3, noted)
    assert model._model
    return model._model.version


def test_a_batch_repeated_after_a_promotion_keeps_its_model(
    model: ModelInUse, spark: SparkSession, tmp_path: Path
) -> None:
    noted = BatchModel(spark, f"{tmp_path}/note.json")
    noted.note(3, "v1")
    assert used(model, noted) == "v1"
    model.reload()
    model.keep_for(4, noted)
    assert model._model
    assert (model._model.version, noted.of(4)) == ("v2", "v2")


def test_a_model_that_is_gone_is_replaced_by_the_champion(
    model: ModelInUse, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = BatchModel(spark, f"{tmp_path}/note.json")
    noted.note(3, "v1")
    monkeypatch.setattr(classifier, "load_version", Mock(side_effect=IntegrityError("it was deleted")))
    assert used(model, noted) == "v2"
    assert noted.of(3) == "v2"


def test_before_the_first_model_an_s3_that_hides_it_is_waited_for(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS answers 403 for a missing key if the user may not list the bucket."""
    denied = DeniedError("s3://tweets/models/champion.json: AccessDenied.")
    monkeypatch.setattr(classifier, "ModelStore", Mock())
    monkeypatch.setattr(classifier, "ServingModel", Mock(return_value=Mock(refresh=Mock(side_effect=denied))))
    with pytest.raises(NotReady, match=r"first model has not been promoted yet, or S3 hides it .*s3:ListBucket"):
        ModelInUse(spark, Settings({})).reload()


App = tuple[classifier.Classifier, list[int]]


@pytest.fixture
def app(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> App:
    """With three slots, and the tasks of each batch. A batch has a thousand records for each row."""
    in_use = Mock(
        classifier=lambda _quarantined, recent, seen: Mock(rows=lambda batch: batch, recent=recent, seen=seen)
    )
    monkeypatch.setattr(classifier, "ModelInUse", Mock(return_value=in_use))
    three_slots = Mock(sparkContext=Mock(defaultParallelism=3, accumulator=spark.sparkContext.accumulator))
    made, tasks = classifier.Classifier(three_slots, Settings({}), Mock()), list[int]()

    def write(rows: DataFrame, _kafka: object) -> None:
        tasks.append(rows.rdd.getNumPartitions())
        made._seen.add(Tally(records=1_000 * rows.count()))

    monkeypatch.setattr(classifier, "write", write)
    return made, tasks


def test_a_batch_leaves_a_slot_to_the_archiver(app: App, spark: SparkSession) -> None:
    """Its tasks may all wait for Elasticsearch, each in a slot."""
    made, tasks = app
    for partitions in (1, 2, 8):
        made._classify(spark.range(0, 80, 1, partitions), 0, Mock())
    assert tasks == [1, 2, 2]


def test_what_a_batch_had_is_noted_and_not_what_was_before(app: App, spark: SparkSession) -> None:
    made, _ = app
    held = len(_accumulatorRegistry)
    for rows in (3, 0, 2):
        made._classify(spark.range(rows), 0, Mock())
        assert made._records_before == 1_000 * rows
    assert made._recent.total() == Tally(records=5_000)
    assert len(_accumulatorRegistry) == held, "the driver would grow with each batch"
