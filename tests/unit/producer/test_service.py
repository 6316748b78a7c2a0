"""From source to Kafka: the position never runs ahead of what was acknowledged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from producer.position import Position, PositionFile
from producer.progress import Progress
from producer.publisher import MAX_BYTES, Publisher
from producer.service import Service
from producer.source import SourceTweet
from producer.testing import FakeKafka
from twitter_topics.errors import IntegrityError, RetryableError
from twitter_topics.settings import Settings
from twitter_topics.store.health import read_health

SETTINGS = Settings({}).kafka


class ListSource:
    """`size` tweets, an idle moment after each; sets `stop` after `stop_after`."""

    name = "list"

    def __init__(self, start: Position, size: int, stop: Event | None = None, stop_after: int = 0) -> None:
        self.start = start
        self.closed = False
        self._size = size
        self._stop = stop
        self._stop_after = stop_after

    def tweets(self) -> Iterator[SourceTweet | None]:
        for number in range(self.start.count + 1, self._size + 1):
            yield SourceTweet(str(number).encode(), b"{}", number * 1000, number)
            if self._stop is not None and number == self._stop_after:
                self._stop.set()
            yield None

    def close(self) -> None:
        self.closed = True


def service(
    folder: Path, kafka: FakeKafka, source: ListSource, stop: Event | None = None, limit: int = 0, in_flight: int = 100
) -> Service:
    publisher = Publisher(kafka, SETTINGS, "list", lambda: 5, max_unconfirmed=in_flight)
    progress = Progress(folder / "health", source.start, now=lambda: 100.0)
    return Service(source, publisher, PositionFile(folder, "list"), progress, stop or Event(), limit)


def saved(folder: Path) -> Position:
    position = PositionFile(folder, "list").load()
    assert position is not None
    return position


def start(folder: Path) -> Position:
    return PositionFile(folder, "list").load() or Position({"of": "test"})


def sent(kafka: FakeKafka) -> list[int]:
    return [int(key) for key in kafka.keys("raw_tweets")]


def test_the_end_of_the_source_is_finished_and_saved(tmp_path: Path, fake_kafka: FakeKafka) -> None:
    source = ListSource(start(tmp_path), 10)
    assert service(tmp_path, fake_kafka, source).run() == "finished"
    assert sent(fake_kafka) == list(range(1, 11))
    assert saved(tmp_path) == Position({"of": "test"}, {}, count=10, event_time_ms=10_000)
    assert source.closed
    health = read_health(tmp_path / "health")["producer"]
    assert (health.ok, health.state, health.lag, health.restarts) == (True, "finished", 90, 0)


def test_stopping_keeps_everything_sent_and_goes_on_later(tmp_path: Path, fake_kafka: FakeKafka, stop: Event) -> None:
    source = ListSource(start(tmp_path), 10, stop, stop_after=4)
    assert service(tmp_path, fake_kafka, source, stop).run() == "stopped"
    assert saved(tmp_path).count == 4
    assert read_health(tmp_path / "health")["producer"].state == "stopped"
    service(tmp_path, fake_kafka, ListSource(start(tmp_path), 10)).run()
    assert sent(fake_kafka) == list(range(1, 11))


def test_the_limit_counts_earlier_runs(tmp_path: Path, fake_kafka: FakeKafka) -> None:
    assert service(tmp_path, fake_kafka, ListSource(start(tmp_path), 10), limit=7).run() == "finished"
    assert service(tmp_path, fake_kafka, ListSource(start(tmp_path), 10), limit=7).run() == "finished"
    assert sent(fake_kafka) == list(range(1, 8))


@pytest.mark.parametrize("fail_at", [0, 1, 5, 9])
@pytest.mark.parametrize("in_flight", [1, 3, 100])
def test_a_failed_delivery_leaves_no_gap(tmp_path: Path, fail_at: int, in_flight: int) -> None:
    broken = FakeKafka(acknowledge=False, fail_at=fail_at)
    source = ListSource(start(tmp_path), 10)
    with pytest.raises(RetryableError, match="KafkaTimeoutError: too late"):
        service(tmp_path, broken, source, in_flight=in_flight).run()
    assert source.closed
    assert saved(tmp_path).count <= fail_at
    health = read_health(tmp_path / "health")["producer"]
    assert (health.ok, health.state) == (False, "failed")

    mended = FakeKafka()
    service(tmp_path, mended, ListSource(start(tmp_path), 10)).run()
    arrived = sent(broken)[:fail_at] + sent(mended)
    assert sorted(set(arrived)) == list(range(1, 11))
    assert read_health(tmp_path / "health")["producer"].restarts == 1


def test_a_crash_between_acknowledgement_and_saving_only_repeats(
    tmp_path: Path, fake_kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    def power_cut(_: PositionFile, position: Position) -> None:
        if position.count:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PositionFile, "save", power_cut)
        interrupted = service(tmp_path, fake_kafka, ListSource(start(tmp_path), 10))
        with pytest.raises(KeyboardInterrupt):
            interrupted.run()
    before = len(sent(fake_kafka))
    assert before > 0
    service(tmp_path, fake_kafka, ListSource(start(tmp_path), 10)).run()
    assert sorted(set(sent(fake_kafka))) == list(range(1, 11))
    assert len(sent(fake_kafka)) == before + 10


def test_confirmation_stops_at_the_first_that_is_not_acknowledged() -> None:
    kafka = FakeKafka(acknowledge=False)
    publisher = Publisher(kafka, SETTINGS, "list", lambda: 5)
    for number in range(1, 5):
        publisher.send(SourceTweet(b"k", b"v", number, number))
    assert publisher.confirmed() is None
    for acknowledged in (0, 1, 3):
        kafka.futures[acknowledged].is_done = True
    assert publisher.confirmed() == (2, 2, 2)
    assert publisher.flush() == (4, 4, 2)
    assert publisher.flush() is None


def test_no_more_than_the_bound_is_unconfirmed() -> None:
    kafka = FakeKafka(acknowledge=False)
    publisher = Publisher(kafka, SETTINGS, "list", lambda: 5, max_unconfirmed=3)
    for number in range(1, 21):
        publisher.send(SourceTweet(b"k", b"v", None, number))
        assert sum(not future.is_done for future in kafka.futures) <= 3


def test_records_say_where_they_come_from_and_deletions_have_their_topic() -> None:
    kafka = FakeKafka()
    publisher = Publisher(kafka, SETTINGS, "list", lambda: 5)
    publisher.send(SourceTweet(b"1", b"{}", None, 1))
    publisher.send(SourceTweet(b"2", b"{}", None, 2, "deletion"))
    headers = [("source", b"list"), ("received_at", b"5")]
    assert kafka.records == [("raw_tweets", b"1", b"{}", headers), ("tweet_deletions", b"2", b"{}", headers)]


def test_a_record_too_large_for_kafka_becomes_a_dead_letter() -> None:
    kafka = FakeKafka()
    publisher = Publisher(kafka, SETTINGS, "list", lambda: 5)
    publisher.send(SourceTweet(b"1", b"x" * (MAX_BYTES + 1), None, 8))
    [(topic, key, value, _)] = kafka.records
    assert (topic, key) == ("tweet_dead_letters", b"list-0-8")
    letter = json.loads(value)
    assert (letter["stage"], letter["offset"], letter["bytes"]) == ("producer", 8, MAX_BYTES + 1)
    assert publisher.flush() is not None


def test_position_survives_and_a_broken_file_is_refused(tmp_path: Path) -> None:
    file = PositionFile(tmp_path / "new", "x")
    assert file.load() is None
    position = Position({"seed": 1}, {"begin_ms": 5}, count=3, event_time_ms=9)
    file.save(position)
    assert file.load() == position
    assert [path.name for path in file.path.parent.iterdir()] == ["x.json"]
    for broken in ("", "[]", '{"count": 1}', "{"):
        file.path.write_text(broken)
        with pytest.raises(IntegrityError, match=r"x\.json is not a position"):
            file.load()


def test_metrics_follow_what_was_acknowledged(tmp_path: Path) -> None:
    clock = iter([0.0, 4.9, 5.0, 5.0, 5.0])
    progress = Progress(tmp_path, Position({}, count=100), now=lambda: 30.0, monotonic=lambda: next(clock))
    publisher = Publisher(FakeKafka(), SETTINGS, "list", lambda: 5)
    for number in range(1, 11):
        publisher.send(SourceTweet(b"k", b"v", 20_000, number))
    confirmed = publisher.confirmed()
    assert confirmed is not None
    progress.add(confirmed)
    progress.report_if_due()
    assert read_health(tmp_path) == {}
    progress.report_if_due()
    health = read_health(tmp_path)["producer"]
    assert (health.state, health.rate, health.lag) == ("running", 2.0, 10)
    value = progress.metrics.registry.get_sample_value
    assert value("twitter_topics_producer_records_total") == 10
    assert value("twitter_topics_producer_lag_seconds") == 10
