"""Tweets with known ids, and what the stores hold of them, as read from the stores themselves."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.compute as pc
from elasticsearch import Elasticsearch
from kafka import KafkaProducer

from twitter_topics.archive.catalog import open_catalog
from twitter_topics.backends.dead_letters import dead_letters
from twitter_topics.backends.influx import SHORT_TIMEOUT_S
from twitter_topics.backends.kafka_offsets import topic_ranges
from twitter_topics.counts.view import CountsView, LastHour
from twitter_topics.testing.models import WORDS

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from twitter_topics.settings import Settings

_FIRST_ID = 10**15
_IDS_PER_QUERY = 5_000
ANSWER_SECONDS = 5.0
REPEATED_SHARE = 0.03
BROKEN_SHARE = 0.01


class Sender:
    """Sends tweets to Kafka and remembers their ids. A few are sent twice, and a few records are not tweets.

    Args:
        settings: with Kafka's own address: it receives while the apps cannot reach it.
    """

    def __init__(self, settings: Settings, seed: int = 1) -> None:
        self._topic = settings.kafka.raw_topic
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._producer = KafkaProducer(
            bootstrap_servers=settings.kafka.bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            delivery_timeout_ms=900_000,
            max_block_ms=900_000,
            linger_ms=20,
        )
        self.ids: list[str] = []
        self.records = self.broken = 0

    def close(self) -> None:
        self._producer.close()

    def send(self, count: int, *, length: int = 0, age_seconds: int = 0) -> None:
        """Send `count` tweets and wait until Kafka has them.

        Args:
            length: bytes of text beyond the words.
            age_seconds: how long ago they were written.
        """
        with self._lock:
            for _ in range(count):
                self._one(length, age_seconds)
        self._producer.flush(900)

    def load(self, per_second: int, ended: threading.Event) -> threading.Thread:
        """Send at a rate in a thread of its own until `ended`, also while Kafka is down."""

        def run() -> None:
            began, sent = time.monotonic(), 0
            while not ended.wait(0.1):
                due = int((time.monotonic() - began) * per_second)
                with self._lock:
                    for _ in range(due - sent):
                        self._one(0, 0)
                sent = due
            self._producer.flush(900)

        thread = threading.Thread(target=run, name="load", daemon=True)
        thread.start()
        return thread

    def _one(self, length: int, age_seconds: int) -> None:
        tweet_id = str(_FIRST_ID + len(self.ids))
        self.ids.append(tweet_id)
        text = " ".join([*self._random.choices(WORDS, k=6), tweet_id, "x" * length])
        stamp = int((time.time() - age_seconds) * 1000)
        value = json.dumps({"id_str": tweet_id, "text": text, "timestamp_ms": str(stamp), "user": {}}).encode()
        self._put(tweet_id, value)
        if self._random.random() < REPEATED_SHARE:
            self._put(tweet_id, value)
        if self._random.random() < BROKEN_SHARE:
            self.broken += 1
            self._put(f"broken-{self.broken}", b"{broken")

    def _put(self, key: str, value: bytes) -> None:
        self.records += 1
        self._producer.send(self._topic, key=key.encode(), value=value)


@dataclass(frozen=True)
class Numbers:
    """What was sent, or what the stores hold: records, tweets, and dead letters."""

    raw: int
    archived: int
    archived_records: int
    archived_tweets: int
    documents: int
    counted: int
    dead_letters: int

    def minus(self, before: Numbers) -> Numbers:
        return Numbers(*(getattr(self, one.name) - getattr(before, one.name) for one in fields(self)))

    def differences(self, other: Numbers) -> list[str]:
        """Return a sentence for each number that differs from `other`, what it should be."""
        pairs = [(one.name, getattr(self, one.name), getattr(other, one.name)) for one in fields(self)]
        return [f"{name} {mine:,}, not {due:,}" for name, mine, due in pairs if mine != due]


class Stores:
    """Reads the numbers. Shares no code with the speed layer or the audit where a store has a plain interface."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = Elasticsearch(settings.elasticsearch.url, request_timeout=20)
        self._index = f"{settings.elasticsearch.index_prefix}-*"
        self._counts = Path(settings.counts.database_uri.removeprefix("sqlite:///"))

    def due(self, sender: Sender) -> Numbers:
        """Return what the stores must hold."""
        records, tweets = sender.records, len(sender.ids)
        return Numbers(records, records, records, tweets, tweets, tweets, sender.broken)

    def read(self) -> Numbers:
        """Return what they hold, exactly."""
        kafka = self._settings.kafka
        ranges = topic_ranges(kafka, kafka.raw_topic).values()
        letters = dead_letters(kafka)
        rows = self._table_rows()
        return Numbers(
            sum(one.end - one.begin for one in ranges),
            *rows,
            self.documents(),
            self.counted(),
            sum(len(pairs) for pairs in letters.pairs.values()) + sum(letters.elsewhere.values()),
        )

    def progress(self) -> dict[str, int]:
        """Return how far the stores are, from what is quick to read: rows, documents, counted tweets, the end of the
        newest hour in InfluxDB, and the changes that it lacks. Those of a store that does not answer soon are
        missing: its client may be patient for minutes, and an outage should not last until that gives up."""
        found: dict[str, int] = {}
        reads = {
            "archive": self._archived,
            "index": self.documents,
            "counts": self.counted,
            "view": self._newest_end,
            "unpublished": self._unpublished,
        }

        def note(name: str) -> None:
            with contextlib.suppress(Exception):  # whatever a store raises, it does not answer
                found[name] = reads[name]()

        threads = [threading.Thread(target=note, args=(name,), name=f"read {name}", daemon=True) for name in reads]
        for thread in threads:
            thread.start()
        until = time.monotonic() + ANSWER_SECONDS
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return dict(found)

    def documents(self) -> int:
        """Return the number of documents, including everything acknowledged."""
        self._client.indices.refresh(index=self._index, ignore_unavailable=True)
        return int(self._client.count(index=self._index, ignore_unavailable=True)["count"])

    def documents_of(self, ids: list[str]) -> int:
        """Return how many of these ids have a document."""
        found = 0
        for start in range(0, len(ids), _IDS_PER_QUERY):
            query = {"ids": {"values": ids[start : start + _IDS_PER_QUERY]}}
            found += int(self._client.count(index=self._index, query=query, ignore_unavailable=True)["count"])
        return found

    def versions(self, ids: list[str]) -> set[str]:
        """Return the model versions of the documents with these ids."""
        aggregations = {"versions": {"terms": {"field": "model_version"}}}
        query = {"ids": {"values": ids[:_IDS_PER_QUERY]}}
        found = self._client.search(index=self._index, size=0, query=query, aggregations=aggregations)
        return {bucket["key"] for bucket in found["aggregations"]["versions"]["buckets"]}

    def counted(self) -> int:
        """Return the tweets of all panes."""
        return self._count("SELECT coalesce(sum(tweets), 0) FROM counts_pane")

    def _unpublished(self) -> int:
        return self._count("SELECT count(*) FROM counts_unpublished")

    def _count(self, query: str) -> int:
        with closing(sqlite3.connect(f"file:{self._counts}?mode=ro", uri=True, timeout=10)) as connection:
            return int(connection.execute(query).fetchone()[0])

    def _newest_end(self) -> int:
        hour = self._last_hour()
        return hour.end_ms if hour else 0

    def _last_hour(self) -> LastHour | None:
        view = CountsView(self._settings.influx, SHORT_TIMEOUT_S)
        try:
            return view.last_hour()
        finally:
            view.close()

    def newest_hour(self) -> str:
        """Return what is wrong with the newest hour that InfluxDB shows; empty if it is what the panes add up to."""
        newest = "(SELECT max(start_ms) FROM counts_pane)"
        with closing(sqlite3.connect(f"file:{self._counts}?mode=ro", uri=True, timeout=10)) as connection:
            due = connection.execute(
                f"SELECT {newest} + 10000, sum(tweets) FROM counts_pane WHERE start_ms > {newest} - 3600000"  # noqa: S608
            ).fetchone()
        hour = self._last_hour()
        shown = (hour.end_ms, sum(topic.tweets for topic in hour.topics)) if hour else (0, 0)
        return "" if shown == due else f"InfluxDB shows {shown[1]} tweets until {shown[0]}, not {due[1]} until {due[0]}"

    @property
    def elasticsearch(self) -> Elasticsearch:
        return self._client

    def indices(self) -> list[str]:
        """Return the names of the daily indices, closed ones too."""
        return sorted(self._client.indices.get(index=self._index, expand_wildcards="all"))

    def _table(self) -> Table:
        return open_catalog(self._settings.archive, self._settings.s3).load_table("tweets.raw")

    def _archived(self) -> int:
        """Return the rows of the newest snapshot, from its summary."""
        snapshot = self._table().current_snapshot()
        summary = snapshot.summary if snapshot else None
        return int(summary["total-records"] or 0) if summary else 0

    def _table_rows(self) -> tuple[int, int, int]:
        """Return rows, distinct records and distinct tweets of the archive."""
        columns = ("tweet_id", "kafka_partition", "kafka_offset")
        rows = self._table().scan(selected_fields=columns).to_arrow()
        records = pc.add(pc.multiply(rows["kafka_partition"].cast("int64"), 10**12), rows["kafka_offset"])
        tweets = pc.count_distinct(rows["tweet_id"], mode="only_valid").as_py()
        return rows.num_rows, pc.count_distinct(records).as_py(), tweets
