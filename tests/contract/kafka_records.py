"""Private topics of a test in a real Kafka, and their records."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from uuid import uuid4

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic

PATIENCE_S = 60


class Record(NamedTuple):
    """A record as read."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


@contextmanager
def own_topics(broker: str) -> Iterator[dict[str, str]]:
    """Settings with private topics in a real Kafka, removed after the test."""
    mark = uuid4().hex[:8]
    kinds = ("RAW", "DELETION", "DEAD_LETTER", "GAP")
    names = {f"KAFKA_{kind}_TOPIC": f"producer-{mark}-{kind.lower()}" for kind in kinds}
    with kafka_admin(broker) as admin:
        admin.create_topics([NewTopic(name, 4, 1) for name in names.values()])
    yield {"KAFKA_BOOTSTRAP_SERVERS": broker, **names}
    with kafka_admin(broker) as admin:  # a new client: the broker may have been down in between
        admin.delete_topics(list(names.values()))


@contextmanager
def kafka_admin(broker: str) -> Iterator[KafkaAdminClient]:
    """A short-lived client."""
    client = KafkaAdminClient(bootstrap_servers=broker)
    try:
        yield client
    finally:
        client.close()


def read_topic(broker: str, topic: str) -> list[Record]:
    """Return all records of the topic."""
    consumer = KafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        records: list[Record] = []
        deadline = time.monotonic() + PATIENCE_S
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            assert time.monotonic() < deadline
            for batch in consumer.poll(timeout_ms=500).values():
                records += [Record(record.key, record.value, list(record.headers)) for record in batch]
        return records
    finally:
        consumer.close()
