"""Hands records to Kafka and knows which of them arrived."""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from producer.source import SourceTweet
from twitter_topics.contract.processed import dead_letter, dead_letter_key
from twitter_topics.contract.tweet import MAX_BYTES
from twitter_topics.errors import RetryableError
from twitter_topics.settings import KafkaSettings
from twitter_topics.store.kafka import client_options

MAX_UNCONFIRMED = 20_000
"""Records handed to kafka-python and not acknowledged. Its own buffer has no limit, so this is what bounds memory."""

DELIVERY_TIMEOUT_S = 120.0
LINGER_MS = 20
BATCH_BYTES = 128 * 1024
PATIENCE_MS = 30_000
"""How long to wait for a broker and for a topic to appear before giving up."""

Headers = list[tuple[str, bytes]]


class Future(Protocol):
    """What is used of kafka-python's future."""

    is_done: bool

    def get(self, timeout: float | None = None) -> Any: ...


class Client(Protocol):
    """What is used of `KafkaProducer`."""

    def send(self, topic: str, *, value: bytes, key: bytes, headers: Headers) -> Future: ...

    def flush(self, timeout: float | None = None) -> None: ...

    def close(self, timeout: float | None = None) -> None: ...


class Confirmed(NamedTuple):
    """Everything up to `position` is acknowledged; `records` is how many became so since the last call."""

    position: int
    event_time_ms: int | None
    records: int


class _Sent(NamedTuple):
    future: Future
    position: int
    event_time_ms: int | None


class Publisher:
    """Sends in order and confirms in order. Not thread-safe."""

    def __init__(
        self,
        client: Client,
        settings: KafkaSettings,
        source: str,
        now_ms: Callable[[], int],
        max_unconfirmed: int = MAX_UNCONFIRMED,
    ) -> None:
        self._client = client
        self._source = source
        self._now_ms = now_ms
        self._max_unconfirmed = max_unconfirmed
        self._dead_letter_topic = settings.dead_letter_topic
        self._topics = {"tweet": settings.raw_topic, "deletion": settings.deletion_topic}
        self._unconfirmed: deque[_Sent] = deque()
        self._confirmed: Confirmed | None = None

    def send(self, tweet: SourceTweet) -> None:
        """Hand over one record; waits while too many are unconfirmed.

        Raises:
            RetryableError: Kafka did not take a record. Nothing after the last confirmed position counts as sent.
        """
        if len(self._unconfirmed) >= self._max_unconfirmed:
            self._wait(self._unconfirmed[0].future)
            self._collect()
        topic, key, value = self._topics[tweet.kind], tweet.key, tweet.value
        if len(value) > MAX_BYTES:
            topic, key, value = self._refused(tweet)
        headers = [("source", self._source.encode()), ("received_at", str(self._now_ms()).encode())]
        try:
            future = self._client.send(topic, value=value, key=key, headers=headers)
        except KafkaError as error:
            raise _not_taken(error) from error
        self._unconfirmed.append(_Sent(future, tweet.position, tweet.event_time_ms))

    def confirmed(self) -> Confirmed | None:
        """What was acknowledged since the last call, without waiting. None for nothing new.

        Raises:
            RetryableError: a record failed for good.
        """
        self._collect()
        confirmed, self._confirmed = self._confirmed, None
        return confirmed

    def flush(self) -> Confirmed | None:
        """Wait for every record handed over and confirm it.

        Raises:
            RetryableError: one of them failed, or did not arrive within `DELIVERY_TIMEOUT_S`.
        """
        try:
            self._client.flush(timeout=DELIVERY_TIMEOUT_S)
        except KafkaError as error:
            raise _not_taken(error) from error
        if self._unconfirmed:
            self._wait(self._unconfirmed[-1].future)
        return self.confirmed()

    def close(self) -> None:
        """Let the connections go without waiting for unconfirmed records: they are sent again after a restart."""
        with contextlib.suppress(KafkaTimeoutError):
            self._client.close(timeout=0)

    def _collect(self) -> None:
        """Move what is acknowledged, up to the first that is not, from the unconfirmed to the confirmed."""
        _, event_time_ms, records = self._confirmed or (0, None, 0)
        while self._unconfirmed and self._unconfirmed[0].future.is_done:
            oldest = self._unconfirmed[0]
            self._wait(oldest.future)
            self._unconfirmed.popleft()
            records += 1
            event_time_ms = event_time_ms if oldest.event_time_ms is None else oldest.event_time_ms
            self._confirmed = Confirmed(oldest.position, event_time_ms, records)

    def _wait(self, future: Future) -> None:
        try:
            future.get(timeout=DELIVERY_TIMEOUT_S)
        except KafkaError as error:
            raise _not_taken(error) from error

    def _refused(self, tweet: SourceTweet) -> tuple[str, bytes, bytes]:
        """A record too large for the broker goes straight to the dead letters, where its head and hash are kept."""
        letter = dead_letter(
            stage="producer",
            reason=f"size: {len(tweet.value)} bytes, more than {MAX_BYTES}",
            topic=self._source,
            partition=0,
            offset=tweet.position,
            value=tweet.value,
        )
        key = dead_letter_key(self._source, 0, tweet.position)
        return self._dead_letter_topic, key.encode(), json.dumps(letter).encode()


def connect(settings: KafkaSettings) -> KafkaProducer:
    """A producer that loses nothing it acknowledged and writes no record twice by its own retries.

    Raises:
        RetryableError: no broker answers, or a topic is not there. The producer creates none.
    """
    try:
        client = KafkaProducer(
            **client_options(settings),
            client_id="twitter-topics-producer",
            acks="all",
            enable_idempotence=True,
            max_in_flight_requests_per_connection=5,
            compression_type="lz4",
            linger_ms=LINGER_MS,
            batch_size=BATCH_BYTES,
            delivery_timeout_ms=int(DELIVERY_TIMEOUT_S * 1000),
            max_block_ms=PATIENCE_MS,
            bootstrap_timeout_ms=PATIENCE_MS,
            allow_auto_create_topics=False,
        )
    except KafkaError as error:
        msg = f"no Kafka broker answers at {settings.bootstrap_servers} (KAFKA_BOOTSTRAP_SERVERS): {error}"
        raise RetryableError(msg) from error
    for topic in (settings.raw_topic, settings.deletion_topic, settings.dead_letter_topic):
        _require_topic(client, topic)
    return client


def _require_topic(client: KafkaProducer, topic: str) -> None:
    try:
        client.partitions_for(topic)
    except KafkaError as error:
        client.close(timeout=0)
        seconds = PATIENCE_MS // 1000
        msg = f"topic {topic} (KAFKA_*_TOPIC) was not found in {seconds} s: {type(error).__name__}: {error}"
        raise RetryableError(msg) from error


def _not_taken(error: KafkaError) -> RetryableError:
    return RetryableError(f"Kafka did not take a record: {type(error).__name__}: {error}")
