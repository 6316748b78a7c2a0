"""`twitter-topics replay` with a real broker, killed again and again: arrays, pages and archives arrive completely."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from producer.position import PositionFile
from tests.contract.kafka_records import PATIENCE_S, own_topics, read_topic
from tests.input_forms import page_v2, tarred, tweet, zipped
from tests.waiting import until
from twitter_topics.errors import EXIT_CONFIGURATION
from twitter_topics.testing.broker import Broker

pytestmark = pytest.mark.contract

COUNT = 60_000
PARTS = 6
COMMAND = [sys.executable, "-m", "twitter_topics.cli.main", "replay"]


def tweets(begin: int, end: int) -> list[dict[str, object]]:
    return [tweet(0) | {"id": number, "id_str": str(number), "text": "x" * 200} for number in range(begin, end)]


def pieces() -> list[list[dict[str, object]]]:
    size = COUNT // PARTS
    return [tweets(1 + part * size, 1 + (part + 1) * size) for part in range(PARTS)]


def array(path: Path) -> None:
    path.write_text(json.dumps(tweets(1, COUNT + 1), indent=1))


def arrays_in_a_tar(path: Path) -> None:
    members = {f"{part}.json.gz": gzip.compress(json.dumps(some).encode(), 1) for part, some in enumerate(pieces())}
    path.write_bytes(gzip.compress(tarred(members), 1))


def pages_in_a_zip(path: Path) -> None:
    def page(some: list[dict[str, object]]) -> bytes:
        whole = page_v2(range(1))
        whole["data"] = [
            whole["data"][0] | {"id": str(1_990_000_000_000_000_000 + int(str(one["id"])))} for one in some
        ]
        return json.dumps(whole).encode()

    path.write_bytes(zipped({f"{part}.json": page(some) for part, some in enumerate(pieces())}))


@pytest.mark.parametrize("make", [array, arrays_in_a_tar, pages_in_a_zip])
def test_killed_again_and_again_nothing_is_lost(make: Callable[[Path], None], broker: Broker, tmp_path: Path) -> None:
    path = tmp_path / "input"
    make(path)
    with own_topics(broker.address) as variables:
        environment = {
            **os.environ,
            **variables,
            "PRODUCER_STATE_DIR": str(tmp_path / "state"),
            "LOCAL_STATE_DIR": str(tmp_path / "none"),
            "INFLUXDB_URL": "http://127.0.0.1:9",
        }

        def sent() -> int:
            found = [PositionFile(one.parent, "replay").load() for one in tmp_path.glob("state/replays/*/replay.json")]
            return found[0].count if found and found[0] else 0

        kills = 0
        for _ in range(3):
            before = sent()
            with (tmp_path / "log").open("ab") as log:
                running = subprocess.Popen([*COMMAND, str(path)], env=environment, stderr=log, stdout=log)
            try:
                until(lambda running=running, before=before: running.poll() is not None or sent() > before, PATIENCE_S)  # type: ignore[misc]
            finally:
                running.kill()
                kills += running.wait() == -signal.SIGKILL
        assert kills
        done = subprocess.run(
            [*COMMAND, str(path)], env=environment, capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert done.returncode == 0, done.stderr
        assert sent() == COUNT
        again = subprocess.run([*COMMAND, str(path)], env=environment, capture_output=True, text=True, check=True)
        assert f"{path}: nothing new" in again.stdout
        arrived = [int(record.key) % 10**9 for record in read_topic(broker.address, variables["KAFKA_RAW_TOPIC"])]
    assert set(arrived) == set(range(1, COUNT + 1))
    assert len(arrived) < COUNT * (kills + 1)


def test_a_file_of_another_kind_sends_nothing(broker: Broker, tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_text("1990000000000000000\n")
    with own_topics(broker.address) as variables:
        environment = {**os.environ, **variables, "PRODUCER_STATE_DIR": str(tmp_path), "LOCAL_STATE_DIR": str(tmp_path)}
        done = subprocess.run(
            [*COMMAND, str(path)], env=environment, capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert done.returncode == EXIT_CONFIGURATION
        assert "a list of tweet ids" in done.stderr
        assert not read_topic(broker.address, variables["KAFKA_RAW_TOPIC"])
