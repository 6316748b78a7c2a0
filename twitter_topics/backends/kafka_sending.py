"""Sending a few records to Kafka, and waiting until it has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kafka import KafkaProducer
from kafka.errors import KafkaError

from twitter_topics.backends.kafka import connected, failure

if TYPE_CHECKING:
    from twitter_topics.settings import KafkaSettings

_PATIENCE_MS = 10_000
_JOIN_S = 5.0


class StoppableProducer(KafkaProducer):
    """KafkaProducer whose `close(timeout=0)` always ends its thread and drops what is not acknowledged.

    The library flushes before it closes. Where that fails, most often because the broker that we turn away from does
    not answer, it raises and leaves the thread running, which sends and reconnects for ever.
    """

    def flush(self, timeout: float | None = None) -> None:
        """Skip flushing when `timeout` is 0."""
        if timeout != 0:
            super().flush(timeout)

    def close(self, timeout: float | None = None, null_logger: bool = False) -> None:
        super().close(timeout, null_logger)
        if getattr(self, "_sender", None) is not None:
            self._sender.join(_JOIN_S)


@contextmanager
def open_producer(settings: KafkaSettings, what: str) -> Iterator[StoppableProducer]:
    """A producer whose records all replicas have to acknowledge. Wait for the acknowledgements inside the block:
    its end drops what has none.

    Args:
        what: is sent, in the plural; for the errors.

    Raises:
        RetryableError: no broker answers, or it does not acknowledge a record.
        ConfigurationError: the broker rejects the user.
    """
    try:
        producer = connected(
            StoppableProducer,
            settings,
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
        raise failure(settings, f"did not acknowledge the {what}", error) from error
    try:
        yield producer
    except KafkaError as error:
        raise failure(settings, f"did not acknowledge the {what}", error) from error
    finally:
        producer.close(timeout=0)
