"""The Kafka client as the producer needs it: loses nothing it acknowledged, leaves nothing behind when it is closed."""

from __future__ import annotations

import gc
import struct
from typing import Any, Protocol

from kafka import KafkaProducer
from kafka.errors import (
    AuthorizationError,
    IllegalSaslStateError,
    KafkaConfigurationError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    SaslAuthenticationFailedError,
    SecurityDisabledError,
    UnsupportedSaslMechanismError,
    UnsupportedVersionError,
)
from kafka.net.compat import KafkaNetClient
from kafka.structs import TopicPartition

from twitter_topics.contract.tweet import MAX_BYTES
from twitter_topics.errors import ConfigurationError, RetryableError, TwitterTopicsError
from twitter_topics.settings import KafkaSettings
from twitter_topics.store.kafka import client_options

DELIVERY_TIMEOUT_S = 30.0
"""After this time without an acknowledgement the client is given up and another one begins where it stopped."""

REQUEST_TIMEOUT_S = 10.0
PATIENCE_S = 10.0
"""How long to wait for a broker and for a topic before saying that it is not there."""

LINGER_MS = 5
BATCH_BYTES = 128 * 1024
_JOIN_S = 5.0
_REMEMBERED = 4

Headers = list[tuple[str, bytes]]

_FATAL_ERRORS = (
    AuthorizationError,
    IllegalSaslStateError,
    KafkaConfigurationError,
    SaslAuthenticationFailedError,
    SecurityDisabledError,
    UnsupportedSaslMechanismError,
    UnsupportedVersionError,
)
"""What no repetition changes."""


class Future(Protocol):
    """What is used of kafka-python's future."""

    is_done: bool
    exception: BaseException | None

    def get(self, timeout: float | None = None) -> Any: ...


def failure(error: KafkaError) -> TwitterTopicsError:
    """What an error of the client means to the producer."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
        return ConfigurationError(
            f"Kafka refuses a record for its size: {text}. Records have up to {MAX_BYTES} bytes: set max.message.bytes "
            "of the topics, or message.max.bytes of the broker, to at least 1 MiB, its default."
        )
    if isinstance(error, _FATAL_ERRORS):
        return ConfigurationError(
            f"Kafka refuses: {text}. Check KAFKA_SECURITY_PROTOCOL and KAFKA_SASL_*, and that this user may write to "
            "the topics (KAFKA_*_TOPIC)."
        )
    return RetryableError(f"Kafka did not take a record: {text}")


class FastKafkaProducer(KafkaProducer):
    """KafkaProducer with a shorter way to send bytes, and a `close` that always ends its thread."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._partitions: dict[str, list[TopicPartition]] = {}

    def send(self, topic: str, *, value: bytes, key: bytes, headers: Headers) -> Future:
        """Hand over a record, to the partition that every Kafka client chooses for its key.

        Does what the library's own does for bytes, and leaves out what it does for arguments of other kinds, for
        transactions and for its debug log: that is a third of the time that a record takes.

        Raises:
            KafkaError: the topic is unknown or the client closed.
        """
        partitions = self._metadata.partitions_for_topic(topic)
        if not partitions:
            found: Future = super().send(topic, value=value, key=key, headers=headers)
            return found
        choices = self._partitions.get(topic, ())
        if len(choices) != len(partitions):
            choices = self._partitions[topic] = [TopicPartition(topic, number) for number in sorted(partitions)]
        partition = choices[(murmur2(key) & 0x7FFFFFFF) % len(choices)]
        future, is_full, is_new, _ = self._accumulator.append(partition, None, key, value, headers)
        if is_full or is_new:
            self._sender.wakeup()
        sent: Future = future
        return sent

    def flush(self, timeout: float | None = None) -> None:
        """The library flushes before it closes, and where that fails (which is why we close) leaves its thread alone
        with what it still wants to send. So there is nothing to wait for in no time."""
        if timeout != 0:
            super().flush(timeout)

    def close(self, timeout: float | None = None, null_logger: bool = False) -> None:
        super().close(timeout, null_logger)
        if getattr(self, "_sender", None) is not None:
            self._sender.join(_JOIN_S)


class _Net:
    """The network side of a client that may never come to be.

    A constructor that fails leaves its sockets open, and says only that time has passed, not why it was refused.
    """

    def __init__(self) -> None:
        self._client: KafkaNetClient | None = None
        self._connections: list[Any] = []

    def open(self, **options: Any) -> KafkaNetClient:
        """For KafkaProducer's option `kafka_client`."""
        self._client = KafkaNetClient(**options)
        manager = self._client._manager
        get_connection = manager.get_connection

        def remembered(*arguments: Any, **named: Any) -> Any:
            connection = get_connection(*arguments, **named)
            self._connections = [*self._connections[-_REMEMBERED:], connection]
            return connection

        manager.get_connection = remembered
        return self._client

    def failures(self) -> list[BaseException]:
        """Why the last connections did not come about."""
        return [error for connection in self._connections if (error := connection.init_future.exception) is not None]

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def connect(settings: KafkaSettings) -> FastKafkaProducer:
    """A client whose topics are all there. It creates none.

    Raises:
        RetryableError: no broker answers, or a topic is not there.
        ConfigurationError: the broker refuses us for good.
    """
    net = _Net()
    try:
        client = FastKafkaProducer(
            **client_options(settings),
            kafka_client=net.open,
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
        net.close()
        gc.collect()  # connections that were refused leave their sockets to the collector
        for cause in (error, *net.failures()):
            if isinstance(cause, _FATAL_ERRORS):
                raise failure(cause) from error
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
        raise RetryableError(
            f"topic {topic} (KAFKA_*_TOPIC) was not found in {PATIENCE_S:.0f} s: {type(error).__name__}: {error}"
        ) from error


_INTEGERS = [struct.Struct(f"<{number}I").unpack_from for number in range(256)]
_SEED, _M = 0x9747B28C, 0x5BD1E995


def murmur2(key: bytes) -> int:
    """32-bit Murmur2 as of `org.apache.kafka.common.utils.Utils.murmur2`, unsigned."""
    blocks = len(key) >> 2
    h = _SEED ^ len(key)
    unpack = _INTEGERS[blocks] if blocks < len(_INTEGERS) else struct.Struct(f"<{blocks}I").unpack_from
    for k in unpack(key):
        k = k * _M & 0xFFFFFFFF
        h = (h * _M ^ (k ^ k >> 24) * _M) & 0xFFFFFFFF
    if rest := key[blocks * 4 :]:
        h = (h ^ int.from_bytes(rest, "little")) * _M & 0xFFFFFFFF
    h ^= h >> 13
    h = h * _M & 0xFFFFFFFF
    return h ^ h >> 15
