"""Sending to a broker that stops answering in the meantime."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from twitter_topics.backends.kafka_sending import open_producer
from twitter_topics.backends.kafka_topics import ensure_topics
from twitter_topics.errors import RetryableError
from twitter_topics.settings import Settings
from twitter_topics.testing.broker import Broker

pytestmark = pytest.mark.contract


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


def test_a_producer_that_could_not_send_everything_ends_all_the_same(broker: Broker) -> None:
    settings = Settings({"KAFKA_BOOTSTRAP_SERVERS": broker.address, "KAFKA_PARTITIONS": "1"}).kafka
    ensure_topics(settings)
    before = set(threading.enumerate())

    def send() -> None:
        with open_producer(settings, "records") as producer:
            producer.send(settings.raw_topic, key=b"1", value=b"{}").get(timeout=30)
            broker.pause()
            producer.send(settings.raw_topic, key=b"2", value=b"{}").get(timeout=1)

    with pytest.raises(RetryableError, match="did not acknowledge the records"):
        send()
    assert set(threading.enumerate()) <= before
