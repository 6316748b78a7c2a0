"""A topic model as a standard Spark PipelineModel, and the scorer that must equal it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pyspark.ml import PipelineModel

from twitter_topics.errors import IntegrityError
from twitter_topics.settings import Settings
from twitter_topics.testing.corpora import THEMES, as_lists, in_language, planted_documents, purity
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.topic_models.registry.store import ARRAYS, ModelStore
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.start_vector import spark_start_vector
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training.corpus import Corpus, build_corpus
from twitter_topics.topic_models.training.languages import joined
from twitter_topics.topic_models.training.pipelines import (
    check_agreement,
    golden_texts,
    load_pipeline,
    pipeline_theta,
    save_pipeline,
)
from twitter_topics.topic_models.training.spark_lda import SparkLdaTrainer
from twitter_topics.topic_models.training.spark_text import pipeline_model
from twitter_topics.topic_models.training.trainers import GsdmmTrainer

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

VERSION = "20261101T000000Z-gsdmm"


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return build_corpus(as_lists(planted_documents(2000, seed=5)[0]))


@pytest.fixture(scope="module")
def model(corpus: Corpus) -> TopicModel:
    return GsdmmTrainer().fit(corpus, k=12, iterations=4, seed=1).model  # few sweeps: blurred topics are harder


@pytest.fixture(scope="module")
def texts(model: TopicModel) -> list[str]:
    documents, _ = planted_documents(500, seed=77)
    tweets = [f"RT @user_{i}: {' '.join(words)}!!! https://example.org/{i} ⚽" for i, words in enumerate(documents)]
    wide = [text.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}) for text in tweets[:50]]
    return [*tweets, *wide, *(text for text, _ in golden_texts(Scorer(model))), "no word of these", ""]


@pytest.fixture(scope="module")
def pipeline(spark: SparkSession, model: TopicModel) -> PipelineModel:
    """Saved and loaded again."""
    store = ModelStore(Settings({}), objects=MemoryObjects())
    save_pipeline(spark, Settings({}), store, VERSION, pipeline_model(spark, model))
    store.put_files(VERSION, {ARRAYS: b""})
    store.register(VERSION, {})
    assert any(name.startswith("pipeline/stages/") for name in store.files(VERSION))
    return load_pipeline(spark, Settings({}), store, VERSION)


def test_start_vector_is_the_jvms(spark: SparkSession, pipeline: PipelineModel) -> None:
    jvm = spark._jvm
    seed = int(pipeline.stages[-1]._java_obj.oldLocalModel().seed())
    words = spark.sparkContext._gateway.new_array(jvm.int, 2)
    words[0], words[1] = (seed >> 32), int(np.int32(seed & 0x7FFFFFFF)) if seed >= 0 else seed
    twister = jvm.org.apache.commons.math3.random.MersenneTwister(0)
    twister.setSeed(words)
    source = jvm.breeze.stats.distributions.RandBasis(twister)
    gamma = jvm.breeze.stats.distributions.Gamma(100.0, 0.01, source)
    assert spark_start_vector(50).tolist() == [gamma.draw() for _ in range(50)]


def test_scorer_equals_spark(spark: SparkSession, pipeline: PipelineModel, model: TopicModel, texts: list[str]) -> None:
    expected = pipeline_theta(spark, pipeline, texts, model)
    scorer = Scorer.load(model.to_bytes())
    scores = scorer.score(texts)
    assert expected.shape == scores.theta.shape
    assert np.abs(scores.theta - expected).max() <= 1e-6
    known = scores.known_words > 0
    assert known.sum() > 500
    assert np.array_equal(scores.theta[known].argmax(axis=1), expected[known].argmax(axis=1))
    assert not expected[~known].any(), "Spark gives zeros where it knows no word"
    assert check_agreement(scorer, texts, expected) <= 1e-6


@pytest.fixture(scope="module")
def of_languages() -> TopicModel:
    """English, a language of pairs, and one with apostrophes in its words. COMMON words are the same in two of them."""
    parts = {}
    pairs: dict[str, str] = {}
    for number, language in enumerate(("en", "ja", "fr")):
        spelled = planted_documents(900 - 100 * number, seed=5)[0]
        if language == "ja":
            spelled = [[pairs.setdefault(word, 2 * chr(0x4E00 + len(pairs))) for word in words] for words in spelled]
        elif language == "fr":
            spelled = in_language(spelled, "l'été")
        parts[language] = GsdmmTrainer().fit(build_corpus(as_lists(spelled)), k=9, iterations=4, seed=1)
    model = joined(parts).model
    return replace(model, topic_ids=np.arange(model.k))


def test_scorer_equals_spark_for_a_model_of_languages(
    spark: SparkSession, of_languages: TopicModel, tmp_path: Path
) -> None:
    pipeline_model(spark, of_languages).save(f"file://{tmp_path}/pipeline")
    pipeline = PipelineModel.load(f"file://{tmp_path}/pipeline")
    draw, scorer = np.random.default_rng(3), Scorer.load(of_languages.to_bytes())
    golden = golden_texts(scorer)
    texts, languages = [text for text, _ in golden], [language for _, language in golden]
    for _ in range(600):
        texts.append(" ".join(draw.choice(of_languages.words, draw.integers(1, 14))))
        languages.append(str(draw.choice(["en", "ja", "fr", "und", "de"])))
    theta = pipeline_theta(spark, pipeline, texts, of_languages, languages)
    assert check_agreement(scorer, texts, theta, languages) <= 1e-6
    known = theta.any(axis=1)
    assert known.sum() > 450
    np.testing.assert_allclose(theta[known].sum(axis=1), 1.0)
    for row, language in zip(theta, languages, strict=True):
        own = {code for code, share in zip(of_languages.topic_languages, row, strict=True) if share}
        assert own <= ({language} if language != "und" else {"en", "ja", "fr"})
    assert any(len({*np.array(of_languages.topic_languages)[row > 0]}) == 3 for row in theta)
    with pytest.raises(IntegrityError, match="differ"):
        check_agreement(scorer, texts, theta, ["en"] * len(texts))


def test_disagreement_is_found(
    spark: SparkSession, pipeline: PipelineModel, model: TopicModel, texts: list[str]
) -> None:
    flat = Scorer(replace(model, alpha=np.full(model.k, 1.0)))
    with pytest.raises(IntegrityError, match="differ"):
        check_agreement(flat, texts, pipeline_theta(spark, pipeline, texts, model))


def test_a_model_keeps_its_text_rules(spark: SparkSession, model: TopicModel, texts: list[str]) -> None:
    old = replace(model, text_rules=1)
    theta = pipeline_theta(spark, pipeline_model(spark, old), texts, old)
    assert check_agreement(Scorer.load(old.to_bytes()), texts, theta) <= 1e-6
    golden = [text for text, _ in golden_texts(Scorer(old))]
    theta = pipeline_theta(spark, pipeline_model(spark, old), golden, old)
    with pytest.raises(IntegrityError, match="differ"):
        check_agreement(Scorer(model), golden, theta)


def test_standard_model_has_the_arrays(pipeline: PipelineModel, model: TopicModel) -> None:
    counting, lda = pipeline.stages[-2:]
    assert tuple(counting.vocabulary) == model.vocabulary
    assert np.array_equal(lda.topicsMatrix().toArray().T, model.topics_matrix)
    assert np.array_equal(lda.estimatedDocConcentration().toArray(), model.alpha)


def test_spark_lda_trainer_learns_and_exports(spark: SparkSession, texts: list[str]) -> None:
    documents, truth = planted_documents(2000, seed=5)
    corpus = build_corpus(as_lists(documents))
    model = SparkLdaTrainer(spark).fit(corpus, k=len(THEMES), iterations=30, seed=1).model
    model.check()
    assert model.documents.sum() <= corpus.documents
    assert np.all(np.diff(model.documents) <= 0)
    scorer = Scorer(model)
    found = scorer.score([" ".join(words) for words in documents]).theta.argmax(axis=1)
    assert purity(found, truth) > 0.5  # a quarter by chance
    expected = pipeline_theta(spark, pipeline_model(spark, model), texts, model)
    assert np.abs(scorer.score(texts).theta - expected).max() <= 1e-6


def test_spark_lda_trains_each_language(spark: SparkSession) -> None:
    parts = {}
    for language in ("en", "de"):
        documents, _ = planted_documents(1000, seed=5)
        spelled = documents if language == "en" else in_language(documents, language)
        parts[language] = SparkLdaTrainer(spark).fit(build_corpus(as_lists(spelled)), k=4, iterations=10, seed=1)
    model = joined(parts).model
    model = replace(model, topic_ids=np.arange(model.k))
    model.check()
    scorer = Scorer(model)
    assert not scorer._word_weights[np.ix_(model.language_of_word == 0, model.language_of_topic == 1)].any()
    golden = golden_texts(scorer)
    texts, languages = [text for text, _ in golden], [language for _, language in golden]
    theta = pipeline_theta(spark, pipeline_model(spark, model), texts, model, languages)
    assert check_agreement(scorer, texts, theta, languages) <= 1e-6
