"""Batches to Kafka and back: topics, headers, and what is confirmed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from kafka.errors import (
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
)

from producer.buffering.buffer import EventBatch
from producer.sending.publisher import MAX_UNCONFIRMED_BYTES, KafkaPublisher
from producer.source import Event, EventKind
from producer.testing import FakeKafka
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.records.tweet import MAX_BYTES
from twitter_topics.settings import Settings

SETTINGS = Settings({}).kafka
HEADERS = [("source", b"list"), ("received_at", b"5")]


def batch(first: int, events: Sequence[Event]) -> EventBatch:
    return EventBatch(first, first + len(events) - 1, 5, list(events))


def posts(first: int, last: int) -> EventBatch:
    return batch(first, [Event("post", str(i).encode(), b"{}", i * 1000, i) for i in range(first, last + 1)])


def publisher(kafka: FakeKafka, **options: Any) -> KafkaPublisher:
    return KafkaPublisher(kafka, SETTINGS, "list", **options)


def test_each_kind_has_its_topic_and_only_edits_have_the_header() -> None:
    kafka = FakeKafka()
    kinds: tuple[EventKind, ...] = ("post", "edit", "notice", "gap")
    publisher(kafka).send(batch(1, [Event(kind, kind.encode(), b"{}") for kind in kinds]))
    assert kafka.records == [
        ("raw_tweets", b"post", b"{}", HEADERS),
        ("raw_tweets", b"edit", b"{}", [*HEADERS, ("event", b"edit")]),
        ("tweet_deletions", b"notice", b"{}", HEADERS),
        ("source_gaps", b"gap", b"{}", HEADERS),
    ]


def test_unreadable_and_too_large_records_become_dead_letters() -> None:
    kafka = FakeKafka()
    sending = publisher(kafka)
    sending.send(
        batch(
            8,
            [
                Event("unreadable", b"hash", b"\xff\x00", reason="json: not UTF-8"),
                Event("post", b"1", b"x" * (MAX_BYTES + 1), 1),
                Event("post", b"2", b"x" * MAX_BYTES, 1),
                Event("post", b"k" * 20_000, b"{}", 1),
            ],
        )
    )
    assert [record[:2] for record in kafka.records] == [
        ("tweet_dead_letters", b"hash"),
        ("tweet_dead_letters", b"list-0-9"),
        ("raw_tweets", b"2"),
        ("tweet_dead_letters", b"list-0-11"),
    ]
    letters = [json.loads(value) for topic, _, value, _ in kafka.records if topic == "tweet_dead_letters"]
    assert [tuple(letter[name] for name in ("stage", "reason", "topic", "offset", "bytes")) for letter in letters] == [
        ("producer", "json: not UTF-8", "list", 8, 2),
        ("producer", f"size: {MAX_BYTES + 1} bytes, more than {MAX_BYTES}", "list", 9, MAX_BYTES + 1),
        ("producer", "size: an id of 20000 bytes", "list", 11, 2),
    ]
    confirmed = sending.confirmed()
    assert confirmed is not None
    assert confirmed.number == 11


def test_confirmation_stops_at_the_first_batch_with_an_unacknowledged_record() -> None:
    kafka = FakeKafka(acknowledge=False)
    sending = publisher(kafka)
    for first in (1, 3, 5):
        sending.send(posts(first, first + 1))
    assert sending.confirmed() is None
    for acknowledged in (0, 1, 2, 5):
        kafka.futures[acknowledged].is_done = True
    confirmed = sending.confirmed()
    assert confirmed is not None
    assert (confirmed.number, confirmed.cursor, confirmed.event_time_ms, confirmed.records) == (2, 2, 2000, 2)
    assert sending.confirmed() is None
    sending.wait(1)  # acknowledges the last record of the second batch
    confirmed = sending.confirmed()
    assert confirmed is not None
    assert (confirmed.number, confirmed.records) == (4, 2)
    assert not sending.is_idle


def test_a_confirmation_has_cursor_time_kinds_and_gaps() -> None:
    sending = publisher(FakeKafka())
    sending.send(
        batch(
            1,
            [
                Event("post", b"1", b"{}", 9_000, "host 7"),
                Event("post", b"2", b"{}", 8_000, "host 8"),
                Event("notice", b"3", b"{}", 99_000),
                Event("gap", b"4", b"gap", 1),
            ],
        )
    )
    confirmed = sending.confirmed()
    assert confirmed is not None
    assert confirmed.number == 4
    assert confirmed.cursor == "host 8"  # an event without a cursor keeps the last one
    assert confirmed.event_time_ms == 9_000
    assert confirmed.kinds == {"post": 2, "notice": 1, "gap": 1}
    assert confirmed.gaps == (b"gap",)


def test_there_is_room_until_the_bound_of_records_or_bytes() -> None:
    kafka = FakeKafka(acknowledge=False)
    sending = publisher(kafka, max_unconfirmed=3)
    assert sending.has_room
    sending.send(posts(1, 3))
    assert not sending.has_room
    sending.wait(1)
    for future in kafka.futures:
        future.is_done = True
    sending.confirmed()
    assert sending.has_room
    large = b"x" * MAX_BYTES
    sent = 0
    sending = publisher(FakeKafka(acknowledge=False))
    while sending.has_room:
        sent += 1
        sending.send(batch(sent, [Event("post", b"1", large)]))
    assert sent * MAX_BYTES <= MAX_UNCONFIRMED_BYTES + MAX_BYTES


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KafkaTimeoutError("too late"), RetryableError),
        (TopicAuthorizationFailedError("raw_tweets"), ConfigurationError),
        (SaslAuthenticationFailedError("no"), ConfigurationError),
        (MessageSizeTooLargeError("larger than max.message.bytes"), ConfigurationError),
    ],
)
def test_a_failed_record_raises_the_error_that_helps(error: Exception, expected: type[Exception]) -> None:
    sending = publisher(FakeKafka(fail_at=1, error=error))
    sending.send(posts(1, 3))
    with pytest.raises(expected) as caught:
        sending.confirmed()
    assert str(caught.value).count(type(error).__name__) == 1
