"""Where a Kafka topic ends, for start positions and lag."""

from __future__ import annotations

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from twitter_topics.backends.kafka import client_options
from twitter_topics.errors import RetryableError
from twitter_topics.settings import KafkaSettings

_TIMEOUT_MS = 10_000
_OPTIONS = {
    "enable_auto_commit": False,
    "request_timeout_ms": _TIMEOUT_MS,
    "bootstrap_timeout_ms": _TIMEOUT_MS,
    "allow_auto_create_topics": False,
}


class TopicEnds:
    """Asks for the ends of a topic again and again over one connection. For one thread."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings, self._topic = settings, topic
        self._consumer: KafkaConsumer | None = None

    def read(self) -> dict[int, int]:
        """Next offset to be written of each partition; empty when the topic does not exist.

        Raises:
            RetryableError: the brokers did not answer in ten seconds.
        """
        try:
            if self._consumer is None:
                self._consumer = KafkaConsumer(**client_options(self._settings), **_OPTIONS)
            partitions = self._consumer.partitions_for_topic(self._topic) or set()
            ends = self._consumer.end_offsets([TopicPartition(self._topic, one) for one in sorted(partitions)])
        except KafkaError as error:
            self.close()
            msg = f"Kafka at {self._settings.bootstrap_servers} did not say where {self._topic} ends: {error}"
            raise RetryableError(msg) from error
        return {place.partition: offset for place, offset in ends.items()}

    def close(self) -> None:
        """Hang up. A later `read` connects anew."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None


def end_offsets(settings: KafkaSettings, topic: str) -> dict[int, int]:
    """`TopicEnds.read` once."""
    ends = TopicEnds(settings, topic)
    try:
        return ends.read()
    finally:
        ends.close()


def lag(ends: dict[int, int], counted: dict[int, int]) -> int:
    """Records not yet counted. A partition that was never read counts in full."""
    return sum(max(0, end - counted.get(partition, 0)) for partition, end in ends.items())
