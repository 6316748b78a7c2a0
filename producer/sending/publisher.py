"""Hands records to Kafka and tracks which ones were acknowledged."""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from kafka.errors import KafkaError

from producer.buffering.buffer import EventBatch
from producer.sending.kafka_client import Future, Headers, failure
from producer.source import Cursor, Event
from twitter_topics.records.processed import dead_letter, dead_letter_key
from twitter_topics.records.tweet import MAX_BYTES
from twitter_topics.settings import KafkaSettings

MAX_UNCONFIRMED = 20_000
MAX_UNCONFIRMED_BYTES = 32 * 1024 * 1024
"""Bound of what kafka-python holds unacknowledged, give or take a batch. Its own buffer has no limit."""

MAX_KEY_BYTES = 10_000
"""No id is that long. Together with the largest value it is still a record that Kafka accepts."""


class KafkaClient(Protocol):
    """The part of `KafkaProducer` used here."""

    def send(self, topic: str, *, value: bytes, key: bytes, headers: Headers) -> Future: ...

    def close(self, timeout: float | None = None) -> None: ...


class Confirmed(NamedTuple):
    """Everything up to the record `number` is acknowledged.

    `cursor` is the newest among the newly acknowledged records, 0 when none has one; `event_time_ms` is that of their
    newest post. `kinds` counts them by kind; `gaps` holds the values of those that are gaps.
    """

    number: int
    cursor: Cursor
    event_time_ms: int | None
    kinds: Counter[str]
    gaps: tuple[bytes, ...] = ()

    @property
    def records(self) -> int:
        return self.kinds.total()


@dataclass
class _Sent:
    batch: EventBatch
    futures: list[Future]
    size: int
    at: float
    done: int = 0


class KafkaPublisher:
    """Sends and confirms in order, one batch at a time. Not thread-safe.

    Args:
        source: value of the header `source`.
    """

    def __init__(
        self,
        client: KafkaClient,
        settings: KafkaSettings,
        source: str,
        max_unconfirmed: int = MAX_UNCONFIRMED,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._source = source
        self._max_unconfirmed = max_unconfirmed
        self._monotonic = monotonic
        self._dead_letter_topic = settings.dead_letter_topic
        self._topics = {
            "post": settings.raw_topic,
            "edit": settings.raw_topic,
            "notice": settings.deletion_topic,
            "gap": settings.gap_topic,
        }
        self._unconfirmed: deque[_Sent] = deque()
        self._records = self._bytes = 0

    @property
    def has_room(self) -> bool:
        """Whether another batch may be sent."""
        return self._records < self._max_unconfirmed and self._bytes < MAX_UNCONFIRMED_BYTES

    @property
    def is_idle(self) -> bool:
        """Whether everything sent is acknowledged."""
        return not self._unconfirmed

    @property
    def silent_s(self) -> float:
        """Seconds since the oldest unacknowledged batch was sent; 0 when there is none."""
        return self._monotonic() - self._unconfirmed[0].at if self._unconfirmed else 0.0

    def send(self, batch: EventBatch) -> None:
        """Send a batch without waiting for its acknowledgement.

        Raises:
            RetryableError: Kafka did not accept a record. Treat nothing after the last confirmed number as sent.
            ConfigurationError: Kafka rejects us permanently.
        """
        headers = [("source", self._source.encode()), ("received_at", b"%d" % batch.received_ms)]
        edit_headers = [*headers, ("event", b"edit")]
        send, topics, futures = self._client.send, self._topics, []
        try:
            for number, event in enumerate(batch.events, batch.first):
                kind, key, value, *_ = event
                if kind == "unreadable" or len(value) > MAX_BYTES or len(key) > MAX_KEY_BYTES:
                    futures.append(self._send_dead_letter(number, event, headers))
                else:
                    chosen = edit_headers if kind == "edit" else headers
                    futures.append(send(topics[kind], value=value, key=key, headers=chosen))
        except KafkaError as error:
            raise failure(error) from error
        self._unconfirmed.append(_Sent(batch, futures, batch.size, self._monotonic()))
        self._records += len(batch.events)
        self._bytes += self._unconfirmed[-1].size

    def confirmed(self) -> Confirmed | None:
        """Return what was acknowledged since the last call, without waiting; None when no further batch was.

        Raises:
            RetryableError: a record failed.
            ConfigurationError: Kafka rejects us permanently.
        """
        batches = []
        while self._unconfirmed and self._is_acknowledged(self._unconfirmed[0]):
            sent = self._unconfirmed.popleft()
            self._records -= len(sent.futures)
            self._bytes -= sent.size
            batches.append(sent.batch)
        if not batches:
            return None
        events = [event for batch in batches for event in batch.events]
        kinds: Counter[str] = Counter([event[0] for event in events])
        return Confirmed(batches[-1].last, newest_cursor(events), _newest(events), kinds, _gaps(events))

    def wait(self, seconds: float) -> None:
        """Wait up to `seconds` until more is acknowledged or something fails."""
        if self._unconfirmed:
            oldest = self._unconfirmed[0]
            try:
                oldest.futures[min(oldest.done, len(oldest.futures) - 1)].get(timeout=seconds)
            except KafkaError:
                return  # `confirmed` raises for the record that failed

    def close(self) -> None:
        """Close the connections without waiting for unconfirmed records."""
        self._client.close(timeout=0)

    def _is_acknowledged(self, sent: _Sent) -> bool:
        futures = sent.futures
        while sent.done < len(futures):
            future = futures[sent.done]
            if not future.is_done:
                return False
            if isinstance(future.exception, KafkaError):
                raise failure(future.exception) from future.exception
            if future.exception is not None:
                raise future.exception
            sent.done += 1
        return True

    def _send_dead_letter(self, number: int, event: Event, headers: Headers) -> Future:
        """Send an unreadable or too large record straight to the dead-letter topic, which keeps its head and hash."""
        reason, key = event.reason, event.key
        if event.kind != "unreadable":
            reason = f"size: {len(event.value)} bytes, more than {MAX_BYTES}"
            if len(event.key) > MAX_KEY_BYTES:
                reason = f"size: an id of {len(event.key)} bytes"
            key = dead_letter_key(self._source, 0, number).encode()
        letter = dead_letter(
            stage="producer", reason=reason, topic=self._source, partition=0, offset=number, value=event.value
        )
        return self._client.send(self._dead_letter_topic, value=json.dumps(letter).encode(), key=key, headers=headers)


def newest_cursor(events: Sequence[Event]) -> Cursor:
    """Return the cursor of the last event that has one; 0 when none has."""
    return next((event.cursor for event in reversed(events) if event.cursor), 0)


def _newest(events: Iterable[Event]) -> int | None:
    return max([event[3] for event in events if event[3] is not None and event[0] in ("post", "edit")], default=None)


def _gaps(events: Iterable[Event]) -> tuple[bytes, ...]:
    return tuple([event[2] for event in events if event[0] == "gap"])
