"""Classification on the workers: from raw records to documents in Elasticsearch and rows for Kafka, in one pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from twitter_topics import failpoints
from twitter_topics.backends.spark_kafka import EDIT_OFFSET
from twitter_topics.classification.document import search_document
from twitter_topics.classification.flood import Tally
from twitter_topics.classification.overlap import overlapped
from twitter_topics.classification.quarantine import HandedBackError, Place
from twitter_topics.classification.sentiment import is_scored, sentiment
from twitter_topics.errors import IntegrityError
from twitter_topics.records.content import Content
from twitter_topics.records.processed import dead_letter, dead_letter_key, processed_fields
from twitter_topics.records.tweet import Rejection, TimeBounds, Tweet, read_tweet
from twitter_topics.search.encoded import EncodedDocument
from twitter_topics.search.faults import NotWrittenError
from twitter_topics.search.ownership import Outcome, Written, place
from twitter_topics.search.store import SearchStore
from twitter_topics.settings import ElasticsearchSettings, KafkaSettings
from twitter_topics.topic_models.scoring.scorer import Scorer

if TYPE_CHECKING:
    from pyspark import Accumulator, Broadcast
    from pyspark.sql import DataFrame

OUTPUT_SCHEMA = "topic string, key binary, value binary"
"""Rows of Spark's Kafka sink: processed tweets and dead letters."""

_IN_FLIGHT = 2
"""Parts of a task that are on their way to Elasticsearch while the next documents are computed."""

_AT_ONCE = 250
"""Tweets that are decoded at a time: what they come to fits into a processor's cache."""

_scorers: dict[str, Scorer] = {}
_stores: dict[ElasticsearchSettings, SearchStore] = {}


@dataclass(frozen=True)
class RecordClassifier:
    """Classifies records on a worker. Small enough to be sent with each task; the model is a broadcast.

    `recent` are the batches of the last minutes, `seen` sums up this one and those before.
    """

    model_version: str
    arrays: Broadcast[bytes]
    raw_topic_id: str
    kafka: KafkaSettings
    elasticsearch: ElasticsearchSettings
    bounds: TimeBounds
    sentiment_languages: frozenset[str]
    max_dead_letter_share: float
    quarantined: Mapping[Place, str]
    recent: Tally
    seen: Accumulator[Tally]

    def rows(self, records: DataFrame) -> DataFrame:
        """Classify and index the records of one batch. Lazy: exactly one action must follow.

        Each record yields one row or none: a processed tweet if the record owns the tweet's document, a dead letter if
        it is rejected, nothing if another record brought the same tweet first, of which it may be an edit. A repeated
        record yields what it yielded the first time, whatever the model is now. Rows keep the order of their
        partition's records, on which the aggregator's high-water marks rely.

        Raises (from the action):
            HandedBackError: Elasticsearch did not accept some documents in one attempt; the batch can be repeated.
            IntegrityError: so many records were rejected that the code must be wrong, not the tweets.
        """
        columns = records.selectExpr("value", "partition", "offset", "timestamp", EDIT_OFFSET)
        return columns.mapInArrow(self._mapper(), OUTPUT_SCHEMA)

    def _mapper(self) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
        def rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            scorer = _scorer(self.model_version, self.arrays)
            store = _store(self.elasticsearch)
            parts = (self._prepare(batch, scorer) for batch in batches)
            finished = Tally()
            for part, written in overlapped(parts, partial(_create, store), ids=_Part.tweet_ids, limit=_IN_FLIGHT):
                failpoints.reach("classifier.bulk-done")
                rows, tally, reason = self._rows(part, written)
                self.seen.add(tally)
                finished = finished.plus(tally)
                self._check_flood(finished, reason)
                yield rows
                failpoints.reach("classifier.half-kafka")

        return rows

    def _prepare(self, batch: pa.RecordBatch, scorer: Scorer) -> _Part:
        records = [
            RawRecord(value, partition, offset, micros // 1000, edit_offset)
            for value, partition, offset, micros, edit_offset in zip(
                batch.column("value").to_pylist(),
                batch.column("partition").to_pylist(),
                batch.column("offset").to_pylist(),
                batch.column("timestamp").cast(pa.int64()).to_pylist(),
                batch.column("edit_offset").to_pylist(),
                strict=True,
            )
        ]
        read: list[str | Rejection] = []
        documents: list[EncodedDocument] = []
        for start in range(0, len(records), _AT_ONCE):
            some = records[start : start + _AT_ONCE]
            tweets = [self._read(record) for record in some]
            documents += self._documents(some, tweets, scorer)
            read += [one if isinstance(one, Rejection) else one.tweet_id for one in tweets]
        return _Part(records, read, documents)

    def _rows(self, part: _Part, written: list[Written]) -> tuple[pa.RecordBatch, Tally, str]:
        """Return the rows, and how many records were rejected, the last one for which reason."""
        outcomes = iter(written)
        rows: list[tuple[str, bytes, bytes]] = []
        rejected, reason = 0, ""
        for record, read in zip(part.records, part.read, strict=True):
            if isinstance(read, Rejection):
                rejected, reason = rejected + 1, read.reason
                stage = "index" if (record.partition, record.offset) in self.quarantined else "parse"
                rows.append(self._dead_letter(record, stage, reason))
                continue
            outcome = next(outcomes)
            if outcome.outcome is Outcome.REJECTED:
                rejected, reason = rejected + 1, outcome.reason
                rows.append(self._dead_letter(record, "index", reason))
            elif outcome.outcome is Outcome.OWNED:
                rows.append((self.kafka.processed_topic, _utf8(read), outcome.counted))
        topics, keys, payloads = zip(*rows, strict=True) if rows else ((), (), ())
        columns = [pa.array(topics, pa.string()), pa.array(keys, pa.binary()), pa.array(payloads, pa.binary())]
        batch = pa.RecordBatch.from_arrays(columns, names=["topic", "key", "value"])
        return batch, Tally(len(part.records), rejected), reason

    def _check_flood(self, own: Tally, reason: str) -> None:
        all_recent = self.recent.plus(own)
        if own.rejected and all_recent.is_flood(self.max_dead_letter_share):
            msg = (
                f"{all_recent.rejected} of the last {all_recent.records} records rejected, the last one because of "
                f"{reason!r}; SPEED_MAX_DEAD_LETTER_SHARE sets the limit"
            )
            raise IntegrityError(msg)

    def _read(self, record: RawRecord) -> Tweet | Rejection:
        unknown = self.quarantined.get((record.partition, record.offset))
        if unknown is not None:
            return Rejection(f"unknown: {unknown}")
        return read_tweet(record.value, record.received_ms, self.bounds)

    def _documents(
        self, records: list[RawRecord], read: list[Tweet | Rejection], scorer: Scorer
    ) -> list[EncodedDocument]:
        """Return a document per valid tweet, in order."""
        good = [(record, tweet) for record, tweet in zip(records, read, strict=True) if isinstance(tweet, Tweet)]
        contents = [Content(tweet.body) for _, tweet in good]
        scored = scorer.score_batch(
            [content.prose for content in contents], [content.language.code for content in contents]
        )
        documents = []
        for (record, tweet), content, topics in zip(good, contents, scored, strict=True):
            felt = sentiment(content.text) if is_scored(content, self.sentiment_languages) else None
            counted = processed_fields(
                tweet_id=tweet.tweet_id,
                event_time_ms=tweet.event_time_ms,
                model_version=self.model_version,
                topics=topics,
                labels=scorer.labels,
                sentiment=None if felt is None else felt.numbers(),
                raw_topic_id=self.raw_topic_id,
                raw_partition=record.partition,
                raw_offset=record.offset,
            )
            document = search_document(
                tweet,
                content,
                topics=topics,
                labels=scorer.labels,
                sentiment=felt,
                counted=counted,
                edit=None if record.edit_offset is None else (record.received_ms, record.edit_offset),
            )
            documents.append(EncodedDocument.of(document))
        return documents

    def _dead_letter(self, record: RawRecord, stage: str, reason: str) -> tuple[str, bytes, bytes]:
        topic = self.kafka.raw_topic
        body = dead_letter(
            stage=stage,
            reason=reason,
            topic=topic,
            partition=record.partition,
            offset=record.offset,
            value=record.value,
        )
        key = dead_letter_key(topic, record.partition, record.offset)
        return self.kafka.dead_letter_topic, _utf8(key), json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


class RawRecord(NamedTuple):
    """One record of the raw topic. `edit_offset` orders it among the edits of its tweet; None if it is no edit."""

    value: bytes | None
    partition: int
    offset: int
    received_ms: int
    edit_offset: int | None


@dataclass(frozen=True, slots=True)
class _Part:
    """Records, the tweet id of each or why it is rejected, and a document for each valid tweet, in their order."""

    records: list[RawRecord]
    read: list[str | Rejection]
    documents: list[EncodedDocument]

    def tweet_ids(self) -> frozenset[str]:
        return frozenset(document.tweet_id for document in self.documents)


def _create(store: SearchStore, part: _Part) -> list[Written]:
    """As SearchStore.create; the suspects are named by their records."""
    documents = part.documents
    try:
        return store.create(documents)
    except NotWrittenError as error:
        suspects = {place(documents[position].fields()): reason for position, reason in error.suspects.items()}
        raise HandedBackError(str(error), suspects) from None


def _scorer(version: str, arrays: Broadcast[bytes]) -> Scorer:
    """Return the scorer of a version; a worker keeps the newest one between tasks."""
    if version not in _scorers:
        scorer = Scorer.load(arrays.value)
        _scorers.clear()
        _scorers[version] = scorer
    return _scorers[version]


def _store(settings: ElasticsearchSettings) -> SearchStore:
    """Return the search store; a worker keeps its connection between tasks."""
    if settings not in _stores:
        _stores[settings] = SearchStore(settings, patience_seconds=0)
    return _stores[settings]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")
