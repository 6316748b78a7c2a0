"""The baseline: Spark's LDA (online variational Bayes; Hoffman, Blei and Bach, 2010) as a trainer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark.ml.clustering import LDA
from pyspark.ml.feature import CountVectorizerModel

from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training.alignment import Predecessor
from twitter_topics.topic_models.training.births import SMALL_SHARE
from twitter_topics.topic_models.training.corpus import Corpus
from twitter_topics.topic_models.training.spark_text import FEATURES, WORDS
from twitter_topics.topic_models.training.trainers import Trained, aligned

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SAMPLE_SHARE = 0.1
_DOCUMENT_PRIOR = 0.1
_WORD_PRIOR = 0.5


@dataclass(frozen=True)
class SparkLdaTrainer:
    """Online LDA. Each of the `iterations` mini-batches is a tenth of the documents, so 30 iterations are 3 passes.

    Its topics on tweets are much worse than GSDMM's: nine words are too few to infer a document's mixture.
    """

    spark: SparkSession

    def fit(
        self, corpus: Corpus, *, k: int, iterations: int, seed: int, champion: Predecessor | None = None
    ) -> Trained:
        """See `Trainer.fit`. Spark's LDA cannot start from given topics, so the topics are only aligned afterwards."""
        counting = CountVectorizerModel.from_vocabulary(list(corpus.vocabulary), inputCol=WORDS, outputCol=FEATURES)
        documents = self.spark.createDataFrame(pa.table({WORDS: _as_words(corpus)}))
        features = counting.transform(documents).select(FEATURES).cache()
        try:
            fitted = LDA(
                featuresCol=FEATURES,
                k=k,
                maxIter=iterations,
                seed=seed,
                optimizer="online",
                subsamplingRate=_SAMPLE_SHARE,
                learningOffset=10.0,  # Spark's 1024 keeps the topics near their random start for hundreds of iterations
                learningDecay=0.51,
                docConcentration=[_DOCUMENT_PRIOR],
                topicConcentration=_WORD_PRIOR,
                optimizeDocConcentration=False,
            ).fit(features)
        finally:
            features.unpersist()
        matrix = np.ascontiguousarray(fitted.topicsMatrix().toArray().T)
        return aligned(_largest_first(corpus, matrix, np.full(k, _DOCUMENT_PRIOR)), champion)


def _as_words(corpus: Corpus) -> pa.ListArray:
    """The documents as lists of words again, each word repeated by its count."""
    repeats = corpus.counts.data.astype(np.int64)
    ends = np.concatenate(([0], np.cumsum(repeats)))[corpus.counts.indptr]
    words = pa.array(corpus.vocabulary).take(pa.array(np.repeat(corpus.counts.indices, repeats)))
    return pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), words)


def _largest_first(corpus: Corpus, matrix: np.ndarray, alpha: np.ndarray) -> TopicModel:
    ids = np.arange(len(matrix), dtype=np.int64)
    model = TopicModel(
        corpus.vocabulary, matrix, alpha, _WORD_PRIOR, np.zeros(len(matrix), np.int64), corpus.word_counts, ids
    )
    theta = Scorer(model).theta_of(corpus.counts)
    documents = np.bincount(theta.argmax(axis=1), minlength=len(matrix)).astype(np.int64)
    order = np.argsort(-documents, kind="stable")
    order = order[documents[order] >= SMALL_SHARE * corpus.documents]
    return TopicModel(
        vocabulary=corpus.vocabulary,
        topics_matrix=np.ascontiguousarray(matrix[order]),
        alpha=alpha[order],
        eta=_WORD_PRIOR,
        documents=documents[order],
        word_counts=corpus.word_counts,
        topic_ids=np.arange(len(order), dtype=np.int64),
    )
