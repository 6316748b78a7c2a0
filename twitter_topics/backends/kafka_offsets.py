"""Begin and end offsets of a Kafka topic's partitions: for start positions, lag and the audit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from twitter_topics.backends.kafka import connected, failure
from twitter_topics.backends.kafka_topics import topic_id
from twitter_topics.errors import IntegrityError, RetryableError
from twitter_topics.settings import KafkaSettings

_TIMEOUT_MS = 10_000
_SILENT = "does not answer"


class Range(NamedTuple):
    """Offsets of a partition: the first one that Kafka still has, and the next one to be written."""

    begin: int
    end: int


class Stamps(NamedTuple):
    """When a record arrived, in Unix milliseconds: by the broker's clock, and by the producer's if it says so."""

    broker_ms: int
    producer_ms: int | None


class TopicEnds:
    """Asks for the offsets of a topic repeatedly over one connection. For one thread."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings, self._topic = settings, topic
        self._consumer: KafkaConsumer | None = None

    def read(self) -> dict[int, Range]:
        """Return the offsets of each partition; empty when the topic does not exist.

        Raises:
            RetryableError: the brokers did not answer in ten seconds.
            ConfigurationError: they reject the user.
        """
        try:
            if self._consumer is None:
                self._consumer = _connect(self._settings)
            return _known(self._settings, self._topic, ranges(self._consumer, self._topic))
        except KafkaError as error:
            self.close()
            raise failure(self._settings, _SILENT, error) from error

    def close(self) -> None:
        """Disconnect. A later `read` connects again."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None


def topic_ranges(settings: KafkaSettings, topic: str) -> dict[int, Range]:
    """Return the offsets of each partition; empty when the topic does not exist.

    Raises:
        RetryableError: no broker answers.
        ConfigurationError: they reject the user, or let it not see the topic.
    """
    with open_consumer(settings) as consumer:
        return _known(settings, topic, ranges(consumer, topic))


def end_offsets(settings: KafkaSettings, topic: str) -> dict[int, int]:
    """Return the ends of `topic_ranges`."""
    return {partition: offsets.end for partition, offsets in topic_ranges(settings, topic).items()}


def ranges_before(settings: KafkaSettings, topic: str, before_ms: int) -> dict[int, Range]:
    """Return the offsets of the records that Kafka still has and that arrived before a time (Unix ms, the broker's
    clock), of each partition; empty when the topic does not exist.

    Raises:
        RetryableError: no broker answers.
    """
    with open_consumer(settings) as consumer:
        held = {TopicPartition(topic, number): found for number, found in ranges(consumer, topic).items()}
        later = consumer.offsets_for_times(dict.fromkeys(held, before_ms)) if held else {}
        return {
            place.partition: Range(one.begin, first.offset if (first := later.get(place)) else one.end)
            for place, one in held.items()
        }


def records_since(settings: KafkaSettings, topic: str, since_ms: int) -> int:
    """Return the number of records that arrived at or after a time (Unix ms, the broker's clock).

    Raises:
        RetryableError: no broker answers.
    """
    with open_consumer(settings) as consumer:
        held = ranges(consumer, topic)
        first = consumer.offsets_for_times({TopicPartition(topic, number): since_ms for number in held}) if held else {}
        return sum(held[place.partition].end - found.offset for place, found in first.items() if found is not None)


def newest_stamps(settings: KafkaSettings, topic: str) -> list[Stamps]:
    """Return the stamps of the newest record of each partition that has any.

    Raises:
        RetryableError: no broker answers in ten seconds.
    """
    with open_consumer(settings) as consumer:
        ahead = {
            TopicPartition(topic, number): held.end - 1
            for number, held in ranges(consumer, topic).items()
            if held.begin < held.end
        }
        consumer.assign(list(ahead))
        for place, offset in ahead.items():
            consumer.seek(place, offset)
        found: dict[TopicPartition, Stamps] = {}
        deadline = time.monotonic() + _TIMEOUT_MS / 1000
        while len(found) < len(ahead):
            for place, records in consumer.poll(timeout_ms=500).items():
                found[place] = _stamps(records[0])
            if time.monotonic() > deadline:
                raise RetryableError(f"the newest records of topic {topic} cannot be read")
        return list(found.values())


def _stamps(record: Any) -> Stamps:
    received = dict(record.headers or ()).get("received_at", b"")
    return Stamps(record.timestamp, int(received) if received.isdigit() else None)


def lag(held: Mapping[int, Range], counted: Mapping[int, int]) -> int:
    """Return the number of records that Kafka has and nobody has counted. A partition that was never read counts in
    full."""
    return sum(max(0, one.end - max(one.begin, counted.get(partition, 0))) for partition, one in held.items())


def deleted(held: Mapping[int, Range], covered: Mapping[int, int]) -> dict[int, Range]:
    """Return what Kafka has deleted of each partition after the offsets up to which it was read."""
    return {
        partition: Range(offset, held[partition].begin)
        for partition, offset in covered.items()
        if partition in held and offset < held[partition].begin
    }


def require_kept(settings: KafkaSettings, topic: str, covered: Mapping[int, int], *, remedy: str) -> None:
    """Make sure that Kafka still has what follows the offsets up to which a topic was read.

    Args:
        covered: the next offset of each partition.
        remedy: what a person does to go on without the records that Kafka has deleted.

    Raises:
        IntegrityError: it has deleted some of it, or it has less than was read.
        RetryableError: no broker answers.
    """
    held = topic_ranges(settings, topic)
    require_reached(topic, held, covered)
    for partition, lost in deleted(held, covered).items():
        raise IntegrityError(
            f"Kafka has deleted records {lost.begin:,} to {lost.end - 1:,} of partition {partition} of topic {topic} "
            f"before they were read. {remedy}"
        )


def require_reached(topic: str, held: Mapping[int, Range], covered: Mapping[int, int]) -> None:
    """Make sure that no partition ends before the offset up to which it was read.

    Raises:
        IntegrityError: one does.
    """
    for partition, offset in covered.items():
        if partition in held and held[partition].end < offset:
            raise IntegrityError(
                f"partition {partition} of topic {topic} ends at offset {held[partition].end:,} and was read up to "
                f"{offset:,}: the topic was created again, or Kafka has lost its newest records. See "
                "docs/operations.md, Kafka has lost records"
            )


@contextmanager
def open_consumer(settings: KafkaSettings) -> Iterator[KafkaConsumer]:
    """Yield a consumer without a group and close it at the end.

    Raises:
        RetryableError: no broker answers, now or inside the block.
        ConfigurationError: they reject the user.
    """
    try:
        consumer = _connect(settings)
    except KafkaError as error:
        raise failure(settings, _SILENT, error) from error
    try:
        yield consumer
    except KafkaError as error:
        raise failure(settings, _SILENT, error) from error
    finally:
        consumer.close()


def ranges(consumer: KafkaConsumer, topic: str) -> dict[int, Range]:
    """Return the same as `topic_ranges`, over an open consumer."""
    partitions = _partitions(consumer, topic)
    if not partitions:
        return {}
    begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
    return {one.partition: Range(begins[one], ends[one]) for one in partitions}


def _known(settings: KafkaSettings, topic: str, held: dict[int, Range]) -> dict[int, Range]:
    """Return the offsets. A topic that this user may not see is not among the consumer's either: ask for its name."""
    if not held:
        topic_id(settings, topic)
    return held


def _connect(settings: KafkaSettings) -> KafkaConsumer:
    return connected(
        KafkaConsumer,
        settings,
        client_id="twitter-topics-reader",
        group_id=None,
        enable_auto_commit=False,
        allow_auto_create_topics=False,
        request_timeout_ms=_TIMEOUT_MS,
        bootstrap_timeout_ms=_TIMEOUT_MS,
    )


def _partitions(consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
