"""Publish notices to the topic of deletions."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from twitter_topics.backends.kafka_sending import open_producer

if TYPE_CHECKING:
    from kafka import KafkaProducer

    from twitter_topics.records.notice import Notice
    from twitter_topics.settings import KafkaSettings

_BATCH = 5_000
_TIMEOUT_SECONDS = 60


def publish(settings: KafkaSettings, notices: Iterable[Notice]) -> int:
    """Send notices and wait until all replicas have them. Returns their number.

    Raises:
        RetryableError: Kafka did not acknowledge all. Sending them again is safe: the newest of a key counts.
        ConfigurationError: Kafka rejects the user.
    """
    sent, waiting = 0, iter(notices)
    with open_producer(settings, "notices") as producer:
        while batch := list(islice(waiting, _BATCH)):
            futures = [_send(producer, settings.deletion_topic, notice) for notice in batch]
            producer.flush(timeout=_TIMEOUT_SECONDS)
            for future in futures:
                future.get(timeout=_TIMEOUT_SECONDS)
            sent += len(batch)
    return sent


def _send(producer: KafkaProducer, topic: str, notice: Notice) -> Any:
    received_at = str(int(time.time() * 1000))
    headers = [("source", notice.source.encode()), ("received_at", received_at.encode())]
    return producer.send(topic, key=notice.key(), value=notice.value(), headers=headers)
