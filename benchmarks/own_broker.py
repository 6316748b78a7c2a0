"""A Kafka of a benchmark's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from twitter_topics.testing.broker import Broker


@contextmanager
def broker_with(topics: Iterable[str], folder: Path) -> Iterator[Broker]:
    """Run a broker with these topics, of four partitions each."""
    broker = Broker(folder / "kafka")
    broker.start()
    try:
        admin = KafkaAdminClient(bootstrap_servers=broker.address)
        admin.create_topics([NewTopic(topic, 4, 1) for topic in topics])
        admin.close()
        yield broker
    finally:
        broker.stop()
