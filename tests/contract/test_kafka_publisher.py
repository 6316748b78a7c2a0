"""The publisher on the fake Kafka and on a real one, and the whole producer killed in its work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic

from producer import publisher as publisher_module
from producer.position import PositionFile
from producer.publisher import Client, Publisher, connect
from producer.source import SourceTweet
from producer.testing import FakeKafka
from twitter_topics.errors import RetryableError
from twitter_topics.settings import KafkaSettings, Settings
from twitter_topics.store.health import Health, read_health

pytestmark = pytest.mark.contract

PATIENCE_S = 60
N = 3_000


class Record(NamedTuple):
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Kafka(NamedTuple):
    """A client of either kind, and how to read a topic back."""

    client: Client
    settings: KafkaSettings
    read: Callable[[str], list[Record]]


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> str:
    """Address of a real Kafka: TEST_KAFKA when set, else a broker started for this session."""
    address = os.environ.get("TEST_KAFKA")
    return address or str(request.getfixturevalue("services").variables["KAFKA_BOOTSTRAP_SERVERS"])


@pytest.fixture
def variables(broker: str) -> Iterator[dict[str, str]]:
    """Settings of a real Kafka with topics of this test's own, removed after it."""
    mark = uuid4().hex[:8]
    names = {f"KAFKA_{kind}_TOPIC": f"publisher-{mark}-{kind.lower()}" for kind in ("RAW", "DELETION", "DEAD_LETTER")}
    admin = KafkaAdminClient(bootstrap_servers=broker)
    try:
        admin.create_topics([NewTopic(name, 4, 1) for name in names.values()])
        yield {"KAFKA_BOOTSTRAP_SERVERS": broker, **names}
        admin.delete_topics(list(names.values()))
    finally:
        admin.close()


def read_topic(broker: str, topic: str) -> list[Record]:
    """Everything that the topic holds now."""
    consumer = KafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        records: list[Record] = []
        deadline = time.monotonic() + PATIENCE_S
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            assert time.monotonic() < deadline
            for batch in consumer.poll(timeout_ms=500).values():
                records += [Record(record.key, record.value, list(record.headers)) for record in batch]
        return records
    finally:
        consumer.close()


@pytest.fixture(params=["fake", "real"])
def kafka(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    if request.param == "fake":
        fake = FakeKafka()

        def read(topic: str) -> list[Record]:
            return [Record(key, value, headers) for sent_to, key, value, headers in fake.records if sent_to == topic]

        yield Kafka(fake, Settings({}).kafka, read)
        return
    variables = request.getfixturevalue("variables")
    settings = Settings(variables).kafka
    client = connect(settings)
    yield Kafka(client, settings, lambda topic: read_topic(variables["KAFKA_BOOTSTRAP_SERVERS"], topic))
    client.close()


def test_every_record_arrives_once_as_it_was_and_is_confirmed(kafka: Kafka) -> None:
    publisher = Publisher(kafka.client, kafka.settings, "test", lambda: 1_234, max_unconfirmed=500)
    tweets = [SourceTweet(str(i).encode(), f"é {i} \x00".encode(), i, i) for i in range(1, N + 1)]
    confirmed = 0
    for tweet in tweets:
        publisher.send(tweet)
        if (some := publisher.confirmed()) is not None:
            confirmed += some.records
    if (rest := publisher.flush()) is not None:
        confirmed += rest.records
        assert rest.position == N
    assert confirmed == N
    records = kafka.read(kafka.settings.raw_topic)
    assert len(records) == len({record.key for record in records}) == N
    assert {record.key: record.value for record in records} == {tweet.key: tweet.value for tweet in tweets}
    headers = [("source", b"test"), ("received_at", b"1234")]
    assert all(record.headers == headers for record in records)


def test_deletions_and_oversized_records_have_their_topics(kafka: Kafka) -> None:
    publisher = Publisher(kafka.client, kafka.settings, "test", lambda: 1)
    publisher.send(SourceTweet(b"7", b'{"delete":{}}', None, 1, "deletion"))
    publisher.send(SourceTweet(b"8", b"x" * 2_000_000, None, 2))
    confirmed = publisher.flush()
    assert confirmed is not None
    assert (confirmed.position, confirmed.records) == (2, 2)
    assert [record.key for record in kafka.read(kafka.settings.deletion_topic)] == [b"7"]
    [letter] = kafka.read(kafka.settings.dead_letter_topic)
    assert json.loads(letter.value)["bytes"] == 2_000_000
    assert kafka.read(kafka.settings.raw_topic) == []


def test_a_missing_topic_is_named(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "PATIENCE_MS", 1_000)
    with pytest.raises(RetryableError, match="topic no-such-topic"):
        connect(Settings({**variables, "KAFKA_RAW_TOPIC": "no-such-topic"}).kafka)


def test_a_missing_broker_is_named(tmp_path: Path) -> None:
    """In a process of its own: kafka-python leaves the sockets of a failed constructor to the garbage collector."""
    program = (
        "from producer import publisher; from twitter_topics.settings import Settings; publisher.PATIENCE_MS = 1_000; "
        "publisher.connect(Settings({'KAFKA_BOOTSTRAP_SERVERS': '127.0.0.1:9'}).kafka)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert ended.returncode == 1
    assert "RetryableError: no Kafka broker answers at 127.0.0.1:9 (KAFKA_BOOTSTRAP_SERVERS)" in ended.stderr


class Runs:
    """Runs `python -m producer` with settings of its own."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        self.positions = PositionFile(folder / "state", "synthetic")
        own = {"PRODUCER_STATE_DIR": str(folder / "state"), "SPEED_HEALTH_DIR": str(folder / "health")}
        self._environment = {**os.environ, **variables, **own}

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "producer"], cwd=self.folder, env=self._environment)

    def wait_for_progress(self, running: subprocess.Popen[bytes], beyond: int = 0) -> None:
        """Until a position after `beyond` records is saved."""
        deadline = time.monotonic() + PATIENCE_S
        while (position := self.positions.load()) is None or position.count <= beyond:
            assert time.monotonic() < deadline
            assert running.poll() is None
            time.sleep(0.01)

    def saved_count(self) -> int:
        position = self.positions.load()
        assert position is not None
        return position.count

    def health(self) -> Health:
        return read_health(self.folder / "health")["producer"]


def test_killed_in_its_work_the_producer_repeats_and_misses_nothing(variables: dict[str, str], tmp_path: Path) -> None:
    limit = 12_000
    runs = Runs(tmp_path, {**variables, "PRODUCER_LIMIT": str(limit)})
    killed = runs.start()
    runs.wait_for_progress(killed)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait(PATIENCE_S) == -signal.SIGKILL
    assert 0 < runs.saved_count() < limit

    assert runs.start().wait(PATIENCE_S) == 0
    records = read_topic(variables["KAFKA_BOOTSTRAP_SERVERS"], variables["KAFKA_RAW_TOPIC"])
    contents = {record.key: record.value for record in records}
    assert len(contents) == limit <= len(records)
    assert all(contents[record.key] == record.value for record in records)
    health = runs.health()
    assert (health.state, health.ok, health.restarts) == ("finished", True, 1)


def test_asked_to_stop_the_producer_saves_exactly_what_it_sent(variables: dict[str, str], tmp_path: Path) -> None:
    runs = Runs(tmp_path, {**variables, "PRODUCER_SYNTHETIC_HISTORY_HOURS": "0", "PRODUCER_SYNTHETIC_RATE": "200"})
    for first in (True, False):
        running = runs.start()
        runs.wait_for_progress(running, beyond=0 if first else runs.saved_count())
        running.terminate()
        assert running.wait(PATIENCE_S) == 0
        assert (runs.health().state, runs.health().restarts) == ("stopped", 0)
    records = read_topic(variables["KAFKA_BOOTSTRAP_SERVERS"], variables["KAFKA_RAW_TOPIC"])
    assert len(records) == len({record.key for record in records}) == runs.saved_count()
