"""The whole loop on the real stack: replay, train, promote, kill -9 midway; each tweet is everywhere exactly once."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from producer.sources.synthetic.stream import Stream
from producer.sources.synthetic.themes import load_themes
from tests.balance import balanced
from tests.fakes.x_api import FakeX
from tests.processes import COMMAND_LINE, Watch
from tests.waiting import until
from twitter_topics.archive.hours import last_closed
from twitter_topics.audit.balance import Report
from twitter_topics.backends.kafka_offsets import end_offsets
from twitter_topics.counts.restoration import Scope
from twitter_topics.counts.state import CountsState
from twitter_topics.counts.view import CountsView
from twitter_topics.deletions.publish import publish
from twitter_topics.local import secrets
from twitter_topics.local.airflow_rest import AirflowRest, Run
from twitter_topics.local.stack import Stack
from twitter_topics.local.tour import Tour
from twitter_topics.records.notice import Notice
from twitter_topics.search.store import SearchStore
from twitter_topics.settings import Settings
from twitter_topics.testing.services import stack_variables
from twitter_topics.topic_models.registry.store import ModelStore

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

_INFLUXDB = {"INFLUXDB_PASSWORD", "INFLUXDB_READ_PASSWORD"}
_AIRFLOW = {
    *("AIRFLOW_FERNET_KEY", "AIRFLOW_API_SECRET", "AIRFLOW_JWT_SECRET"),
    *("S3_SECRET_ACCESS_KEY", "AIRFLOW_CONN_AWS_DEFAULT"),
}
_TASKS = {*_AIRFLOW, *_INFLUXDB, "X_BEARER_TOKEN"}
MEANT = {
    "producer": {*_INFLUXDB, "S3_SECRET_ACCESS_KEY"},  # it replays, perhaps from the bucket
    "classify-tweets": {*_INFLUXDB, "S3_SECRET_ACCESS_KEY"},
    "aggregate-topics": {*_INFLUXDB, "S3_SECRET_ACCESS_KEY"},
    "api-server": {*_AIRFLOW, "INFLUXDB_READ_PASSWORD"},
    "scheduler": _TASKS,
    "dag-processor": _TASKS,
    "triggerer": _TASKS,
    "python": {*_AIRFLOW, "INFLUXDB_READ_PASSWORD"},  # Airflow's set-up, which is no service
}
"""Which variables with secrets each service may see, and with it the processes that it starts."""

REPEATED = 250
BROKEN = [b"{broken", b'{"id_str":"1","text":"no time"}', b"\xff\xfe"]
RATE = 6_000 / 86_400
"""Tweets per second."""


def made_up_tweets(hours: float, seed: int) -> list[bytes]:
    """Tweets of the last hours, up to a minute ago."""
    now_ms = int(time.time() * 1000)
    stream = Stream(seed, RATE, now_ms - int(hours * 3_600_000), load_themes())
    tweets = itertools.takewhile(lambda tweet: tweet[0] < now_ms - 60_000, map(stream.tweet, itertools.count()))
    return [json.dumps(body, ensure_ascii=False).encode() for _, body in tweets]


class Loop:
    """A running stack, and the questions that the test asks of it."""

    def __init__(self, stack: Stack, tweets: int, x: FakeX, watch: Watch) -> None:
        self.stack, self.tweets, self.x, self.watch = stack, tweets, x, watch
        self.settings = Settings(stack.addresses.variables)
        self.search = SearchStore(self.settings.elasticsearch)
        self.models = ModelStore(self.settings)
        password = secrets.load(stack.layout.secrets)["AIRFLOW_ADMIN_PASSWORD"]
        self.airflow = AirflowRest(stack.ports["airflow"], "admin", password)

    def pid(self, service: str) -> int:
        return int(self.stack.state_of(service)["pid"])

    def restarts(self, service: str) -> int:
        return int(self.stack.state_of(service)["restarts"])

    def kill(self, service: str) -> None:
        """kill -9, and wait until it runs again as another process."""
        pid = self.pid(service)
        os.kill(pid, signal.SIGKILL)
        running = lambda: self.stack.state_of(service).get("phase") == "running" and self.pid(service) != pid  # noqa: E731
        until(running, 240, f"{service} runs again")

    def balance(self) -> Report:
        return balanced(self.settings)

    def send(self, tweets: list[bytes]) -> None:
        producer = KafkaProducer(bootstrap_servers=self.settings.kafka.bootstrap_servers, acks="all")
        for value in tweets:
            producer.send(self.settings.kafka.raw_topic, key=json.loads(value)["id_str"].encode(), value=value)
        producer.flush()
        producer.close()

    def run_dag(self, dag_id: str, conf: dict[str, Any]) -> Run:
        """Trigger a DAG and wait for its success."""
        run = until(lambda: self.airflow.trigger(dag_id, conf), 120, f"{dag_id} is known", pause=0.5)
        ended = until(lambda: (now := self.airflow.run(run)).finished and now, 900, f"{dag_id} ends", pause=0.5)
        tasks = {task.task_id: task.state for task in self.airflow.tasks(run)}
        assert ended.state == "success", (dag_id, tasks)
        return ended


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    folder = Path(tmp_path_factory.mktemp("e2e"))
    tweets = made_up_tweets(hours=24, seed=3)
    replay = folder / "tweets.jsonl"
    replay.write_bytes(b"\n".join([*tweets, *BROKEN, *tweets[:REPEATED]]) + b"\n")
    variables = stack_variables(folder / "stack") | {
        "PRODUCER_SOURCE": "replay",
        "PRODUCER_REPLAY_FILE": str(replay),
        "TOPICS_MIN_DOCUMENTS": "2000",
        "SPARK_JOB_NICENESS": "0",  # other tests keep the machine busy
        "SPEED_MAX_TWEETS_PER_BATCH": "1000",  # several batches, so that there is a middle to be killed in
    }
    with FakeX() as x:
        stack = Stack(Settings(variables | x.settings), lambda _: None)
        stack.layout.make()
        known, _ = secrets.load_or_make(stack.layout.secrets)
        try:
            with Watch(stack.supervisor.leftovers, known | {"X_BEARER_TOKEN": x.settings["X_BEARER_TOKEN"]}) as watch:
                stack.up()
                yield Loop(stack, len(tweets), x, watch)
        finally:
            stack.down()


def test_every_tweet_is_archived_indexed_and_counted_once_through_kill_9(loop: Loop) -> None:
    tour = Tour(loop.stack, loop.settings, lambda _: None)
    tour.wait_for_tweets()
    assert loop.search.count() == 0  # before the first model the classifier waits, and skips nothing
    first = tour.wait_for_champion()

    until(lambda: 0 < loop.search.count() < loop.tweets, 600, "the classifier is in the middle of its work", pause=0.5)
    loop.kill("classify-tweets")
    loop.kill("aggregate-topics")

    report = loop.balance()
    facts = report.facts
    assert facts.produced == facts.archived == loop.tweets + REPEATED + len(BROKEN)
    assert facts.archived_distinct == facts.indexed == facts.counted == loop.tweets
    assert sum(facts.dead_letters.values()) == len(BROKEN)
    assert loop.search.count({"term": {"model_version": first.version}}) == loop.tweets


def test_a_promoted_model_takes_over_without_a_restart_and_without_a_gap(loop: Loop) -> None:
    first = loop.models.champion()
    assert first is not None
    before = loop.pid("classify-tweets"), loop.restarts("classify-tweets")
    loop.run_dag("topic_retraining", {"seed": 2})
    second = loop.models.versions()[-1]
    assert second != first.version
    until(lambda: _ended(loop.airflow.newest_run("model_promotion")), 900, "the gate has judged", pause=0.5)
    champion = loop.models.champion()
    assert champion is not None
    if champion.version != second:  # the gate may reject an equally good model
        loop.run_dag("model_promotion", {"version": second, "force": True, "reason": "the test needs the newer one"})

    later = made_up_tweets(hours=1, seed=4)
    loop.send(later)
    facts = loop.balance().facts
    assert facts.archived_distinct == facts.indexed == facts.counted == loop.tweets + len(later)
    assert loop.search.count({"term": {"model_version": second}}) == len(later)
    assert (loop.pid("classify-tweets"), loop.restarts("classify-tweets")) == before
    _assert_no_gap(loop)


def test_hours_are_recounted_exactly_on_demand(loop: Loop) -> None:
    end = int(last_closed(datetime.now(UTC)).timestamp())
    conf = {"start": _iso(end - 6 * 3600), "end": _iso(end), "model": "champion"}
    loop.run_dag("topic_recount", conf)
    view = CountsView(loop.settings.influx)
    try:
        rows = view.final_hours((end - 6 * 3600) * 1000, end * 1000)
    finally:
        view.close()
    in_range = {"range": {"created_at": {"gte": (end - 6 * 3600) * 1000, "lt": end * 1000}}}
    assert sum(row.sums.tweets for row in rows) == loop.search.count(in_range) > 0


def test_deleted_tweets_leave_search_and_archive_and_nothing_else_does(loop: Loop) -> None:
    before = loop.balance().facts
    by_stream, by_x, moved = (hit["_id"] for hit in loop.search.search(size=3, query={"match_all": {}})["hits"]["hits"])
    publish(loop.settings.kafka, [Notice("delete", "twitter", by_stream)])
    loop.x.jobs.redactions |= {by_x: "deleted", moved: "scrub_geo"}
    for _ in range(2):  # a second run finds nothing to do
        loop.run_dag("tweet_deletions", {"ask_x": "yes"})
    [first, second] = loop.x.jobs.jobs.values()
    assert len(set(first["ids"])) == len(first["ids"]) == before.archived_distinct
    assert set(first["ids"]) - set(second["ids"]) == {by_stream, by_x}
    assert loop.search.count({"terms": {"tweet_id": [by_stream, by_x]}}) == 0
    assert loop.search.count({"terms": {"tweet_id": [moved]}}) == 1
    after = loop.balance().facts
    assert (after.produced, after.archived, after.counted) == (before.produced, before.archived, before.counted)
    assert after.indexed == before.indexed - 2


def test_lost_counts_come_back_from_kafka_and_the_archive(loop: Loop) -> None:
    before = loop.balance().facts
    kafka = loop.settings.kafka
    state = CountsState.of(loop.settings)
    ends = end_offsets(kafka, kafka.processed_topic)
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    admin.delete_records({TopicPartition(kafka.processed_topic, number): end // 2 for number, end in ends.items()})
    admin.close()
    for scope in Scope:
        state.reset(scope)
        until(lambda: (now := state.position()) and now.owner and now.restoration is None, 300, f"{scope} is restored")
        after = loop.balance().facts
        assert after.counted == before.counted
        assert after.hours_compared > 24
    state.close()


def test_no_process_showed_a_secret_that_is_not_meant_for_it(loop: Loop) -> None:
    """In the whole run, DAGs and their Spark jobs included."""
    assert any("train_topics.py" in program for program in loop.watch.programs), "no job was seen"
    assert [one for one in loop.watch.found if one.where == COMMAND_LINE] == []
    seen: dict[str, set[str]] = {}
    for one in loop.watch.found:
        seen.setdefault(one.part, set()).add(one.where)
    unmeant = {part: sorted(names - MEANT.get(part, set())) for part, names in seen.items()}
    assert {part: names for part, names in unmeant.items() if names} == {}


def _iso(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _ended(run: Run | None) -> bool:
    return run is not None and run.finished


def _assert_no_gap(loop: Loop) -> None:
    """The newest hour of the series has a point every ten seconds."""
    view = CountsView(loop.settings.influx)
    try:
        now = view.last_hour()
        assert now is not None
        ends = sorted({point.end_ms for point in view.hours(now.end_ms - 3_600_000, now.end_ms)})
    finally:
        view.close()
    assert {later - earlier for earlier, later in itertools.pairwise(ends)} == {10_000}
