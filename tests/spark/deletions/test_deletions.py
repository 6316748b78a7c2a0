"""Deletions on real Kafka, Elasticsearch and Iceberg: deleted tweets disappear everywhere, and nothing else does."""

from __future__ import annotations

import json
import shutil
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kafka import KafkaProducer

from tests.contract.archive_table import counts_of
from twitter_topics.archive.hours import HourRange
from twitter_topics.archive.maintenance import compact_archive
from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.archive.rows import current_snapshot, raw_table
from twitter_topics.archive.schema import RAW_SCHEMA
from twitter_topics.backends.kafka import client_options
from twitter_topics.backends.kafka_topics import ensure_topics
from twitter_topics.backends.sql import statement
from twitter_topics.classification.document import search_document
from twitter_topics.classification.sentiment import Sentiment
from twitter_topics.counts.recount import archived_days, owners
from twitter_topics.deletions import apply
from twitter_topics.deletions.apply import Applied, apply_deletions
from twitter_topics.errors import ProofError, RetryableError
from twitter_topics.records.content import Content
from twitter_topics.records.notice import Notice
from twitter_topics.records.tweet import Tweet
from twitter_topics.search.store import SearchStore, elasticsearch_client
from twitter_topics.testing.search import encoded
from twitter_topics.topic_models.training.tweets import read_tweets

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from tests.conftest import Services
    from twitter_topics.settings import Settings

pytestmark = pytest.mark.spark

DAY = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLACE = {"full_name": "Hamburg", "bounding_box": {"coordinates": [[9.9, 53.5]]}}


def tweet(number: int, *, user: int = 0, network: str = "", **more: Any) -> dict[str, Any]:
    """A generated tweet; its number determines its hour."""
    start = f"{network}:" if network else ""
    body = {"id_str": f"{start}{number}", "text": f"secret words of {number}", "user": {"id_str": f"{start}{user}"}}
    return body | ({"source_network": network} if network else {}) | more


class Bench:
    """The test's own archive, index and topic, filled by hand as the apps fill them."""

    def __init__(self, spark: SparkSession, settings: Settings) -> None:
        self.spark, self.settings = spark, settings
        self.search = SearchStore(settings.elasticsearch, patience_seconds=20)
        self.search.prepare()
        ensure_topics(settings.kafka)
        self.offset = 0

    def bring(self, *bodies: dict[str, Any] | None, indexed: bool = True) -> None:
        """Archive bodies (None is a reject) as one commit and index them."""
        rows = []
        for body in bodies:
            at = DAY + (int(body["id_str"].split(":")[-1]) % 30) * HOUR if body else DAY
            source = body.get("source_network", "twitter") if body else None
            payload = json.dumps(body).encode() if body else b"{broken"
            reason = None if body else "json: broken"
            rows.append((body and body["id_str"], at, source, payload, reason, 0, self.offset, at, "post"))
            if body and indexed:
                self.index(body, at, self.offset)
            self.offset += 1
        self.spark.createDataFrame(rows, RAW_SCHEMA).writeTo(raw_table(self.settings)).append()

    def reject(self, *payloads: bytes) -> None:
        """Archive records that were rejected for their time."""
        rows = [
            (None, DAY, None, payload, "time: late", 0, self.offset + at, DAY, "edit")
            for at, payload in enumerate(payloads)
        ]
        self.offset += len(payloads)
        self.spark.createDataFrame(rows, RAW_SCHEMA).writeTo(raw_table(self.settings)).append()

    def index(self, body: dict[str, Any], at: datetime, offset: int) -> None:
        one = Tweet(body["id_str"], int(at.timestamp() * 1000), "twitter", body)
        counted = {"model_version": "v", "raw_partition": 0, "raw_offset": offset}
        mood = Sentiment(0.0, 0.0, 0.0)
        document = search_document(
            one, Content(body), topics=[(0, 1.0)], labels={0: "x"}, sentiment=mood, counted=counted
        )
        self.search.create(encoded(document))

    def notify(self, *notices: Notice | tuple[bytes | None, bytes | None]) -> None:
        producer = KafkaProducer(**client_options(self.settings.kafka), acks="all")
        for notice in notices:
            key, value = (notice.key(), notice.value()) if isinstance(notice, Notice) else notice
            producer.send(self.settings.kafka.deletion_topic, key=key, value=value).get(timeout=30)
        producer.close()

    def apply(self) -> Applied:
        return apply_deletions(self.spark, self.settings)

    def rows(self) -> dict[int, Any]:
        """Rows by offset."""
        found = self.spark.table(raw_table(self.settings)).collect()
        assert len(found) == self.offset, "a row is missing or duplicated"
        return {row["kafka_offset"]: row for row in found}

    def reasons(self) -> dict[str, str | None]:
        """Reject reason by tweet id."""
        return {row["tweet_id"]: row["reject_reason"] for row in self.rows().values() if row["tweet_id"]}

    def searchable(self) -> set[str]:
        self.search.count()
        return {hit["_id"] for hit in self.search.search(size=1000)["hits"]["hits"]}


@pytest.fixture
def bench(spark: SparkSession, local_archive: Settings, services: Services) -> Iterator[Bench]:
    name = f"deletions{uuid.uuid4().hex[:8]}"
    settings = services.settings(
        ARCHIVE_CATALOG_NAME=local_archive.archive.catalog_name,
        ARCHIVE_CATALOG_URI=local_archive.archive.catalog_uri,
        ELASTICSEARCH_INDEX_PREFIX=name,
        KAFKA_DELETION_TOPIC=name,
    )
    made = Bench(spark, settings)
    yield made
    for index in made.search.daily_indices():
        made.search.delete_index(index)


def deleted(number: int) -> Notice:
    return Notice("delete", "x_v2", tweet_id=str(number))


def test_without_archive_or_notices_nothing_happens(bench: Bench) -> None:
    assert bench.apply() == Applied(0, 0)
    bench.bring(tweet(1))
    snapshot = current_snapshot(bench.spark, bench.settings)
    assert bench.apply() == Applied(0, 0)
    assert current_snapshot(bench.spark, bench.settings) == snapshot


def test_every_kind_of_notice(bench: Bench) -> None:
    """All kinds in one test, because each run of Spark takes seconds."""
    users = {1: 50, 2: 51, 3: 51, 4: 52, 5: 53}
    bench.bring(*(tweet(n, user=users.get(n, 0)) for n in range(12)), None)
    bench.bring(tweet(7, user=9), tweet(20, user=53, network="bluesky"), tweet(21, user=51, place=None))
    notices = [
        deleted(7),
        Notice("delete", "bluesky", tweet_id="bluesky:404"),
        Notice("account", "x_v2", user_id="51", status="suspended"),
        Notice("account", "x_v2", user_id="52", status="deactivated"),
        Notice("account", "x_v2", user_id="52", status="active"),
        Notice("account", "bluesky", user_id="bluesky:53", status="deleted"),
        Notice("withheld", "x_v2", tweet_id="8", countries=("DE",)),
        Notice("withheld", "x_v2", tweet_id="9", countries=("XX",)),
    ]
    bench.notify(*notices, (b"odd", b"{"), (b"list", b"[]"), (b"bytes", b"\xff"), (b"10", b'{"event": 1}'))
    bench.notify(deleted(11), (deleted(11).key(), None))

    done = bench.apply()

    removed = {"7", "2", "3", "21", "bluesky:20", "9"}
    assert done == Applied(
        notices=7 + 4, unreadable=4, tweets=len(removed), rows=len(removed) + 1, documents=len(removed)
    )
    assert {name for name, reason in bench.reasons().items() if reason} == removed
    assert {bench.reasons()[name] for name in ("2", "3", "21")} == {"deleted: account suspended"}
    assert bench.reasons()["bluesky:20"] == "deleted: account deleted"
    assert (bench.reasons()["7"], bench.reasons()["9"]) == ("deleted: delete", "deleted: withheld")
    for row in bench.rows().values():
        if row["tweet_id"] in removed:
            assert row["payload"] is None
            assert row["source"]
            assert row["event_time"]
        else:
            assert row["payload"]
    assert bench.searchable() == {str(n) for n in range(12)} - removed
    assert bench.apply() == Applied(notices=11, unreadable=4)


def test_readers_of_the_archive_skip_deleted_tweets(bench: Bench) -> None:
    bench.bring(*(tweet(n) for n in range(10)), None)
    bench.notify(*(deleted(n) for n in range(4)))
    bench.apply()
    settings, hours = bench.settings, HourRange(DAY, DAY + 24 * HOUR)

    snapshot = current_snapshot(bench.spark, settings)
    assert snapshot is not None
    read = read_tweets(bench.spark, settings, snapshot=snapshot, start=DAY, end=DAY + 24 * HOUR, max_tweets=1000)
    assert read.count == 6
    days = archived_days(bench.spark, settings, hours, snapshot)
    assert sorted(json.loads(row["payload"])["id_str"] for row in owners(days, hours).collect()) == list("456789")

    records = ArchiveStore(settings).records()
    assert (len(records), int((records.tweet < 0).sum()), int(records.deleted.sum())) == (11, 1, 4)
    counts = counts_of(ArchiveStore(settings))
    assert (counts.rows, counts.rejects, counts.tweets) == (11, 1, 10), "the ledger has lost nothing"
    snapshot = current_snapshot(bench.spark, settings)
    assert snapshot is not None
    closed = DAY + 100 * HOUR
    done = compact_archive(bench.spark, settings, snapshot=snapshot, closed_before=closed, min_files=2)
    assert done.before.rows == done.after.rows == 11
    assert sum(reason is not None for reason in bench.reasons().values()) == 4


def test_locations_are_removed_and_the_tweet_stays(bench: Bench) -> None:
    inner = {"id_str": "900", "text": "inner", "place": PLACE}
    source = {"data": {"geo": {"place_id": "1"}}, "includes": {"places": [PLACE]}}
    bench.bring(
        tweet(1, place=PLACE, quoted_status=inner, source_payload=source, note="ü😀\ud800"),
        tweet(2, user=50, geo={"coordinates": [53.5, 9.9]}),
        tweet(3, user=50, geo={"coordinates": [53.5, 9.9]}),
        tweet(4, user=50, place=None),
        tweet(5, place=PLACE),
        tweet(6, place=PLACE),
    )
    up_to_two = Notice("scrub_geo", "twitter_v1", user_id="50", up_to_tweet_id="2")
    bench.notify(*(Notice("scrub_geo", "x_v2", tweet_id=str(n)) for n in (1, 4, 6)), up_to_two, deleted(6))

    assert bench.apply() == Applied(notices=5, unreadable=0, tweets=1, rows=1, scrubbed=2, documents=1)

    bodies = {name: json.loads(row["payload"]) for row in bench.rows().values() if (name := row["tweet_id"]) != "6"}
    assert bodies["1"] == tweet(
        1,
        quoted_status={"id_str": "900", "text": "inner"},
        source_payload={"data": {}, "includes": {}},
        note="ü😀\ud800",
    )
    assert bodies["2"] == tweet(2, user=50)
    assert (bodies["3"]["geo"], bodies["4"]["place"], bodies["5"]["place"]) == (
        {"coordinates": [53.5, 9.9]},
        None,
        PLACE,
    )
    assert bench.searchable() == set("12345")
    assert bench.apply() == Applied(notices=5, unreadable=0)


def test_rejected_records_of_deleted_tweets_and_users_lose_their_text(bench: Bench) -> None:
    """An edit that comes after a month is rejected, and its text must not outlive the tweet."""
    late = [tweet(5), tweet(6), tweet(7, user=50), tweet(8, user=51)]
    bench.reject(*(json.dumps(body).encode() for body in late), b"{broken", b"[5]", b'"5"')
    bench.notify(
        deleted(5),
        Notice("account", "x_v2", user_id="50", status="deleted"),
        Notice("scrub_geo", "x_v2", user_id="51", up_to_tweet_id="8"),
    )
    applied = bench.apply()
    assert (applied.tweets, applied.rows, applied.documents) == (0, 0, 0)
    rows = bench.rows()
    assert [rows[offset]["payload"] is None for offset in range(7)] == [True, False, True, True, False, False, False]
    assert {row["reject_reason"] for row in rows.values()} == {"time: late"}
    assert applied.rejects == 3
    assert bench.apply().rejects == 0


def test_a_tweet_that_comes_back_is_deleted_again(bench: Bench) -> None:
    bench.bring(tweet(1), tweet(2), tweet(3))
    bench.notify(deleted(1), deleted(2))
    assert bench.apply().documents == 2
    bench.index(tweet(1), DAY + HOUR, 0)  # the classifier was behind or repeats a batch
    bench.bring(tweet(2))  # the tweet is delivered again

    done = bench.apply()

    assert done == Applied(notices=2, unreadable=0, tweets=1, rows=1, documents=2)
    assert bench.searchable() == {"3"}


def test_what_is_indexed_and_not_archived_is_deleted_too(bench: Bench) -> None:
    """The archiver may be behind, or have nothing yet."""
    gone = [tweet(1), tweet(2, user=50), tweet(3, user=51, network="bluesky")]
    for offset, body in enumerate([*gone, tweet(4, user=52), tweet(5, user=53)]):
        bench.index(body, DAY + offset * 24 * HOUR, offset)
    bench.index(tweet(1), DAY + 20 * 24 * HOUR, 9)  # a replay with shifted times
    bench.notify(
        deleted(1),
        Notice("account", "x_v2", user_id="50", status="suspended"),
        Notice("account", "bluesky", user_id="bluesky:51", status="deleted"),
        Notice("account", "x_v2", user_id="52", status="active"),
        Notice("scrub_geo", "x_v2", tweet_id="5"),
        Notice("scrub_geo", "x_v2", user_id="53", up_to_tweet_id="5"),
    )
    assert bench.apply() == Applied(notices=6, unreadable=0, documents=4)
    assert bench.searchable() == {"4", "5"}

    bench.bring(tweet(6), tweet(7))
    bench.index(gone[0], DAY, 0)
    assert bench.apply() == Applied(notices=6, unreadable=0, documents=1)
    assert bench.searchable() == set("4567")


def test_an_index_that_refuses_holds_up_neither_the_archive_nor_other_days(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "_PATIENCE_SECONDS", 1.0)
    bench.bring(tweet(1), tweet(2), tweet(25), tweet(26))
    bench.notify(deleted(1), deleted(25))
    first_day, _ = sorted(bench.search.daily_indices())
    client = elasticsearch_client(bench.settings.elasticsearch)
    client.indices.close(index=first_day)
    with pytest.raises(RetryableError, match=f"the archive is done.*POST /{first_day}/_open"):
        bench.apply()
    assert {name for name, reason in bench.reasons().items() if reason} == {"1", "25"}
    client.indices.open(index=first_day, wait_for_active_shards="all")
    assert bench.searchable() == {"1", "2", "26"}
    assert bench.apply() == Applied(notices=2, unreadable=0, documents=1)
    assert bench.searchable() == {"2", "26"}


def test_the_next_run_finishes_an_interrupted_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.bring(*(tweet(n) for n in range(6)))
    bench.notify(deleted(1), deleted(2))

    class KilledError(Exception):
        pass

    def killed(*_: Any) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(apply, "_merge", killed)
        with pytest.raises(KilledError):
            bench.apply()
    assert bench.searchable() == set("0345")
    assert set(bench.reasons().values()) == {None}

    with monkeypatch.context() as patch:
        patch.setattr(apply, "_check", killed)
        with pytest.raises(KilledError):
            bench.apply()
    bench.index(tweet(1), DAY + HOUR, 1)

    assert bench.apply() == Applied(notices=2, unreadable=0, documents=1)
    assert bench.searchable() == set("0345")
    assert [name for name, reason in sorted(bench.reasons().items()) if reason] == ["1", "2"]


@pytest.mark.parametrize(("rival", "merges"), [("append", 1), ("rewrite", 2)])
def test_another_commit_during_the_merge(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rival: str, merges: int
) -> None:
    """Rows that the stream appends are not a conflict; a rewrite of the merge's own files is, and restarts the run."""
    bench.bring(tweet(61), indexed=False)
    table = bench.spark._jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(
        bench.spark._jsparkSession, raw_table(bench.settings)
    )
    late = data_files(table)[0]
    table.newDelete().deleteFile(late).commit()  # it arrives again during the merge
    for start in range(0, 40, 10):
        bench.bring(*(tweet(n) for n in range(start, start + 10)))
    bench.notify(deleted(1), deleted(31))
    reached, goes_on = tmp_path / "reached", tmp_path / "goes_on"

    def held(number: int) -> int:
        import time

        reached.touch()
        while not goes_on.exists():
            time.sleep(0.05)
        return number

    bench.spark.udf.register("held", held, "int")
    texts = []

    def once_held(name: str, **identifiers: str) -> str:
        text = statement(name, **identifiers)
        if name == "deletions/apply_changes":
            texts.append(text)
            return text.replace("WHEN MATCHED", "WHEN MATCHED AND held(changes.kafka_partition) = 0")
        return text

    monkeypatch.setattr(apply, "statement", once_held)
    done: list[Applied] = []
    worker = threading.Thread(target=lambda: done.append(bench.apply()))
    worker.start()
    try:
        while worker.is_alive() and not reached.exists():
            worker.join(0.05)
        table.refresh()
        if rival == "append":
            table.newAppend().appendFile(late).commit()
        else:
            files = bench.spark._jvm.java.util.HashSet(), bench.spark._jvm.java.util.HashSet()
            for file in data_files(table):
                files[0].add(file)
                files[1].add(moved(bench.spark, table, file))
            table.newRewrite().rewriteFiles(*files).commit()
            table.newAppend().appendFile(late).commit()
    finally:
        goes_on.touch()
        worker.join()

    assert len(texts) == merges
    assert [(one.tweets, one.rows, one.documents) for one in done] == [(2, 2, 2)]
    assert {name for name, reason in bench.reasons().items() if reason} == {"1", "31"}


def data_files(table: Any) -> list[Any]:
    """Return the table's data files as Iceberg objects."""
    tasks = table.newScan().planFiles().iterator()
    found = []
    while tasks.hasNext():
        found.append(tasks.next().file())
    return found


def moved(spark: SparkSession, table: Any, file: Any) -> Any:
    """Copy a data file as a rewrite would, without a Spark task, because the merge occupies the only core."""
    old = Path(file.location().removeprefix("file:"))
    new = shutil.copy(old, old.with_name(f"moved-{old.name}"))
    builder = spark._jvm.org.apache.iceberg.DataFiles.builder(table.spec())
    return builder.copy(file).withPath(str(new)).build()


def test_the_check_names_what_is_wrong(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.bring(*(tweet(n) for n in range(6)))
    table = raw_table(bench.settings)
    wrong = {
        "still readable": lambda text: text.replace("WHEN MATCHED", "WHEN MATCHED AND changes.tweet_id <> '0'"),
        "was not changed as planned": lambda text: text.replace("changes.reject_reason\n", "'x'\n"),
        "changed the number of rows": lambda _: f"DELETE FROM {table} WHERE tweet_id = '5'",  # noqa: S608
    }
    for number, (fault, change) in enumerate(wrong.items()):
        bench.notify(deleted(number))
        monkeypatch.setattr(
            apply,
            "statement",
            lambda name, change=change, **identifiers: (
                change(statement(name, **identifiers))
                if name == "deletions/apply_changes"
                else statement(name, **identifiers)
            ),
        )
        before = current_snapshot(bench.spark, bench.settings)
        with pytest.raises(ProofError, match=rf"the snapshot before is {before}:(.|\n)*{fault}"):
            bench.apply()
