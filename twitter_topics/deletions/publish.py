"""Publish notices to the topic of deletions."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

from twitter_topics.backends.kafka import client_options
from twitter_topics.errors import RetryableError

if TYPE_CHECKING:
    from twitter_topics.records.notice import Notice
    from twitter_topics.settings import KafkaSettings

_BATCH = 5_000
_TIMEOUT_SECONDS = 60
_PATIENCE_MS = 10_000


def publish(settings: KafkaSettings, notices: Iterable[Notice]) -> int:
    """Send notices and wait until all replicas have them. Returns their number.

    Raises:
        RetryableError: Kafka did not acknowledge all. Sending them again is safe: the newest of a key counts.
    """
    producer = _connect(settings)
    sent, waiting = 0, iter(notices)
    try:
        while batch := list(islice(waiting, _BATCH)):
            futures = [_send(producer, settings.deletion_topic, notice) for notice in batch]
            producer.flush(timeout=_TIMEOUT_SECONDS)
            for future in futures:
                future.get(timeout=_TIMEOUT_SECONDS)
            sent += len(batch)
    except KafkaError as error:
        raise _not_taken(settings, error) from error
    finally:
        producer.close(timeout=5)
    return sent


def _connect(settings: KafkaSettings) -> KafkaProducer:
    nets: list[KafkaNetClient] = []

    def net(**options: Any) -> KafkaNetClient:
        nets.append(KafkaNetClient(**options))
        return nets[-1]

    try:
        return KafkaProducer(
            **client_options(settings),
            kafka_client=net,
            client_id="twitter-topics-deletions",
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=20,
            max_block_ms=_PATIENCE_MS,
            bootstrap_timeout_ms=_PATIENCE_MS,
            allow_auto_create_topics=False,
        )
    except KafkaError as error:
        for opened in nets:  # a failing constructor leaves its sockets open
            opened.close()
        raise _not_taken(settings, error) from error


def _send(producer: KafkaProducer, topic: str, notice: Notice) -> Any:
    received_at = str(int(time.time() * 1000))
    headers = [("source", notice.source.encode()), ("received_at", received_at.encode())]
    return producer.send(topic, key=notice.key(), value=notice.value(), headers=headers)


def _not_taken(settings: KafkaSettings, error: KafkaError) -> RetryableError:
    return RetryableError(
        f"Kafka at {settings.bootstrap_servers} did not acknowledge the notices: {type(error).__name__}"
    )
