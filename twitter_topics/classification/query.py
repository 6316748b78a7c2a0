"""The two queries on the raw topic, as the driver sees them: how each starts, and what it does with a batch."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from twitter_topics.archive import rows as archive
from twitter_topics.backends import spark_kafka as kafka
from twitter_topics.backends.kafka_offsets import TopicEnds, lag
from twitter_topics.backends.query_keeper import NotReady
from twitter_topics.backends.sql import statement
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


class _RawQuery:
    """A query on the raw topic, and how far it is behind."""

    def __init__(self, spark: SparkSession, settings: Settings) -> None:
        self._spark, self._settings = spark, settings
        self._query: StreamingQuery | None = None
        self._ends = TopicEnds(settings.kafka, settings.kafka.raw_topic)

    def behind(self) -> int:
        """Records of the raw topic that no finished batch has covered."""
        progress = self._query.lastProgress if self._query else None
        sources = json.loads(progress.json)["sources"] if progress else []
        covered = (sources[0].get("endOffset") or {}).get(self._settings.kafka.raw_topic, {}) if sources else {}
        done = {int(partition): offset for partition, offset in covered.items()}
        return lag(self._ends.read(), done)

    def _records(self, starting: str) -> DataFrame:
        """The raw topic as a stream; `starting` counts only while there is no checkpoint."""
        settings = self._settings
        return kafka.read_stream(
            self._spark,
            settings.kafka,
            settings.kafka.raw_topic,
            max_records=settings.speed.max_tweets_per_batch,
            starting=starting,
        )


class Archiver(_RawQuery):
    """Every record of the raw topic into the archive, exactly once. Knows no model and no Elasticsearch."""

    def __init__(self, spark: SparkSession, settings: Settings) -> None:
        super().__init__(spark, settings)
        self._checkpoint = f"{settings.speed.checkpoint_dir}/archiver"

    def start(self) -> StreamingQuery:
        """Start where the checkpoint ends; without one, where the table ends; without rows, at the beginning."""
        settings = self._settings
        archive.ensure_tables(self._spark, settings)
        self._spark.sparkContext.setLocalProperty("spark.scheduler.pool", "archiver")
        records = self._records(starting=self._starting_offsets())
        self._query = archive.append_stream(
            archive.archive_rows(records, archive.time_bounds(settings)),
            settings,
            checkpoint=self._checkpoint,
            trigger={"processingTime": f"{settings.speed.archive_trigger_seconds} seconds"},
        )
        return self._query

    def _starting_offsets(self) -> str:
        if _exists(self._spark, f"{self._checkpoint}/metadata"):
            return "earliest"  # ignored by Spark: the checkpoint decides
        rows = self._spark.sql(statement("archived_offsets", catalog=self._settings.archive.catalog_name)).collect()
        if not rows:
            return "earliest"
        unseen = -2  # Spark's sign for the beginning of a partition
        offsets = dict.fromkeys(map(str, range(self._settings.kafka.partitions)), unseen)
        offsets |= {str(row.kafka_partition): row.next_offset for row in rows}
        log.warning("no checkpoint at %s; going on where the archive ends: %s", self._checkpoint, offsets)
        return json.dumps({self._settings.kafka.raw_topic: offsets})


class ClassifierQuery(_RawQuery):
    """Every tweet of the raw topic into Elasticsearch and `processed_tweets`, with the champion of its batch."""

    def __init__(self, spark: SparkSession, settings: Settings) -> None:
        super().__init__(spark, settings)
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
        kafka.write(self._classifier().rows(records), self._settings.kafka)

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
            bounds=archive.time_bounds(settings),
            max_dead_letter_share=settings.speed.max_dead_letter_share,
        )


def _exists(spark: SparkSession, path: str) -> bool:
    jvm_path = spark._jvm.org.apache.hadoop.fs.Path(path)
    return bool(jvm_path.getFileSystem(spark._jsc.hadoopConfiguration()).exists(jvm_path))
