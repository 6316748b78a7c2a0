"""Where a Kafka topic ends, for start positions and lag."""

from __future__ import annotations

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from twitter_topics.errors import RetryableError
from twitter_topics.settings import KafkaSettings
from twitter_topics.store.kafka import client_options

_TIMEOUT_MS = 10_000
_OPTIONS = {
    "enable_auto_commit": False,
    "request_timeout_ms": _TIMEOUT_MS,
    "bootstrap_timeout_ms": _TIMEOUT_MS,
    "allow_auto_create_topics": False,
}


def end_offsets(settings: KafkaSettings, topic: str) -> dict[int, int]:
    """Next offset to be written of each partition; empty when the topic does not exist.

    Raises:
        RetryableError: the brokers did not answer in ten seconds.
    """
    try:
        consumer = KafkaConsumer(**client_options(settings), **_OPTIONS)
        try:
            partitions = consumer.partitions_for_topic(topic) or set()
            ends = consumer.end_offsets([TopicPartition(topic, partition) for partition in sorted(partitions)])
        finally:
            consumer.close()
    except KafkaError as error:
        raise RetryableError(
            f"Kafka at {settings.bootstrap_servers} did not say where {topic} ends: {error}"
        ) from error
    return {place.partition: offset for place, offset in ends.items()}


def lag(ends: dict[int, int], counted: dict[int, int]) -> int:
    """Records not yet counted. A partition that was never read counts in full."""
    return sum(max(0, end - counted.get(partition, 0)) for partition, end in ends.items())
