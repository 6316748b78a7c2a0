"""Replay from failing stores, with test doubles and a clock that advances only by waiting."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import FlexibleChecksumError, ResponseStreamingError

from producer.position import SourcePosition
from producer.source import Context
from producer.sources.replay import archive, objects
from producer.sources.replay.archive import ArchivedTweets
from producer.sources.replay.material import StoppedError
from producer.sources.replay.objects import ObjectReader
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError

EARLY, LATE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


class Middle:
    """Randomness that always returns the middle."""

    def random(self) -> float:
        return 0.5


class Waits:
    """Records the waits; asks to stop after a number of them."""

    def __init__(self, stop_after: int = 1_000) -> None:
        self.seconds: list[float] = []
        self._stop_after = stop_after
        self.context = Context(pause=self._pause, random=Middle())  # type: ignore[arg-type]

    def _pause(self, seconds: float) -> bool:
        self.seconds.append(seconds / 1.125)  # without the jitter
        if len(self.seconds) >= self._stop_after:
            self.context.stop.set()
        return self.context.stop.is_set()


class Body:
    """A store's response: chunks, then an error or the end."""

    def __init__(self, *steps: bytes | Exception) -> None:
        self._steps = iter(steps)
        self.closed = False

    def read(self, _: int) -> bytes:
        step = next(self._steps, b"")
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        self.closed = True


def download(answers: list[Any], size: int, context: Context) -> tuple[list[bytes], list[int]]:
    """Return the chunks from these responses, and the offsets requested from the store."""
    places: list[int] = []

    def body(offset: int) -> Any:
        places.append(offset)
        answer = answers[len(places) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return [chunk for chunk in ObjectReader(body, size, context).chunks() if chunk is not None], places


def broken() -> Exception:
    return ResponseStreamingError(error="reset")


def test_a_download_resumes_where_it_broke_with_growing_waits() -> None:
    waits = Waits()
    down = RetryableError("down")
    answers = [down, down, Body(b"abc", broken()), down, Body(broken()), Body(b"de"), Body(b"f")]
    assert download(answers, 6, waits.context) == ([b"abc", b"de", b"f"], [0, 0, 0, 3, 3, 3, 5])
    assert waits.seconds == pytest.approx([0.25, 0.5, 0.25, 0.5, 0.75, 0.25])
    assert all(answer.closed for answer in answers if isinstance(answer, Body))
    assert waits.context.status.reconnects == {"network": 6}


def test_waits_for_a_store_are_bounded() -> None:
    waits = Waits()
    download([*[RetryableError("down")] * 80, Body(b"a")], 1, waits.context)
    assert len(waits.seconds) == 80
    assert max(waits.seconds) == pytest.approx(16)


@pytest.mark.parametrize("error", [ConfigurationError("no access"), IntegrityError("changed")])
def test_a_fatal_error_comes_after_everything_read(error: Exception) -> None:
    waits = Waits()
    got: list[bytes] = []
    answers = iter([Body(b"abc", broken()), error])

    def body(_: int) -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(type(error), match=str(error)):
        got.extend(chunk for chunk in ObjectReader(body, 9, waits.context).chunks() if chunk is not None)
    assert got == [b"abc"]


def test_a_damaged_object_is_not_requested_again() -> None:
    damaged = FlexibleChecksumError(error_msg="crc32")
    with pytest.raises(IntegrityError, match="damaged in transit"):
        download([Body(b"abc", damaged)], 3, Waits().context)


def test_a_stop_ends_the_wait_for_a_store() -> None:
    waits = Waits(stop_after=2)
    with pytest.raises(StoppedError):
        download([RetryableError("down")] * 9, 3, waits.context)
    assert len(waits.seconds) == 2


def test_reading_ahead_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "AHEAD_BYTES", 1000)
    reads, enough = 0, threading.Event()

    class Endless(Body):
        def read(self, _: int) -> bytes:
            nonlocal reads
            reads += 1
            if reads == 5000:
                enough.set()
            return b"x" * 100

    chunks = ObjectReader(lambda _: Endless(), 10**9, Context()).chunks()
    while next(chunks) is None:
        pass
    assert not enough.wait(0.2)  # an unbounded reader would finish at once
    chunks.close()  # type: ignore[attr-defined]
    for thread in threading.enumerate():
        if thread.name == "replay-download":
            thread.join(10)
            assert not thread.is_alive()
    assert reads < 5000


class Faltering(ArchivedTweets):
    """An empty archive whose store fails several times before each response."""

    failures = 0

    def _rows_per_hour(self, _: Any) -> dict[datetime, int]:
        self.failures -= 1
        if self.failures >= 0:
            raise RetryableError("the archive's catalog does not answer")
        return {EARLY: 1, EARLY + timedelta(hours=1): 2}

    def _read(self, *_: Any) -> dict[str, Any]:
        return archive._columns([], archive._COLUMNS)


def records(waits: Waits, failures: int) -> Iterator[Any]:
    material = Faltering(None, EARLY, LATE, waits.context)  # type: ignore[arg-type]
    material.failures = failures
    return material.records(SourcePosition({}, {"snapshot_id": 1, "opened_ms": 0}))


def test_an_unavailable_archive_is_waited_for() -> None:
    waits = Waits()
    assert [record for record in records(waits, 3) if record is not None] == []
    assert waits.seconds == pytest.approx([0.25, 0.5, 0.75])
    assert (waits.context.status.sentence, waits.context.status.connected) == ("", True)


def test_a_stop_ends_the_wait_for_the_archive() -> None:
    waits = Waits(stop_after=2)
    with pytest.raises(StoppedError):
        list(records(waits, 9))
    assert waits.context.status.sentence == "the archive's catalog does not answer"
