"""The aggregator on real Kafka, Spark and InfluxDB, killed between its writes; and against Spark's own window."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from twitter_topics.backends.kafka import client_options
from twitter_topics.backends.kafka_offsets import end_offsets, lag
from twitter_topics.backends.query_keeper import NotReady
from twitter_topics.counts.aggregation import Aggregation
from twitter_topics.counts.aggregator import batch_counts, start_aggregator, starting_offsets
from twitter_topics.counts.series import HourPoint, LedgerEntry, Pane, Series, Sums
from twitter_topics.counts.store import SeriesStore
from twitter_topics.errors import IntegrityError, RetryableError
from twitter_topics.records.processed import processed_value
from twitter_topics.settings import Settings
from twitter_topics.testing.aggregation import LABELS, Killed, Tweet, true_hours, true_panes
from twitter_topics.testing.series import MemorySeriesStore

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from tests.conftest import Services

pytestmark = pytest.mark.spark

T0 = 1_790_000_000_000
HOUR_MS = 3_600_000
PARTITIONS = 3
RAW_PARTITIONS = 2


def value_of(tweet: Tweet) -> bytes:
    return processed_value(
        tweet_id=f"{tweet.lane[0]}-{tweet.raw_offset}",
        event_time_ms=tweet.event_time,
        model_version=tweet.model_version,
        topics=[(tweet.topic_id, 0.7), (3 - tweet.topic_id, 0.3)],
        topic_label=LABELS[tweet.topic_id],
        sentiment={"compound": 0.25},
        raw_partition=tweet.lane[0],
        raw_offset=tweet.raw_offset,
    )


def made_up(
    count: int, seed: int, *, first_offset: int = 0, start_ms: int = T0, span_ms: int = 2 * HOUR_MS
) -> list[Tweet]:
    """Tweets in the order of the raw topic; event times rise but for 5 % up to ten minutes late."""
    chance = random.Random(seed)
    tweets = []
    for number in range(count):
        event_time = start_ms + number * span_ms // count
        if chance.random() < 0.05:
            event_time -= chance.randrange(600_000)
        raw = chance.randrange(RAW_PARTITIONS)
        lane = (raw, chance.randrange(PARTITIONS))
        version = "m2" if number > 0.7 * count else "m1"
        tweets.append(Tweet(lane, first_offset + number, event_time, chance.choice([1, 1, 2]), version))
    return tweets


def as_replayed(tweets: list[Tweet], batch: int, seed: int) -> list[Tweet]:
    """What a classifier writes that fails now and then: part of a batch, then the batch again from its start."""
    chance = random.Random(seed)
    written: list[Tweet] = []
    for at in range(0, len(tweets), batch):
        rows = tweets[at : at + batch]
        while chance.random() < 0.4:
            # each lane gets as far as it gets
            reach = {lane: chance.randrange(batch + 1) for lane in {tweet.lane for tweet in rows}}
            written += [tweet for number, tweet in enumerate(rows) if number < reach[tweet.lane]]
        written += rows
    return written


# --- without Kafka


def test_rolling_hours_equal_sparks_own_window(spark: SparkSession) -> None:
    from pyspark.sql import functions as fn

    tweets = made_up(1_000, seed=1)
    written = as_replayed(tweets, 200, seed=2)
    store = MemorySeriesStore()
    aggregation = Aggregation(store, "t", lambda _version: LABELS)
    aggregation.open()
    batches = [written[at : at + 700] for at in range(0, len(written), 700)]
    offsets: Counter[int] = Counter()
    for rows in batches:
        aggregation.count(batch_counts(kafka_frame(spark, rows, offsets), aggregation.position.lanes))
    rows = [(t.raw_offset, t.event_time, t.topic_id, t.model_version) for t in written]
    frame = spark.createDataFrame(rows, "id long, ms long, topic int, version string").dropDuplicates(["id"])
    counted = (
        frame.groupBy(fn.window(fn.timestamp_millis("ms"), "3600 seconds", "10 seconds").alias("w"), "topic", "version")
        .count()
        .select((fn.col("w.end").cast("long") * 1000).alias("end"), "topic", "version", "count")
        .collect()
    )
    newest_end = aggregation.position.newest_ms + 10_000
    expected = {(row.end, row.topic, row.version): row["count"] for row in counted if row.end <= newest_end}
    ours = {
        (point.end_ms, point.series.topic_id, point.series.model_version): point.sums.tweets
        for point in store.stored_hours.values()
        if point.sums.tweets
    }
    assert len(expected) > 1000
    assert ours == expected
    assert store.counted() == len({t.raw_offset for t in written}) == len(tweets)


def kafka_frame(spark: SparkSession, tweets: Iterable[Tweet], offsets: Counter[int]) -> DataFrame:
    """The columns of Spark's Kafka source, one Spark partition for each processed partition."""
    rows: dict[int, list[tuple[int, int, bytes]]] = {partition: [] for partition in range(PARTITIONS)}
    for tweet in tweets:
        partition = tweet.lane[1]
        rows[partition].append((partition, offsets[partition], value_of(tweet)))
        offsets[partition] += 1
    schema = "partition int, offset long, value binary"
    frames = [spark.createDataFrame(part, schema).coalesce(1) for part in rows.values()]
    whole = frames[0]
    for frame in frames[1:]:
        whole = whole.union(frame)
    return whole


def test_a_lane_that_is_read_by_two_tasks_is_refused(spark: SparkSession) -> None:
    rows = [(0, at, value_of(Tweet((0, 0), at, T0))) for at in range(4)]
    frame = spark.createDataFrame(spark.sparkContext.parallelize(rows, 2), "partition int, offset long, value binary")
    with pytest.raises(IntegrityError, match="two tasks"):
        batch_counts(frame, {})


def test_values_that_are_no_processed_tweets_are_refused(spark: SparkSession) -> None:
    good = value_of(Tweet((0, 0), 1, T0))
    wrong = [None, b"", b"{", b"[]", b'"text"', b"\xff\xfe", good.replace(b'"event_time":1', b'"event_time":"x')]
    nan = good.replace(b'"compound":0.25', b'"compound":NaN')
    rows = [(0, at, value) for at, value in enumerate([*wrong, nan, good])]
    frame = spark.createDataFrame(rows, "partition int, offset long, value binary").coalesce(1)
    counts = batch_counts(frame, {})
    assert (counts.records, counts.refused, counts.offsets) == (9, 8, {0: 9})
    assert sum(sums.tweets for sums in counts.sums.values()) == 1


# --- with Kafka and InfluxDB


@dataclass
class Bench:
    """A topic and a database of their own."""

    spark: SparkSession
    settings: Settings
    store: BreakingInflux
    folder: Path

    @property
    def topic(self) -> str:
        return self.settings.kafka.processed_topic

    def send(self, tweets: Iterable[Tweet]) -> None:
        producer = KafkaProducer(**client_options(self.settings.kafka), acks="all")
        sent = [producer.send(self.topic, value_of(tweet), partition=tweet.lane[1]) for tweet in tweets]
        for future in sent:
            future.get(timeout=30)
        producer.close()

    def aggregation(self) -> Aggregation:
        return Aggregation(self.store, self.topic, lambda _version: LABELS)

    def catch_up(self, most_starts: int = 20) -> int:
        """Run queries until all records are counted; returns how many were started."""
        for starts in range(1, most_starts + 1):
            if self._run_once():
                return starts
        pytest.fail(f"not at the end after {most_starts} starts")

    def _run_once(self) -> bool:
        aggregation = self.aggregation()
        try:
            query = start_aggregator(self.spark, self.settings, aggregation)
        except Killed:
            return False
        ends = end_offsets(self.settings.kafka, self.topic)
        deadline = time.monotonic() + 120
        try:
            while query.isActive and lag(ends, aggregation.counted_offsets):
                assert time.monotonic() < deadline, f"{lag(ends, aggregation.counted_offsets)} records behind"
                time.sleep(0.05)
            if not query.isActive:
                assert "Killed" in str(query.exception()), query.exception()
            return lag(ends, aggregation.counted_offsets) == 0
        finally:
            query.stop()

    def check(self, tweets: list[Tweet]) -> None:
        """Panes, hours and ledger against brute force."""
        panes = true_panes(tweets)
        first, last = min(start for start, _ in panes), max(start for start, _ in panes)
        stored = self.store.panes(first - HOUR_MS, last + HOUR_MS)
        assert len(stored) == len({(pane.start_ms, pane.series) for pane in stored}) == len(panes)
        assert {(pane.start_ms, pane.series): pane.total for pane in stored} == panes
        hours = true_hours(panes)
        points = self.store.hours(first - HOUR_MS, last + 3 * HOUR_MS)
        assert len(points) == len({(point.end_ms, point.series) for point in points}) == len(hours)
        assert {(point.end_ms, point.series): point.sums for point in points} == hours
        entry = self.store.ledger()
        assert entry is not None
        assert self.store.counted() == entry.position.tweets == len(set(tweets))


class BreakingInflux(SeriesStore):
    """The real store; dies where it is told, with the first half of that write stored."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.deaths: list[str] = []

    def _die_at(self, moment: str) -> bool:
        if self.deaths and self.deaths[0] == moment:
            self.deaths.pop(0)
            return True
        return False

    def write_panes(self, panes: Iterable[Pane]) -> None:
        panes = list(panes)
        if self._die_at("half of the panes"):
            super().write_panes(panes[: len(panes) // 2])
            raise Killed
        super().write_panes(panes)
        if self._die_at("after the panes"):
            raise Killed

    def write_hours(self, points: Iterable[HourPoint]) -> None:
        points = list(points)
        if self._die_at("half of the hours"):
            super().write_hours(points[: len(points) // 2])
            raise Killed
        super().write_hours(points)

    def write_ledger(self, entry: LedgerEntry) -> None:
        if self._die_at("before the ledger"):
            raise Killed
        super().write_ledger(entry)
        if self._die_at("after the ledger"):
            raise Killed


@pytest.fixture
def bench(spark: SparkSession, services: Services, tmp_path: Path) -> Iterator[Bench]:
    name = f"aggregator{uuid.uuid4().hex[:8]}"
    settings = services.settings(
        KAFKA_PROCESSED_TOPIC=name,
        INFLUXDB_DATABASE=name,
        SPEED_CHECKPOINT_DIR=str(tmp_path / "checkpoints"),
        SPEED_MAX_RECORDS_PER_AGGREGATION="1000",
        SPEED_AGGREGATE_TRIGGER_SECONDS="1",
    )
    admin = KafkaAdminClient(**client_options(settings.kafka))
    admin.create_topics({name: {"num_partitions": PARTITIONS, "replication_factor": 1}})
    store = BreakingInflux(settings.influx)
    store.ensure_database()
    yield Bench(spark, settings, store, tmp_path)
    admin.delete_topics([name])
    admin.close()
    store._client.drop_database(name)
    store.close()


def test_each_tweet_once_through_kills_between_all_writes(bench: Bench) -> None:
    tweets = made_up(4_000, seed=3)
    bench.send(as_replayed(tweets, 500, seed=4))
    bench.store.deaths = [
        "after the panes",
        "half of the panes",
        "half of the hours",
        "before the ledger",
        "after the ledger",
    ]
    starts = bench.catch_up()
    assert bench.store.deaths == []
    assert starts == 6
    bench.check(tweets)


def test_old_data_beside_live_data_and_a_series_that_falls_to_zero(bench: Bench) -> None:
    live = made_up(600, seed=5)
    bench.send(live)
    bench.catch_up()
    old = made_up(300, seed=6, start_ms=T0 - 20 * 24 * HOUR_MS)
    later = made_up(300, seed=7, start_ms=T0 + 9 * HOUR_MS)
    mixed = [tweet for pair in zip(old, later, strict=True) for tweet in pair]
    mixed = [replace(tweet, raw_offset=10_000 + number) for number, tweet in enumerate(mixed)]
    bench.store.deaths = ["half of the panes"]
    bench.send(mixed)
    bench.catch_up()
    everything = live + mixed
    bench.check(everything)
    newest = bench.store.last_hour()
    assert newest is not None
    in_hour = [t for t in everything if newest.end_ms - HOUR_MS <= t.event_time < newest.end_ms]
    assert {topic.topic_id: topic.tweets for topic in newest.topics} == Counter(t.topic_id for t in in_hour)
    silent = bench.store.last_hour(T0 + 5 * HOUR_MS)
    assert silent is not None
    assert silent.topics == []


def test_a_lost_ledger_is_recounted_from_the_topics_beginning(bench: Bench) -> None:
    tweets = made_up(800, seed=8)
    bench.send(as_replayed(tweets, 200, seed=9))
    bench.catch_up()
    bench.check(tweets)
    bench.store._rows("DELETE FROM aggregator_ledger", write=True)
    bench.catch_up()
    bench.check(tweets)


def test_new_records_after_a_restart_and_a_repeat_of_everything(bench: Bench) -> None:
    tweets = made_up(500, seed=10)
    bench.send(tweets)
    bench.catch_up()
    bench.send(tweets)  # a classifier that lost its checkpoint
    more = made_up(100, seed=11, first_offset=500, start_ms=T0 + 2 * HOUR_MS, span_ms=HOUR_MS)
    bench.send(more)
    bench.catch_up()
    bench.check(tweets + more)


def test_influx_away_fails_the_start_and_a_missing_topic_is_waited_for(bench: Bench) -> None:
    missing = Settings(
        {
            "KAFKA_BOOTSTRAP_SERVERS": bench.settings.kafka.bootstrap_servers,
            "KAFKA_PROCESSED_TOPIC": f"missing{uuid.uuid4().hex}",
        }
    )
    with pytest.raises(NotReady, match="does not exist"):
        start_aggregator(bench.spark, missing, bench.aggregation())
    away = SeriesStore(Settings({"INFLUXDB_URL": "http://127.0.0.1:9"}).influx)
    with pytest.raises(RetryableError):
        start_aggregator(bench.spark, bench.settings, Aggregation(away, bench.topic, lambda _version: LABELS))


def test_start_positions_name_every_partition() -> None:
    aggregation = Aggregation(MemorySeriesStore(), "t", lambda _version: LABELS)
    position = aggregation.open()
    assert json.loads(starting_offsets(position, {0: 9, 1: 0})) == {"t": {"0": -2, "1": -2}}
    assert Sums() == Sums(0, 0, 0)
    assert Series(1, "storm", "m1").label == "storm"
