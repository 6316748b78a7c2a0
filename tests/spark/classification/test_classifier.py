"""The classifier on real Kafka and Elasticsearch: each tweet once, each lane in order, even after repeats."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from pyspark.errors import PySparkException

from twitter_topics.backends import spark_kafka
from twitter_topics.backends.kafka_offsets import end_offsets
from twitter_topics.backends.kafka_topics import ensure_topics
from twitter_topics.classification.classifier import tally_accumulator
from twitter_topics.classification.flood import Tally
from twitter_topics.classification.rows import RecordClassifier
from twitter_topics.errors import IntegrityError
from twitter_topics.records.processed import NO_TOPIC_LABEL
from twitter_topics.records.tweet import TimeBounds
from twitter_topics.search.store import SearchStore, elasticsearch_client
from twitter_topics.testing.hostile import hostile_values
from twitter_topics.testing.models import planted_model
from twitter_topics.topic_models.scoring.topic_model import TopicModel

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from tests.conftest import Services
    from twitter_topics.settings import Settings

pytestmark = pytest.mark.spark

WORDS = ("goal", "match", "team", "rain", "storm", "die")


def model() -> TopicModel:
    """Football and weather."""
    return planted_model(WORDS, ("football", "weather"), (4, 9))


class Bench:
    """Private topics and a private index."""

    def __init__(self, spark: SparkSession, settings: Settings) -> None:
        self.spark, self.settings = spark, settings
        self.store = SearchStore(settings.elasticsearch, patience_seconds=20)
        self.store.prepare()
        ensure_topics(settings.kafka)

    def send(self, values: list[tuple[str, bytes]], headers: list[tuple[str, bytes]] | None = None) -> None:
        producer = KafkaProducer(bootstrap_servers=self.settings.kafka.bootstrap_servers, acks="all")
        for key, value in values:
            producer.send(self.settings.kafka.raw_topic, key=key.encode(), value=value, headers=headers)
        producer.flush()
        producer.close()

    def records(self) -> DataFrame:
        options = {"subscribe": self.settings.kafka.raw_topic, "includeHeaders": "true"}
        options |= spark_kafka.kafka_options(self.settings.kafka)
        return self.spark.read.format("kafka").options(**options).load()

    def raw_ends(self) -> dict[int, int]:
        return end_offsets(self.settings.kafka, self.settings.kafka.raw_topic)

    def dead_letters(self) -> int:
        return sum(end_offsets(self.settings.kafka, self.settings.kafka.dead_letter_topic).values())

    def classifier(
        self,
        version: str = "v1",
        *,
        max_dead_letter_share: float = 1.0,
        quarantined: Mapping[tuple[int, int], str] | None = None,
        recent: Tally | None = None,
    ) -> RecordClassifier:
        return RecordClassifier(
            model_version=version,
            arrays=self.spark.sparkContext.broadcast(model().to_bytes()),
            raw_topic_id="raw-1",
            kafka=self.settings.kafka,
            elasticsearch=self.settings.elasticsearch,
            bounds=TimeBounds(),
            sentiment_languages=frozenset({"en"}),
            max_dead_letter_share=max_dead_letter_share,
            quarantined=quarantined or {},
            recent=recent or Tally(),
            seen=tally_accumulator(self.spark),
        )

    def read(self, topic: str) -> list[tuple[int, dict[str, Any]]]:
        """Return (partition, value) of all records of a topic, in the order of each partition."""
        ends = end_offsets(self.settings.kafka, topic)
        consumer = KafkaConsumer(
            bootstrap_servers=self.settings.kafka.bootstrap_servers,
            enable_auto_commit=False,
            consumer_timeout_ms=20_000,
        )
        places = [TopicPartition(topic, partition) for partition in ends]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        found: list[tuple[int, dict[str, Any]]] = []
        while any(consumer.position(place) < ends[place.partition] for place in places):
            for place, records in consumer.poll(timeout_ms=1_000).items():
                found += [(place.partition, json.loads(record.value)) for record in records]
        consumer.close()
        return found


@pytest.fixture
def bench(spark: SparkSession, services: Services) -> Iterator[Bench]:
    own = uuid.uuid4().hex[:8]
    made = Bench(
        spark,
        services.settings(
            KAFKA_RAW_TOPIC=f"raw-{own}",
            KAFKA_PROCESSED_TOPIC=f"processed-{own}",
            KAFKA_DEAD_LETTER_TOPIC=f"dead-{own}",
            KAFKA_DELETION_TOPIC=f"deleted-{own}",
            ELASTICSEARCH_INDEX_PREFIX=f"tweets{own}",
        ),
    )
    yield made
    for name in made.store.daily_indices():
        made.store.delete_index(name)


def tweet(number: int) -> tuple[str, bytes]:
    text = "what a goal of my team" if number % 2 else "rain and storm all day"
    now = int(time.time() * 1000)
    return str(number), json.dumps({"id_str": str(number), "text": text, "timestamp_ms": str(now - number)}).encode()


def test_each_tweet_is_indexed_and_passed_on_once_and_the_rest_is_a_dead_letter(bench: Bench) -> None:
    tweets = [tweet(number) for number in range(1, 601)]
    bench.send([*tweets, *tweets[:50], ("x", b"{broken"), ("y", b"\xff"), ("z", b'{"id_str":"7000"}')])
    spark_kafka.write(bench.classifier().rows(bench.records()), bench.settings.kafka)

    processed = [value for _, value in bench.read(bench.settings.kafka.processed_topic)]
    ids = [value["tweet_id"] for value in processed]
    assert bench.store.count() == len(ids) == len(set(ids)) == 600
    assert Counter((value["topic_label"], value["topics"][0]["topic_id"]) for value in processed) == {
        ("football", 4): 300,
        ("weather", 9): 300,
    }
    assert all(abs(sum(topic["probability"] for topic in value["topics"]) - 1) < 1e-3 for value in processed)
    assert {value["raw_topic_id"] for value in processed} == {"raw-1"}
    assert all(topic["label"] for value in processed for topic in value["topics"])
    dead = [value for _, value in bench.read(bench.settings.kafka.dead_letter_topic)]
    assert sorted(value["reason"].split(":")[0] for value in dead) == ["encoding", "json", "text"]
    assert {value["stage"] for value in dead} == {"parse"}


def test_a_stop_word_of_the_language_gives_no_topic(bench: Bench) -> None:
    said = {"en": "they die", "de": "die da"}
    moment = str(int(time.time() * 1000))
    bodies = [{"id_str": code, "lang": code, "text": text, "timestamp_ms": moment} for code, text in said.items()]
    bench.send([(body["id_str"], json.dumps(body).encode()) for body in bodies])
    spark_kafka.write(bench.classifier().rows(bench.records()), bench.settings.kafka)
    processed = [value for _, value in bench.read(bench.settings.kafka.processed_topic)]
    assert {value["tweet_id"]: value["topic_label"] for value in processed} == {"en": "weather", "de": NO_TOPIC_LABEL}


def test_a_repeated_batch_indexes_nothing_twice_and_repeats_each_lane_in_order(bench: Bench) -> None:
    bench.send([tweet(number) for number in range(1, 401)] + [tweet(5)])
    for version in ("v1", "v2"):  # killed after its writes, and a new model in the meantime
        spark_kafka.write(bench.classifier(version).rows(bench.records()), bench.settings.kafka)

    assert bench.store.count() == 400
    assert bench.store.count({"term": {"model_version": "v1"}}) == 400, "the first classification stays"
    lanes: dict[tuple[int, int], list[int]] = defaultdict(list)
    for partition, value in bench.read(bench.settings.kafka.processed_topic):
        lanes[value["raw_partition"], partition].append(value["raw_offset"])
        assert value["model_version"] == "v1"
    assert sum(map(len, lanes.values())) == 800
    for offsets in lanes.values():
        half = len(offsets) // 2
        assert offsets[:half] == sorted(set(offsets)) == offsets[half:]


@pytest.mark.parametrize(("count", "recent"), [(600, Tally()), (1, Tally(190, 120))])
def test_a_flood_of_dead_letters_stops_the_batch_however_slowly_it_comes(
    bench: Bench, count: int, recent: Tally
) -> None:
    bench.send([("k", b"not json")] * count)
    with pytest.raises(Exception, match="SPEED_MAX_DEAD_LETTER_SHARE") as caught:
        spark_kafka.write(
            bench.classifier(max_dead_letter_share=0.5, recent=recent).rows(bench.records()), bench.settings.kafka
        )
    assert IntegrityError.__name__ in str(caught.value)
    assert bench.store.count() == bench.dead_letters() == 0


def test_a_batch_is_summed_up_for_the_next(bench: Bench) -> None:
    bench.send([*(tweet(number) for number in range(1, 31)), *[("k", b"not json")] * 10])
    classifier = bench.classifier(max_dead_letter_share=0.5, recent=Tally(500, 249))
    spark_kafka.write(classifier.rows(bench.records()), bench.settings.kafka)
    assert classifier.seen.value == Tally(40, 10)


def test_a_closed_index_hands_the_batch_back_and_makes_no_dead_letter(bench: Bench) -> None:
    bench.send([tweet(number) for number in range(1, 201)])
    spark_kafka.write(bench.classifier().rows(bench.records()), bench.settings.kafka)
    name = next(iter(bench.store.daily_indices()))
    bench.send([tweet(number) for number in range(201, 401)])
    client = elasticsearch_client(bench.settings.elasticsearch)
    client.indices.close(index=name)
    with pytest.raises(PySparkException, match=f"POST /{name}/_open"):
        spark_kafka.write(bench.classifier().rows(bench.records()), bench.settings.kafka)
    client.indices.open(index=name, wait_for_active_shards="all")
    spark_kafka.write(bench.classifier().rows(bench.records()), bench.settings.kafka)

    assert bench.store.count() == 400
    assert {value["tweet_id"] for _, value in bench.read(bench.settings.kafka.processed_topic)} == {
        str(number) for number in range(1, 401)
    }
    assert bench.dead_letters() == 0


def test_a_record_in_quarantine_becomes_a_dead_letter_that_can_be_retried(bench: Bench) -> None:
    bench.send([tweet(1)])
    (partition,) = {partition for partition, end in bench.raw_ends().items() if end}
    classifier = bench.classifier(quarantined={(partition, 0): "HTTP 400: odd_exception: x"})
    spark_kafka.write(classifier.rows(bench.records()), bench.settings.kafka)

    ((_, letter),) = bench.read(bench.settings.kafka.dead_letter_topic)
    assert (letter["stage"], letter["reason"]) == ("index", "unknown: HTTP 400: odd_exception: x")
    assert (letter["partition"], letter["offset"]) == (partition, 0)
    assert bench.store.count() == 0


def test_an_edit_is_shown_and_counted_as_what_it_was_first(bench: Bench) -> None:
    first, second = tweet(1), tweet(2)
    rain = json.dumps(json.loads(first[1]) | {"text": "rain, storm and wind"}).encode()
    bench.send([first, second])
    bench.send([(first[0], rain), tweet(3)], [("source", b"mastodon"), ("event", b"edit")])
    for _ in range(2):  # killed after its writes
        spark_kafka.write(bench.classifier().rows(bench.records()), bench.settings.kafka)

    assert bench.store.count() == 3
    shown = {hit["_id"]: hit["_source"] for hit in bench.store.search(size=9)["hits"]["hits"]}
    assert (shown["1"]["text"], shown["1"]["topic_id"]) == ("rain, storm and wind", 9)
    assert (shown["1"]["counted"]["topics"][0]["topic_id"], shown["1"]["counted_topic_id"]) == (4, 4)
    assert ["edited_at" in shown[name] for name in ("1", "2", "3")] == [True, False, True]
    processed = [value for _, value in bench.read(bench.settings.kafka.processed_topic)]
    counted = Counter((value["tweet_id"], value["topics"][0]["topic_id"]) for value in processed)
    assert counted == {("1", 4): 2, ("2", 9): 2, ("3", 4): 2}


def test_an_edit_that_is_sent_again_does_not_replace_a_newer_one(bench: Bench) -> None:
    key, first = tweet(1)

    def send_edit(text: str, *more: tuple[str, bytes]) -> None:
        body = json.dumps(json.loads(first) | {"text": text}).encode()
        bench.send([(key, body)], [("event", b"edit"), *more])

    bench.send([(key, first)])
    send_edit("rain")
    send_edit("rain and a storm")
    send_edit("rain", ("edit_offset", b"1"))
    (partition,) = {partition for partition, end in bench.raw_ends().items() if end}
    classifier = bench.classifier(quarantined={(partition, 1): "HTTP 400: odd_exception: x"})
    spark_kafka.write(classifier.rows(bench.records()), bench.settings.kafka)

    assert (bench.store.count(), bench.dead_letters()) == (1, 1)
    (shown,) = bench.store.search(size=9)["hits"]["hits"]
    assert (shown["_source"]["text"], shown["_source"]["edit_offset"]) == ("rain and a storm", 2)


def test_hostile_tweets_hold_up_none_behind_them(bench: Bench) -> None:
    """All of them in one batch, on a machine that may be busy: sentiment alone took 107 s for one of them."""
    spark_kafka.write(bench.classifier().rows(bench.records()), bench.settings.kafka)  # starts a worker
    hostile = [(f"hostile-{number}", value) for number, value in enumerate(hostile_values(int(time.time() * 1000)))]
    bench.send([*hostile, tweet(1)])
    began = time.monotonic()
    spark_kafka.write(bench.classifier().rows(bench.records()), bench.settings.kafka)
    assert bench.store.count({"ids": {"values": ["1"]}}) == 1
    assert time.monotonic() - began < 90
    assert bench.store.count() + bench.dead_letters() == len(hostile) + 1
