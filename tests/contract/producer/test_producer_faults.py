"""The complete producer with the test's own broker: killed at every point, and without its broker."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from kafka.admin import NewTopic

from producer.buffering.buffer import EventBatch
from producer.buffering.segments import frames
from producer.position import PositionFile, SourcePosition
from tests.contract.kafka_records import PATIENCE_S, kafka_admin, own_topics, read_topic
from tests.contract.producer.live_numbers import NAME, POINTS
from tests.guarded_kafka import REJECTIONS, guarded_kafka, reader_of
from tests.waiting import until
from twitter_topics.errors import EXIT_CONFIGURATION
from twitter_topics.health.report import Health, read_health
from twitter_topics.testing.broker import Broker

pytestmark = pytest.mark.contract

PROJECT = Path(__file__).parents[3]
LATE_S = 90
"""A broker outage is noticed when a delivery times out; reconnects are at most ten seconds apart."""


class Runs:
    """Runs the producer on the live source of numbers, in its own folder and topics."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        self.variables = variables
        self._environment = {
            **os.environ,
            **variables,
            "PRODUCER_SOURCE": NAME,
            "PRODUCER_STATE_DIR": str(folder / "state"),
            "SPEED_HEALTH_DIR": str(folder / "health"),
            "INFLUXDB_URL": "http://127.0.0.1:9",
        }
        self.spool = folder / "state" / "spool" / NAME
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, size: int | str, *failpoint: object, limit: int = 0) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.contract.producer.live_numbers", str(size), *map(str, failpoint)]
        environment = {**self._environment, "PRODUCER_LIMIT": str(limit)}
        with (self.folder / "log").open("ab") as log:
            self._started.append(subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=log))
        return self._started[-1]

    def end(self) -> None:
        """Leave no process behind when a test fails."""
        for process in self._started:
            process.kill()
            process.wait()

    def arrived(self) -> list[int]:
        raw = read_topic(self.variables["KAFKA_BOOTSTRAP_SERVERS"], self.variables["KAFKA_RAW_TOPIC"])
        return [int(record.key) for record in raw]

    def position(self) -> SourcePosition:
        return PositionFile(self.folder / "state", NAME).load() or SourcePosition({})

    def health(self) -> Health | None:
        return read_health(self.folder / "health").get("producer")

    def waits(self) -> bool:
        health = self.health()
        return health is not None and health.state == "waiting"

    def spooled(self) -> list[int]:
        pieces = [piece for path in self.spool.glob("*.spool") for piece in frames(path.read_bytes())]
        return [int(event.key) for piece in pieces if isinstance(piece, EventBatch) for event in piece.events]

    def spooled_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.spool.glob("*.spool"))


@pytest.fixture
def runs(broker: Broker, tmp_path: Path) -> Iterator[Runs]:
    with own_topics(broker.address) as variables, ended(Runs(tmp_path, variables)) as runs:
        yield runs


@contextmanager
def ended(runs: Runs) -> Iterator[Runs]:
    try:
        yield runs
    finally:
        runs.end()


def finish(runs: Runs, size: int) -> None:
    """Let a run without faults send the rest; check that every number arrived and nothing is left on disk."""
    assert runs.start(size, limit=size).wait(PATIENCE_S) == 0
    arrived = runs.arrived()
    assert set(arrived) == set(range(1, size + 1))
    assert runs.position().cursor == size
    assert runs.spooled_bytes() == 0


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_nothing_received_is_lost(runs: Runs, point: str) -> None:
    for nth in (2, POINTS[point]):
        killed = runs.start(10**9, point, nth)
        assert killed.wait(PATIENCE_S) == -signal.SIGKILL
    finish(runs, max(int(runs.position().cursor), *runs.arrived(), *runs.spooled()) + 1_000)


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_everything_on_disk_arrives_without_reading_the_source_again(
    runs: Runs, point: str
) -> None:
    on_disk: set[int] = set()
    for part, nth in enumerate((2, POINTS[point]), 1):
        killed = runs.start(f"{part}000000:1000000000", point, nth)
        assert killed.wait(PATIENCE_S) == -signal.SIGKILL
        on_disk |= set(runs.spooled())
    assert runs.start("3000000:3000999", limit=10**9).wait(PATIENCE_S) == 0
    arrived = set(runs.arrived())
    assert not on_disk - arrived
    assert arrived >= set(range(3_000_000, 3_001_000))
    assert runs.spooled_bytes() == 0
    for part in (1, 2):  # each run without holes, whatever was deleted from disk before the kill
        numbers = [number for number in arrived if number // 1_000_000 == part]
        assert not numbers or sorted(numbers) == list(range(part * 1_000_000, max(numbers) + 1))


@pytest.mark.parametrize("fault", ["paused", "killed", "stopped"])
def test_a_broker_outage_misses_nothing(broker: Broker, runs: Runs, fault: str) -> None:
    size = 20_000
    running = runs.start(size, limit=size)
    try:
        until(lambda: runs.position().count > 500, LATE_S)
        before = threads_and_files(running)
        {"paused": broker.pause, "killed": broker.kill, "stopped": broker.stop}[fault]()
        until(runs.waits, LATE_S)
        health = runs.health()
        assert health is not None
        assert "Kafka" in health.error
        held = runs.spooled_bytes()
        if held < 1_000_000:  # still receiving
            until(lambda: runs.spooled_bytes() > held, LATE_S)
        threads, files = threads_and_files(running)
        assert threads <= before[0] + 1
        assert files < before[1] + 20  # sockets of rejected attempts wait for the garbage collector
    finally:
        if fault == "paused":
            broker.resume()
        else:
            broker.start()
    assert running.wait(LATE_S) == 0
    arrived = runs.arrived()
    assert set(arrived) == set(range(1, size + 1))
    assert runs.position().count == size
    assert runs.spooled_bytes() == 0
    health = runs.health()
    assert health is not None
    assert (health.state, health.ok) == ("finished", True)


def test_started_without_kafka_it_receives_and_the_next_start_sends_the_rest(runs: Runs) -> None:
    size = 3_000
    with ended(Runs(runs.folder, {**runs.variables, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"})) as cut_off:
        running = cut_off.start(size)
        until(lambda: cut_off.spooled_bytes() > 500_000, LATE_S)
        until(cut_off.waits, LATE_S)
        running.terminate()
        assert running.wait(PATIENCE_S) == 0
    assert cut_off.position().count == 0
    finish(runs, size)
    assert sorted(runs.arrived()) == list(range(1, size + 1))


def test_started_without_its_topics_it_waits_for_them(broker: Broker, tmp_path: Path) -> None:
    names = {f"KAFKA_{kind}_TOPIC": f"later-{kind.lower()}" for kind in ("RAW", "DELETION", "DEAD_LETTER", "GAP")}
    with ended(Runs(tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": broker.address, **names})) as runs:
        running = runs.start(1_000, limit=1_000)
        until(runs.waits, LATE_S)
        health = runs.health()
        assert health is not None
        assert "later-raw" in health.error
        with kafka_admin(broker.address) as admin:
            admin.create_topics([NewTopic(name, 2, 1) for name in names.values()])
        assert running.wait(LATE_S) == 0
    assert sorted(runs.arrived()) == list(range(1, 1_001))


@pytest.fixture(scope="module")
def guarded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with guarded_kafka(tmp_path_factory.mktemp("guarded")) as broker:
        yield broker


@REJECTIONS
def test_a_broker_that_rejects_us_ends_it_with_the_fix(
    guarded_broker: Broker, tmp_path: Path, password: str, mechanism: str, said: str
) -> None:
    with ended(Runs(tmp_path, reader_of(guarded_broker, password, mechanism))) as runs:
        assert runs.start(10**9).wait(PATIENCE_S) == EXIT_CONFIGURATION
    log = (tmp_path / "log").read_text()
    assert said in log
    assert "KAFKA_SASL_*" in log
    assert "canary" not in log
    assert "Traceback" not in log
    assert runs.spooled()  # received posts wait for correct settings


MANY_CONNECTIONS = """
import logging, os, threading
from producer.sending import kafka_client
from twitter_topics.errors import RetryableError
from twitter_topics.settings import Settings

logging.getLogger("kafka").setLevel(logging.CRITICAL)
kafka_client.PATIENCE_S = 0.2
settings = Settings().kafka
for attempt in range(25):
    try:
        kafka_client.connect(settings)
    except RetryableError:
        pass
    if attempt in (4, 24):
        print(threading.active_count(), len(os.listdir("/proc/self/fd")))
"""


@pytest.mark.parametrize("server", ["silent", "none"])
def test_many_failed_attempts_leave_no_thread_and_no_file(server: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1] if server == "silent" else 9
        environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}"}
        command = [sys.executable, "-c", MANY_CONNECTIONS]
        ended = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=True
        )
    early, late = ([int(count) for count in line.split()] for line in ended.stdout.splitlines())
    assert late[0] == early[0] == 1
    assert late[1] < early[1] + 10  # twenty attempts later; the last one's may still be open


def threads_and_files(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    running = psutil.Process(process.pid)
    return running.num_threads(), running.num_fds()
