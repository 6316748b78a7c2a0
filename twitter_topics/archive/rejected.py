"""Rejected records: their whole payload, and another try.

A dead letter holds only the first bytes of its record. The rest is in the raw topic for seven days, and in the archive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kafka import TopicPartition

from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.backends.kafka_offsets import Range, open_consumer, ranges
from twitter_topics.backends.kafka_sending import open_producer
from twitter_topics.errors import IntegrityError, RetryableError
from twitter_topics.records.tweet import TWITTER, tweet_key

if TYPE_CHECKING:
    from kafka import KafkaConsumer

    from twitter_topics.backends.dead_letters import Letter
    from twitter_topics.settings import Settings

_POLL_MS, _POLLS = 500, 20


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record of the raw topic, as it was sent. An edit also says at which offset it came first (`edit_offset`): sent
    again, it gets a higher one, and must not replace what was edited since."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class RejectedRecords:
    """Finds the records of dead letters, in Kafka first."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._archive = ArchiveStore(settings)

    def find(self, letters: Iterable[Letter]) -> list[tuple[Letter, RawRecord | None]]:
        """Return the record of each letter; None if it never reached Kafka, or is neither there nor in the archive.

        Raises:
            RetryableError: a store is unavailable.
            IntegrityError: the record at that place is another one: the topic was created again.
        """
        with open_consumer(self._settings.kafka) as consumer:
            held = ranges(consumer, self._settings.kafka.raw_topic)
            return [(letter, self._find(consumer, held, letter)) for letter in letters]

    def retry(self, records: Iterable[RawRecord]) -> int:
        """Send records to the raw topic again and wait for Kafka. Returns their number.

        The record that is accepted first owns its tweet, so one that is sent twice is counted once.

        Raises:
            RetryableError: Kafka did not acknowledge all of them; sending them again does no harm.
            ConfigurationError: Kafka rejects the user.
        """
        kafka = self._settings.kafka
        with open_producer(kafka, "records") as producer:
            sent = [
                producer.send(kafka.raw_topic, key=one.key, value=one.value, headers=list(one.headers))
                for one in records
            ]
            for future in sent:
                future.get(timeout=60)
        return len(sent)

    def _find(self, consumer: KafkaConsumer, held: Mapping[int, Range], letter: Letter) -> RawRecord | None:
        if letter.topic != self._settings.kafka.raw_topic:
            return None
        found = self._in_kafka(consumer, held.get(letter.partition), letter) or self._in_archive(letter)
        if found is not None and hashlib.sha256(found.value).hexdigest() != letter.sha256:
            raise IntegrityError(f"{letter.name} is not the record that was rejected: the topic was created again")
        return None if found is None else _placed(found, letter.offset)

    def _in_kafka(self, consumer: KafkaConsumer, held: Range | None, letter: Letter) -> RawRecord | None:
        if held is None or not held.begin <= letter.offset < held.end:
            return None
        place = TopicPartition(letter.topic, letter.partition)
        consumer.assign([place])
        consumer.seek(place, letter.offset)
        for _ in range(_POLLS):
            for record in consumer.poll(timeout_ms=_POLL_MS, max_records=1).get(place, ()):
                if record.offset != letter.offset:
                    return None
                return RawRecord(record.key or b"", record.value or b"", tuple(record.headers or ()))
        raise RetryableError(f"{letter.name} cannot be read: no record for {_POLL_MS * _POLLS / 1000:.0f} s")

    def _in_archive(self, letter: Letter) -> RawRecord | None:
        found = self._archive.record(letter.partition, letter.offset)
        if found is None:
            return None
        headers = [("source", (found.source or TWITTER).encode()), ("received_at", b"%d" % found.received_ms)]
        if found.is_edit:
            headers.append(("event", b"edit"))
        return RawRecord(tweet_key(found.payload) or letter.name.encode(), found.payload, tuple(headers))


def _placed(record: RawRecord, offset: int) -> RawRecord:
    headers = dict(record.headers)
    if headers.get("event") != b"edit" or "edit_offset" in headers:
        return record
    return replace(record, headers=(*record.headers, ("edit_offset", b"%d" % offset)))
