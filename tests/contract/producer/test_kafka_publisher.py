"""The publisher on a fake and on a real Kafka, and the complete producer killed while running."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from producer.buffering.buffer import EventBatch
from producer.position import PositionFile
from producer.sending import kafka_client
from producer.sending.kafka_client import connect
from producer.sending.publisher import Confirmed, KafkaClient, KafkaPublisher
from producer.source import Event, EventKind
from producer.testing import FakeKafka
from tests.contract.kafka_records import PATIENCE_S, Record, own_topics, read_topic
from tests.waiting import until
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.health.report import Health, read_health
from twitter_topics.settings import KafkaSettings, Settings

pytestmark = pytest.mark.contract

N = 3_000


class Kafka(NamedTuple):
    """A client of either kind, and how to read a topic back."""

    client: KafkaClient
    settings: KafkaSettings
    read: Callable[[str], list[Record]]


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> str:
    """Yield the address of a real Kafka: TEST_KAFKA if set, else a broker started for this session."""
    address = os.environ.get("TEST_KAFKA")
    return address or str(request.getfixturevalue("services").variables["KAFKA_BOOTSTRAP_SERVERS"])


@pytest.fixture
def variables(broker: str) -> Iterator[dict[str, str]]:
    """Yield settings of a real Kafka with this test's own topics."""
    with own_topics(broker) as names:
        yield names


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


def test_every_record_arrives_once_unchanged_and_is_confirmed(kafka: Kafka) -> None:
    publisher = KafkaPublisher(kafka.client, kafka.settings, "test", max_unconfirmed=500)
    events = [Event("post", str(i).encode(), f"é {i} \x00".encode(), i, i) for i in range(1, N + 1)]
    confirmed: list[Confirmed] = []
    for first in range(1, N + 1, 100):
        publisher.send(EventBatch(first, first + 99, 1_234, events[first - 1 : first + 99]))
        confirmed += confirm(publisher, until=lambda: publisher.has_room)
    confirmed += confirm(publisher, until=lambda: publisher.is_idle)
    assert sum(some.records for some in confirmed) == N
    assert confirmed[-1][:3] == (N, N, N)
    records = kafka.read(kafka.settings.raw_topic)
    assert len(records) == len({record.key for record in records}) == N
    assert {record.key: record.value for record in records} == {event.key: event.value for event in events}
    headers = [("source", b"test"), ("received_at", b"1234")]
    assert all(record.headers == headers for record in records)


def test_every_kind_has_its_topic(kafka: Kafka) -> None:
    publisher = KafkaPublisher(kafka.client, kafka.settings, "test")
    kinds: tuple[EventKind, ...] = ("edit", "notice", "gap", "unreadable")
    events = [Event(kind, kind.encode(), b"{}", reason="json: no") for kind in kinds]
    publisher.send(EventBatch(1, 5, 1, [*events, Event("post", b"8", b"x" * 2_000_000)]))
    [confirmed] = confirm(publisher, until=lambda: publisher.is_idle)
    assert (confirmed.number, confirmed.records) == (5, 5)
    settings = kafka.settings
    [edit] = kafka.read(settings.raw_topic)
    assert (edit.key, edit.headers[-1]) == (b"edit", ("event", b"edit"))
    assert [record.key for record in kafka.read(settings.deletion_topic)] == [b"notice"]
    assert [record.key for record in kafka.read(settings.gap_topic)] == [b"gap"]
    letters = {record.key: json.loads(record.value) for record in kafka.read(settings.dead_letter_topic)}
    assert letters[b"unreadable"]["reason"] == "json: no"
    assert letters[b"test-0-5"]["bytes"] == 2_000_000
    assert len(letters) == 2


def test_a_topic_that_accepts_only_smaller_records_is_reported(variables: dict[str, str]) -> None:
    settings = Settings(variables).kafka
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    until(lambda: _limit_records(admin, settings.raw_topic, 20_000))
    admin.close()
    publisher = KafkaPublisher(connect(settings), settings, "test")
    publisher.send(EventBatch(1, 1, 1, [Event("post", b"1", os.urandom(50_000))]))
    with pytest.raises(ConfigurationError, match=r"max\.message\.bytes"):
        confirm(publisher, until=lambda: publisher.is_idle)
    publisher.close()


def _limit_records(admin: KafkaAdminClient, topic: str, limit: int) -> bool:
    """Return False while the broker does not describe a topic that was just created."""
    try:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(limit)})])
    except ValueError:
        return False
    return True


def test_a_client_closed_with_records_in_flight_leaves_nothing_behind(variables: dict[str, str]) -> None:
    settings = Settings(variables).kafka

    def left() -> tuple[int, int]:
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    threads, files = left()
    for _ in range(8):
        publisher = KafkaPublisher(connect(settings), settings, "test")
        publisher.send(EventBatch(1, 2_000, 1, [Event("post", b"%d" % i, b"x" * 500) for i in range(2_000)]))
        publisher.close()
    gc.collect()
    threads_left, files_left = left()
    assert threads_left <= threads
    assert files_left < files + 4, "fewer than one per two clients: some may wait for the garbage collector"


def test_a_missing_topic_is_reported(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_client, "PATIENCE_S", 5.0)
    with pytest.raises(RetryableError, match="topic no-such-topic"):
        connect(Settings({**variables, "KAFKA_RAW_TOPIC": "no-such-topic"}).kafka)


def test_a_missing_broker_is_reported(tmp_path: Path) -> None:
    """In its own process: kafka-python leaves the sockets of a failed constructor to the garbage collector."""
    program = (
        "from producer.sending import kafka_client; from twitter_topics.settings import Settings; "
        "kafka_client.PATIENCE_S = 1; "
        "kafka_client.connect(Settings({'KAFKA_BOOTSTRAP_SERVERS': '127.0.0.1:9'}).kafka)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert ended.returncode == 1
    assert "RetryableError: no Kafka broker answers at 127.0.0.1:9 (KAFKA_BOOTSTRAP_SERVERS)" in ended.stderr


def confirm(publisher: KafkaPublisher, until: Callable[[], bool]) -> list[Confirmed]:
    """Return what is acknowledged until a condition holds."""
    found: list[Confirmed] = []
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline
        publisher.wait(1)
        if (some := publisher.confirmed()) is not None:
            found.append(some)
    return found


class Runs:
    """Runs `python -m producer` with its own settings."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        self.positions = PositionFile(folder / "state", "synthetic")
        own = {"PRODUCER_STATE_DIR": str(folder / "state"), "SPEED_HEALTH_DIR": str(folder / "health")}
        self._environment = {**os.environ, **variables, **own}

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "producer"], cwd=self.folder, env=self._environment)

    def wait_for_progress(self, running: subprocess.Popen[bytes], beyond: int = 0) -> None:
        """Wait until a position after `beyond` records is saved."""
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


def test_a_killed_producer_repeats_and_misses_nothing(variables: dict[str, str], tmp_path: Path) -> None:
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


def test_a_stopped_producer_saves_exactly_what_it_sent(variables: dict[str, str], tmp_path: Path) -> None:
    runs = Runs(tmp_path, {**variables, "PRODUCER_SYNTHETIC_HISTORY_HOURS": "0", "PRODUCER_SYNTHETIC_RATE": "200"})
    for first in (True, False):
        running = runs.start()
        runs.wait_for_progress(running, beyond=0 if first else runs.saved_count())
        running.terminate()
        assert running.wait(PATIENCE_S) == 0
        assert (runs.health().state, runs.health().restarts) == ("stopped", 0)
    records = read_topic(variables["KAFKA_BOOTSTRAP_SERVERS"], variables["KAFKA_RAW_TOPIC"])
    assert len(records) == len({record.key for record in records}) == runs.saved_count()
