"""The dead letters, read from Kafka itself. No consumer group is used."""

from __future__ import annotations

import base64
import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition

from twitter_topics.backends.kafka_offsets import Range, open_consumer, ranges
from twitter_topics.errors import RetryableError
from twitter_topics.records.processed import dead_letter_key

if TYPE_CHECKING:
    from kafka import KafkaConsumer

    from twitter_topics.settings import KafkaSettings

_PATIENCE_SECONDS = 60
_KEY = re.compile(r"^(?P<topic>.+)-(?P<partition>\d+)-(?P<offset>\d+)$")


@dataclass(frozen=True)
class DeadLetters:
    """Rejected records, each counted once however often it was rejected.

    `pairs` has (partition, offset) in the raw topic by stage; `elsewhere` counts records that never reached it.
    `expired` counts what Kafka has deleted, repeated ones too; `complete_since_ms` (Unix ms) is the time from which on
    it has all of them, None if it has deleted none.
    """

    pairs: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)
    expired: int = 0
    complete_since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter. `topic`, `partition` and `offset` say where its record is; `at_ms` is when it was rejected last,
    in Unix milliseconds; `head` are the first bytes of the record, `size` and `sha256` those of the whole."""

    stage: str
    reason: str
    topic: str
    partition: int
    offset: int
    size: int
    sha256: str
    head: bytes
    at_ms: int

    @property
    def name(self) -> str:
        """How people name it: `raw_tweets-3-1742`."""
        return dead_letter_key(self.topic, self.partition, self.offset)

    @property
    def kind(self) -> str:
        """The stable first word of the reason: `json`, `time`, `unknown`, `HTTP 400`."""
        return self.reason.partition(":")[0]


def read_letters(settings: KafkaSettings, since_ms: int = 0) -> list[Letter]:
    """Return the dead letters up to the current end of the topic, each record once, oldest first; those that came
    together in the order of their records.

    Args:
        since_ms: only those that arrived at or after this time (Unix ms, the broker's clock).

    Raises:
        RetryableError: no broker answers, or a minute passes without progress.
    """
    letters: dict[str, Letter] = {}
    with open_consumer(settings) as consumer:
        for record in _read_all(consumer, settings.dead_letter_topic, since_ms):
            if (letter := _letter(record.value, record.timestamp)) is not None:
                letters[letter.name] = letter
    return sorted(letters.values(), key=lambda one: (one.at_ms, one.topic, one.partition, one.offset))


def dead_letters(settings: KafkaSettings) -> DeadLetters:
    """Return every dead letter up to the current end of the topic.

    Raises:
        RetryableError: no broker answers, or a minute passes without progress.
    """
    stages: dict[str, str] = {}
    oldest: dict[int, int] = {}
    with open_consumer(settings) as consumer:
        held = ranges(consumer, settings.dead_letter_topic)
        for record in _read_all(consumer, settings.dead_letter_topic):
            key = (record.key or f"no-key-{record.partition}-{record.offset}".encode()).decode("utf-8", "replace")
            stages[key] = _stage(record.value)
            oldest.setdefault(record.partition, record.timestamp)
    now_ms = int(time.time() * 1000)
    cut = [oldest.get(partition, now_ms) for partition, offsets in held.items() if offsets.begin > 0]
    return replace(
        sort_letters(stages, settings.raw_topic),
        expired=sum(offsets.begin for offsets in held.values()),
        complete_since_ms=max(cut, default=None),
    )


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


def _read_all(consumer: KafkaConsumer, topic: str, since_ms: int = 0) -> Iterator[Any]:
    held = {TopicPartition(topic, number): found for number, found in ranges(consumer, topic).items()}
    if since_ms and held:
        first = consumer.offsets_for_times(dict.fromkeys(held, since_ms))
        held = {one: Range(first[one].offset, offsets.end) for one, offsets in held.items() if first.get(one)}
    ahead = {one: offsets for one, offsets in held.items() if offsets.begin < offsets.end}
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


def _letter(value: bytes | None, at_ms: int) -> Letter | None:
    try:
        body = json.loads(value or b"")
        return Letter(
            stage=str(body["stage"]),
            reason=str(body["reason"]),
            topic=str(body["topic"]),
            partition=int(body["partition"]),
            offset=int(body["offset"]),
            size=int(body["bytes"]),
            sha256=str(body["sha256"]),
            head=base64.b64decode(body["head_base64"]),
            at_ms=at_ms,
        )
    except (ValueError, KeyError, TypeError):
        return None


def _stage(value: bytes | None) -> str:
    try:
        body = json.loads(value or b"")
    except ValueError:
        return "unreadable"
    stage = body.get("stage") if isinstance(body, dict) else None
    return stage if isinstance(stage, str) else "unreadable"
