"""The classifier's query: each batch of raw records with the champion of its moment."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from twitter_topics.archive.rows import time_bounds
from twitter_topics.backends.query_keeper import NotReady
from twitter_topics.backends.spark_kafka import write
from twitter_topics.backends.topic_query import TopicQuery
from twitter_topics.classification.classifier import Classifier
from twitter_topics.errors import IntegrityError, RetryableError
from twitter_topics.search.store import SearchStore
from twitter_topics.topic_models.registry.champion import LoadedModel, load_champion
from twitter_topics.topic_models.registry.store import ModelStore

if TYPE_CHECKING:
    from pyspark import Broadcast
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming import StreamingQuery

    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)


class ClassifierQuery(TopicQuery):
    """Every tweet of the raw topic into Elasticsearch and `processed_tweets`, with the champion of its batch."""

    def __init__(self, spark: SparkSession, settings: Settings) -> None:
        super().__init__(spark, settings, settings.kafka.raw_topic)
        self._models = ModelStore(settings)
        self._model: LoadedModel | None = None
        self._arrays: Broadcast[bytes] | None = None

    @property
    def model_version(self) -> str:
        """Version of the model in use; empty before the first."""
        return self._model.version if self._model else ""

    def start(self) -> StreamingQuery:
        """Start where the checkpoint ends, else at the beginning: nothing is skipped while no model exists.

        Raises:
            NotReady: no model has been promoted yet.
        """
        settings = self._settings
        self._reload()
        SearchStore(settings.elasticsearch, patience_seconds=30).ensure_template()
        self._spark.sparkContext.setLocalProperty("spark.scheduler.pool", "classifier")
        records = self._records(starting="earliest")
        self._query = (
            records.writeStream.foreachBatch(self._classify)
            .option("checkpointLocation", f"{settings.speed.checkpoint_dir}/classifier")
            .trigger(processingTime=f"{settings.speed.classify_trigger_seconds} seconds")
            .start()
        )
        return self._query

    def _classify(self, records: DataFrame, _batch_id: int) -> None:
        self._reload()
        write(self._classifier().rows(records), self._settings.kafka)

    def _reload(self) -> None:
        """Take a newly promoted model. A damaged one is reported and the one in use stays."""
        try:
            loaded = load_champion(self._models, self._model)
        except (IntegrityError, RetryableError) as error:
            if self._model is None:
                raise
            log.error("keeping model %s: %s", self._model.version, error)
            return
        if loaded is None:
            raise NotReady("the first model has not been promoted yet")
        if self._model is None or loaded.version != self._model.version:
            log.warning("model %s takes over from %s", loaded.version, self.model_version or "none")
            if self._arrays is not None:
                self._arrays.unpersist()
            self._arrays = self._spark.sparkContext.broadcast(loaded.arrays)
        self._model = loaded

    def _classifier(self) -> Classifier:
        if self._model is None or self._arrays is None:
            raise NotReady("the first model has not been promoted yet")
        settings = self._settings
        return Classifier(
            model_version=self._model.version,
            arrays=self._arrays,
            kafka=settings.kafka,
            elasticsearch=settings.elasticsearch,
            bounds=time_bounds(settings),
            max_dead_letter_share=settings.speed.max_dead_letter_share,
        )
