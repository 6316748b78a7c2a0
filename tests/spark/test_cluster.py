"""The streaming apps and a training on a real cluster: drivers and executors at different addresses, and TLS between
them and Kafka, S3 and PostgreSQL. No process shows a secret in its command line."""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from kafka import KafkaProducer

from tests.certificates import Authority
from tests.contract.archive_table import counts_of
from tests.processes import COMMAND_LINE, Watch, family, sightings
from tests.spark_cluster import HOSTS, Cluster, spark_cluster
from tests.tls_servers import S3_SECRET, SECRET, tls_kafka, tls_postgresql, tls_s3
from tests.waiting import until
from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.backends.kafka import client_options
from twitter_topics.backends.kafka_topics import ensure_topics
from twitter_topics.backends.spark_session import jars
from twitter_topics.counts.state import CountsState
from twitter_topics.health.report import read_health
from twitter_topics.local import processes
from twitter_topics.search.store import SearchStore
from twitter_topics.settings import PROJECT, Settings
from twitter_topics.testing.corpora import planted_documents
from twitter_topics.testing.models import planted_model
from twitter_topics.topic_models.registry.files import GOLDEN
from twitter_topics.topic_models.registry.store import ARRAYS, ModelStore
from twitter_topics.topic_models.scoring.scorer import Scorer

if TYPE_CHECKING:
    from tests.conftest import Services

pytestmark = [pytest.mark.spark, pytest.mark.timeout(1800)]

DRIVERS = "127.0.0.3"
"""Where the drivers listen. Executors must be told: they are elsewhere."""

EXECUTOR = "org.apache.spark.executor.CoarseGrainedExecutorBackend"
TWEETS = 400
PLANTED, TRAINED = "20261101T000000Z-gsdmm", "20261102T000000Z-gsdmm"
APPS = {"classify_tweets": 2, "aggregate_topics": 1}
"""The streaming apps, and on how many executors each runs."""


@pytest.fixture(scope="module")
def variables(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Kafka, S3 and PostgreSQL of this test's own, with TLS; Elasticsearch and InfluxDB as in every test."""
    folder = Path(tmp_path_factory.mktemp("stores"))
    authority = Authority(folder)
    name = f"cluster{uuid.uuid4().hex[:8]}"
    with (
        tls_kafka(folder / "kafka", authority) as kafka,
        tls_s3(folder / "s3", authority) as s3,
        tls_postgresql(authority) as databases,
    ):
        yield (
            services.variables
            | kafka
            | s3
            | databases
            | {
                "ELASTICSEARCH_INDEX_PREFIX": name,
                "INFLUXDB_DATABASE": name,
                "SPEED_HEALTH_DIR": str(folder / "health"),
                "SPEED_CHECKPOINT_DIR": str(folder / "checkpoints"),
                "SPEED_DRIVER_MEMORY": "512m",
                **{f"SPEED_{query}_TRIGGER_SECONDS": "1" for query in ("ARCHIVE", "CLASSIFY", "AGGREGATE")},
                "SPARK_DRIVER_HOST": DRIVERS,
                "KAFKA_PARTITIONS": "2",
            }
        )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with spark_cluster(Path(tmp_path_factory.mktemp("cluster"))) as running:
        yield running


def send_tweets(settings: Settings) -> None:
    documents, _ = planted_documents(TWEETS, seed=3)
    now_ms = int(time.time() * 1000)
    producer = KafkaProducer(**client_options(settings.kafka), acks="all")
    for number, words in enumerate(documents):
        tweet = {
            "id_str": str(number + 1),
            "text": " ".join(words),
            "timestamp_ms": str(now_ms - 3_600_000 + number * 1000),
        }
        producer.send(settings.kafka.raw_topic, key=tweet["id_str"].encode(), value=json.dumps(tweet).encode())
    producer.close()


def promote_planted_model(models: ModelStore) -> None:
    model = planted_model(("storm", "wind", "rain", "goal", "match", "penalty"), ("weather", "football"))
    texts = ["storm and wind", "a goal in the match"]
    golden = {"texts": texts, "theta": Scorer(model).score(texts).theta.tolist()}
    models.put_files(PLANTED, {ARRAYS: model.to_bytes(), GOLDEN: json.dumps(golden).encode()})
    topics = [{"topic_id": 0, "label": "weather"}, {"topic_id": 1, "label": "football"}]
    models.register(PLANTED, {"next_topic_id": 2, "topics": topics})
    models.promote(PLANTED, None, "the first", "tests")


def test_the_streaming_apps_and_a_training(cluster: Cluster, variables: dict[str, str]) -> None:
    settings = Settings(variables)
    ensure_topics(settings.kafka)
    send_tweets(settings)
    models = ModelStore(settings)
    promote_planted_model(models)
    secrets = {
        "S3_SECRET_ACCESS_KEY": S3_SECRET,
        "PASSWORD": SECRET,
        "INFLUXDB_PASSWORD": variables["INFLUXDB_PASSWORD"],
    }
    environment = variables | {"SPARK_MASTER": cluster.master}
    with ExitStack() as stack:
        watch = stack.enter_context(Watch(lambda: family(os.getpid()) - {os.getpid()}, secrets, pause=1))
        for app, executors in APPS.items():
            command = [sys.executable, str(PROJECT / "spark_apps" / "speed" / f"{app}.py")]
            stack.enter_context(cluster.running(app, command, environment, executors))
        every_tweet_is_everywhere(cluster, settings)
        found = {pid: command for pid, command in commands().items() if EXECUTOR in command}
        assert len(found) == sum(APPS.values())
        assert {option(command, "--hostname") for command in found.values()} == set(HOSTS)
        assert {urlsplit(option(command, "--driver-url")).hostname for command in found.values()} == {DRIVERS}
        assert sightings(found, secrets) == set(), "executors have no settings in their environment"

        submit = [str(Path(sys.executable).parent / "spark-submit"), "--master", cluster.master]
        submit += ["--jars", ",".join(jars(settings.spark.jars_dir)), "--driver-memory", "512m"]
        application = str(PROJECT / "spark_apps" / "batch" / "train_topics.py")
        arguments = ["--version", TRAINED, "--k", "4", "--iterations", "5", "--min-documents", "100"]
        times = ["--from", "2026-01-01", "--to", "2100-01-01"]
        training = stack.enter_context(
            cluster.running("training", [*submit, application, *arguments, *times], variables)
        )
        assert training.wait(600) == 0, cluster.log("training")
    assert models.read_unregistered(TRAINED, ARRAYS)

    assert [one for one in watch.found if one.where == COMMAND_LINE] == []
    assert any(EXECUTOR in program for program in watch.programs)
    assert any("train_topics.py" in program for program in watch.programs)


def every_tweet_is_everywhere(cluster: Cluster, settings: Settings) -> None:
    archive, search, state = ArchiveStore(settings), SearchStore(settings.elasticsearch), CountsState.of(settings)

    def amounts() -> tuple[int, int, int]:
        """Counted, indexed, archived; the later ones only when the earlier ones are complete."""
        position = state.position()
        counted = position.tweets if position else 0
        indexed = search.count() if counted == TWEETS else 0
        return counted, indexed, counts_of(archive).tweets if indexed == TWEETS else 0

    def problem() -> str:
        health = [
            f"{one.part}: {one.state} {one.error} {one.detail}"
            for one in read_health(settings.speed.health_dir).values()
        ]
        return "\n".join([str(amounts()), *health, *(cluster.log(app) for app in APPS)])

    try:
        until(lambda: amounts() == (TWEETS, TWEETS, TWEETS), 600, problem, pause=1)
    finally:
        state.close()


def commands() -> dict[int, list[str]]:
    """The command lines of all processes of this test."""
    return {pid: processes.command_line(pid) for pid in family(os.getpid())}


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]
