"""From source to Kafka: the position never gets ahead of the acknowledgements, and an outage is survived."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from threading import Event as Flag

import pytest
from kafka.errors import TopicAuthorizationFailedError

from producer.buffering import spool as spool_module
from producer.buffering.buffer import Buffer, MemoryBuffer, Recovered
from producer.buffering.spool import Spool
from producer.feed import Feed, resume
from producer.position import PositionFile, SourcePosition
from producer.sending import publisher as publisher_module
from producer.sending.publisher import Confirmed, KafkaPublisher
from producer.service import ProducerService
from producer.source import Context, Event
from producer.testing import FakeKafka
from tests.fakes.script import nothing_left_behind
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError
from twitter_topics.records.gap import Gap
from twitter_topics.settings import Settings

SETTINGS = Settings({}).kafka
PATIENCE_S = 20
MEGABYTE = 1 << 20
FULL = OSError(28, "No space left on device")


class ListSource:
    """Numbers after its cursor up to `size`; waits there for `stop` when it is live. Calls `at[n]` after number n.

    A live one has received the numbers up to `received` before a stop.
    """

    name = "list"

    def __init__(self, start: SourcePosition, size: int, context: Context, live: bool = False) -> None:
        self.start = start
        self.live = live
        self.closed = False
        self.received = 0
        self.at: dict[int, Callable[[], object]] = {}
        self.checked: Callable[[], str] = lambda: "there"
        self._size = size
        self._context = context

    def check(self) -> str:
        return self.checked()

    def events(self) -> Iterator[Event | None]:
        for number in range(int(self.start.cursor) + 1, self._size + 1):
            if self.live and self._context.stop.is_set() and number > self.received:
                return
            yield Event("post", str(number).encode(), b"{}", number * 1000, number)
            self.at.get(number, lambda: None)()
            yield None
        while self.live and not self._context.wait(0.01):
            yield None

    def close(self) -> None:
        self.closed = True


class Reports:
    """Records the service's reports."""

    def __init__(self) -> None:
        self.records = 0
        self.said: list[tuple[str, str]] = []

    def add(self, confirmed: Confirmed) -> None:
        self.records += confirmed.records

    def report_if_due(self) -> None:
        """Do nothing: time does not matter here."""

    def report(self, state: str, error: str = "") -> None:
        self.said.append((state, error))


class Run:
    """One run of the producer in `folder`, with everything around it replaced."""

    def __init__(
        self,
        folder: Path,
        *connections: FakeKafka | Exception,
        size: int = 10,
        live: bool = False,
        limit: int = 0,
        identity: SourcePosition | None = None,
    ) -> None:
        self.stop = Flag()
        self.waits: list[float] = []
        self.context = Context(stop=self.stop, now_ms=lambda: 5, pause=self._pause)
        self.file = PositionFile(folder, "list")
        self.saved = self.file.load() or SourcePosition({"of": "test"})
        self.connections = list(connections)
        self.kafka = next((some for some in connections if isinstance(some, FakeKafka)), FakeKafka())
        spool = Spool(folder / "spool", 1 << 20, lambda: 5, self.saved.number) if live else None

        def open_at(position: SourcePosition | None) -> ListSource:
            return ListSource(identity or position or self.saved, size, self.context, live)

        source, begin = resume(self.file.load(), spool.recovered if spool else Recovered(), open_at)
        assert isinstance(source, ListSource)
        self.source = source
        self.buffer: Buffer = spool or MemoryBuffer(begin.position.count, lambda: 5)
        self.feed = Feed(source, self.buffer, begin)
        self.reports = Reports()
        self.service = ProducerService(self.feed, self._connect, self.file, self.reports, self.context, limit=limit)

    def follow(self) -> str:
        with self.feed:
            return self.service.run()

    def position(self) -> SourcePosition:
        position = self.file.load()
        assert position is not None
        return position

    def _connect(self) -> KafkaPublisher:
        given = self.connections.pop(0) if len(self.connections) > 1 else self.connections[0]
        if isinstance(given, Exception):
            raise given
        return KafkaPublisher(given, SETTINGS, "list")

    def _pause(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return self.stop.wait(min(seconds, 0.01))


def sent(*kafkas: FakeKafka) -> list[int]:
    return [int(key) for kafka in kafkas for key in kafka.keys("raw_tweets")]


def outcome(run: Run) -> str:
    """Return why a run ended, or the error that it died of."""
    try:
        return run.follow()
    except (OSError, RetryableError) as error:
        return f"{type(error).__name__}: {error}"


def test_the_end_of_the_source_is_finished_and_saved(tmp_path: Path) -> None:
    run = Run(tmp_path, kafka := FakeKafka())
    assert run.follow() == "finished"
    assert sent(kafka) == list(range(1, 11))
    assert run.position() == SourcePosition({"of": "test"}, {}, count=10, number=10, cursor=10, event_time_ms=10_000)
    assert run.source.closed
    assert run.reports.records == 10
    assert run.reports.said == [("running", ""), ("finished", "")]


@pytest.mark.parametrize("live", [False, True])
def test_a_stop_sends_what_is_buffered_and_a_start_resumes(tmp_path: Path, live: bool) -> None:
    kafka = FakeKafka()
    first = Run(tmp_path, kafka, live=live)
    first.source.at[4] = first.stop.set
    assert first.follow() == "stopped"
    assert first.position().count == first.position().cursor == 4
    second = Run(tmp_path, kafka, live=live)
    second.source.at[10] = second.stop.set
    second.follow()
    assert sent(kafka) == list(range(1, 11))
    assert second.position().count == 10
    assert list(tmp_path.rglob("*.spool")) == []


def test_a_stop_loses_nothing_that_a_live_source_has_received(tmp_path: Path) -> None:
    first = Run(tmp_path, RetryableError("no Kafka broker answers"), live=True, size=8)
    first.source.received = 8
    first.source.at[4] = first.stop.set
    assert first.follow() == "stopped"
    second = Run(tmp_path, kafka := FakeKafka(), live=True, size=0)
    threading.Timer(0.0, lambda: _when(lambda: len(sent(kafka)) == 8, second.stop.set)).start()
    second.follow()
    assert sent(kafka) == list(range(1, 9))


def test_a_live_source_that_does_not_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer.service._SOURCE_S", 0.1)
    run = Run(tmp_path, kafka := FakeKafka(), live=True, size=10**9)
    run.source.received = 10**9
    run.source.at[4] = run.stop.set
    assert run.follow() == "stopped"
    assert run.source.closed
    assert len(sent(kafka)) >= 4
    assert sent(kafka) == list(range(1, run.position().count + 1))


def test_the_limit_counts_earlier_runs(tmp_path: Path) -> None:
    kafka = FakeKafka()
    assert Run(tmp_path, kafka, limit=7).follow() == "finished"
    assert Run(tmp_path, kafka, limit=7).follow() == "finished"
    assert sent(kafka) == list(range(1, 8))


@pytest.mark.parametrize("fail_at", [0, 1, 5, 9])
@pytest.mark.parametrize("live", [False, True])
def test_after_a_failed_delivery_a_new_client_resumes_at_the_first_missing_record(
    tmp_path: Path, fail_at: int, live: bool
) -> None:
    broken, mended = FakeKafka(acknowledge=False, fail_at=fail_at), FakeKafka()
    run = Run(tmp_path, broken, mended, live=live, limit=10)
    assert run.follow() == "finished"
    assert broken.closed == mended.closed == 1
    assert run.position().cursor == 10
    assert run.reports.records == 10
    arrived = sent(broken)[:fail_at] + sent(mended)
    assert sorted(set(arrived)) == list(range(1, 11))
    assert sent(mended) == list(range(sent(mended)[0], 11))  # in order, without holes


def test_during_a_kafka_outage_the_source_is_followed_and_health_reports_it(tmp_path: Path) -> None:
    down = RetryableError("no Kafka broker answers at x:1")
    kafka = FakeKafka()
    run = Run(tmp_path, *[down] * 9, kafka, live=True, limit=10)
    assert run.follow() == "finished"
    assert sent(kafka) == list(range(1, 11))
    assert run.waits == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0, 10.0]


def test_a_stop_during_a_kafka_outage_leaves_everything_in_the_spool(tmp_path: Path) -> None:
    first = Run(tmp_path, RetryableError("no Kafka broker answers"), live=True)
    first.source.at[10] = first.stop.set
    assert first.follow() == "stopped"
    assert first.position().count == 0
    second = Run(tmp_path, kafka := FakeKafka(), live=True)
    assert second.buffer.backlog()[0] == second.source.start.cursor == 10
    threading.Timer(0.0, lambda: _when(lambda: len(sent(kafka)) == 10, second.stop.set)).start()
    second.follow()
    assert sent(kafka) == list(range(1, 11))
    assert second.position().count == second.position().cursor == 10


def _when(reached: Callable[[], bool], then: Callable[[], None]) -> None:
    waiting = Flag()
    for _ in range(PATIENCE_S * 100):
        if reached():
            break
        waiting.wait(0.01)
    then()


def test_the_saved_cursor_is_never_ahead_of_what_is_acknowledged(tmp_path: Path) -> None:
    first = Run(tmp_path, RetryableError("no Kafka broker answers"), live=True)
    first.source.at[10] = first.stop.set
    first.follow()
    second = Run(tmp_path, RetryableError("still none"), live=True, size=20)
    second.source.at[20] = second.stop.set
    second.follow()
    assert second.source.start.cursor == 10
    assert second.position().cursor == 0


def test_spooled_cursors_of_another_stream_are_ignored(tmp_path: Path) -> None:
    first = Run(tmp_path, RetryableError("no Kafka broker answers"), live=True)
    first.source.at[10] = first.stop.set
    first.follow()
    other = Run(tmp_path, kafka := FakeKafka(), live=True, size=0, identity=SourcePosition({"of": "another"}))
    threading.Timer(0.0, lambda: _when(lambda: len(sent(kafka)) == 10, other.stop.set)).start()
    other.follow()
    assert sent(kafka) == list(range(1, 11))
    assert other.position() == SourcePosition({"of": "another"}, count=10, number=10, event_time_ms=10_000)


def test_waiting_is_reported_once_and_cleared(tmp_path: Path) -> None:
    hold = Flag()
    kafka = FakeKafka()
    run = Run(tmp_path, RetryableError("no broker"), kafka)

    def pause(seconds: float) -> bool:
        run.waits.append(seconds)
        return hold.wait(PATIENCE_S) and run.stop.is_set()

    object.__setattr__(run.context, "pause", pause)
    said = run.reports.report

    def report(state: str, error: str = "") -> None:
        said(state, error)
        if state == "waiting":
            hold.set()

    run.reports.report = report  # type: ignore[method-assign]
    assert run.follow() == "finished"
    assert run.reports.said[:2] == [("running", ""), ("waiting", "no broker")]
    assert run.reports.said[-1] == ("finished", "")


def test_a_permanent_rejection_by_kafka_ends_it_and_keeps_received_posts(tmp_path: Path) -> None:
    kafka = FakeKafka(fail_at=0, error=TopicAuthorizationFailedError("raw_tweets"))
    run = Run(tmp_path, kafka, live=True)
    with pytest.raises(ConfigurationError, match="TopicAuthorizationFailedError"):
        run.follow()
    assert run.reports.said[-1][0] == "failed"
    assert run.position().count == 0
    assert Spool(tmp_path / "spool", 1 << 20, lambda: 5).backlog()[0] > 0


@pytest.mark.parametrize("error", [ConfigurationError("wrong key"), IntegrityError("fewer lines"), ZeroDivisionError()])
def test_a_failing_source_is_reported_after_sending_its_posts(tmp_path: Path, error: Exception) -> None:
    def fail() -> None:
        raise error

    run = Run(tmp_path, kafka := FakeKafka(acknowledge=False))
    run.source.at[4] = fail
    with pytest.raises(type(error)):
        run.follow()
    assert sent(kafka) == [1, 2, 3, 4]
    assert run.position().cursor == 4
    assert run.source.closed
    assert run.reports.said[-1][0] == "failed"


def test_a_rejected_check_ends_it_and_an_unanswered_one_does_not(tmp_path: Path) -> None:
    def rejected() -> str:
        raise ConfigurationError("X_BEARER_TOKEN is wrong")

    def silent() -> str:
        raise RetryableError("no answer")

    run = Run(tmp_path / "a", FakeKafka())
    run.source.checked = rejected
    with pytest.raises(ConfigurationError):
        run.follow()
    run = Run(tmp_path / "b", kafka := FakeKafka())
    run.source.checked = silent
    assert run.follow() == "finished"
    assert len(sent(kafka)) == 10


def test_a_crash_between_acknowledgement_and_saving_only_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def power_cut(_: PositionFile, position: SourcePosition) -> None:
        if position.count:
            raise KeyboardInterrupt

    kafka = FakeKafka()
    with monkeypatch.context() as patch:
        patch.setattr(PositionFile, "save", power_cut)
        with pytest.raises(KeyboardInterrupt):
            Run(tmp_path, kafka).follow()
    before = len(sent(kafka))
    assert before > 0
    Run(tmp_path, kafka).follow()
    assert sorted(set(sent(kafka))) == list(range(1, 11))
    assert len(sent(kafka)) == before + 10


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("failing", [range(3), range(1, 4)])
def test_while_the_disk_is_full_sending_goes_on_and_the_position_is_saved_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live: bool, failing: range
) -> None:
    monkeypatch.setattr("producer.service.TICK_S", 0.01)
    save, saves = PositionFile.save, count()

    def sometimes(file: PositionFile, position: SourcePosition) -> None:
        if next(saves) in failing:
            raise FULL
        save(file, position)

    monkeypatch.setattr(PositionFile, "save", sometimes)
    run = Run(tmp_path, kafka := FakeKafka(), live=live, limit=10)
    assert outcome(run) == "finished"
    assert sent(kafka) == list(range(1, 11))
    assert run.position().count == run.position().cursor == 10
    assert run.reports.records == 10
    waiting = [said for state, said in run.reports.said if state == "waiting"]
    assert waiting
    assert all(str(tmp_path) in said and "No space left" in said for said in waiting)
    assert run.reports.said[-1] == ("finished", "")
    assert list(tmp_path.rglob("*.spool")) == []


def test_what_the_saved_position_does_not_cover_stays_in_the_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: PositionFile, position: SourcePosition) -> None:
        raise FULL

    monkeypatch.setattr("producer.service.STOP_S", 0.1)
    kafka = FakeKafka()
    with monkeypatch.context() as patch:
        patch.setattr(PositionFile, "save", full)
        first = Run(tmp_path, kafka, live=True, limit=10)
        assert outcome(first).startswith(f"RetryableError: cannot save in {tmp_path} what Kafka has acknowledged")
    assert first.reports.said[-1][0] == "failed"
    assert sent(kafka) == list(range(1, 11))
    assert Run(tmp_path, kafka, live=True, limit=10).follow() == "finished"
    assert sent(kafka) == [*range(1, 11), *range(1, 11)], "repeated, not lost"


def test_a_spool_that_cannot_forget_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer.service.TICK_S", 0.01)
    run = Run(tmp_path, FakeKafka(), live=True, limit=10)
    forget, asked = run.buffer.forget, count()

    def sometimes(number: int) -> None:
        if next(asked) < 3:
            raise FULL
        forget(number)

    monkeypatch.setattr(run.buffer, "forget", sometimes)
    assert outcome(run) == "finished"
    assert list(tmp_path.rglob("*.spool")) == []


def test_a_gap_is_handed_on_before_the_position_after_it_is_saved(tmp_path: Path) -> None:
    gap = Gap("list", 1, 2, "network", 3)
    run = Run(tmp_path, kafka := FakeKafka(), size=0)
    run.source.events = lambda: iter([Event("gap", gap.key(), gap.value(), 1, 7)])  # type: ignore[method-assign]
    at_gap: list[SourcePosition] = []
    run.service._on_gap = lambda _: at_gap.append(run.position())
    run.follow()
    assert kafka.keys("source_gaps") == [gap.key()]
    assert [position.cursor for position in at_gap] == [0]
    assert run.position().cursor == 7


def test_the_position_records_when_the_source_was_alive_even_without_records(tmp_path: Path) -> None:
    run = Run(tmp_path, FakeKafka(), size=0)
    run.context.status.alive_ms, run.context.status.rate = 77, 1.5
    run.follow()
    assert (run.position().alive_ms, run.position().rate, run.position().count) == (77, 1.5, 0)


def test_without_acknowledgements_memory_is_bounded_and_reading_stops_at_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "RECENT_BYTES", MEGABYTE)
    monkeypatch.setattr(publisher_module, "MAX_UNCONFIRMED_BYTES", MEGABYTE)
    dead = FakeKafka(dead=True)
    run = Run(tmp_path, dead, live=True)
    read: list[int] = []

    def posts() -> Iterator[Event]:
        for number in range(1, 10_001):
            if run.stop.is_set():
                return
            read.append(number)
            yield Event("post", str(number).encode(), b"v" * 10_000, number, number)

    run.source.events = posts  # type: ignore[method-assign]
    spool = run.buffer
    assert isinstance(spool, Spool)
    spool._max_bytes = 8 * MEGABYTE
    said: list[str] = []
    held: list[int] = []

    def report(state: str, error: str = "") -> None:
        said.append(error)
        if "spool is full" in error:
            held.append(len(read))
            threading.Timer(0.3, run.stop.set).start()

    run.reports.report = report  # type: ignore[method-assign]
    monkeypatch.setattr("producer.service.TICK_S", 0.05)
    monkeypatch.setattr("producer.service.STOP_S", 0.1)
    monkeypatch.setattr("producer.service._SOURCE_S", 0.1)
    assert run.follow() == "stopped"
    assert any("PRODUCER_SPOOL_MAX_MB" in sentence for sentence in said)
    most = 8 + 1 + 1  # the spool, the batch being written to it, the batch being filled
    assert 700 < held[0] <= len(read) <= most * MEGABYTE / 10_000 + 200
    sent_bytes = sum(len(value) for _, _, value, _ in dead.records)
    assert sent_bytes <= 2.2 * MEGABYTE
    assert spool._recent_bytes <= 2.2 * MEGABYTE
    on_disk = sum(path.stat().st_size for path in (tmp_path / "spool").glob("*.spool"))
    assert on_disk <= (most + 1) * MEGABYTE
    assert Spool(tmp_path / "spool", MEGABYTE, lambda: 5).backlog()[0] == len(read)


def test_no_thread_is_left(tmp_path: Path) -> None:
    with nothing_left_behind():
        Run(tmp_path, FakeKafka(), live=True, limit=10).follow()


def test_a_saved_position_counts_only_in_its_own_stream() -> None:
    saved = SourcePosition({"url": "a"}, count=3, cursor="x")
    assert SourcePosition.of_stream({"url": "a"}, saved) is saved
    assert SourcePosition.of_stream({"url": "b"}, saved) == SourcePosition({"url": "b"})
    assert SourcePosition.of_stream({"url": "a"}, None) == SourcePosition({"url": "a"})


def test_position_survives_and_a_broken_file_is_rejected(tmp_path: Path) -> None:
    file = PositionFile(tmp_path / "new", "x")
    assert file.load() is None
    position = SourcePosition(
        {"seed": 1}, {"begin_ms": 5}, count=3, number=4, cursor="host 9", event_time_ms=9, alive_ms=8, rate=0.5
    )
    file.save(position)
    assert file.load() == position
    assert [path.name for path in file.path.parent.iterdir()] == ["x.json"]
    for broken in ("", "[]", '{"count": 1}', "{"):
        file.path.write_text(broken)
        with pytest.raises(IntegrityError, match=r"x\.json is not a position"):
            file.load()
