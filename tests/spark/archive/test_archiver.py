"""The archiver on real Kafka and Iceberg: each record once, whatever its driver dies of, and one driver at a time."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from tests.waiting import until
from twitter_topics.archive import archiver
from twitter_topics.archive.archiver import Archiver, checkpoint_of
from twitter_topics.archive.rows import (
    append_batch,
    archive_rows,
    current_snapshot,
    ensure_tables,
    newest_batch,
    raw_table,
    time_bounds,
)
from twitter_topics.backends import spark_kafka
from twitter_topics.backends.kafka import client_options
from twitter_topics.backends.lease import Folder, Lease
from twitter_topics.backends.query_errors import ErrorText
from twitter_topics.backends.query_keeper import NotReady
from twitter_topics.backends.spark_kafka import read_stream
from twitter_topics.backends.spark_session import catalog_options
from twitter_topics.errors import IntegrityError, RetryableError, SupersededError
from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming import StreamingQuery

    from tests.conftest import Services

pytestmark = pytest.mark.spark

PARTITIONS = 3
"""KAFKA_PARTITIONS is 4 by default: another number than the topic's."""


@dataclass
class Bench:
    """A topic and an archive of its own."""

    spark: SparkSession
    settings: Settings
    folder: Path

    apps: list[Archiver] = field(default_factory=list)

    def app(self) -> Archiver:
        self.apps.append(Archiver(self.spark, self.settings, Lease(Folder(), f"{self.folder}/driver/", "tests")))
        return self.apps[-1]

    def send(self, values: range) -> None:
        producer = KafkaProducer(**client_options(self.settings.kafka), acks="all")
        now = int(time.time() * 1000)
        for n in values:
            body = {"id_str": str(n), "text": "rain", "timestamp_ms": str(now)}
            producer.send(self.settings.kafka.raw_topic, json.dumps(body).encode(), partition=n % PARTITIONS)
        producer.flush()
        producer.close()

    def rows(self) -> tuple[int, int]:
        """(rows, distinct records) of the archive."""
        table = self.spark.table(raw_table(self.settings))
        return table.count(), table.select("kafka_partition", "kafka_offset").distinct().count()

    def catch_up(self, app: Archiver) -> None:
        query = app.start()
        try:
            until(lambda: self._is_done(query, app), 150, pause=0.2)
        finally:
            query.stop()

    def roll_back(self, snapshot: int | None) -> None:
        catalog = self.settings.archive.catalog_name
        self.spark.sql(f"CALL {catalog}.system.rollback_to_snapshot('tweets.raw', {snapshot})").collect()

    def failure(self, query: StreamingQuery) -> str:
        until(lambda: not query.isActive, 150)
        return str(query.exception())

    def _is_done(self, query: StreamingQuery, app: Archiver) -> bool:
        assert query.isActive, query.exception()
        return bool(query.lastProgress) and app.lag(query) == 0


@pytest.fixture
def bench(spark: SparkSession, services: Services, local_archive: Settings, tmp_path: Path) -> Iterator[Bench]:
    name = f"archiver{uuid.uuid4().hex[:8]}"
    settings = services.settings(
        KAFKA_RAW_TOPIC=name,
        ARCHIVE_CATALOG_NAME=local_archive.archive.catalog_name,
        ARCHIVE_CATALOG_URI=local_archive.archive.catalog_uri,
        SPEED_CHECKPOINT_DIR=str(tmp_path / "checkpoints"),
        SPEED_ARCHIVE_TRIGGER_SECONDS="1",
        SPEED_MAX_TWEETS_PER_BATCH="100",
    )
    assert settings.kafka.partitions != PARTITIONS
    admin = KafkaAdminClient(**client_options(settings.kafka))
    admin.create_topics({name: {"num_partitions": PARTITIONS, "replication_factor": 1}})
    made = Bench(spark, settings, tmp_path)
    yield made
    for app in made.apps:
        app.lag._ends.close()
    admin.delete_topics([name])
    admin.close()


def test_without_a_checkpoint_it_goes_on_at_the_end_of_the_archive_whatever_the_number_of_partitions(
    bench: Bench,
) -> None:
    bench.send(range(120))
    bench.catch_up(bench.app())
    assert bench.rows() == (120, 120)
    (bench.folder / "checkpoints").rename(bench.folder / "lost")
    bench.send(range(120, 200))
    app = bench.app()
    bench.catch_up(app)
    assert bench.rows() == (200, 200)


def test_a_start_that_never_reached_kafka_does_not_archive_the_topic_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spark makes the checkpoint before it notes the offsets at which it begins."""
    bench.send(range(120))
    bench.catch_up(bench.app())
    (bench.folder / "checkpoints").rename(bench.folder / "lost")
    bench.send(range(120, 200))
    nowhere = {
        "kafka.bootstrap.servers": "127.0.0.1:9",
        "kafka.request.timeout.ms": "200",
        "kafka.default.api.timeout.ms": "400",
    }
    with monkeypatch.context() as patch:
        patch.setattr(spark_kafka, "kafka_options", lambda _settings: nowhere)
        bench.failure(bench.app().start())
    checkpoint = checkpoint_of(bench.settings)
    assert Path(checkpoint, "metadata").exists()
    assert not Path(spark_kafka.first_offsets(checkpoint)).exists()
    bench.catch_up(bench.app())
    assert bench.rows() == (200, 200)


def test_what_kafka_has_deleted_is_named_and_skipped_only_when_a_person_says_so(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    topic = bench.settings.kafka.raw_topic
    bench.send(range(120))
    bench.catch_up(bench.app())
    bench.send(range(120, 200))
    admin = KafkaAdminClient(**client_options(bench.settings.kafka))
    admin.delete_records({TopicPartition(topic, 0): 50})
    admin.close()
    with pytest.raises(
        IntegrityError,
        match=f"records 40 to 49 of partition 0 of topic {topic} .*delete {checkpoint_of(bench.settings)}",
    ):
        bench.app().start()
    (bench.folder / "checkpoints").rename(bench.folder / "deleted")
    bench.catch_up(bench.app())
    assert bench.rows() == (190, 190)
    assert "Kafka has deleted records 40 to 49 of partition 0" in caplog.text


def test_a_topic_that_was_created_again_is_not_taken_for_the_one_that_is_archived(bench: Bench) -> None:
    topic = bench.settings.kafka.raw_topic
    bench.send(range(120))
    bench.catch_up(bench.app())
    admin = KafkaAdminClient(**client_options(bench.settings.kafka))
    admin.delete_topics([topic])
    until(lambda: topic not in admin.list_topics(), 30)
    admin.create_topics({topic: {"num_partitions": PARTITIONS, "replication_factor": 1}})
    admin.close()
    bench.send(range(6))
    for _ in ("with a checkpoint", "without one"):
        with pytest.raises(IntegrityError, match="ends at offset 2 and was read up to 40: the topic was created again"):
            bench.app().start()
        shutil.rmtree(bench.folder / "checkpoints", ignore_errors=True)
    assert bench.rows() == (120, 120)


def test_a_batch_whose_driver_dies_between_the_two_commits_is_archived_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.send(range(250))
    batches: list[int] = []

    def dying(rows: DataFrame, settings: Settings, batch_id: int) -> None:
        append_batch(rows, settings, batch_id)
        batches.append(batch_id)
        if batches in ([0], [0, 1]):
            raise RuntimeError("killed after Iceberg's commit")

    monkeypatch.setattr(archiver, "append_batch", dying)
    for _ in range(2):
        assert "killed" in bench.failure(bench.app().start())
    bench.catch_up(bench.app())
    assert batches == [0, 1, 2]
    assert bench.rows() == (250, 250)


def test_a_batch_whose_snapshot_was_rolled_back_is_archived_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.send(range(250))
    snapshots: list[int | None] = []

    def dying(rows: DataFrame, settings: Settings, batch_id: int) -> None:
        append_batch(rows, settings, batch_id)
        snapshots.append(current_snapshot(bench.spark, settings))
        if batch_id == 1:
            raise RuntimeError("killed after Iceberg's commit")

    with monkeypatch.context() as patch:
        patch.setattr(archiver, "append_batch", dying)
        assert "killed" in bench.failure(bench.app().start())
    bench.roll_back(snapshots[0])
    bench.catch_up(bench.app())
    assert bench.rows() == (250, 250)


def test_a_rollback_by_the_steps_of_a_failed_compaction_loses_nothing(bench: Bench) -> None:
    bench.send(range(120))
    bench.catch_up(bench.app())
    before = current_snapshot(bench.spark, bench.settings)
    bench.send(range(120, 200))
    bench.catch_up(bench.app())
    bench.roll_back(before)
    shutil.rmtree(checkpoint_of(bench.settings))
    bench.catch_up(bench.app())
    assert bench.rows() == (200, 200)


def test_only_the_first_batch_of_a_start_can_be_a_repeated_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.send(range(250))
    looked_up: list[int] = []

    def noting(spark: SparkSession, settings: Settings) -> int:
        looked_up.append(newest_batch(spark, settings))
        return looked_up[-1]

    monkeypatch.setattr(archiver, "newest_batch", noting)
    bench.catch_up(bench.app())
    bench.send(range(250, 260))
    bench.catch_up(bench.app())
    assert looked_up == [-1, 2]
    assert bench.rows() == (260, 260)


def test_a_batch_of_all_partitions_becomes_one_file(bench: Bench) -> None:
    bench.send(range(90))
    bench.catch_up(bench.app())
    files = bench.spark.table(f"{raw_table(bench.settings)}.files").select("record_count").collect()
    assert [file.record_count for file in files] == [90]


def test_a_batch_that_icebergs_own_sink_archived_is_not_repeated(bench: Bench) -> None:
    """The sink of earlier versions, interrupted between its commit and Spark's."""
    bench.send(range(60))
    settings, checkpoint = bench.settings, bench.folder / "checkpoints" / archiver.QUERY_NAME
    records = read_stream(bench.spark, settings.kafka, settings.kafka.raw_topic, max_records=100, starting="earliest")
    rows = archive_rows(records, time_bounds(settings)).writeStream.format("iceberg").outputMode("append")
    rows = rows.options(**{"checkpointLocation": checkpoint.as_uri(), "fanout-enabled": "true"})
    rows = rows.option("check-nullability", "false").trigger(availableNow=True)
    rows.toTable(raw_table(settings)).awaitTermination(150)
    for name in ("0", ".0.crc"):
        (checkpoint / "commits" / name).unlink()
    bench.send(range(60, 80))
    bench.catch_up(bench.app())
    assert bench.rows() == (80, 80)


def test_a_driver_that_was_superseded_archives_nothing_more(bench: Bench) -> None:
    bench.send(range(30))
    first = bench.app()
    query = first.start()
    until(lambda: bench.rows()[0] == 30, 150, pause=0.2)
    second = bench.app()
    second._lease.hold()
    bench.send(range(30, 60))
    assert "SupersededError" in bench.failure(query)
    with pytest.raises(SupersededError, match="another driver"):
        first._lease.hold()
    with pytest.raises(SupersededError, match="another driver"):
        first.start()
    assert bench.rows() == (30, 30)
    bench.catch_up(second)
    assert bench.rows() == (60, 60)


def test_the_lag_is_true_after_a_restart_that_does_not_get_far(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RetryableError, match="not been read"):
        bench.app().lag(None)
    bench.send(range(30))
    bench.catch_up(bench.app())
    bench.send(range(30, 70))
    app = bench.app()

    def no_catalog(*_: object) -> None:
        raise RetryableError("the catalog is down")

    monkeypatch.setattr(archiver, "ensure_tables", no_catalog)
    with pytest.raises(RetryableError, match="catalog"):
        app.start()
    assert app.lag(None) == 40


def test_a_wrong_address_of_the_catalog_names_the_setting(spark: SparkSession) -> None:
    settings = Settings({"ARCHIVE_CATALOG_NAME": "wrong", "ARCHIVE_CATALOG_URI": "sqlite:////proc/nowhere/catalog.db"})
    for key, value in catalog_options(settings.archive, settings.s3).items():
        spark.conf.set(key, value)
    with pytest.raises(Exception, match="/proc/nowhere") as caught:
        ensure_tables(spark, settings)
    found = ErrorText.of(caught.value)
    assert found.is_configuration
    assert "ARCHIVE_CATALOG_URI" in found.line


def test_a_missing_topic_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiver, "topic_ranges", lambda *_: {})
    with pytest.raises(NotReady, match="does not exist"):
        bench.app().start()
