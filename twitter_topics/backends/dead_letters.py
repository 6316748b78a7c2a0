"""The dead letters, read from Kafka itself. No consumer group is used."""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition

from twitter_topics.backends.kafka_offsets import open_consumer, ranges
from twitter_topics.errors import RetryableError

if TYPE_CHECKING:
    from kafka import KafkaConsumer

    from twitter_topics.settings import KafkaSettings

_PATIENCE_SECONDS = 60
_KEY = re.compile(r"^(?P<topic>.+)-(?P<partition>\d+)-(?P<offset>\d+)$")


@dataclass(frozen=True)
class DeadLetters:
    """Rejected records, each counted once however often it was rejected.

    `pairs` has (partition, offset) in the raw topic by stage; `elsewhere` counts records that never reached it.
    """

    pairs: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)


def dead_letters(settings: KafkaSettings) -> DeadLetters:
    """Return every dead letter up to the current end of the topic.

    Raises:
        RetryableError: no broker answers, or a minute passes without progress.
    """
    stages: dict[str, str] = {}
    with open_consumer(settings) as consumer:
        for record in _read_all(consumer, settings.dead_letter_topic):
            key = (record.key or f"no-key-{record.partition}-{record.offset}".encode()).decode("utf-8", "replace")
            stages[key] = _stage(record.value)
    return sort_letters(stages, settings.raw_topic)


def sort_letters(stages: dict[str, str], raw_topic: str) -> DeadLetters:
    """Return the dead letters of {key: stage}."""
    pairs: defaultdict[str, set[tuple[int, int]]] = defaultdict(set)
    elsewhere: defaultdict[str, int] = defaultdict(int)
    for key, stage in stages.items():
        match = _KEY.match(key)
        if match and match["topic"] == raw_topic:
            pairs[stage].add((int(match["partition"]), int(match["offset"])))
        else:
            elsewhere[stage] += 1
    return DeadLetters(dict(pairs), dict(elsewhere))


def _read_all(consumer: KafkaConsumer, topic: str) -> Iterator[Any]:
    ahead = {TopicPartition(topic, number): r for number, r in ranges(consumer, topic).items() if r.begin < r.end}
    if not ahead:
        return
    consumer.assign(list(ahead))
    for partition, offsets in ahead.items():
        consumer.seek(partition, offsets.begin)
    patience = time.monotonic() + _PATIENCE_SECONDS
    while any(consumer.position(partition) < offsets.end for partition, offsets in ahead.items()):
        found = consumer.poll(timeout_ms=500)
        for partition, records in found.items():
            yield from (record for record in records if record.offset < ahead[partition].end)
        if found:
            patience = time.monotonic() + _PATIENCE_SECONDS
        elif time.monotonic() > patience:
            raise RetryableError(f"topic {topic} cannot be read to its end: no records for {_PATIENCE_SECONDS} s")


def _stage(value: bytes | None) -> str:
    try:
        body = json.loads(value or b"")
    except ValueError:
        return "unreadable"
    stage = body.get("stage") if isinstance(body, dict) else None
    return stage if isinstance(stage, str) else "unreadable"
