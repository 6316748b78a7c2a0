"""Spark's Kafka source and sink with the project's settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from py4j.java_gateway import JavaObject

from twitter_topics.backends import tls
from twitter_topics.backends.kafka_offsets import TopicEnds, lag, require_kept
from twitter_topics.backends.spark_files import names, read_text
from twitter_topics.errors import RetryableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming import DataStreamWriter, StreamingQuery

    from twitter_topics.settings import KafkaSettings, Settings

_EARLIEST = -2  # Spark's offset for the beginning of a partition

_POLLED_TOGETHER = {"kafka.max.poll.records": "5000", "kafka.max.partition.fetch.bytes": "524288"}
"""A poll takes all that a fetch returned. After each poll Spark asks for the ends of the topic, for which the consumer
drops what is left, and fetches it again; with Kafka's defaults that is most of each fetch."""

_SENT_TOGETHER = {"kafka.linger.ms": "50", "kafka.batch.size": "131072"}
"""A task fills large batches, which cost the brokers and every reader less. Its last ones do not linger: it flushes."""


def _header(name: str) -> str:
    return f"cast(try_element_at(filter(headers, header -> header.key = '{name}'), 1).value AS string)"


_IS_EDIT = f"{_header('event')} <=> 'edit'"

EVENT = f"if({_IS_EDIT}, 'edit', 'post') AS event"
"""Expression of the column `event` over Spark's Kafka records with headers."""

EDIT_OFFSET = f"if({_IS_EDIT}, coalesce(try_cast({_header('edit_offset')} AS bigint), `offset`), NULL) AS edit_offset"
"""Expression of the offset that orders an edit among those of its tweet, the first one if it was sent again; NULL for a
post."""


def kafka_options(settings: KafkaSettings) -> dict[str, str]:
    """Return address and security of the brokers as Spark options."""
    options = {
        "kafka.bootstrap.servers": settings.bootstrap_servers,
        "kafka.security.protocol": settings.security_protocol,
    } | {f"kafka.{name}": value for name, value in tls.kafka_jvm(settings.tls).items()}
    if settings.sasl_mechanism:
        module = "plain.PlainLoginModule" if settings.sasl_mechanism == "PLAIN" else "scram.ScramLoginModule"
        user, password = settings.sasl_username, settings.sasl_password.get_secret_value()
        options |= {
            "kafka.sasl.mechanism": settings.sasl_mechanism,
            "kafka.sasl.jaas.config": f"org.apache.kafka.common.security.{module} required "
            f'username="{_quoted(user)}" password="{_quoted(password)}";',
        }
    return options


def read_stream(
    spark: SparkSession,
    settings: KafkaSettings,
    topic: str,
    *,
    max_records: int,
    starting: str,
    min_records: int = 0,
    max_seconds: int = 0,
) -> DataFrame:
    """Return a topic as a stream, with headers. Lost data stops the query: nothing is skipped silently.

    Args:
        max_records: maximum records per batch, spread proportionally over the partitions.
        starting: `earliest` or Spark's JSON of offsets; ignored once the checkpoint has `first_offsets`.
        min_records, max_seconds: a batch waits until so many records or so much time have come; 0 = it does not wait.
    """
    waiting = {"minOffsetsPerTrigger": min_records, "maxTriggerDelay": f"{max_seconds}s"} if min_records else {}
    return (
        spark.readStream.format("kafka")
        .options(**waiting, **_POLLED_TOGETHER)
        .options(**kafka_options(settings))
        .option("subscribe", topic)
        .option("startingOffsets", starting)
        .option("failOnDataLoss", "true")
        .option("includeHeaders", "true")
        .option("maxOffsetsPerTrigger", max_records)
        .option("fetchOffset.numRetries", 10)
        .option("fetchOffset.retryIntervalMs", 500)
        .load()
    )


def starting_offsets(topic: str, known: Mapping[int, int], partitions: Iterable[int]) -> str:
    """Return Spark's JSON of offsets, which must name every partition; one that is not known is read in full."""
    return json.dumps({topic: {str(one): known.get(one, _EARLIEST) for one in sorted(partitions)}})


def start_on_raw_topic(
    spark: SparkSession,
    settings: Settings,
    process: Callable[[DataFrame, int], None],
    *,
    pool: str,
    checkpoint: str,
    starting: str,
    every_seconds: int,
    min_records: int,
    look_ms: int,
) -> StreamingQuery:
    """Start a query that processes the raw topic batch by batch.

    Args:
        process: called with each batch and its number; again with the same if it failed.
        pool: of Spark's scheduler.
        starting: as of `read_stream`.
        every_seconds: time between the starts of two batches, unless `min_records` wait before.
        look_ms: time between two looks at how many wait.
    """
    spark.sparkContext.setLocalProperty("spark.scheduler.pool", pool)
    records = read_stream(
        spark,
        settings.kafka,
        settings.kafka.raw_topic,
        max_records=settings.speed.max_tweets_per_batch,
        starting=starting,
        min_records=min_records,
        max_seconds=every_seconds,
    )
    writer = records.writeStream.foreachBatch(process).option("checkpointLocation", checkpoint)
    return start_batches(spark, writer.trigger(processingTime=f"{look_ms} milliseconds"))


def start_batches(spark: SparkSession, writer: DataStreamWriter) -> StreamingQuery:
    """Start a query whose batches are processed in Python.

    Each start has a new thread in the JVM, with a connection of its own to call Python. py4j keeps the connection when
    the thread has ended: after each failed batch a Python thread and a file descriptor here and there. So those that
    nothing uses are closed first; the thread of another query connects again.
    """
    gateway = spark.sparkContext._gateway
    if gateway is not None and gateway.__dict__.get("_callback_server") is not None:
        JavaObject("GATEWAY_SERVER", gateway._gateway_client).getCallbackClient().periodicCleanup()
    return writer.start()


def write(rows: DataFrame, settings: KafkaSettings) -> None:
    """Append rows (topic, key, value) and wait for the acknowledgement of all replicas.

    A send never expires: if one batch expired and a later one of its partition succeeded, the retry would bring the
    missing rows below the aggregator's high-water mark.
    """
    options = kafka_options(settings) | {
        "kafka.acks": "all",
        "kafka.enable.idempotence": "true",
        "kafka.compression.type": "lz4",
        "kafka.delivery.timeout.ms": str(2**31 - 1),
    }
    options |= _SENT_TOGETHER
    rows.write.format("kafka").options(**options).save()


class TopicLag:
    """Records of a topic that no finished batch of a query has covered, also while the query is down."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._topic, self._ends = topic, TopicEnds(settings, topic)
        self._covered: Mapping[int, int] | None = None

    def resume_at(self, offsets: Mapping[int, int]) -> None:
        """Note where a query that is about to start stands: the next offset of each partition, none at the beginning.
        Nothing changes when it has run before in this process."""
        if self._covered is None:
            self._covered = offsets

    def __call__(self, query: StreamingQuery | None) -> int:
        """Return the lag.

        Raises:
            RetryableError: Kafka does not answer, or nobody knows yet where the query stands.
            ConfigurationError: Kafka rejects the user.
        """
        progress = query.lastProgress if query is not None else None
        sources = json.loads(progress.json)["sources"] if progress else []
        if sources and (found := _offsets_of(sources[0].get("endOffset"), self._topic)):
            self._covered = found
        held = self._ends.read()
        if self._covered is None:
            raise RetryableError("the query's checkpoint has not been read yet")
        return lag(held, self._covered)


def first_offsets(checkpoint: str) -> str:
    """Return the path where Spark notes the offsets at which a query began. Once it exists, `starting` is ignored."""
    return f"{checkpoint}/sources/0/0"


def resume(spark: SparkSession, settings: Settings, checkpoint: str, topic_lag: TopicLag) -> None:
    """Note where a query on the raw topic stands by its checkpoint, and make sure that Kafka has what follows.

    Raises:
        RetryableError: Kafka or the checkpoint is unavailable.
        IntegrityError: the checkpoint is damaged, or Kafka does not have what follows.
    """
    topic = settings.kafka.raw_topic
    covered = committed_offsets(spark, checkpoint, topic)
    topic_lag.resume_at(covered)
    require_kept(settings.kafka, topic, covered, remedy=f"To go on after them, delete {checkpoint}")


def committed_offsets(spark: SparkSession, checkpoint: str, topic: str) -> dict[int, int]:
    """Return the next offset of each partition after the newest finished batch of a checkpoint; empty without one.

    Raises:
        RetryableError: the checkpoint cannot be read now.
        IntegrityError: it is damaged.
    """
    batches = [int(name) for name in names(spark, f"{checkpoint}/commits") if name.isdigit()]
    text = read_text(spark, f"{checkpoint}/offsets/{max(batches)}") if batches else None
    if text is None:
        return {}
    _version, _metadata, source = text.splitlines()[:3]  # org.apache.spark.sql.execution.streaming.OffsetSeqLog
    return _offsets_of(json.loads(source), topic)


def _offsets_of(found: Mapping[str, Mapping[str, int]] | None, topic: str) -> dict[int, int]:
    return {int(partition): offset for partition, offset in (found or {}).get(topic, {}).items()}


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
