"""The stores that the audit reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from twitter_topics.archive.reader import ArchiveRecords, ArchiveStore
from twitter_topics.audit.indexed import IndexComparison, answer, compare_index, query
from twitter_topics.audit.shown import ViewComparison, compare_hours
from twitter_topics.backends.dead_letters import DeadLetters, dead_letters
from twitter_topics.backends.kafka_offsets import Range, topic_ranges
from twitter_topics.backends.kafka_topics import topic_id
from twitter_topics.counts.state import CountsState
from twitter_topics.counts.view import CountsView
from twitter_topics.errors import ConfigurationError
from twitter_topics.search.index import index_day
from twitter_topics.search.store import SearchStore

if TYPE_CHECKING:
    from twitter_topics.settings import Settings

_PATIENCE_SECONDS = 15
_IDS_PER_SEARCH = 5_000

Limits = Mapping[int, int]
"""Per partition of the raw topic: the first offset that is excluded."""


class Counted(NamedTuple):
    """What the state of the counts holds: tweets and mass (millionths) over all panes, the `shares` that make up the
    mass, and the highest raw offset counted in each lane (raw partition, processed partition) of the raw topic.
    `restoring`: tweets that Kafka no longer has are still to be counted from the archive."""

    tweets: int
    lanes: Mapping[tuple[int, int], int]
    mass: int = 0
    shares: int = 0
    restoring: bool = False


class Documents(NamedTuple):
    """Documents of a day in the index: all before the limit, and the settled ones among them."""

    before_limit: int
    settled: int


class Kept(NamedTuple):
    """A document by its day and its record; partition and offset are -1 if it has none."""

    day: date
    partition: int
    offset: int


class Stores(Protocol):
    """The stores of an audit. Methods raise RetryableError if their store is unavailable."""

    def raw_ranges(self) -> dict[int, Range]:
        """Return the offsets of the raw topic per partition."""

    def processed_partitions(self) -> int:
        """Return the number of partitions of the topic of processed tweets."""

    def dead_letters(self) -> DeadLetters:
        """Return all dead letters, each once."""

    def archive(self) -> ArchiveRecords:
        """Return every row of the archive."""

    def documents(self, limits: Limits, settled: Limits) -> dict[date, Documents]:
        """Return the documents per event day."""

    def documents_of(self, tweet_ids: Sequence[str]) -> list[Kept]:
        """Return the documents of some tweets."""

    def counted(self) -> Counted:
        """Return the counts at one point in time."""

    def shown(self) -> ViewComparison:
        """Compare the hours that a dashboard reads with the state."""

    def indexed_hours(self, oldest: date) -> IndexComparison:
        """Compare the counted hours with the documents since a UTC day."""


@dataclass
class RealStores:
    """The stores of the settings."""

    settings: Settings

    def __post_init__(self) -> None:
        self._archive = ArchiveStore(self.settings)
        self._search = SearchStore(self.settings.elasticsearch, patience_seconds=_PATIENCE_SECONDS)
        self._state = CountsState.of(self.settings)
        self._view = CountsView(self.settings.influx)

    def raw_ranges(self) -> dict[int, Range]:
        topic = self.settings.kafka.raw_topic
        ranges = topic_ranges(self.settings.kafka, topic)
        if not ranges:  # an empty comparison would balance
            raise ConfigurationError(
                f"KAFKA_RAW_TOPIC={topic} does not exist in Kafka; correct the setting or start a producer first"
            )
        return ranges

    def processed_partitions(self) -> int:
        return len(topic_ranges(self.settings.kafka, self.settings.kafka.processed_topic))

    def dead_letters(self) -> DeadLetters:
        return dead_letters(self.settings.kafka)

    def archive(self) -> ArchiveRecords:
        return self._archive.records()

    def documents(self, limits: Limits, settled: Limits) -> dict[date, Documents]:
        if self._search.count() == 0:  # makes everything acknowledged visible to the search below
            return {}
        answer = self._search.search(
            size=0,
            query=not_from(limits),
            aggs={
                "days": {
                    "terms": {"field": "_index", "size": 10_000},
                    "aggs": {"settled": {"filter": before(settled)}},
                }
            },
        )
        prefix = self.settings.elasticsearch.index_prefix
        return {
            day: Documents(bucket["doc_count"], bucket["settled"]["doc_count"])
            for bucket in answer["aggregations"]["days"]["buckets"]
            if (day := index_day(bucket["key"], prefix))
        }

    def documents_of(self, tweet_ids: Sequence[str]) -> list[Kept]:
        prefix, found = self.settings.elasticsearch.index_prefix, []
        for start in range(0, len(tweet_ids), _IDS_PER_SEARCH):
            wanted = {"ids": {"values": list(tweet_ids[start : start + _IDS_PER_SEARCH])}}
            answer = self._search.search(size=10_000, query=wanted, source=["raw_partition", "raw_offset"])
            for hit in answer["hits"]["hits"]:
                if day := index_day(hit["_index"], prefix):
                    raw_record = (hit["_source"].get(name, -1) for name in ("raw_partition", "raw_offset"))
                    found.append(Kept(day, *raw_record))
        return found

    def counted(self) -> Counted:
        found = self._state.counted()
        if found is None:
            return Counted(0, {})
        position, sums = found
        raw = topic_id(self.settings.kafka, self.settings.kafka.raw_topic)
        lanes = {
            (lane.raw_partition, lane.partition): marks.high
            for lane, marks in position.lanes.items()
            if lane.raw_topic_id == raw
        }
        return Counted(sums.tweets, lanes, sums.mass, position.shares, position.restoration is not None)

    def shown(self) -> ViewComparison:
        return compare_hours(self._state, self._view)

    def indexed_hours(self, oldest: date) -> IndexComparison:
        if self._search.count() == 0:  # makes everything acknowledged visible to the search below
            return IndexComparison()
        oldest_ms = int(datetime.combine(oldest, datetime.min.time(), UTC).timestamp() * 1000)
        documents = lambda ends: answer(self._search.search(size=0, aggs=query(ends))["aggregations"])  # noqa: E731
        return compare_index(self._state, documents, oldest_ms=oldest_ms)


def before(limits: Limits) -> dict[str, Any]:
    """Query the documents whose record is before the limit of its partition."""
    return {"bool": {"should": [_record(number, {"lt": end}) for number, end in limits.items()] or [_NOTHING]}}


def not_from(limits: Limits) -> dict[str, Any]:
    """Query all documents except those whose record is at or after the limit. One without a record is included."""
    return {"bool": {"must_not": [_record(number, {"gte": end}) for number, end in limits.items()]}}


_NOTHING: dict[str, Any] = {"match_none": {}}


def _record(partition: int, offsets: dict[str, int]) -> dict[str, Any]:
    return {"bool": {"filter": [{"term": {"raw_partition": partition}}, {"range": {"raw_offset": offsets}}]}}
