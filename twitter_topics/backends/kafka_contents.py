"""What the topics hold, asked from Kafka itself: offsets, and the dead letters. No consumer group is used."""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from twitter_topics.backends.kafka import client_options
from twitter_topics.errors import RetryableError

if TYPE_CHECKING:
    from twitter_topics.settings import KafkaSettings

_PATIENCE_SECONDS = 60
_TIMEOUT_MS = 10_000
_KEY = re.compile(r"^(?P<topic>.+)-(?P<partition>\d+)-(?P<offset>\d+)$")


class Range(NamedTuple):
    """Offsets of a partition: the first one that Kafka still has, and the next one to be written."""

    begin: int
    end: int


@dataclass(frozen=True)
class DeadLetters:
    """Rejected records, each counted once however often it was rejected.

    `places` has (partition, offset) in the raw topic by stage; `elsewhere` counts records that never reached it.
    """

    places: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)


def topic_ranges(settings: KafkaSettings, topic: str) -> dict[int, Range]:
    """Offsets of each partition; empty when the topic does not exist.

    Raises:
        RetryableError: no broker answers.
    """
    with _consumer(settings) as consumer:
        return _ranges(consumer, topic)


def dead_letters(settings: KafkaSettings) -> DeadLetters:
    """Return every dead letter up to the current end of the topic.

    Raises:
        RetryableError: no broker answers, or a minute passes without progress.
    """
    stages: dict[str, str] = {}
    with _consumer(settings) as consumer:
        for record in _read_all(consumer, settings.dead_letter_topic):
            key = (record.key or f"no-key-{record.partition}-{record.offset}".encode()).decode("utf-8", "replace")
            stages[key] = _stage(record.value)
    return sort_letters(stages, settings.raw_topic)


def sort_letters(stages: dict[str, str], raw_topic: str) -> DeadLetters:
    """Return the dead letters of {key: stage}."""
    places: defaultdict[str, set[tuple[int, int]]] = defaultdict(set)
    elsewhere: defaultdict[str, int] = defaultdict(int)
    for key, stage in stages.items():
        match = _KEY.match(key)
        if match and match["topic"] == raw_topic:
            places[stage].add((int(match["partition"]), int(match["offset"])))
        else:
            elsewhere[stage] += 1
    return DeadLetters(dict(places), dict(elsewhere))


@contextmanager
def _consumer(settings: KafkaSettings) -> Iterator[KafkaConsumer]:
    try:
        consumer = KafkaConsumer(
            **client_options(settings),
            client_id="twitter-topics-reader",
            group_id=None,
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            request_timeout_ms=_TIMEOUT_MS,
            bootstrap_timeout_ms=_TIMEOUT_MS,
        )
    except KafkaError as error:
        raise _away(settings, error) from error
    try:
        yield consumer
    except KafkaError as error:
        raise _away(settings, error) from error
    finally:
        consumer.close()


def _ranges(consumer: KafkaConsumer, topic: str) -> dict[int, Range]:
    known = consumer.partitions_for_topic(topic) or set()
    places = [TopicPartition(topic, number) for number in sorted(known)]
    if not places:
        return {}
    begins, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
    return {place.partition: Range(begins[place], ends[place]) for place in places}


def _read_all(consumer: KafkaConsumer, topic: str) -> Iterator[Any]:
    ahead = {TopicPartition(topic, number): r for number, r in _ranges(consumer, topic).items() if r.begin < r.end}
    if not ahead:
        return
    consumer.assign(list(ahead))
    for place, offsets in ahead.items():
        consumer.seek(place, offsets.begin)
    patience = time.monotonic() + _PATIENCE_SECONDS
    while any(consumer.position(place) < offsets.end for place, offsets in ahead.items()):
        found = consumer.poll(timeout_ms=500)
        for place, records in found.items():
            yield from (record for record in records if record.offset < ahead[place].end)
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


def _away(settings: KafkaSettings, error: KafkaError) -> RetryableError:
    return RetryableError(f"Kafka at {settings.bootstrap_servers} does not answer: {type(error).__name__}: {error}")
