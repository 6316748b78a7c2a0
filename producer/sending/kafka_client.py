"""The Kafka client the producer needs: it loses nothing it acknowledged and leaves nothing behind when closed."""

from __future__ import annotations

from typing import Any, Protocol

from kafka.errors import (
    KafkaConfigurationError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnsupportedVersionError,
)
from kafka.structs import TopicPartition

from twitter_topics.backends.kafka import REJECTED, connected
from twitter_topics.backends.kafka_partitioner import partition_of
from twitter_topics.backends.kafka_sending import StoppableProducer
from twitter_topics.errors import ConfigurationError, RetryableError, TwitterTopicsError
from twitter_topics.records.tweet import MAX_BYTES
from twitter_topics.settings import KafkaSettings

DELIVERY_TIMEOUT_S = 30.0
"""After this long without an acknowledgement the client is dropped, and a new one resumes where it stopped."""

REQUEST_TIMEOUT_S = 10.0
PATIENCE_S = 10.0
"""How long to wait for a broker or a topic before reporting it missing."""

LINGER_MS = 5
BATCH_BYTES = 128 * 1024

Headers = list[tuple[str, bytes]]

_FATAL_ERRORS = (*REJECTED, KafkaConfigurationError, UnsupportedVersionError)
"""Errors that no retry fixes."""


class Future(Protocol):
    """The part of kafka-python's future used here."""

    is_done: bool
    exception: BaseException | None

    def get(self, timeout: float | None = None) -> Any: ...


def failure(error: KafkaError) -> TwitterTopicsError:
    """Return the producer's error for an error of the client."""
    text = str(error)  # it begins with the error's name
    if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
        return ConfigurationError(
            f"Kafka rejects a record as too large: {text}. Records have up to {MAX_BYTES} bytes: set max.message.bytes "
            "of the topics, or message.max.bytes of the broker, to at least 1 MiB, its default."
        )
    if isinstance(error, _FATAL_ERRORS):
        return ConfigurationError(
            f"Kafka rejects us: {text}. Check KAFKA_SECURITY_PROTOCOL and KAFKA_SASL_*, and that this user may write "
            "to the topics (KAFKA_*_TOPIC)."
        )
    return RetryableError(f"Kafka did not accept a record: {text}")


class FastKafkaProducer(StoppableProducer):
    """A producer with a shorter path for sending bytes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._partitions: dict[str, list[TopicPartition]] = {}

    def send(self, topic: str, *, value: bytes, key: bytes, headers: Headers) -> Future:
        """Queue a record for the partition that every Kafka client chooses for its key.

        Does what the library's own `send` does for bytes, without its handling of other argument types, transactions
        and debug logging, which takes a third of the time per record, and without waking its thread for every record
        while a full batch waits, which takes a fifth.

        Raises:
            KafkaError: the topic is unknown or the client is closed.
        """
        partitions = self._metadata.partitions_for_topic(topic)
        if not partitions:
            found: Future = super().send(topic, value=value, key=key, headers=headers)
            return found
        choices = self._partitions.get(topic, ())
        if len(choices) != len(partitions):
            choices = self._partitions[topic] = [TopicPartition(topic, number) for number in sorted(partitions)]
        partition = choices[partition_of(key, len(choices))]
        future, _, is_new, _ = self._accumulator.append(partition, None, key, value, headers)
        if is_new:  # the one before is full, and this one has LINGER_MS from now
            self._sender.wakeup()
        sent: Future = future
        return sent


def connect(settings: KafkaSettings) -> FastKafkaProducer:
    """Return a client, once all topics exist. It creates none.

    Raises:
        RetryableError: no broker answers, or a topic does not exist.
        ConfigurationError: the broker rejects us permanently.
    """
    try:
        client = connected(
            FastKafkaProducer,
            settings,
            client_id="twitter-topics-producer",
            acks="all",
            enable_idempotence=True,
            max_in_flight_requests_per_connection=5,
            compression_type="lz4",
            linger_ms=LINGER_MS,
            batch_size=BATCH_BYTES,
            request_timeout_ms=int(REQUEST_TIMEOUT_S * 1000),
            delivery_timeout_ms=int(DELIVERY_TIMEOUT_S * 1000),
            max_block_ms=int(PATIENCE_S * 1000),
            bootstrap_timeout_ms=int(PATIENCE_S * 1000),
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
    except KafkaError as error:
        if isinstance(error, _FATAL_ERRORS):
            raise failure(error) from error
        where = f"{settings.bootstrap_servers} (KAFKA_BOOTSTRAP_SERVERS)"
        raise RetryableError(f"no Kafka broker answers at {where}: {error}") from error
    topics = (settings.raw_topic, settings.deletion_topic, settings.dead_letter_topic, settings.gap_topic)
    for topic in topics:
        _require_topic(client, topic)
    return client


def _require_topic(client: FastKafkaProducer, topic: str) -> None:
    try:
        client.partitions_for(topic)
    except KafkaError as error:
        client.close(timeout=0)
        if isinstance(error, _FATAL_ERRORS):
            raise failure(error) from error
        raise RetryableError(f"topic {topic} (KAFKA_*_TOPIC) was not found in {PATIENCE_S:.0f} s: {error}") from error
