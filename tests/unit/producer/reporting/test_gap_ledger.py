"""The gap ledger: on disk before `add` returns, retried until written, never blocking the producer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.reporting.gap_ledger import GapLedger
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError
from twitter_topics.records.gap import Gap

T0 = 1_790_000_000_000


def gap(number: int, posts: int = 7) -> Gap:
    return Gap("mastodon", T0 + number * 1000, T0 + number * 1000 + 500, "network", posts)


class Store:
    """Accepts gaps once `open` is set; fails with `error` while there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.written: list[Gap] = []
        self.asked = threading.Event()

    def write(self, one: Gap) -> None:
        self.asked.set()
        if self.error is not None:
            raise self.error
        self.written.append(one)


@contextmanager
def ledger(path: Path, write: Callable[[Gap], None], max_gaps: int = 1000) -> Iterator[GapLedger]:
    made = GapLedger(path, write, max_gaps)
    try:
        yield made
    finally:
        made.close()
        assert not made._background._thread.is_alive()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "mastodon-gaps.jsonl"


def on_disk(path: Path) -> list[Gap]:
    return [Gap.from_value(line) for line in path.read_bytes().splitlines()]


def test_written_gaps_leave_the_file(path: Path) -> None:
    store = Store()
    with ledger(path, store.write) as one:
        for number in range(5):
            one.add(gap(number).value())
    assert sorted(set(store.written), key=str) == [gap(number) for number in range(5)]
    assert on_disk(path) == []


@pytest.mark.parametrize("error", [RetryableError("down"), ConfigurationError("rejected"), OSError("no route")])
def test_unwritten_gaps_stay_for_the_next_run(path: Path, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(error)
    with ledger(path, store.write) as one:
        for number in range(3):
            one.add(gap(number).value())
            assert on_disk(path) == [gap(n) for n in range(number + 1)], "on disk when add returns"
        assert store.asked.wait(30)
    assert len([record for record in caplog.records if "retrying" in record.getMessage()]) == 1
    store.error = None
    store.asked.clear()
    with ledger(path, store.write):
        assert store.asked.wait(30), "without another gap"
    assert store.written == [gap(0), gap(1), gap(2)]
    assert on_disk(path) == []


def test_a_gap_added_again_is_one_gap(path: Path) -> None:
    store = Store(RetryableError("down"))
    with ledger(path, store.write) as one:
        one.add(gap(1, posts=1).value())
        one.add(gap(1, posts=2).value())
    store.error = None
    with ledger(path, store.write):
        pass
    assert store.written == [gap(1, posts=2)]


def test_a_server_that_hangs_does_not_block_add(path: Path) -> None:
    released, asked = threading.Event(), threading.Event()
    written: list[Gap] = []

    def write(one: Gap) -> None:
        asked.set()
        released.wait(30)
        written.append(one)

    with ledger(path, write) as one:
        one.add(gap(0).value())
        assert asked.wait(30)
        for number in range(1, 20):
            one.add(gap(number).value())
        assert written == []
        released.set()
    assert sorted(set(written), key=str) == sorted((gap(n) for n in range(20)), key=str)
    assert on_disk(path) == []


def test_a_gap_that_changes_while_it_is_written_is_written_again(path: Path) -> None:
    entered, released = threading.Event(), threading.Event()
    written: list[Gap] = []

    def write(one: Gap) -> None:
        entered.set()
        released.wait(30)
        written.append(one)

    with ledger(path, write) as made:
        made.add(gap(1, posts=1).value())
        assert entered.wait(30)
        made.add(gap(1, posts=2).value())
        released.set()
    assert written[-1] == gap(1, posts=2)


def test_one_that_influxdb_rejects_does_not_stop_the_others(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written: list[Gap] = []

    def write(one: Gap) -> None:
        if one == gap(0):
            raise IntegrityError("field type conflict")
        written.append(one)

    with ledger(path, write) as made:
        for number in range(3):
            made.add(gap(number).value())
    assert written == [gap(1), gap(2)]
    assert on_disk(path) == []
    assert "stays in the gap topic: field type conflict" in caplog.text


def test_the_file_is_bounded_and_the_newest_stay(path: Path) -> None:
    store = Store(RetryableError("down"))
    with ledger(path, store.write, max_gaps=10) as made:
        for number in range(100):
            made.add(gap(number).value())
            assert len(on_disk(path)) <= 10
    assert on_disk(path) == [gap(number) for number in range(90, 100)]


def test_a_full_disk_is_logged_and_the_gap_is_still_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    written = threading.Event()
    with ledger(tmp_path / "file" / "gaps.jsonl", lambda _gap: written.set()) as made:
        made.add(gap(1).value())
        assert written.wait(30)
    assert "keeping a gap in memory only" in caplog.text


def test_a_full_disk_does_not_keep_it_from_opening_a_torn_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.mkdir()
    path.write_bytes(gap(1).value() + b"\n" + gap(2).value()[:20])
    store = Store(RetryableError("down"))

    real_open = Path.open

    def full(file: Path, mode: str = "r", **options: Any) -> Any:
        if mode != "rb":
            raise OSError(28, "No space left on device", str(file))
        return real_open(file, mode, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with ledger(path, store.write):
            assert store.asked.wait(30)
    store.error = None
    with ledger(path, store.write):
        pass
    assert store.written == [gap(1)]


@settings(max_examples=60)
@given(st.binary(max_size=200))
def test_any_bytes_are_accepted_without_an_exception(tmp_path_factory: pytest.TempPathFactory, value: bytes) -> None:
    store = Store()
    with ledger(tmp_path_factory.mktemp("gaps") / "x-gaps.jsonl", store.write) as made:
        made.add(value)


@settings(max_examples=60)
@given(cut=st.integers(0, 400), tail=st.binary(max_size=30))
def test_a_torn_file_yields_every_complete_line(
    tmp_path_factory: pytest.TempPathFactory, cut: int, tail: bytes
) -> None:
    path = tmp_path_factory.mktemp("gaps") / "x-gaps.jsonl"
    content = b"".join(gap(number).value() + b"\n" for number in range(4))[:cut]
    path.write_bytes(content + tail)
    whole = [Gap.from_value(line) for line in content.split(b"\n")[:-1]]
    store = Store(RetryableError("down"))
    with ledger(path, store.write) as made:
        made.add(gap(9).value())
    store.error = None
    with ledger(path, store.write):
        pass
    assert set(whole) | {gap(9)} <= set(store.written)


_KILLED = """
import os, signal, sys
from pathlib import Path
from producer.reporting import gap_ledger
from producer.reporting.gap_ledger import GapLedger
from twitter_topics.records.gap import Gap
from twitter_topics.errors import RetryableError

path, log, point = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def write(gap):
    if point == "before writing":
        raise RetryableError("down")
    with log.open("ab") as file:
        file.write(gap.value() + b"\\n")
    if point == "after writing":
        die()

if point == "before the file is replaced":
    Path.replace = die
made = GapLedger(path, write)
made.add(Gap("x", 1000, 2000, "network", 3).value())
if point == "before writing":
    die()
made.close()
"""


@pytest.mark.parametrize("point", ["before writing", "after writing", "before the file is replaced"])
def test_a_kill_anywhere_loses_no_gap(tmp_path: Path, point: str) -> None:
    path, log = tmp_path / "x-gaps.jsonl", tmp_path / "written"
    log.touch()
    command = [sys.executable, "-c", _KILLED, str(path), str(log), point]
    ended = subprocess.run(command, env=dict(os.environ), timeout=60)
    assert ended.returncode == -signal.SIGKILL
    written = on_disk(log)
    with ledger(path, written.append):
        pass
    assert {one.key() for one in written} == {Gap("x", 1000, 2000, "network", 3).key()}
    assert on_disk(path) == []
