"""Counts from the archive what Kafka no longer has, alongside the aggregator, after the counts were lost or reset."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.backends.dead_letters import dead_letters
from twitter_topics.backends.kafka_offsets import end_offsets, topic_ranges
from twitter_topics.backends.query_life import NotReady
from twitter_topics.counts.archived_tweets import ArchivedTweets, archived_until
from twitter_topics.counts.restoration import Restoration, Scope
from twitter_topics.errors import IntegrityError, RetryableError
from twitter_topics.topic_models.registry.champion import load_champion
from twitter_topics.topic_models.registry.store import ModelStore

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.counts.aggregation import Aggregation
    from twitter_topics.counts.position import Position
    from twitter_topics.counts.state import CountsState
    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
_RETRY_SECONDS = 60.0
_NOT_YET = "older tweets are not counted from the archive yet: {}"


class Restorer:
    """Carries out the restoration that the state asks for, a day per transaction. Whatever fails is tried again a
    minute later, from the day after the last one; counting from Kafka goes on meanwhile."""

    def __init__(self, spark: SparkSession, settings: Settings, state: CountsState, aggregation: Aggregation) -> None:
        self._spark, self._settings, self._state, self._aggregation = spark, settings, state, aggregation
        self._archive = ArchiveStore(settings)
        self._ends: dict[int, int] = {}
        self._state_id = self._restored = ""
        self._notice = self._fault = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="restorer", daemon=True)

    @property
    def notice(self) -> str:
        """Return how far a restoration is, or what it waits for; empty when none is due."""
        return self._notice

    @property
    def fault(self) -> str:
        """Return why the last attempt failed; empty when it did not."""
        return self._fault

    def start(self) -> None:
        """Restore what is due in a thread of its own, until `close`."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; a day that is not finished is counted at the next start."""
        self._stop.set()

    def _run(self) -> None:
        pause = _LOOK_SECONDS
        while not self._stop.wait(pause):
            pause = _LOOK_SECONDS
            try:
                self.restore()
            except NotReady as reason:
                self._notice, self._fault = _NOT_YET.format(reason), ""
            except Exception as error:  # noqa: BLE001 - the counting goes on; health and log name the error
                pause = _RETRY_SECONDS
                line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
                self._notice, self._fault = "", _NOT_YET.format(line)
                log.warning("%s", self._fault)
            else:
                self._fault = ""

    def restore(self) -> None:
        """Restore what is due. What Kafka no longer has is due when the aggregator has read what Kafka had at first.

        Raises:
            RetryableError: a store is unavailable.
        NotReady: no model is promoted yet.
            IntegrityError: the archive belongs to another raw topic.
            ConflictError: another aggregator has taken over.
        """
        position = self._aggregation.known_position
        if position is None or position.restoration is None or position.state_id == self._restored:
            return
        due = position.restoration
        if due.scope is Scope.expired and not self._caught_up(position.state_id):
            return
        begun = due if due.begun else self._begin(position, due)
        if begun is not None:
            self._count(position, begun)
        self._state.end_restoration(position)
        self._restored, self._notice = position.state_id, ""

    def _caught_up(self, state_id: str) -> bool:
        if self._state_id != state_id:
            self._ends = end_offsets(self._settings.kafka, self._settings.kafka.processed_topic)
            self._state_id = state_id
        offsets = self._aggregation.counted_offsets
        return all(offsets.get(partition, 0) >= end for partition, end in self._ends.items())

    def _begin(self, position: Position, due: Restoration) -> Restoration | None:
        kafka = self._settings.kafka
        processed = topic_ranges(kafka, kafka.processed_topic)
        expired = [partition for partition, offsets in processed.items() if offsets.begin > 0]
        if due.scope is Scope.expired and not expired:
            return None
        if self._archive.current_snapshot_id() is None:
            return None
        archived, raw = archived_until(self._spark, self._settings), end_offsets(kafka, kafka.raw_topic)
        if any(end > raw.get(partition, 0) for partition, end in archived.items()):
            msg = f"the archive has records that {kafka.raw_topic} never had: the topic was created again"
            raise IntegrityError(msg)
        return self._state.begin_restoration(
            position, self._aggregation.raw_topic_id, archived, expired, len(processed)
        )

    def _count(self, position: Position, restoration: Restoration) -> None:
        self._spark.sparkContext.setLocalProperty("spark.scheduler.pool", "restorer")
        model = load_champion(ModelStore(self._settings))
        if model is None:
            raise NotReady("the first model has not been promoted yet")
        rejected = dead_letters(self._settings.kafka).pairs.get("index", set())
        days = sorted({int(hour.timestamp()) // 86_400 for hour in self._archive.files_per_hour()})
        due = [day for day in days if day >= restoration.next_day]
        log.warning("counting %d days of the archive again with model %s", len(due), model.version)
        arrays = self._spark.sparkContext.broadcast(model.arrays)
        try:
            languages = self._settings.sentiment.codes
            tweets = ArchivedTweets(restoration, frozenset(rejected), model.version, arrays, languages)
            total = self._count_days(position, tweets, due)
        finally:
            arrays.destroy()  # `unpersist` would leave the driver's own copy on its disk
        log.warning("%d tweets were counted from the archive", total)

    def _count_days(self, position: Position, tweets: ArchivedTweets, due: list[int]) -> int:
        total = 0
        for done, day in enumerate(due, 1):
            counts = tweets.of_day(self._spark, self._settings, day)
            self._state.add_restored(position, day, counts)
            total += (new := sum(sums.tweets for sums in counts.sums.values()))
            date = datetime.fromtimestamp(day * 86_400, UTC).date()
            log.info("%s: %d tweets counted from the archive", date, new)
            self._notice = f"counting older tweets from the archive: {done} of {len(due)} days"
            if self._stop.is_set():
                raise RetryableError("the aggregator is stopping")
        return total
