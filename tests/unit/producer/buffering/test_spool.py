"""The spool keeps its records, whatever happens to its files, its reader and its process."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from producer.buffering import segments as segments_module
from producer.buffering import spool as spool_module
from producer.buffering.buffer import Buffer, EventBatch, MemoryBuffer
from producer.buffering.segments import Segments, encode, frames
from producer.buffering.spool import Spool
from producer.source import Event
from tests.waiting import until
from twitter_topics.errors import RetryableError

MEGABYTE = 1 << 20
PATIENCE_S = 20


def event(number: int, size: int = 10) -> Event:
    return Event("post", str(number).encode(), b"v" * size, number, f"host {number}")


def batch(first: int, last: int, size: int = 10) -> EventBatch:
    return EventBatch(first, last, 1_000 + first, [event(number, size) for number in range(first, last + 1)])


def numbers(batches: list[EventBatch]) -> list[int]:
    return [int(event.key) for batch in batches for event in batch.events if event.kind == "post"]


def read_all(segments: Segments, number: int = 1) -> list[EventBatch]:
    found: list[EventBatch] = []
    for some in segments.read(number):
        if some is None:
            return found
        found.append(some)
    return found


def take_all(buffer: Buffer, upto: int) -> list[EventBatch]:
    """Take batches until the record `upto` was taken."""
    found: list[EventBatch] = []
    for _ in range(PATIENCE_S * 100):
        some = buffer.take(0.01)
        if some is not None:
            found.append(some)
        if found and found[-1].last >= upto:
            return found
    raise AssertionError(found)


@contextmanager
def folder() -> Iterator[Path]:
    name = Path(tempfile.mkdtemp(prefix="spool-"))
    try:
        yield name
    finally:
        shutil.rmtree(name)


# --- files


def test_batches_come_back_unchanged(tmp_path: Path) -> None:
    odd = Event("unreadable", b"\xff\x00", b"\xf5spl" * 20, None, 0, "json: \ud83d".encode(errors="replace").decode())
    written = [batch(1, 3), EventBatch(4, 4, 7, [odd]), EventBatch(5, 5, 0, [Event("gap", b"", b"", -1, 1 << 60)])]
    segments = Segments.recover(tmp_path)
    for some in written:
        segments.append(some)
    assert read_all(segments) == written
    segments.close()
    again = Segments.recover(tmp_path)
    assert read_all(again) == written
    assert again.recovered.newest == written[-1]
    assert again.last == 5


def test_reading_can_begin_at_any_record(tmp_path: Path) -> None:
    segments = Segments.recover(tmp_path, segment_bytes=300)
    for first in range(1, 40, 3):
        segments.append(batch(first, first + 2))
    for number in range(1, 40):
        assert numbers(read_all(segments, number)) == list(range(number, 40))


def test_a_segment_is_deleted_once_all_of_it_is_forgotten(tmp_path: Path) -> None:
    segments = Segments.recover(tmp_path, segment_bytes=300)
    for number in range(1, 31):
        segments.append(batch(number, number))
    before = len(list(tmp_path.glob("*.spool")))
    segments.forget(29)
    assert len(list(tmp_path.glob("*.spool"))) == 1 < before
    assert numbers(read_all(segments, 30)) == [30]
    segments.forget(30)
    segments.close()
    assert list(tmp_path.glob("*.spool")) == []
    assert Segments.recover(tmp_path).last == 30


def test_a_segment_that_cannot_be_deleted_is_deleted_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = Segments.recover(tmp_path, segment_bytes=300)
    for number in range(1, 31):
        segments.append(batch(number, number))

    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", read_only)
        with pytest.raises(OSError, match="Read-only"):
            segments.forget(29)
    segments.forget(29)
    assert len(list(tmp_path.glob("*.spool"))) == 1
    segments.forget(30)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", read_only)
        segments.close()
    Segments.recover(tmp_path)
    assert list(tmp_path.glob("*.spool")) == []


def test_numbers_continue_after_everything_was_forgotten(tmp_path: Path) -> None:
    for start in (1, 6, 11):
        segments = Segments.recover(tmp_path)
        assert segments.last == start - 1
        segments.append(batch(start, start + 4))
        segments.forget(start + 4)
        segments.close()


def test_without_its_note_everything_is_read_again(tmp_path: Path) -> None:
    segments = Segments.recover(tmp_path)
    segments.append(batch(1, 5))
    segments.forget(3)
    segments.close()
    for content in (None, "", "x"):
        (tmp_path / "forgotten").unlink()
        if content is not None:
            (tmp_path / "forgotten").write_text(content)
        again = Segments.recover(tmp_path)
        assert (again.forgotten, again.last) == (0, 5)
        again.forget(1)
        again.close()


def test_records_before_the_position_are_not_read_again(tmp_path: Path) -> None:
    segments = Segments.recover(tmp_path)
    segments.append(batch(1, 5))
    segments.close()
    assert (Segments.recover(tmp_path, after=3).forgotten, Segments.recover(tmp_path, after=3).last) == (3, 5)
    # it belongs to another spool: better twice than never
    assert Segments.recover(tmp_path, after=6).forgotten == 0


class StoredSpool(NamedTuple):
    """Ten batches of two records, and the size of the spool after each."""

    folder: Path
    sizes: list[int]

    @classmethod
    def make(cls, name: Path, segment_bytes: int) -> Self:
        segments = Segments.recover(name, segment_bytes=segment_bytes)
        sizes = []
        for first in range(1, 20, 2):
            segments.append(batch(first, first + 1))
            sizes.append(segments.bytes)
        segments.close()
        return cls(name, sizes)


@pytest.fixture(scope="module")
def one_segment(tmp_path_factory: pytest.TempPathFactory) -> StoredSpool:
    return StoredSpool.make(tmp_path_factory.mktemp("one"), 100_000)


@pytest.fixture(scope="module")
def many_segments(tmp_path_factory: pytest.TempPathFactory) -> StoredSpool:
    return StoredSpool.make(tmp_path_factory.mktemp("many"), 200)


@given(st.data())
@settings(max_examples=150)
def test_a_newest_segment_cut_anywhere_keeps_every_complete_batch(
    one_segment: StoredSpool, data: st.DataObject
) -> None:
    sizes = one_segment.sizes
    with folder() as name:
        shutil.copytree(one_segment.folder, name, dirs_exist_ok=True)
        [path] = name.glob("*.spool")
        cut = data.draw(st.integers(0, sizes[-1] - 1))
        os.truncate(path, cut)
        whole = sum(size <= cut for size in sizes)
        again = Segments.recover(name)
        assert [path.stat().st_size for path in name.glob("*.spool")] == sizes[whole - 1 : whole]
        assert again.last == 2 * whole
        again.append(batch(2 * whole + 1, 2 * whole + 1))
        found = read_all(again)
        assert numbers(found) == list(range(1, 2 * whole + 2))
        assert all(some.events[0].kind == "post" for some in found)


@given(st.data())
@settings(max_examples=250)
def test_a_changed_byte_costs_at_most_one_batch_and_is_reported(
    one_segment: StoredSpool, many_segments: StoredSpool, data: st.DataObject
) -> None:
    with folder() as name:
        shutil.copytree(data.draw(st.sampled_from([many_segments, one_segment])).folder, name, dirs_exist_ok=True)
        path = data.draw(st.sampled_from(sorted(name.glob("*.spool"))))
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)

        again = Segments.recover(name)
        first_new = again.last + 1
        again.append(EventBatch(first_new, first_new, 0, [event(99)]))
        found = read_all(again)
        kept = numbers(found)
        assert kept[-1] == 99
        lost = sorted(set(range(1, 21)) - set(kept))
        reported = [event for some in found for event in some.events if event.kind == "unreadable"]
        assert kept == sorted(kept)
        assert len(lost) == 2
        assert lost[1] == lost[0] + 1
        at_the_end = lost[1] == 20
        # an end that looks like an interrupted write is cut off
        assert len(reported) == 1 or (at_the_end and not reported)
        assert [some.first for some in found[1:]] == [some.last + 1 for some in found[:-1]]
        again.forget(again.last)
        again.close()
        damaged = list(name.glob("*.damaged"))
        assert len(damaged) == (0 if at_the_end else 1)


def test_a_complete_but_unreadable_end_is_reported(tmp_path: Path) -> None:
    segments = Segments.recover(tmp_path)
    segments.append(batch(1, 2))
    segments.append(batch(3, 4))
    segments.close()
    [path] = tmp_path.glob("*.spool")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    found = read_all(Segments.recover(tmp_path))
    assert numbers(found) == [1, 2]
    [letter] = found[-1].events
    assert (letter.kind, letter.reason) == ("unreadable", "spool: the last write lost in 93 damaged bytes")
    assert found[-1].first == 3


def test_a_missing_segment_is_reported(tmp_path: Path) -> None:
    segments = Segments.recover(tmp_path, segment_bytes=10)
    for number in range(1, 6):
        segments.append(batch(number, number))
    segments.close()
    sorted(tmp_path.glob("*.spool"))[2].unlink()
    found = read_all(Segments.recover(tmp_path))
    assert numbers(found) == [1, 2, 4, 5]
    assert found[2].events[0].reason == "spool: 1 record lost in 0 damaged bytes"


@given(st.binary(max_size=400), st.integers(0, 3))
@settings(max_examples=200)
def test_any_bytes_are_read_without_an_exception(noise: bytes, sound: int) -> None:
    content = b"".join(encode(batch(number, number)) for number in range(1, sound + 1))
    found = list(frames(noise + content))
    assert numbers([some for some in found if not isinstance(some, bytes)]) == list(range(1, sound + 1))
    assert b"".join(some for some in found if isinstance(some, bytes)) == noise


@pytest.mark.parametrize("fails", ["write", "fdatasync", "open"])
def test_after_a_failed_write_the_batch_goes_to_a_new_file_and_is_read_once(
    tmp_path: Path, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = Segments.recover(tmp_path)
    segments.append(batch(1, 2))
    real_write = os.write

    def full(handle: int, content: bytes) -> int:
        real_write(handle, content[:7])
        raise OSError(28, "No space left on device")

    def broken(*_: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        if fails == "open":
            segments._segment_bytes = 0
        patch.setattr(f"producer.buffering.segments.os.{fails}", full if fails == "write" else broken)
        for _ in range(2):
            with pytest.raises(OSError, match=r"No space|Input/output"):
                segments.append(batch(3, 4))
    segments.append(batch(3, 4))
    assert numbers(read_all(segments)) == [1, 2, 3, 4]
    segments.close()
    again = Segments.recover(tmp_path)
    assert numbers(read_all(again)) == [1, 2, 3, 4]
    assert [some.events[0].kind for some in read_all(again)] == ["post", "post"]


# --- buffers


@pytest.fixture(params=["memory", "spool"])
def buffer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Buffer]:
    made: Buffer = MemoryBuffer(0, lambda: 7) if request.param == "memory" else Spool(tmp_path, MEGABYTE, lambda: 7)
    yield made
    made.close()


def test_events_are_taken_in_order_with_their_arrival_time(buffer: Buffer) -> None:
    for number in range(1, 101):
        assert buffer.put(event(number))
    found = take_all(buffer, 100)
    assert numbers(found) == list(range(1, 101))
    assert [some.first for some in found] == [1, *(some.last + 1 for some in found[:-1])]
    assert {some.received_ms for some in found} == {7}
    assert buffer.take(0) is None
    assert buffer.backlog()[0] == 100
    buffer.confirm(100)
    assert buffer.backlog()[0] == 0


def test_after_a_rewind_unconfirmed_records_are_repeated(buffer: Buffer) -> None:
    for part in range(4):
        for number in range(1, 11):
            buffer.put(event(part * 10 + number))
        take_all(buffer, part * 10 + 10)
    buffer.confirm(20)
    for _ in range(2):
        buffer.rewind()
        assert numbers(take_all(buffer, 40)) == list(range(21, 41))
    buffer.rewind()
    assert numbers(take_all(buffer, 21))[0] == 21
    buffer.rewind()  # in the middle of re-reading
    assert numbers(take_all(buffer, 40)) == list(range(21, 41))
    buffer.rewind()
    buffer.put(event(41))
    assert numbers(take_all(buffer, 41)) == list(range(21, 42))


def test_a_finished_buffer_accepts_nothing_and_returns_what_it_has(buffer: Buffer) -> None:
    buffer.put(event(1))
    buffer.finish()
    assert not buffer.put(event(2))
    assert not buffer.exhausted
    assert numbers(take_all(buffer, 1)) == [1]
    for _ in range(PATIENCE_S * 100):
        if buffer.exhausted:
            break
        assert buffer.take(0.01) is None
    assert buffer.exhausted
    buffer.rewind()
    assert not buffer.exhausted
    assert numbers(take_all(buffer, 1)) == [1]


def test_the_memory_buffer_accepts_a_batch_and_then_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = MemoryBuffer(0, lambda: 7)
    held = threading.Event()
    put: list[int] = []

    def fill() -> None:
        for number in range(1, 100):
            if not buffer.put(event(number, size=100_000)):
                break
            put.append(number)
        held.set()

    thread = threading.Thread(target=fill)
    thread.start()
    until(lambda: len(put) == 11)
    assert not held.wait(0.1)  # blocked: a wrong event would arrive at once
    assert buffer.backlog()[1] <= segments_module.SEGMENT_BYTES
    assert len(put) == 11
    buffer.finish()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert len(put) == 12  # the waiting one had been received
    assert numbers(take_all(buffer, 12)) == put
    assert buffer.exhausted


# --- the spool


def test_a_slow_reader_gets_everything_from_disk_with_little_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "RECENT_BYTES", 5_000)
    spool = Spool(tmp_path, 64 * MEGABYTE, lambda: 7)
    most = 0
    for number in range(1, 1_001):
        spool.put(event(number, size=10_000))
        most = max(most, spool._recent_bytes)
    assert numbers(take_all(spool, 1_000)) == list(range(1, 1_001))
    assert 0 < most <= 5_000 + 1.1 * MEGABYTE  # plus one batch, as batches are never cut
    assert spool._recent_bytes == 0
    spool.close()


def test_a_full_spool_blocks_until_kafka_takes_some(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MEGABYTE, lambda: 7)
    put: list[int] = []
    thread = threading.Thread(
        target=lambda: [put.append(number) for number in range(1, 2_001) if spool.put(event(number, size=2_000))]
    )
    thread.start()
    for _ in range(PATIENCE_S * 100):
        if spool.problem:
            break
        thread.join(0.01)
    assert "PRODUCER_SPOOL_MAX_MB=1" in spool.problem
    on_disk = sum(path.stat().st_size for path in tmp_path.glob("*.spool"))
    assert MEGABYTE <= on_disk < 2.2 * MEGABYTE
    found: list[EventBatch] = []
    while not found or found[-1].last < 2_000:
        if (some := spool.take(0.01)) is not None:
            found.append(some)
            spool.confirm(some.last)
            spool.forget(some.last)
    thread.join(PATIENCE_S)
    assert numbers(found) == put == list(range(1, 2_001))
    assert spool.problem == ""
    spool.close()


def test_one_batch_larger_than_the_whole_spool_gets_through(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MEGABYTE, lambda: 7)
    for number in (1, 2, 3):
        spool.put(event(number, size=3 * MEGABYTE))
        found = take_all(spool, number)
        assert numbers(found) == [number]
        spool.confirm(number)
        spool.forget(number)
    spool.close()


def test_a_temporarily_full_disk_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "_RETRY_S", 0.01)
    spool = Spool(tmp_path, MEGABYTE, lambda: 7)
    append, failures = spool._segments.append, iter(range(5))

    def sometimes(some: EventBatch) -> None:
        if next(failures, None) is not None:
            raise OSError(28, "No space left on device")
        append(some)

    monkeypatch.setattr(spool._segments, "append", sometimes)
    for number in range(1, 11):
        spool.put(event(number))
    assert numbers(take_all(spool, 10)) == list(range(1, 11))
    assert spool.problem == ""
    spool.close()


def test_a_nearly_full_disk_counts_as_a_full_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=63 * MEGABYTE))
    spool = Spool(tmp_path, 64 * MEGABYTE, lambda: 7)
    spool.put(event(1))
    assert numbers(take_all(spool, 1)) == [1], "an empty spool accepts a batch"
    spool.put(event(2))
    until(lambda: spool.problem)
    assert spool.problem == f"the disk of {tmp_path} is full (63 MiB left), receiving has stopped"
    assert spool.take(0) is None
    spool.confirm(1)
    spool.forget(1)
    assert numbers(take_all(spool, 2)) == [2]
    assert spool.problem == ""
    spool.close()


def test_a_dead_writer_is_reported(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MEGABYTE, lambda: 7)
    spool.put(Event("post", b"1", b"{}", 1 << 70))  # not a MessagePack integer
    for _ in range(PATIENCE_S * 100):
        try:
            spool.take(0.01)
        except OverflowError:
            break
    else:
        pytest.fail("nothing was raised")
    assert not spool.put(event(2))
    spool.close()


def test_a_second_process_is_rejected(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MEGABYTE, lambda: 7)
    with pytest.raises(RetryableError, match="another producer uses"):
        Spool(tmp_path, MEGABYTE, lambda: 7)
    spool.close()
    Spool(tmp_path, MEGABYTE, lambda: 7).close()


def test_the_source_resumes_at_the_newest_record_unless_it_was_forgotten(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MEGABYTE, lambda: 7)
    assert spool.recovered.newest is None
    for number in (1, 2):
        spool.put(event(number))
    spool.close()
    spool = Spool(tmp_path, MEGABYTE, lambda: 7)
    assert spool.recovered.newest is not None
    assert spool.recovered.newest.events[-1].cursor == "host 2"
    assert (spool.recovered.forgotten, spool.recovered.last) == (0, 2)
    take_all(spool, 2)
    spool.confirm(2)
    spool.forget(2)
    spool.close()
    spool = Spool(tmp_path, MEGABYTE, lambda: 7)
    assert spool.recovered.newest is None
    spool.close()


class SpoolMachine(RuleBasedStateMachine):
    """Append, take, acknowledge, rewind, reopen and tear in any order, compared with a list."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="spool-"))
        self.put = self.confirmed = self.forgotten = self.taken = 0
        self.spool = self._open()

    def _open(self) -> Spool:
        # small segments, so that they come and go; a window of a few batches, so that the reader falls behind
        spool_module.RECENT_BYTES = 600
        segments_module.SEGMENT_BYTES = vars(spool_module)["SEGMENT_BYTES"] = 400
        return Spool(self.folder, 64 * MEGABYTE, lambda: 7)

    @rule(count=st.integers(1, 40), size=st.integers(0, 100), written=st.booleans())
    def append(self, count: int, size: int, written: bool) -> None:
        for _ in range(count):
            self.put += 1
            assert self.spool.put(event(self.put, size))
        deadline = time.monotonic() + PATIENCE_S
        while written and self.spool._segments.last < self.put:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    @rule()
    def take(self) -> None:
        some = self.spool.take(0.001)
        if some is not None:
            assert some.first == self.taken + 1
            assert numbers([some]) == list(range(some.first, some.last + 1))
            self.taken = some.last

    @rule(share=st.floats(0, 1))
    def confirm(self, share: float) -> None:
        self.confirmed += int((self.taken - self.confirmed) * share)
        self.spool.confirm(self.confirmed)

    @rule()
    def forget(self) -> None:
        self.forgotten = self.confirmed
        self.spool.forget(self.forgotten)

    @rule()
    def rewind(self) -> None:
        self.spool.rewind()
        self.taken = self.confirmed

    @rule(torn=st.binary(max_size=60))
    def reopen(self, torn: bytes) -> None:
        """Crash in the middle of a write, after everything was written and before more was forgotten."""
        self.spool.close()
        newest = max(self.folder.glob("*.spool"), default=None)
        if newest is not None and torn:
            with newest.open("ab") as file:
                file.write(encode(batch(self.put + 1, self.put + 9, 50))[: len(torn)])
        self.spool = self._open()
        self.confirmed = self.taken = self.forgotten

    @rule()
    def take_all(self) -> None:
        if self.put == self.taken:  # not a precondition: how much one `take` returns depends on timing
            return
        assert numbers(take_all(self.spool, self.put)) == list(range(self.taken + 1, self.put + 1))
        self.taken = self.put

    @invariant()
    def backlog_is_what_is_not_confirmed(self) -> None:
        # for a moment, a batch between the intake and the disk is in neither
        assert self.spool.backlog()[0] <= self.put - self.confirmed

    def teardown(self) -> None:
        with suppress(OSError):
            self.spool.close()
        shutil.rmtree(self.folder)


SpoolMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=25)


class TestSpoolMachine(SpoolMachine.TestCase):  # type: ignore[misc, valid-type]  # made by hypothesis
    @pytest.fixture(autouse=True)
    def restored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (spool_module, segments_module):
            monkeypatch.setattr(module, "SEGMENT_BYTES", module.SEGMENT_BYTES)
        monkeypatch.setattr(spool_module, "RECENT_BYTES", spool_module.RECENT_BYTES)
