"""The classifier: the streaming query that gives every tweet its topics, each batch with the current champion."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from py4j.protocol import Py4JError
from pyspark.accumulators import AccumulatorParam
from pyspark.errors import PySparkException

from twitter_topics import failpoints
from twitter_topics.archive.rows import time_bounds
from twitter_topics.backends.kafka_topics import topic_id
from twitter_topics.backends.objects import S3Objects
from twitter_topics.backends.query_keeper import NotReady, Query
from twitter_topics.backends.reachable import unreachable_message
from twitter_topics.backends.s3 import PROMPT
from twitter_topics.backends.spark_kafka import TopicLag, resume, start_on_raw_topic, write
from twitter_topics.classification.batch_model import BatchModel
from twitter_topics.classification.flood import RecentTally, Tally
from twitter_topics.classification.quarantine import Place, Quarantine
from twitter_topics.classification.refreshing import Refreshing
from twitter_topics.classification.rows import RecordClassifier
from twitter_topics.errors import DeniedError, IntegrityError
from twitter_topics.search.store import SearchStore
from twitter_topics.topic_models.registry.champion import LoadedModel, ServingModel, load_version
from twitter_topics.topic_models.registry.store import ModelStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark import Accumulator, Broadcast
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming import StreamingQuery

    from twitter_topics.backends.lease import Lease
    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)

QUERY_NAME = "classifier"
MIN_RECORDS = 25
"""A batch starts when so many records wait, or after SPEED_CLASSIFY_TRIGGER_SECONDS."""
FEW_RECORDS = 500
"""A task costs as much as some hundred tweets: after a batch of fewer records, the next one is a single task."""
_NO_MODEL = "the first model has not been promoted yet"


def classifier_query(spark: SparkSession, settings: Settings, lease: Lease) -> Query:
    """Every tweet of the raw topic into Elasticsearch and `processed_tweets`.

    A batch is one attempt: if Elasticsearch does not accept it, the query fails and the keeper starts it again, later
    each time. So no task waits for Elasticsearch in a slot that the archiver needs. A restart keeps the loaded model
    and the quarantine.
    """
    app = Classifier(spark, settings, lease)
    return Query(
        QUERY_NAME,
        start=app.start,
        lag=app.lag,
        describe_problem=lambda: unreachable_message("Elasticsearch", settings.elasticsearch.url),
        describe_fault=lambda: app.model.fault or unreachable_message("S3", settings.s3.endpoint_url),
        check=lease.hold,
    )


class Classifier:
    """Starts the query and classifies its batches. Keeps what outlives a restart of the query."""

    def __init__(self, spark: SparkSession, settings: Settings, lease: Lease) -> None:
        self._spark, self._settings, self._lease = spark, settings, lease
        self._checkpoint = f"{settings.speed.checkpoint_dir}/{QUERY_NAME}"
        self._quarantine, self._recent = Quarantine(), RecentTally()
        self._seen = tally_accumulator(spark)  # one for all batches: PySpark never forgets an accumulator
        self._records_before: int | None = None
        self._store = SearchStore(settings.elasticsearch, patience_seconds=0)
        self._refreshing = Refreshing(self._store, settings.speed.max_tweets_per_batch)
        self.model = ModelInUse(spark, settings)
        self.lag = TopicLag(settings.kafka, settings.kafka.raw_topic)

    def start(self) -> StreamingQuery:
        """Start at the checkpoint, else at the beginning of the topic: nothing is skipped while there is no model.

        Raises:
            NotReady: no model has been promoted yet.
            RetryableError: Elasticsearch, Kafka or the checkpoint is unavailable.
            IntegrityError: Kafka does not have what follows.
            ConfigurationError: one of them rejects the settings.
            SupersededError: another driver has taken over.
        """
        spark, settings = self._spark, self._settings
        self._lease.hold()
        resume(spark, settings, self._checkpoint, self.lag)
        self.model.reload()
        self.model.note_raw_topic()
        self._store.prepare()
        self._refreshing.forget()
        self._records_before = None
        noted = BatchModel(spark, f"{self._checkpoint}-model.json")
        return start_on_raw_topic(
            spark,
            settings,
            lambda batch, batch_id: self._classify(batch, batch_id, noted),
            pool=QUERY_NAME,
            checkpoint=self._checkpoint,
            starting="earliest",
            every_seconds=settings.speed.classify_trigger_seconds,
            min_records=MIN_RECORDS,
            look_ms=500,
        )

    def _classify(self, batch: DataFrame, batch_id: int, noted: BatchModel) -> None:
        self._lease.hold()
        self.model.reload()
        self.model.keep_for(batch_id, noted)
        failpoints.reach("classifier.model-pinned")
        classifier = self.model.classifier(self._quarantine.records, self._recent.total(), self._seen)
        seen_before = self._seen.value
        tasks = tasks_of_batch(self._spark.sparkContext.defaultParallelism, self._records_before)
        try:
            write(classifier.rows(batch.coalesce(tasks)), self._settings.kafka)
        except (PySparkException, Py4JError) as error:
            self._quarantine.note_failure(str(error))
            raise
        failpoints.reach("classifier.kafka-done")
        self._quarantine.note_success()
        seen = self._seen.value.minus(seen_before)
        self._recent.add(seen)
        self._records_before = seen.records
        self._refreshing.note(self._records_before)
        failpoints.reach("classifier.before-spark-commit")


def tasks_of_batch(slots: int, records_before: int | None) -> int:
    """Return the number of tasks of a batch: at most all slots but one, which is the archiver's, because a task that
    waits for Elasticsearch keeps its slot.

    Args:
        slots: Spark's.
        records_before: of the batch before; None for the first one.
    """
    is_slow = records_before is not None and records_before < FEW_RECORDS
    return 1 if is_slow else max(1, slots - 1)


class _TallyParam(AccumulatorParam[Tally]):
    def zero(self, value: Tally) -> Tally:  # noqa: ARG002 - Spark's signature
        return Tally()

    def addInPlace(self, value1: Tally, value2: Tally) -> Tally:  # noqa: N802 - Spark's name
        return value1.plus(value2)


def tally_accumulator(spark: SparkSession) -> Accumulator[Tally]:
    """Return an empty tally that tasks add to. Spark counts what a finished task has added."""
    return spark.sparkContext.accumulator(Tally(), _TallyParam())


class ModelInUse:
    """The champion that classifies, broadcast to the workers and swapped between batches."""

    def __init__(self, spark: SparkSession, settings: Settings) -> None:
        self._spark, self._settings = spark, settings
        self._models = ModelStore(settings, objects=S3Objects(settings.s3, patience=PROMPT))
        self._serving = ServingModel(self._models)
        self._model: LoadedModel | None = None
        self._arrays: Broadcast[bytes] | None = None
        self._raw_topic_id = ""

    def note_raw_topic(self) -> None:
        """Ask Kafka which raw topic this is: one that was created again has another id."""
        kafka = self._settings.kafka
        self._raw_topic_id = topic_id(kafka, kafka.raw_topic)

    @property
    def fault(self) -> str:
        """Why the champion does not serve, in a sentence; empty when it does."""
        return self._serving.fault

    def reload(self) -> None:
        """Load a newly promoted model. Whatever is wrong with it, the model in use stays.

        Raises:
            NotReady: no model has been promoted yet.
            IntegrityError, RetryableError, ConfigurationError: the first model cannot be loaded.
        """
        try:
            loaded = self._serving.refresh()
        except DeniedError as error:
            raise NotReady(f"{_NO_MODEL}, or S3 hides it ({error} s3:ListBucket tells the two apart)") from None
        if loaded is None:
            raise NotReady(_NO_MODEL)
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
            before, self._arrays = self._arrays, self._spark.sparkContext.broadcast(loaded.arrays)
            if before is not None:
                before.destroy()  # `unpersist` would leave the driver's own copy on its disk
        self._model = loaded

    def classifier(self, quarantined: Mapping[Place, str], recent: Tally, seen: Accumulator[Tally]) -> RecordClassifier:
        """Return the classifier for one batch, to send to the workers."""
        if self._model is None or self._arrays is None:
            raise NotReady(_NO_MODEL)
        settings = self._settings
        return RecordClassifier(
            model_version=self._model.version,
            arrays=self._arrays,
            raw_topic_id=self._raw_topic_id,
            kafka=settings.kafka,
            elasticsearch=settings.elasticsearch,
            bounds=time_bounds(settings),
            sentiment_languages=settings.sentiment.codes,
            max_dead_letter_share=settings.speed.max_dead_letter_share,
            quarantined=dict(quarantined),
            recent=recent,
            seen=seen,
        )
