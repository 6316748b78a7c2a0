"""The classifier: the streaming query that gives every tweet its topics, each batch with the current champion."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from py4j.protocol import Py4JError
from pyspark.accumulators import AccumulatorParam
from pyspark.errors import PySparkException

from twitter_topics.archive.rows import time_bounds
from twitter_topics.backends.kafka import topic_id
from twitter_topics.backends.query_keeper import NotReady, Query
from twitter_topics.backends.reachable import unreachable_message
from twitter_topics.backends.spark_kafka import TopicLag, read_stream, write
from twitter_topics.classification.batch_model import BatchModel
from twitter_topics.classification.flood import RecentTally, Tally
from twitter_topics.classification.quarantine import Place, Quarantine
from twitter_topics.classification.rows import RecordClassifier
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError
from twitter_topics.search.store import SearchStore
from twitter_topics.topic_models.registry.champion import LoadedModel, load_champion, load_version
from twitter_topics.topic_models.registry.store import ModelStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark import Accumulator, Broadcast
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming import StreamingQuery

    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)

QUERY_NAME = "classifier"


def classifier_query(spark: SparkSession, settings: Settings) -> Query:
    """Every tweet of the raw topic into Elasticsearch and `processed_tweets`.

    A batch is one attempt: if Elasticsearch does not accept it, the query fails and the keeper starts it again, later
    each time. So no task waits for Elasticsearch in a slot that the archiver needs. A restart keeps the loaded model
    and the quarantine.
    """
    model, quarantine, recent = ModelInUse(spark, settings), Quarantine(), RecentTally()

    def describe_problem() -> str:
        elasticsearch = unreachable_message("Elasticsearch", settings.elasticsearch.url)
        return elasticsearch or unreachable_message("S3", settings.s3.endpoint_url)

    return Query(
        QUERY_NAME,
        start=lambda: start_classifier(spark, settings, model, quarantine, recent),
        lag=TopicLag(settings.kafka, settings.kafka.raw_topic),
        describe_problem=describe_problem,
    )


def start_classifier(
    spark: SparkSession, settings: Settings, model: ModelInUse, quarantine: Quarantine, recent: RecentTally
) -> StreamingQuery:
    """Start at the checkpoint, else at the beginning of the topic: nothing is skipped while there is no model.

    Raises:
        NotReady: no model has been promoted yet.
        RetryableError: Elasticsearch or Kafka is unavailable.
    """
    model.reload()
    model.note_raw_topic()
    _prepare_index(settings)
    spark.sparkContext.setLocalProperty("spark.scheduler.pool", QUERY_NAME)
    records = read_stream(
        spark,
        settings.kafka,
        settings.kafka.raw_topic,
        max_records=settings.speed.max_tweets_per_batch,
        starting="earliest",
    )

    batch_model = BatchModel(spark, f"{settings.speed.checkpoint_dir}/{QUERY_NAME}-model.json")

    def classify_batch(batch: DataFrame, batch_id: int) -> None:
        model.reload()
        model.keep_for(batch_id, batch_model)
        classifier = model.classifier(quarantine.records, recent.total())
        try:
            write(classifier.rows(batch), settings.kafka)
        except (PySparkException, Py4JError) as error:
            quarantine.note_failure(str(error))
            raise
        quarantine.note_success()
        recent.add(classifier.seen.value)

    return (
        records.writeStream.foreachBatch(classify_batch)
        .option("checkpointLocation", f"{settings.speed.checkpoint_dir}/{QUERY_NAME}")
        .trigger(processingTime=f"{settings.speed.classify_trigger_seconds} seconds")
        .start()
    )


class _TallyParam(AccumulatorParam[Tally]):
    def zero(self, value: Tally) -> Tally:  # noqa: ARG002 - Spark's signature
        return Tally()

    def addInPlace(self, value1: Tally, value2: Tally) -> Tally:  # noqa: N802 - Spark's name
        return value1.plus(value2)


def tally_accumulator(spark: SparkSession) -> Accumulator[Tally]:
    """Return an empty tally that tasks add to. Spark counts what a finished task has added."""
    return spark.sparkContext.accumulator(Tally(), _TallyParam())


def _prepare_index(settings: Settings) -> None:
    try:
        SearchStore(settings.elasticsearch, patience_seconds=0).prepare()
    except ConfigurationError as error:  # would end the process, and with it the archiver
        raise RetryableError(str(error)) from error


class ModelInUse:
    """The champion that classifies, broadcast to the workers and swapped between batches."""

    def __init__(self, spark: SparkSession, settings: Settings) -> None:
        self._spark, self._settings = spark, settings
        self._models = ModelStore(settings)
        self._model: LoadedModel | None = None
        self._arrays: Broadcast[bytes] | None = None
        self._raw_topic_id = ""

    def note_raw_topic(self) -> None:
        """Ask Kafka which raw topic this is: one that was created again has another id."""
        kafka = self._settings.kafka
        self._raw_topic_id = topic_id(kafka, kafka.raw_topic)

    def reload(self) -> None:
        """Load a newly promoted model. On a damaged one, log it and keep the model in use.

        Raises:
            NotReady: no model has been promoted yet.
            IntegrityError, RetryableError: the first model cannot be loaded.
        """
        try:
            loaded = load_champion(self._models, self._model)
        except (IntegrityError, RetryableError) as error:
            if self._model is None:
                raise
            log.error("keeping model %s: %s", self._model.version, error)
            return
        if loaded is None:
            raise NotReady("the first model has not been promoted yet")
        self._use(loaded)

    def keep_for(self, batch_id: int, noted: BatchModel) -> None:
        """Use the model with which a batch began before; note the loaded one for a new batch.

        Raises:
            RetryableError: S3 is unavailable.
        """
        version, loaded = noted.of(batch_id), self._model
        if loaded is None or version == loaded.version:
            return
        if version is not None:
            try:
                self._use(load_version(self._models, version))
            except IntegrityError as error:
                log.error("batch %d began with model %s, which cannot be loaded: %s", batch_id, version, error)
            else:
                return
        noted.note(batch_id, loaded.version)

    def _use(self, loaded: LoadedModel) -> None:
        if self._model is None or loaded.version != self._model.version:
            log.warning("model %s replaces %s", loaded.version, self._model.version if self._model else "none")
            if self._arrays is not None:
                self._arrays.unpersist()
            self._arrays = self._spark.sparkContext.broadcast(loaded.arrays)
        self._model = loaded

    def classifier(self, quarantined: Mapping[Place, str], recent: Tally) -> RecordClassifier:
        """Return the classifier for one batch, to send to the workers."""
        if self._model is None or self._arrays is None:
            raise NotReady("the first model has not been promoted yet")
        settings = self._settings
        return RecordClassifier(
            model_version=self._model.version,
            arrays=self._arrays,
            raw_topic_id=self._raw_topic_id,
            kafka=settings.kafka,
            elasticsearch=settings.elasticsearch,
            bounds=time_bounds(settings),
            max_dead_letter_share=settings.speed.max_dead_letter_share,
            quarantined=dict(quarantined),
            recent=recent,
            seen=tally_accumulator(self._spark),
        )
