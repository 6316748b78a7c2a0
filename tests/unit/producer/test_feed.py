"""Where a run begins, from the saved position and the records left in the buffer; and who closes source and buffer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from producer import feed as feed_module
from producer.buffering.buffer import EventBatch, MemoryBuffer, Recovered
from producer.buffering.spool import Spool
from producer.feed import Feed, Resumption, resume
from producer.position import SourcePosition
from producer.source import Context, Event
from producer.testing import settings_of
from twitter_topics.errors import ConfigurationError, RetryableError

SAVED = SourcePosition({"of": "test"}, count=3, number=7, cursor="a 3", alive_ms=50)
OTHER = SourcePosition({"of": "another"}, cursor="b 0")
POSTS = [Event("post", b"4", b"{}", 1, "a 4"), Event("gap", b"g", b"{}", 1)]
LEFT = Recovered(7, 9, EventBatch(8, 9, 70, POSTS))


class StubSource:
    name, live = "stub", True

    def __init__(self, start: SourcePosition | None) -> None:
        self.start = start or SourcePosition({"of": "test"})
        self.closed = 0

    def check(self) -> str:
        return "there"

    def events(self) -> Iterator[Event | None]:
        yield from ()

    def close(self) -> None:
        self.closed += 1


def begin(saved: SourcePosition | None, recovered: Recovered, other: SourcePosition | None = None) -> Resumption:
    return resume(saved, recovered, lambda position: StubSource(other or position))[1]


@pytest.mark.parametrize(
    ("saved", "recovered", "expected"),
    [
        (SAVED, LEFT, replace(SAVED, cursor="a 4", alive_ms=70)),
        (SAVED, Recovered(7, 8, EventBatch(8, 8, 40, POSTS[1:])), SAVED),
        (SAVED, Recovered(7, 7), SAVED),
        (None, LEFT, SourcePosition({"of": "test"})),
    ],
)
def test_the_source_starts_after_the_records_in_the_buffer(
    saved: SourcePosition | None, recovered: Recovered, expected: SourcePosition
) -> None:
    assert resume(saved, recovered, StubSource)[0].start == expected


def test_the_position_is_what_kafka_acknowledged() -> None:
    assert begin(SAVED, LEFT) == Resumption(replace(SAVED, alive_ms=70), received=5, foreign=0)
    assert begin(SAVED, Recovered(7, 7)) == Resumption(SAVED, received=3, foreign=0)
    assert begin(None, Recovered()) == Resumption(SourcePosition({"of": "test"}), received=0, foreign=0)


def test_records_of_another_stream_are_sent_without_their_cursors() -> None:
    assert begin(SAVED, LEFT, OTHER) == Resumption(replace(OTHER, number=7), received=2, foreign=9)
    assert begin(None, LEFT) == Resumption(SourcePosition({"of": "test"}), received=2, foreign=9)


class StubClass:
    """A source class; opening fails with `error` if given."""

    def __init__(self, live: bool, error: Exception | None = None) -> None:
        self.live, self.error = live, error

    def open(self, *_: object) -> StubSource:
        if self.error is not None:
            raise self.error
        return StubSource(None)


def opened(monkeypatch: pytest.MonkeyPatch, folder: Path, source: StubClass) -> Feed:
    monkeypatch.setattr(feed_module, "source_class", lambda _: source)
    monkeypatch.setattr(feed_module, "open_source", lambda *given: source.open(*given))
    return Feed.open(settings_of(state_dir=folder), "stub", None, Context())


def test_a_live_source_gets_a_spool_and_any_other_a_buffer_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(monkeypatch, tmp_path, StubClass(live=True)) as live:
        assert isinstance(live.buffer, Spool)
    with opened(monkeypatch, tmp_path, StubClass(live=False)) as other:
        assert isinstance(other.buffer, MemoryBuffer)


def test_leaving_the_feed_closes_source_and_spool_whatever_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = StubClass(live=True)
    feed = opened(monkeypatch, tmp_path, source)
    with pytest.raises(RetryableError, match="another producer uses"), feed:
        opened(monkeypatch, tmp_path, source)
    assert isinstance(feed.source, StubSource)
    assert feed.source.closed == 1
    opened(monkeypatch, tmp_path, source).__exit__()


def test_a_source_that_cannot_be_opened_leaves_the_spool_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="no token"):
        opened(monkeypatch, tmp_path, StubClass(True, ConfigurationError("no token")))
    opened(monkeypatch, tmp_path, StubClass(live=True)).__exit__()


def test_a_spool_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spool").write_text("")
    with pytest.raises(RetryableError, match=f"cannot open the spool in {tmp_path}"):
        opened(monkeypatch, tmp_path, StubClass(live=True))
