"""The aggregator on real Kafka, Spark and InfluxDB, killed between its writes; and against Spark's own window."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from pydantic import SecretStr

from tests.waiting import until
from twitter_topics.backends.database import database_url
from twitter_topics.backends.kafka import client_options
from twitter_topics.backends.kafka_offsets import lag, topic_ranges
from twitter_topics.backends.kafka_topics import topic_id
from twitter_topics.backends.query_keeper import NotReady
from twitter_topics.backends.spark_kafka import starting_offsets
from twitter_topics.counts.aggregation import Aggregation
from twitter_topics.counts.aggregator import batch_counts, start_aggregator
from twitter_topics.counts.batch import BatchCounts, Lane
from twitter_topics.counts.panes import Ends
from twitter_topics.counts.position import Position
from twitter_topics.counts.publication import Publisher
from twitter_topics.counts.state import CountsState
from twitter_topics.counts.view import CountsView
from twitter_topics.errors import IntegrityError, SupersededError
from twitter_topics.records.processed import processed_fields, processed_value
from twitter_topics.settings import Settings
from twitter_topics.testing.aggregation import LABELS, NoPublication, Tweet, opened, true_hours, true_panes
from twitter_topics.testing.counts import BreakingDatabase, Fuse, Killed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming import StreamingQuery

    from tests.conftest import Services

pytestmark = pytest.mark.spark

T0 = 1_790_000_000_000
HOUR_MS = 3_600_000
PARTITIONS = 3
RAW_PARTITIONS = 2
RAW = "raw"
NOWHERE = Position("", "t", "p", RAW, 0, "", None, 0, 0, 0, {}, {})


def value_of(tweet: Tweet) -> bytes:
    fields = processed_fields(
        tweet_id=f"{tweet.lane.raw_partition}-{tweet.raw_offset}",
        event_time_ms=tweet.event_time,
        model_version=tweet.model_version,
        topics=[(tweet.topic_id, 0.7), (3 - tweet.topic_id, 0.3)],
        labels=LABELS,
        sentiment={"compound": 0.25} if tweet.scored else None,
        raw_topic_id=tweet.lane.raw_topic_id,
        raw_partition=tweet.lane.raw_partition,
        raw_offset=tweet.raw_offset,
    )
    return processed_value(fields)


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
        lane = Lane(RAW, raw, chance.randrange(PARTITIONS))
        version = "m2" if number > 0.7 * count else "m1"
        topic, scored = chance.choice([1, 1, 2]), chance.random() < 0.8
        tweets.append(Tweet(lane, first_offset + number, event_time, topic, version, scored))
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


def test_rolling_hours_equal_sparks_own_window(spark: SparkSession, tmp_path: Path) -> None:
    from pyspark.sql import functions as fn

    tweets = made_up(1_000, seed=1)
    written = as_replayed(tweets, 200, seed=2)
    state = CountsState.of(Settings({"COUNTS_DATABASE_URI": f"sqlite:///{tmp_path}/counts.db"}))
    aggregation = opened(state, raw_id=RAW)
    batches = [written[at : at + 700] for at in range(0, len(written), 700)]
    offsets: Counter[int] = Counter()
    for rows in batches:
        aggregation.count(batch_counts(kafka_frame(spark, rows, offsets), aggregation.position))
    seen = [(t.raw_offset, t.event_time, t.topic_id, t.model_version) for t in written]
    frame = spark.createDataFrame(seen, "id long, ms long, topic int, version string").dropDuplicates(["id"])
    counted = (
        frame.groupBy(fn.window(fn.timestamp_millis("ms"), "3600 seconds", "10 seconds").alias("w"), "topic", "version")
        .count()
        .select((fn.col("w.end").cast("long") * 1000).alias("end"), "topic", "version", "count")
        .collect()
    )
    newest_ms = aggregation.position.newest_ms
    assert newest_ms is not None
    newest_end = newest_ms + 10_000
    expected = {(row.end, row.topic, row.version): row["count"] for row in counted if row.end <= newest_end}
    ours = {
        (point.end_ms, point.series.topic_id, point.series.model_version): point.sums.tweets
        for point in state.hours(Ends(T0 - HOUR_MS, newest_end))
        if point.sums.tweets
    }
    assert len(expected) > 1000
    assert ours == expected
    assert aggregation.position.tweets == len({t.raw_offset for t in written}) == len(tweets)


def kafka_frame(spark: SparkSession, tweets: Iterable[Tweet], offsets: Counter[int]) -> DataFrame:
    """The columns of Spark's Kafka source, one Spark partition for each processed partition."""
    rows: dict[int, list[tuple[int, int, bytes]]] = {partition: [] for partition in range(PARTITIONS)}
    for tweet in tweets:
        partition = tweet.lane.partition
        rows[partition].append((partition, offsets[partition], value_of(tweet)))
        offsets[partition] += 1
    schema = "partition int, offset long, value binary"
    frames = [spark.createDataFrame(part, schema).coalesce(1) for part in rows.values()]
    whole = frames[0]
    for frame in frames[1:]:
        whole = whole.union(frame)
    return whole


def test_a_lane_that_is_read_by_two_tasks_is_refused(spark: SparkSession) -> None:
    rows = [(0, at, value_of(Tweet(Lane(RAW, 0, 0), at, T0))) for at in range(4)]
    frame = spark.createDataFrame(spark.sparkContext.parallelize(rows, 2), "partition int, offset long, value binary")
    with pytest.raises(IntegrityError, match="two tasks"):
        batch_counts(frame, NOWHERE)


def test_values_that_are_no_processed_tweets_are_refused(spark: SparkSession) -> None:
    good = value_of(Tweet(Lane(RAW, 0, 0), 1, T0))
    wrong = [None, b"", b"{", b"[]", b'"text"', b"\xff\xfe", good.replace(b'"event_time":1', b'"event_time":"x')]
    wrong.append(good.replace(b'"compound":0.25', b'"compound":NaN'))
    wrong.append(good.replace(b'"model_version":"', b'"model_version":"\xff'))
    wrong.append(b'{"unknown":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    too_large = b'":9' + b"0" * 18
    wrong += [good.replace(name + b'":', name + too_large) for name in (b"raw_partition", b"topic_id")]
    rows = [(0, at, value) for at, value in enumerate([*wrong, good])]
    frame = spark.createDataFrame(rows, "partition int, offset long, value binary").coalesce(1)
    counts = batch_counts(frame, NOWHERE)
    assert (counts.records, counts.rejected, counts.offsets) == (13, 12, {0: 13})
    assert sum(sums.tweets for sums in counts.sums.values()) == 1


def test_a_record_without_a_topic_id_is_of_the_raw_topic_that_the_state_began_with(spark: SparkSession) -> None:
    old = json.loads(value_of(Tweet(Lane(RAW, 1, 0), 7, T0)))
    del old["raw_topic_id"]
    for topic in old["topics"]:
        del topic["label"]
    frame = spark.createDataFrame([(0, 0, json.dumps(old).encode())], "partition int, offset long, value binary")
    counts = batch_counts(frame.coalesce(1), NOWHERE)
    assert list(counts.lanes) == [Lane(RAW, 1, 0)]
    assert {pane.label for pane in counts.sums} == {LABELS[1], None}


# --- with Kafka and InfluxDB


@dataclass
class Bench:
    """Topics and databases of their own. `deaths`: at which write each life of the aggregator ends."""

    spark: SparkSession
    settings: Settings
    view: CountsView
    folder: Path
    deaths: list[int] = field(default_factory=list)

    @property
    def topic(self) -> str:
        return self.settings.kafka.processed_topic

    @property
    def state(self) -> CountsState:
        return CountsState.of(self.settings)

    def send(self, tweets: Iterable[Tweet]) -> None:
        producer = KafkaProducer(**client_options(self.settings.kafka), acks="all")
        sent = [producer.send(self.topic, value_of(tweet), partition=tweet.lane.partition) for tweet in tweets]
        for future in sent:
            future.get(timeout=30)
        producer.close()

    def catch_up(self, most_starts: int = 20) -> int:
        """Run queries until all records are counted and shown; returns how many were started."""
        for starts in range(1, most_starts + 1):
            if self._run_once():
                return starts
        pytest.fail(f"not at the end after {most_starts} starts")

    def _run_once(self) -> bool:
        fuse = Fuse(self.deaths.pop(0) if self.deaths else -1)
        url = database_url("X", self.settings.counts.database_uri, "", SecretStr(""))
        state = CountsState(BreakingDatabase("X", url, fuse), self.topic)
        aggregation, publisher = Aggregation(state, NoPublication()), Publisher(state, self.view)
        try:
            query = start_aggregator(self.spark, self.settings, aggregation)
        except Killed:
            return False
        held = topic_ranges(self.settings.kafka, self.topic)
        deadline = time.monotonic() + 120
        try:
            while query.isActive and lag(held, aggregation.counted_offsets):
                assert time.monotonic() < deadline, f"{lag(held, aggregation.counted_offsets)} records behind"
                time.sleep(0.05)
            if not query.isActive:
                assert "Killed" in str(query.exception()), query.exception()
                return False
            publisher.publish()
            return True
        except Killed:
            return False
        finally:
            query.stop()

    def check(self, tweets: list[Tweet]) -> None:
        """Panes and hours as read against brute force."""
        panes = true_panes(tweets)
        first, last = min(start for start, _ in panes), max(start for start, _ in panes)
        stored = self.state.panes(first - HOUR_MS, last + HOUR_MS)
        assert len(stored) == len({(pane.start_ms, pane.series) for pane in stored}) == len(panes)
        assert {(pane.start_ms, pane.series): pane.sums for pane in stored} == panes
        hours = true_hours(panes)
        points = self.view.hours(first - HOUR_MS, last + 3 * HOUR_MS)
        assert len(points) == len({(point.end_ms, point.series) for point in points}) == len(hours)
        assert {(point.end_ms, point.series): point.sums for point in points} == hours
        counted = self.state.counted()
        assert counted is not None
        assert counted[0].tweets == counted[1].tweets == len(set(tweets))


@pytest.fixture
def bench(spark: SparkSession, services: Services, tmp_path: Path) -> Iterator[Bench]:
    name = f"aggregator{uuid.uuid4().hex[:8]}"
    settings = services.settings(
        KAFKA_PROCESSED_TOPIC=name,
        KAFKA_RAW_TOPIC=f"{name}-raw",
        INFLUXDB_DATABASE=name,
        COUNTS_DATABASE_URI=f"sqlite:///{tmp_path}/counts.db",
        SPEED_CHECKPOINT_DIR=str(tmp_path / "checkpoints"),
        SPEED_MAX_RECORDS_PER_AGGREGATION="1000",
        SPEED_AGGREGATE_TRIGGER_SECONDS="1",
    )
    admin = KafkaAdminClient(**client_options(settings.kafka))
    admin.create_topics({name: {"num_partitions": PARTITIONS, "replication_factor": 1}})
    admin.create_topics({f"{name}-raw": {"num_partitions": RAW_PARTITIONS, "replication_factor": 1}})
    view = CountsView(settings.influx)
    view.ensure_database()
    yield Bench(spark, settings, view, tmp_path)
    admin.delete_topics([name, f"{name}-raw"])
    admin.close()
    view._influx.execute(f"DROP DATABASE {name}")
    view.close()


def test_each_tweet_once_through_kills_at_many_writes(bench: Bench) -> None:
    tweets = made_up(4_000, seed=3)
    bench.send(as_replayed(tweets, 500, seed=4))
    bench.deaths = [1, 12, 40, 41, 43, 47, 90]
    assert bench.catch_up() == 8
    bench.check(tweets)


def test_old_data_beside_live_data_and_a_series_that_falls_to_zero(bench: Bench) -> None:
    live = made_up(600, seed=5)
    bench.send(live)
    bench.catch_up()
    old = made_up(300, seed=6, start_ms=T0 - 20 * 24 * HOUR_MS)
    later = made_up(300, seed=7, start_ms=T0 + 9 * HOUR_MS)
    mixed = [tweet for pair in zip(old, later, strict=True) for tweet in pair]
    mixed = [replace(tweet, raw_offset=10_000 + number) for number, tweet in enumerate(mixed)]
    bench.send(mixed)
    bench.catch_up()
    everything = live + mixed
    bench.check(everything)
    newest = bench.view.last_hour()
    assert newest is not None
    in_hour = [t for t in everything if newest.end_ms - HOUR_MS <= t.event_time < newest.end_ms]
    assert {topic.topic_id: topic.tweets for topic in newest.topics} == Counter(t.topic_id for t in in_hour)
    silent = bench.view.last_hour(T0 + 5 * HOUR_MS)
    assert silent is not None
    assert silent.topics == []


def test_a_lost_counts_database_comes_back_from_the_topic(bench: Bench) -> None:
    tweets = made_up(800, seed=8)
    bench.send(as_replayed(tweets, 200, seed=9))
    bench.catch_up()
    bench.check(tweets)
    for file in bench.folder.glob("counts.db*"):
        file.unlink()
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


def _checkpoint(query: StreamingQuery) -> str:
    return str(query._jsq.streamingQuery().resolvedCheckpointRoot())


def test_a_second_aggregator_takes_over_and_the_first_one_ends_with_a_sentence(bench: Bench) -> None:
    first, other = Aggregation(bench.state, NoPublication()), Aggregation(bench.state, NoPublication())
    query = start_aggregator(bench.spark, bench.settings, first)
    until(lambda: query.lastProgress, 150)
    # in one session, Spark allows a name once
    second = start_aggregator(bench.spark.newSession(), bench.settings, other)
    assert _checkpoint(second) != _checkpoint(query), "the second start would delete the first one's checkpoint"
    with pytest.raises(SupersededError, match="this one ends"):
        _ = first.stale
    assert other.stale == ""
    tweets = made_up(50, seed=12)
    bench.send(tweets)
    deadline = time.monotonic() + 150
    while query.isActive:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "another aggregator" in str(query.exception()), "not: its checkpoint was deleted"
    with pytest.raises(SupersededError, match="this one ends"):
        start_aggregator(bench.spark, bench.settings, first)
    until(lambda: other.position.tweets == len(tweets), 150)
    assert second.isActive
    second.stop()


def test_a_missing_topic_is_waited_for(bench: Bench) -> None:
    missing = Settings(
        {
            "KAFKA_BOOTSTRAP_SERVERS": bench.settings.kafka.bootstrap_servers,
            "KAFKA_PROCESSED_TOPIC": f"missing{uuid.uuid4().hex}",
        }
    )
    with pytest.raises(NotReady, match="does not exist"):
        start_aggregator(bench.spark, missing, Aggregation(bench.state, NoPublication()))


def test_a_topic_that_ends_before_what_was_counted_is_no_reason_to_wait_for_it(bench: Bench) -> None:
    """Kafka has lost its newest records: those that get their offsets next would not be counted."""
    aggregation = Aggregation(bench.state, NoPublication())
    kafka = bench.settings.kafka
    aggregation.open(topic_id(kafka, kafka.processed_topic), topic_id(kafka, kafka.raw_topic))
    aggregation.count(BatchCounts(offsets={0: 500}, records=500))
    with pytest.raises(IntegrityError, match="ends at offset 0 and was read up to 500"):
        start_aggregator(bench.spark, bench.settings, aggregation)


def test_start_positions_name_every_partition() -> None:
    assert json.loads(starting_offsets(NOWHERE.topic, NOWHERE.offsets, {0: 9, 1: 0})) == {"t": {"0": -2, "1": -2}}
    assert json.loads(starting_offsets("t", {1: 5}, {0: 9, 1: 0})) == {"t": {"0": -2, "1": 5}}
