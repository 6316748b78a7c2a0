"""Spark's PipelineModel of a version: saving to S3, loading, and its agreement with the scorer.

Spark writes a model as many small files and renames them, which is slow on S3. Where the driver and the executors
share a disk (local masters), the model is saved there and its files are uploaded: one second instead of twenty.
"""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array

from twitter_topics.errors import IntegrityError
from twitter_topics.records.language import UNKNOWN
from twitter_topics.topic_models.registry.files import PIPELINE
from twitter_topics.topic_models.registry.store import ROOT, ModelStore
from twitter_topics.topic_models.scoring.scorer import Scorer, in_own_languages
from twitter_topics.topic_models.scoring.text import TEXT_RULES
from twitter_topics.topic_models.training.corpus import count_known
from twitter_topics.topic_models.training.spark_text import LANGUAGE, TEXT, TOPICS, WORDS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings
    from twitter_topics.topic_models.scoring.topic_model import TopicModel

TOLERANCE = 1e-6
_GOLDEN_TEXTS = 64
_GOLDEN_WORDS = 9
_FOREIGN = "zxx"
"""A language that no model has."""
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def save_pipeline(
    spark: SparkSession, settings: Settings, store: ModelStore, version: str, pipeline: PipelineModel
) -> None:
    """Add the folder `pipeline/` to a version that is not registered yet."""
    if not _shares_disk(spark):
        pipeline.write().overwrite().save(_address(settings, version))
        return
    with TemporaryDirectory() as folder:
        pipeline.write().overwrite().save(f"file://{folder}/{PIPELINE}")
        store.put_files(version, Path(folder))


def load_pipeline(spark: SparkSession, settings: Settings, store: ModelStore, version: str) -> PipelineModel:
    """Load the PipelineModel of a version, ready to transform a frame with the column `text`.

    Raises:
        IntegrityError: its files are missing or damaged.
    """
    if not _shares_disk(spark):
        return PipelineModel.load(_address(settings, version))
    with TemporaryDirectory() as folder:
        for name in store.files(version):
            if name.startswith(PIPELINE + "/"):
                target = Path(folder) / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(store.read_unregistered(version, name))
        try:
            return PipelineModel.load(f"file://{folder}/{PIPELINE}")  # reads eagerly
        except (Py4JError, PySparkException, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise IntegrityError(f"the Spark pipeline of model {version} cannot be loaded: {reason}") from error


def pipeline_theta(
    spark: SparkSession,
    pipeline: PipelineModel,
    texts: list[str],
    model: TopicModel,
    languages: list[str] | None = None,
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return Spark's topic shares of texts (n × K), in their order, without those of languages of which a text has no
    word (`in_own_languages`). `languages` are `und` if they are missing."""
    prepared = pa.array([TEXT_RULES[model.text_rules].prepared(text) for text in texts], pa.string())
    languages = languages or [UNKNOWN] * len(texts)
    rows = pa.table({"position": pa.array(range(len(texts))), TEXT: prepared, LANGUAGE: languages})
    scored = pipeline.transform(spark.createDataFrame(rows))
    table = scored.select("position", WORDS, vector_to_array(TOPICS).alias("theta")).toArrow().sort_by("position")
    theta = np.array(table["theta"].to_pylist(), dtype=np.float64)
    if not model.languages:
        return theta
    known = count_known(table[WORDS].combine_chunks(), model.vocabulary)
    return in_own_languages(model, theta, known.indptr, known.indices)


def check_agreement(
    scorer: Scorer,
    texts: list[str],
    theta: np.ndarray[Any, np.dtype[np.float64]],
    languages: list[str] | None = None,
) -> float:
    """Return the largest difference between Spark's shares and the scorer's.

    Raises:
        IntegrityError: it is above TOLERANCE: arrays and pipeline are not the same model.
    """
    mine = scorer.score(texts, languages).theta
    difference = float(np.abs(mine - theta).max()) if len(texts) else 0.0
    others = int((mine.argmax(axis=1) != theta.argmax(axis=1)).sum()) if difference > TOLERANCE else 0
    if not difference <= TOLERANCE:
        msg = f"scorer and Spark pipeline differ by {difference:.1e}; {others} of {len(texts)} texts get another topic"
        raise IntegrityError(msg)
    return difference


def golden_texts(scorer: Scorer) -> list[tuple[str, str]]:
    """Return synthetic texts of words that the model knows, some in full width or without spaces, and one of words that
    it does not know, each with its language: unknown, unless the model has languages.

    They are stored as long as the model, so they must not be real tweets. Other text rules would find other words.
    """
    model = scorer.model
    draw = np.random.default_rng(len(model.vocabulary))
    picks = draw.integers(0, len(model.vocabulary), size=(_GOLDEN_TEXTS, _GOLDEN_WORDS))
    lengths = draw.integers(1, _GOLDEN_WORDS + 1, size=_GOLDEN_TEXTS)
    spoken = [np.flatnonzero(model.language_of_word == number) for number in range(max(len(model.languages), 1))]
    sources = [spoken[number % len(spoken)] for number in range(_GOLDEN_TEXTS)]
    made_up = [
        " ".join(model.words[source[pick % len(source)]] for pick in row[:length])
        for row, length, source in zip(picks, lengths, sources, strict=True)
    ]
    others = [made_up[0].translate(_FULL_WIDTH), made_up[0].replace(" ", ""), "", "the of and"]
    if not model.languages:
        return [(text, UNKNOWN) for text in (*made_up, *others)]
    own = list(islice(zip(made_up, cycle(model.languages), strict=False), len(made_up)))
    unknown = [*made_up[: len(model.languages)], " ".join(made_up[: len(model.languages)]), *others]
    return [*own, *((text, UNKNOWN) for text in unknown), (made_up[0], _FOREIGN)]


def _shares_disk(spark: SparkSession) -> bool:
    return str(spark.sparkContext.master).startswith("local")


def _address(settings: Settings, version: str) -> str:
    return f"s3a://{settings.s3.bucket}/{ROOT}{version}/{PIPELINE}"
