"""The text stages and the topic stage of a standard Spark PipelineModel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pyspark.ml import PipelineModel
from pyspark.ml.clustering import LocalLDAModel
from pyspark.ml.feature import CountVectorizerModel, RegexTokenizer, SQLTransformer, StopWordsRemover
from pyspark.mllib.common import _py2java
from pyspark.mllib.linalg import Matrices, Vectors

from twitter_topics.records.language import UNKNOWN
from twitter_topics.topic_models.scoring.text import TEXT_RULES

if TYPE_CHECKING:
    from pyspark.ml import Transformer
    from pyspark.sql import SparkSession

    from twitter_topics.topic_models.scoring.stop_words import StopWords
    from twitter_topics.topic_models.scoring.text_rules import TextRules
    from twitter_topics.topic_models.scoring.topic_model import TopicModel

TEXT, LANGUAGE, WORDS, FEATURES, TOPICS = "text", "language", "words", "features", "topicDistribution"
"""Columns: the inputs, two intermediate ones, and the output of the pipeline."""


def text_stages(rules: TextRules, languages: tuple[str, ...] = ()) -> list[Transformer]:
    """`text` and `language` → `words`, equal to `rules.content_words` for every string.

    `text` must be `rules.prepared`. Rules with one list of stop words do not read `language`.

    Args:
        languages: if each of these has its own topics, words start with the language in which they are read: the
            text's, all of them if it is unknown, none if it is another one.
    """
    return [
        SQLTransformer(statement=_cleaning_statement(rules)),
        RegexTokenizer(
            inputCol="clean",
            outputCol="tokens",
            pattern=rules.token,
            gaps=False,
            minTokenLength=1,  # Java counts UTF-16 units, so the pattern sets the length
            toLowercase=False,  # Java would use the machine's locale
        ),
        *(_stages_of_languages(rules, languages) if languages else _stop_word_stages(rules.stop_words())),
    ]


def pipeline_model(spark: SparkSession, model: TopicModel) -> PipelineModel:
    """Return a topic model as a standard PipelineModel that Spark saves, loads and runs without this project.

    Its column `text` must be in NFKC, and `language` a code of ISO 639, unless the model has text rules 1.
    """
    counting = CountVectorizerModel.from_vocabulary(list(model.vocabulary), inputCol=WORDS, outputCol=FEATURES)
    stages = text_stages(TEXT_RULES[model.text_rules], model.languages)
    return PipelineModel([*stages, counting, _local_lda(spark, model)])


def _local_lda(spark: SparkSession, model: TopicModel) -> LocalLDAModel:
    # pyspark has no public constructor for a LocalLDAModel of given topics; its Java class does
    context, jvm = spark.sparkContext, spark._jvm
    topics, words = model.topics_matrix.shape
    inner = jvm.org.apache.spark.mllib.clustering.LocalLDAModel(
        _py2java(
            context, Matrices.dense(words, topics, model.topics_matrix.ravel())
        ),  # column by column = topic by topic
        _py2java(context, Vectors.dense(model.alpha)),
        float(model.eta),
        100.0,  # shape of the start vector's gamma distribution: Spark's own default
    )
    lda = LocalLDAModel(jvm.org.apache.spark.ml.clustering.LocalLDAModel("topics", words, inner, spark._jsparkSession))
    lda.setFeaturesCol(FEATURES)
    lda.setTopicDistributionCol(TOPICS)
    return lda


def _cleaning_statement(rules: TextRules) -> str:
    clean = f"translate({TEXT}, {_literal(rules.fold_from)}, {_literal(rules.fold_to)})"
    for one in rules.replacements:
        pattern = one.pattern.replace("'", r"\x27")  # in a raw literal a quote cannot be escaped
        clean = f"regexp_replace({clean}, r'{pattern}', {_literal(one.by)})"
    return f"SELECT *, {clean} AS clean FROM __THIS__"  # noqa: S608


def _stop_word_stages(lists: StopWords) -> list[Transformer]:
    if len(lists) == 1:
        return [_remover("tokens", WORDS, lists[UNKNOWN])]
    # Spark's stage has one list for all rows, so a word carries its language there: `de:die`
    known = ", ".join(f"'{language}'" for language in sorted(lists))
    spoken = f"concat(CASE WHEN {LANGUAGE} IN ({known}) THEN {LANGUAGE} ELSE '{UNKNOWN}' END, ':', word)"
    stop = [f"{language}:{word}" for language, words in lists.items() for word in words]
    bare = "substring(word, instr(word, ':') + 1)"
    return [
        SQLTransformer(statement=f"SELECT *, transform(tokens, word -> {spoken}) AS spoken FROM __THIS__"),  # noqa: S608
        _remover("spoken", "kept", stop),
        SQLTransformer(statement=f"SELECT *, transform(kept, word -> {bare}) AS {WORDS} FROM __THIS__"),  # noqa: S608
    ]


def _stages_of_languages(rules: TextRules, languages: tuple[str, ...]) -> list[Transformer]:
    codes = ", ".join(f"'{language}'" for language in languages)
    read_in = (
        f"CASE WHEN {LANGUAGE} IN ({codes}) THEN array({LANGUAGE}) "
        f"WHEN coalesce({LANGUAGE}, '{UNKNOWN}') = '{UNKNOWN}' THEN array({codes}) ELSE array() END"
    )
    spoken = f"flatten(transform({read_in}, code -> transform(tokens, word -> concat(code, ':', word))))"
    stop = [f"{language}:{word}" for language in languages for word in rules.stop_words_of(language)]
    return [
        SQLTransformer(statement=f"SELECT *, {spoken} AS spoken FROM __THIS__"),  # noqa: S608
        _remover("spoken", WORDS, stop),
    ]


def _remover(source: str, target: str, words: Iterable[str]) -> StopWordsRemover:
    return StopWordsRemover(
        inputCol=source,
        outputCol=target,
        stopWords=sorted(words),
        caseSensitive=True,  # the text is already folded
        locale="en_US",  # otherwise the stage fails on machines without a locale
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "\\'") + "'"
