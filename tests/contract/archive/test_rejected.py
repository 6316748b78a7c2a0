"""Rejected records are found in Kafka or in the archive, and sent again as they were."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaProducer, TopicPartition

from tests.contract.archive_table import Record, append, make_table
from tests.contract.kafka_records import kafka_admin, read_topic
from twitter_topics.archive.rejected import RejectedRecords
from twitter_topics.backends.dead_letters import Letter, read_letters
from twitter_topics.backends.kafka_offsets import Range, newest_stamps, ranges_before, records_since
from twitter_topics.backends.kafka_topics import ensure_topics
from twitter_topics.errors import IntegrityError
from twitter_topics.records.processed import dead_letter, dead_letter_key
from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Services

pytestmark = pytest.mark.contract

HEADERS = [("source", b"bluesky"), ("received_at", b"1794999600000"), ("event", b"edit")]
VALUE = json.dumps({"id_str": "bluesky:1", "text": "x" * 5_000}).encode()


@pytest.fixture
def settings(services: Services, tmp_path: Path) -> Iterator[Settings]:
    own = f"rejected{uuid.uuid4().hex[:8]}"
    made = services.settings(
        KAFKA_RAW_TOPIC=f"{own}-raw",
        KAFKA_PROCESSED_TOPIC=f"{own}-processed",
        KAFKA_DEAD_LETTER_TOPIC=f"{own}-letters",
        KAFKA_DELETION_TOPIC=f"{own}-deletions",
        KAFKA_GAP_TOPIC=f"{own}-gaps",
        KAFKA_PARTITIONS="1",
        ARCHIVE_CATALOG_URI=f"sqlite:///{tmp_path}/catalog.db",
    )
    ensure_topics(made.kafka)
    yield made
    with kafka_admin(made.kafka.bootstrap_servers) as admin:
        admin.delete_topics([made.kafka.raw_topic, made.kafka.dead_letter_topic])


@pytest.fixture
def letter(settings: Settings) -> Letter:
    """The letter of the second of three records, sent twice as by a repeated batch, between strange ones."""
    kafka = settings.kafka
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all")
    for value in (b"before", VALUE, b"after"):
        producer.send(kafka.raw_topic, key=b"bluesky:1", value=value, headers=HEADERS).get(timeout=30)
    rejected = dead_letter(
        stage="index", reason="unknown: HTTP 400: odd", topic=kafka.raw_topic, partition=0, offset=1, value=VALUE
    )
    key, body = dead_letter_key(kafka.raw_topic, 0, 1).encode(), json.dumps(rejected).encode()
    for value in (b"no json", body, body, b"[]", b"{}"):
        producer.send(kafka.dead_letter_topic, key=key, value=value).get(timeout=30)
    producer.close()
    (found,) = read_letters(kafka)
    return found


def test_a_letter_is_read_once(settings: Settings, letter: Letter) -> None:
    assert (letter.stage, letter.kind, letter.offset) == ("index", "unknown", 1)
    assert letter.name == f"{settings.kafka.raw_topic}-0-1"
    assert letter.head == VALUE[:1024]
    assert (letter.size, letter.sha256) == (len(VALUE), hashlib.sha256(VALUE).hexdigest())


def test_a_record_in_kafka_is_sent_again_as_it_was_and_an_edit_with_its_first_offset(
    settings: Settings, letter: Letter
) -> None:
    rejected = RejectedRecords(settings)
    for again in (letter, replace(letter, offset=3)):  # it may be rejected once more
        ((_, record),) = rejected.find([again])
        assert record is not None
        assert rejected.retry([record]) == 1
    sent = read_topic(settings.kafka.bootstrap_servers, settings.kafka.raw_topic)
    assert len(sent) == 5
    for one in sent[-2:]:
        assert (one.key, one.value, one.headers) == (b"bluesky:1", VALUE, [*HEADERS, ("edit_offset", b"1")])


def test_a_record_that_kafka_has_deleted_comes_from_the_archive(
    settings: Settings, letter: Letter, tmp_path: Path
) -> None:
    with kafka_admin(settings.kafka.bootstrap_servers) as admin:
        admin.delete_records({TopicPartition(settings.kafka.raw_topic, 0): 2})
    rejected = RejectedRecords(settings)
    assert rejected.find([letter]) == [(letter, None)]

    at = datetime(2026, 11, 18, 11, tzinfo=UTC)
    table = make_table(settings, f"file://{tmp_path}/lake")
    append(table, [Record(0, 1, "bluesky:1", at, source="bluesky", payload=VALUE), Record(0, 2, "b", at)])
    ((_, record),) = rejected.find([letter])
    assert record is not None
    assert (record.key, record.value) == (b"bluesky:1", VALUE)
    assert record.headers == (("source", b"bluesky"), ("received_at", b"1794999600000"))


def test_a_topic_that_was_created_again_is_noticed(settings: Settings, letter: Letter) -> None:
    with pytest.raises(IntegrityError, match="created again"):
        RejectedRecords(settings).find([replace(letter, offset=2)])


def test_a_record_that_never_reached_kafka_cannot_be_found(settings: Settings, letter: Letter) -> None:
    other = replace(letter, topic="bluesky")
    assert RejectedRecords(settings).find([other]) == [(other, None)]


def test_rates_and_clocks_are_read_from_the_broker(settings: Settings, letter: Letter) -> None:
    kafka = settings.kafka
    assert records_since(kafka, kafka.raw_topic, 0) == 3
    assert records_since(kafka, kafka.raw_topic, letter.at_ms + 3_600_000) == 0
    assert records_since(kafka, "no-such-topic", 0) == 0
    assert ranges_before(kafka, kafka.raw_topic, 0) == {0: Range(0, 0)}
    assert ranges_before(kafka, kafka.raw_topic, letter.at_ms + 3_600_000) == {0: Range(0, 3)}
    with kafka_admin(kafka.bootstrap_servers) as admin:
        admin.delete_records({TopicPartition(kafka.raw_topic, 0): 2})
    assert ranges_before(kafka, kafka.raw_topic, 0) == {0: Range(2, 2)}
    assert ranges_before(kafka, "no-such-topic", 0) == {}
    (stamps,) = newest_stamps(kafka, kafka.raw_topic)
    assert stamps.producer_ms == 1_794_999_600_000
    assert abs(stamps.broker_ms - letter.at_ms) < 60_000
    assert newest_stamps(kafka, kafka.processed_topic) == []
