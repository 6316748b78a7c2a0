"""Five networks at once into the real stack: Kafka is stopped, every producer is killed, and each post arrives once."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from tests.balance import balanced
from tests.fakes import jetstream, script, x_api
from tests.fakes.bluesky_network import Network
from tests.fakes.mastodon import FakeMastodon
from tests.fakes.twitter_v1 import FakeTwitter
from tests.waiting import until
from twitter_topics.archive.rejected import RejectedRecords
from twitter_topics.audit.balance import Report
from twitter_topics.backends.dead_letters import read_letters
from twitter_topics.health.points import HealthPoints
from twitter_topics.health.report import read_health
from twitter_topics.local.stack import Stack
from twitter_topics.records.gap import Gap
from twitter_topics.records.notice import Notice
from twitter_topics.search.index import index_name
from twitter_topics.search.store import SearchStore, elasticsearch_client
from twitter_topics.settings import Settings
from twitter_topics.testing.models import register_planted_model
from twitter_topics.testing.services import stack_variables
from twitter_topics.topic_models.registry.store import ModelStore

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

N = 600
"""Posts of each network."""
HALF = N // 2
LIVE = ("twitter_v1", "x_v2", "bluesky", "mastodon")


class Networks:
    """The fakes. Each delivers half of its posts, with faults between, and the rest when `second_half` is set."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.second_half = threading.Event()
        stack.callback(self.second_half.set)
        delete = script.message(b'{"delete":{"status":{"id_str":"1","user_id_str":"7"}}}')
        # no resets: bytes lost in a reset count as sent but are never received
        faults = ((script.half(), script.cut), (script.end,), (script.half(0.9), script.cut))
        stormy = script.stormy(HALF, per_connection=100, faults=faults)[:-1]
        rest = [delete, self._wait, script.posts(N), script.keep_open]
        self.twitter = stack.enter_context(FakeTwitter([*stormy, rest], N))
        rest = [script.message(b"1"), self._wait, script.posts(N), script.keep_open]
        self.mastodon = stack.enter_context(FakeMastodon([*stormy, rest], N))
        now_ms = time.time_ns() // 1_000_000
        problem = x_api.problem(x_api.OPERATIONAL_DISCONNECT)
        second = [script.again(5), script.posts(HALF - 100), problem, script.end]
        rest = [self._wait, script.posts(N), script.keep_open]
        first = [script.posts(100), script.half(), script.cut]
        self.x = stack.enter_context(x_api.FakeX(N, [first, second, rest], start_ms=now_ms - N * 10))
        self.sky = Network()
        steps = [[jetstream.frames(100), jetstream.reset], [jetstream.frames(50), jetstream.half]]
        self.bluesky = stack.enter_context(jetstream.FakeJetstream(self.sky, steps))
        self.replay = folder / "replay"
        self.replay.mkdir()
        self.replayed = [str(number) for number in range(10**15, 10**15 + N)]
        for begin in range(0, N, 200):
            lines = [json.dumps(_tweet(one, now_ms - 60_000)) + "\n" for one in self.replayed[begin : begin + 200]]
            (self.replay / f"part-{begin}.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode()))

    def _wait(self, stream: script.Stream) -> None:
        """Keep the line alive until the second half."""
        script.keep_alive(stream)
        while not self.second_half.wait(1):
            script.keep_alive(stream)

    @property
    def variables(self) -> dict[str, str]:
        return {
            **self.twitter.settings,
            **self.mastodon.settings,
            **self.x.settings,
            "BLUESKY_HOSTS": self.bluesky.url,
            "PRODUCER_REPLAY_FILE": str(self.replay),
            "PRODUCER_SOURCE": ",".join([*LIVE, "replay"]),
        }

    def begin(self) -> None:
        """Bluesky's first half: without a cursor only what comes later is seen."""
        until(lambda: self.bluesky.streams, 120, lambda: "no producer follows Bluesky")
        for _ in range(HALF):
            self.sky.post()

    def go_on(self) -> None:
        """Start the second half, and delete Bluesky's first post."""
        for _ in range(N - HALF):
            self.sky.post()
        first = self.sky.entries[0]
        self.sky.commit("delete", first.body["rkey"], first.did)
        self.second_half.set()

    def ids(self) -> set[str]:
        """The ids in the search index."""
        host = self.mastodon.url.removeprefix("http://")
        return {
            *self.twitter.sent_ids,
            *(f"mastodon:{host}/{one}" for one in self.mastodon.sent_ids),
            *self.x.sent_ids,
            *self.sky.post_ids,
            *self.replayed,
        }


def _tweet(tweet_id: str, time_ms: int) -> dict[str, Any]:
    return {"id_str": tweet_id, "text": f"storm and song {tweet_id}", "timestamp_ms": str(time_ms), "user": {}}


class Running:
    """The stack, with a model from the start, and the test's questions to it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.settings = Settings(stack.addresses.variables)
        self.search = SearchStore(self.settings.elasticsearch)

    def plant_model(self) -> None:
        store, version = ModelStore(self.settings), "20260101T000000Z-planted"
        register_planted_model(store, version)
        store.promote(version, None, "planted", "the test")

    def kill_producers(self) -> None:
        for name in LIVE:
            os.kill(int(self.stack.state_of(f"producer-{name}")["pid"]), signal.SIGKILL)

    def waiting_in_spools(self) -> dict[str, int]:
        health = read_health(self.settings.speed.health_dir)
        found = {name: re.search(r"([\d,]+) in flight", health[f"producer-{name}"].detail) for name in LIVE}
        return {name: int(match[1].replace(",", "")) for name, match in found.items() if match}

    def balance(self) -> Report:
        return balanced(self.settings)

    def send(self, tweet: dict[str, Any]) -> None:
        kafka = self.settings.kafka
        with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all")) as producer:
            value = json.dumps(tweet).encode()
            producer.send(kafka.raw_topic, key=tweet["id_str"].encode(), value=value).get(timeout=30)

    def read(self, topic: str) -> list[tuple[bytes, bytes]]:
        """Return the present keys and values of a topic."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.settings.kafka.bootstrap_servers, enable_auto_commit=False, consumer_timeout_ms=5_000
        )
        try:
            places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
            consumer.assign(places)
            consumer.seek_to_beginning(*places)
            ends = consumer.end_offsets(places)
            found: list[tuple[bytes, bytes]] = []
            while any(consumer.position(place) < ends[place] for place in places):
                for records in consumer.poll(timeout_ms=500).values():
                    found += [(record.key, record.value) for record in records]
            return found
        finally:
            consumer.close()


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Networks]:
    with ExitStack() as stack:
        yield Networks(Path(tmp_path_factory.mktemp("networks")), stack)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, networks: Networks) -> Iterator[Running]:
    folder = Path(tmp_path_factory.mktemp("sources"))
    stack = Stack(Settings(stack_variables(folder / "stack") | networks.variables), lambda _: None)
    try:
        stack.up(["services"])
        running = Running(stack)
        running.plant_model()
        stack.up(["services", "speed"])
        yield running
    finally:
        stack.down()


def test_every_post_arrives_once_although_kafka_was_down_and_all_producers_were_killed(
    running: Running, networks: Networks
) -> None:
    networks.begin()
    half = HALF * len(LIVE) + N
    until(lambda: running.search.count() >= half, 600, lambda: f"{running.search.count()} of {half} indexed", pause=0.3)

    running.stack.supervisor.stop(["kafka"])
    networks.go_on()
    rest = N - HALF
    until(
        lambda: len(spools := running.waiting_in_spools()) == len(LIVE) and all(n >= rest for n in spools.values()),
        240,
        lambda: f"spools hold {running.waiting_in_spools()}, each should hold {rest}",
    )
    running.kill_producers()
    running.stack.up(["services", "speed"])

    everything = networks.ids()
    total = N * (len(LIVE) + 1)
    assert len(everything) == total
    until(
        lambda: running.search.count() >= total,
        600,
        lambda: f"{running.search.count()} of {total} indexed",
        pause=0.3,
    )
    facts = running.balance().facts
    assert facts.archived_distinct == facts.indexed == facts.counted == total
    assert sum(facts.dead_letters.values()) == 0
    assert {key.decode() for key, _ in running.read(running.settings.kafka.raw_topic)} == everything


def test_deletions_arrived(running: Running, networks: Networks) -> None:
    notices = [Notice.from_value(value) for _, value in running.read(running.settings.kafka.deletion_topic)]
    host = networks.mastodon.url.removeprefix("http://")
    assert {notice.tweet_id for notice in notices} == {"1", f"mastodon:{host}/1", networks.sky.post_ids[0]}
    assert {notice.event for notice in notices} == {"delete"}


def test_every_stop_of_a_network_without_a_past_is_a_gap_in_kafka_and_influxdb(running: Running) -> None:
    in_kafka = [Gap.from_value(value) for _, value in running.read(running.settings.kafka.gap_topic)]
    assert {gap.source for gap in in_kafka if gap.cause == "stopped"} == {"twitter_v1", "x_v2", "mastodon"}
    assert all(gap.from_ms < gap.to_ms for gap in in_kafka)
    points = HealthPoints(running.settings.influx)
    try:
        until(
            lambda: set(points.gaps(0, 2 * 10**12)) == set(in_kafka),
            120,
            lambda: f"InfluxDB has {points.gaps(0, 2 * 10**12)}, Kafka {in_kafka}",
            pause=0.3,
        )
    finally:
        points.close()


def test_a_rejected_tweet_is_sent_again_and_counted_once(running: Running) -> None:
    before = running.balance().facts
    created_ms = time.time_ns() // 1_000_000 - 3 * 86_400_000
    client = elasticsearch_client(running.settings.elasticsearch)
    index = index_name(running.settings.elasticsearch.index_prefix, created_ms)
    client.indices.create(index=index, mappings={"properties": {"source": {"type": "integer"}}})
    running.send(_tweet("77", created_ms))
    (letter,) = until(lambda: read_letters(running.settings.kafka), 240, "the tweet is a dead letter", pause=0.3)
    assert "document_parsing_exception" in letter.reason

    client.indices.delete(index=index)  # the mistake is mended: the template makes the next one
    rejected = RejectedRecords(running.settings)
    for _ in range(2):
        ((_, record),) = rejected.find([letter])
        assert record is not None
        assert rejected.retry([record]) == 1
    after = running.balance().facts
    assert (after.indexed, after.counted) == (before.indexed + 1, before.counted + 1)
    assert (after.archived, after.archived_distinct) == (before.archived + 3, before.archived_distinct + 1)
