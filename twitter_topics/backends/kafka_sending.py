"""Sending to Kafka through kafka-python, whose failing constructor leaves its sockets open and does not say why."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

from twitter_topics.backends.kafka import REJECTED, client_options, rejected
from twitter_topics.errors import RetryableError

if TYPE_CHECKING:
    from twitter_topics.settings import KafkaSettings

_PATIENCE_MS = 10_000
_REMEMBERED = 4


class Net:
    """The network side of a client whose construction may fail."""

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
        """Return why the last connections failed."""
        return [error for connection in self._connections if (error := connection.init_future.exception) is not None]

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        gc.collect()  # rejected connections leave their sockets to the garbage collector


@contextmanager
def open_producer(settings: KafkaSettings, what: str) -> Iterator[KafkaProducer]:
    """A producer whose records all replicas have to acknowledge. Wait for the acknowledgements inside the block.

    Args:
        what: is sent, in the plural; for the errors.

    Raises:
        RetryableError: no broker answers, or it does not acknowledge a record.
        ConfigurationError: the broker rejects the user.
    """
    net = Net()
    try:
        producer = KafkaProducer(
            **client_options(settings),
            kafka_client=net.open,
            client_id=f"twitter-topics-{what.replace(' ', '-')}",
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=20,
            max_block_ms=_PATIENCE_MS,
            bootstrap_timeout_ms=_PATIENCE_MS,
            allow_auto_create_topics=False,
        )
    except KafkaError as error:
        net.close()
        raise _failure(settings, what, error, *net.failures()) from error
    try:
        yield producer
    except KafkaError as error:
        raise _failure(settings, what, error) from error
    finally:
        producer.close(timeout=5)


def _failure(settings: KafkaSettings, what: str, error: KafkaError, *causes: BaseException) -> Exception:
    for cause in (error, *causes):
        if isinstance(cause, REJECTED):
            return rejected(settings, cause)
    return RetryableError(f"Kafka at {settings.bootstrap_servers} did not acknowledge the {what}: {error}")
