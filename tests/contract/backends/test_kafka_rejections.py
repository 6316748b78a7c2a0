"""Who is rejected by Kafka hears it, from whatever asks; and what cannot connect leaves nothing behind."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from kafka.net.transport import KafkaTCPTransport

from tests.guarded_kafka import REJECTIONS, guarded_kafka, reader_of
from twitter_topics.archive.rejected import RawRecord, RejectedRecords
from twitter_topics.backends import kafka_offsets, kafka_sending, kafka_topics
from twitter_topics.backends.kafka_offsets import TopicEnds, topic_ranges
from twitter_topics.backends.kafka_topics import ensure_topics, topic_id
from twitter_topics.backends.retrying import RetryPolicy
from twitter_topics.deletions.publish import publish
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.records.notice import Notice
from twitter_topics.settings import Settings
from twitter_topics.testing.broker import Broker

pytestmark = pytest.mark.contract

Act = Callable[[Settings], object]


def asked_again(settings: Settings) -> object:
    with closing(TopicEnds(settings.kafka, "raw")) as ends:
        return ends.read()


SENDING: dict[str, Act] = {
    "notices": lambda settings: publish(settings.kafka, [Notice("delete", "x_v2", tweet_id="7")]),
    "retried records": lambda settings: RejectedRecords(settings).retry([RawRecord(b"7", b"{}", ())]),
}
ASKING: dict[str, Act] = {
    "offsets": lambda settings: topic_ranges(settings.kafka, "raw"),
    "offsets again and again": asked_again,
    "a topic's id": lambda settings: topic_id(settings.kafka, "raw"),
    "topics": lambda settings: ensure_topics(settings.kafka),
}
EVERYTHING = SENDING | ASKING


@pytest.fixture(scope="module")
def guarded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with guarded_kafka(tmp_path_factory.mktemp("guarded")) as broker:
        yield broker


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients give up early, but not before a busy broker has rejected them."""
    give_up_after(monkeypatch, 4_000)


def give_up_after(monkeypatch: pytest.MonkeyPatch, milliseconds: int) -> None:
    monkeypatch.setattr(kafka_offsets, "_TIMEOUT_MS", milliseconds)
    monkeypatch.setattr(kafka_sending, "_PATIENCE_MS", milliseconds)
    monkeypatch.setattr(kafka_topics, "_TIMEOUT_MS", milliseconds)


def rejected(act: Act, broker: Broker, password: str, mechanism: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        act(Settings(reader_of(broker, password, mechanism)))
    assert "KAFKA_SASL_PASSWORD" in str(raised.value)
    assert "canary" not in str(raised.value)


@REJECTIONS
@pytest.mark.parametrize("act", EVERYTHING.values(), ids=EVERYTHING)
def test_a_broker_that_rejects_us_is_no_reason_to_try_again(
    guarded_broker: Broker, act: Act, password: str, mechanism: str, said: str
) -> None:
    rejected(act, guarded_broker, password, mechanism, said)


@pytest.mark.parametrize("act", EVERYTHING.values(), ids=EVERYTHING)
def test_a_client_that_reads_late_hears_the_rejection_too(
    guarded_broker: Broker, monkeypatch: pytest.MonkeyPatch, act: Act
) -> None:
    """The broker hangs up behind its reply: both are there when a busy client comes to read."""
    receive = KafkaTCPTransport._sock_recv

    def late(self: KafkaTCPTransport) -> Any:
        time.sleep(0.3)
        return receive(self)

    monkeypatch.setattr(KafkaTCPTransport, "_sock_recv", late)
    rejected(act, guarded_broker, "wrong-canary", "PLAIN", "SaslAuthenticationFailedError")


@pytest.mark.parametrize("act", EVERYTHING.values(), ids=EVERYTHING)
def test_failed_attempts_leave_no_thread_and_no_file(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, act: Act
) -> None:
    caplog.set_level("CRITICAL", logger="kafka")  # captured lines would hold connections
    monkeypatch.setattr(kafka_topics, "_RETRIES", RetryPolicy(deadline_s=0))
    give_up_after(monkeypatch, 1_000)
    settings = Settings({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"})

    def held() -> tuple[int, int]:
        gc.collect()
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    before = held()
    for _ in range(3):
        with pytest.raises(RetryableError):
            act(settings)
    threads, files = held()
    assert threads <= before[0]
    assert files <= before[1] + 2  # the socket of the last attempt may still be open
