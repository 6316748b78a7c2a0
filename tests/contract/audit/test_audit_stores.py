"""The audit on real stores: correct data balance, and manual changes are found."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from pyiceberg.table import Table

from tests.contract.archive_table import Record, append, make_table, redact
from twitter_topics.audit.audit_tasks import audit_stores, measure, publish_models
from twitter_topics.audit.balance import Report
from twitter_topics.audit.report import as_dict
from twitter_topics.audit.run import audit
from twitter_topics.audit.stores import RealStores
from twitter_topics.backends.influx import InfluxStore
from twitter_topics.backends.kafka import client_options
from twitter_topics.backends.kafka_offsets import end_offsets
from twitter_topics.backends.kafka_partitioner import partition_of
from twitter_topics.backends.kafka_topics import ensure_topics, topic_id
from twitter_topics.backends.s3 import ensure_bucket, s3_client
from twitter_topics.counts.aggregation import Aggregation
from twitter_topics.counts.batch import BatchCounts, Lane, Marks, TopicPane
from twitter_topics.counts.panes import PANE_MS, HourPoint, Series, Sums, pane_start
from twitter_topics.counts.publication import Publisher
from twitter_topics.counts.state import CountsState
from twitter_topics.counts.view import CountsView
from twitter_topics.errors import IntegrityError
from twitter_topics.records.processed import dead_letter, dead_letter_key
from twitter_topics.search.store import SearchStore
from twitter_topics.settings import KafkaSettings, Settings
from twitter_topics.testing.aggregation import NoPublication
from twitter_topics.testing.search import encoded
from twitter_topics.topic_models.registry.store import ModelStore

if TYPE_CHECKING:
    from tests.conftest import Services

pytestmark = pytest.mark.contract

TWEETS = 40
REJECT_EVERY = 8
NOW = datetime.now(UTC)


@dataclass
class Pipeline:
    """The stores, filled by the test as the apps would fill them."""

    settings: Settings
    archive: Table
    search: SearchStore
    state: CountsState
    view: CountsView
    records: list[Record]
    lanes: dict[tuple[int, int], int]

    def look(self) -> Report:
        days = self.settings.elasticsearch.retention_days
        return audit(RealStores(self.settings), retention_days=days, sleep=lambda _: None)

    def document(self, record: Record) -> dict[str, object]:
        created_at = int(record.at.timestamp() * 1000)
        raw_record = {"raw_partition": record.partition, "raw_offset": record.offset}
        topic = {"topic_id": 1, "model_version": "m1"}
        return {"tweet_id": record.tweet_id, "created_at": created_at, **topic, **raw_record}

    def count(self, tweets: int, *, at: datetime = NOW) -> None:
        """Count some tweets and publish them."""
        self.add({TopicPane(pane_start(int(at.timestamp() * 1000)), 1, "storm", "m1"): tweets})

    def add(self, tweets: dict[TopicPane, int]) -> None:
        """Count a batch, as the aggregator does, and publish it."""
        kafka = self.settings.kafka
        raw = topic_id(kafka, kafka.raw_topic)
        aggregation = Aggregation(self.state, NoPublication())
        aggregation.open(topic_id(kafka, kafka.processed_topic), raw)
        self.state.end_restoration(aggregation.position)
        sums = {pane: Sums(number, 0, number * 1_000_000, 0) for pane, number in tweets.items()}
        lanes = {Lane(raw, *lane): Marks(0, offset) for lane, offset in self.lanes.items()}
        self.lanes = {}  # a lane is counted once; later calls only falsify
        aggregation.count(BatchCounts(sums=sums, lanes=lanes, shares=sum(map(abs, tweets.values()))))
        Publisher(self.state, self.view).publish()


@pytest.fixture
def pipeline(services: Services, tmp_path: Path) -> Iterator[Pipeline]:
    name = f"audit{uuid.uuid4().hex[:8]}"
    settings = services.settings(
        KAFKA_RAW_TOPIC=f"{name}-raw",
        KAFKA_PROCESSED_TOPIC=f"{name}-processed",
        KAFKA_DEAD_LETTER_TOPIC=f"{name}-letters",
        KAFKA_DELETION_TOPIC=f"{name}-deletions",
        KAFKA_PARTITIONS="3",
        S3_BUCKET=name,
        ARCHIVE_CATALOG_URI=f"sqlite:///{tmp_path}/catalog.db",
        ELASTICSEARCH_INDEX_PREFIX=name,
        COUNTS_DATABASE_URI=f"sqlite:///{tmp_path}/counts.db",
        INFLUXDB_DATABASE=name,
    )
    ensure_topics(settings.kafka)
    ensure_bucket(s3_client(settings.s3), name)
    search, view = SearchStore(settings.elasticsearch), CountsView(settings.influx)
    search.prepare()
    table = make_table(settings, f"s3://{name}/lake")
    filled = Pipeline(settings, table, search, CountsState.of(settings), view, produce(settings), {})
    append(table, filled.records)
    good = [record for record in filled.records if record.tweet_id]
    search.create(encoded(*[filled.document(record) for record in good]))
    for record in sorted(good):
        assert record.tweet_id
        filled.lanes[record.partition, partition_of(record.tweet_id.encode(), 3)] = record.offset
    starts = [pane_start(int(record.at.timestamp() * 1000)) for record in good]
    filled.add(Counter(TopicPane(start, 1, "storm", "m1") for start in starts))
    yield filled
    for index in search.daily_indices():
        search.delete_index(index)
    view._influx.execute(f"DROP DATABASE {name}")
    view.close()


def produce(settings: Settings) -> list[Record]:
    """Send raw records, and dead letters for the bad ones; each letter twice, as a repeated batch does."""
    kafka, records = settings.kafka, []
    producer = KafkaProducer(**client_options(kafka))
    for number in range(TWEETS):
        tweet_id = None if number % REJECT_EVERY == 0 else str(10**18 + number)
        sent = producer.send(kafka.raw_topic, key=str(10**18 + number).encode(), value=b"{}").get(timeout=30)
        records.append(Record(sent.partition, sent.offset, tweet_id, NOW - timedelta(days=number % 3)))
        if tweet_id is None:
            raw_record = {"topic": kafka.raw_topic, "partition": sent.partition, "offset": sent.offset}
            letter = json.dumps(dead_letter(stage="parse", reason="id: no id_str", value=b"{}", **raw_record))
            for _ in range(2):
                producer.send(
                    kafka.dead_letter_topic, key=dead_letter_key(**raw_record).encode(), value=letter.encode()
                )
    producer.flush()
    producer.close()
    return records


def _show_wrongly(pipeline: Pipeline) -> None:
    """Write a point with a revision unknown to the state, and one tweet too many."""
    newest = pipeline.view.last_hour()
    assert newest
    point = pipeline.view.hours(newest.end_ms, newest.end_ms + PANE_MS)[0]
    position = pipeline.state.position()
    assert position
    more = HourPoint(point.end_ms, Series(*point.series), point.sums.plus(Sums(1)))
    pipeline.view.write_hours([more], position.revision + 1)


def _let_dead_letters_expire(settings: KafkaSettings) -> None:
    topic = settings.dead_letter_topic
    admin = KafkaAdminClient(**client_options(settings))
    admin.delete_records({TopicPartition(topic, number): end for number, end in end_offsets(settings, topic).items()})
    admin.close()


def named(report: Report) -> set[tuple[str, str]]:
    return {(finding.hop, finding.kind) for finding in report.findings}


def test_the_audit_of_real_stores(pipeline: Pipeline) -> None:
    """One test in several steps, because filling the stores takes long."""
    report = pipeline.look()
    rejects = len(range(0, TWEETS, REJECT_EVERY))
    assert (report.state, report.findings) == ("ok", ())
    found = as_dict(report)
    assert found["produced"] == found["archived"] == found["archived_records"] == TWEETS
    assert found["archived_distinct"] == found["indexed"] == found["counted"] == TWEETS - rejects
    assert (found["dead_letters"], found["dead_letters_by_stage"]) == (rejects, {"parse": rejects})

    good = [record for record in pipeline.records if record.tweet_id]
    client, index = pipeline.search._client, next(iter(pipeline.search.daily_indices()))
    held = client.search(index=index, size=1)["hits"]["hits"][0]
    client.delete(index=index, id=held["_id"])
    assert named(pipeline.look()) == {("index", "lost"), ("counts", "wrong")}
    client.index(index=index, id=held["_id"], document=held["_source"])
    assert pipeline.look().state == "ok"
    client.index(index=index, id="another", document=held["_source"])
    assert named(pipeline.look()) == {("index", "doubled"), ("counts", "wrong")}
    client.delete(index=index, id="another")

    pipeline.count(1)
    assert named(pipeline.look()) == {("counts", "doubled"), ("counts", "wrong")}
    pipeline.count(-2)
    assert named(pipeline.look()) == {("counts", "lost"), ("counts", "wrong")}
    pipeline.count(1)
    assert pipeline.look().state == "ok"

    counted_as = {"counted_topic_id": 1, "counted_model_version": "m1"}
    edited = held["_source"] | counted_as | {"topic_id": 9, "model_version": "m2"}
    client.index(index=index, id=held["_id"], document=edited)
    assert pipeline.look().state == "ok", "an edit shows another topic than the one that was counted"
    client.index(index=index, id=held["_id"], document=edited | {"counted_topic_id": 9})
    assert named(pipeline.look()) == {("counts", "wrong")}
    client.index(index=index, id=held["_id"], document=held["_source"])

    _show_wrongly(pipeline)
    report = pipeline.look()
    assert named(report) == {("view", "wrong")}
    newest = sum(1 for record in good if record.at == NOW)
    assert f"counted {newest}, read {newest + 1}" in report.findings[0].text
    for _ in range(2):  # past the revision of the wrong point, whatever the clock
        pipeline.state.publish_all()
    Publisher(pipeline.state, pipeline.view).publish()
    assert pipeline.look().state == "ok"

    taken, tweet_id = good[1], str(good[1].tweet_id)
    redact(pipeline.archive, tweet_id)
    assert ("index", "kept") in named(pipeline.look())
    created_at = int(taken.at.timestamp() * 1000)
    assert pipeline.search.delete([(tweet_id, created_at)]) == 1
    report = pipeline.look()
    assert (report.state, named(report)) == ("ok", {("archive", "note")})
    assert as_dict(report)["deleted"] == 1
    pipeline.search.delete([(str(good[2].tweet_id), int(good[2].at.timestamp() * 1000))])
    pipeline.search.create(encoded(pipeline.document(taken)))
    assert named(pipeline.look()) == {("archive", "note"), ("index", "kept"), ("index", "lost")}
    pipeline.search.create(encoded(pipeline.document(good[2])))
    pipeline.search.delete([(tweet_id, created_at)])

    _let_dead_letters_expire(pipeline.settings.kafka)
    report = pipeline.look()
    assert (report.state, named(report)) == ("ok", {("archive", "note")})
    assert report.facts.letters_expired == 2 * rejects

    append(pipeline.archive, [good[0]])
    assert named(pipeline.look()) == {("archive", "note"), ("archive", "doubled")}


# --- what dashboards show of it


def test_the_watch_measures_dead_letters_the_view_and_the_champion(pipeline: Pipeline) -> None:
    models = ModelStore(pipeline.settings)
    version = "20261101T040000Z-gsdmm"
    models.put_files(version, {"arrays.npz": b"-"})
    quality = {"perplexity": 500.0, "unigram_perplexity": 900.0, "coherence": 0.2, "diversity": 0.8, "coverage": 0.9}
    verdict = {"promote": True, "reasons": ["there is no champion yet"]}
    metrics = quality | {"documents": 5_000, "topics": 8}
    models.register(version, {"metrics": metrics, "evaluation": {"verdict": verdict}})
    promoted = models.promote(version, None, reason="the first one", by="a test")
    now = time.time()
    measure(pipeline.settings, now=now)
    shown = shown_in(pipeline.settings)
    rejects = sum(not record.tweet_id for record in pipeline.records)
    produced = len(pipeline.records)
    assert shown("dead_letter_share") == [
        {"dead_letters": rejects, "raw_records": produced, "share": pytest.approx(rejects / produced)}
    ]
    assert shown("dead_letters") == [{"stage": "parse", "reason": "id", "records": rejects}]
    assert shown("view_behind") == [{"seconds": 0.0}]
    (champion,) = shown("model_champion")
    assert champion["version"] == version
    assert champion["age_seconds"] == pytest.approx(
        now - datetime.fromisoformat(promoted.promoted_at).timestamp(), abs=1
    )
    assert shown("model_promotion") == [{"version": version, "previous": "", "by": "a test", "reason": "the first one"}]
    for _ in range(2):  # the same points each time
        assert publish_models(pipeline.settings) == 2
    assert len(shown("model_promotion")) == 1
    assert shown("model_gate") == [
        metrics | {"version": version, "passed": True, "reasons": "there is no champion yet"}
    ]
    measure(pipeline.settings, now=now + 7200)
    newest = shown("dead_letter_share")[-1]
    assert (newest["dead_letters"], newest["raw_records"], newest["share"]) == (0, 0, 0.0)


def test_an_audit_that_is_broken_is_written_before_it_fails(pipeline: Pipeline) -> None:
    pipeline.count(10_000)
    with pytest.raises(IntegrityError, match="more tweets were counted"):
        audit_stores(pipeline.settings, now=time.time())
    shown = shown_in(pipeline.settings)
    (result,) = shown("audit_result")
    assert (result["state"], result["broken"], result["produced"]) == ("broken", 1, len(pipeline.records))
    assert ("counts", "doubled") in {(one["hop"], one["kind"]) for one in shown("audit_finding")}


def shown_in(settings: Settings) -> Callable[[str], list[dict[str, Any]]]:
    """Return a function that reads a measurement, oldest point first, without times."""
    store = InfluxStore(settings.influx)

    def read(name: str) -> list[dict[str, Any]]:
        found = [row for _, row in store.rows(f"SELECT * FROM {name}")]  # noqa: S608 - a name of the test
        return [{key: value for key, value in row.items() if key != "time"} for row in found]

    return read
