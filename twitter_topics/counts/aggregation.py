"""Counts each tweet once, through kill -9 at any point. Pure of Spark: sums in, state and view out."""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from twitter_topics import failpoints
from twitter_topics.errors import ConflictError, IntegrityError, SupersededError

if TYPE_CHECKING:
    from twitter_topics.counts.batch import BatchCounts
    from twitter_topics.counts.position import Position
from twitter_topics.counts.state import CountsState

log = logging.getLogger(__name__)

_MIN_JUDGED = 1_000


class Publication(Protocol):
    """What hears of each counted batch."""

    def wake(self, *, behind: bool) -> None: ...


class Aggregation:
    """The one writer of the counts.

    Args:
        state: where they are.
        publication: brings them to where people look.
        max_rejected_share: share of a batch's records that may not be processed tweets.
        full_batch: a batch of so many records is followed by another one: the counting is behind.
    """

    def __init__(
        self,
        state: CountsState,
        publication: Publication,
        *,
        max_rejected_share: float = 0.5,
        full_batch: int = 1_000_000_000,
    ) -> None:
        self._state, self._publication = state, publication
        self._max_rejected_share, self._full_batch = max_rejected_share, full_batch
        self._owner = f"{socket.gethostname()} pid {os.getpid()} {uuid.uuid4().hex[:8]}"
        self._position: Position | None = None
        self._lost_to = ""
        self._raw_topic_id = ""

    @property
    def position(self) -> Position:
        """How far the topic is counted.

        Raises:
            RuntimeError: `open` was not called.
        """
        if self._position is None:
            msg = "open the aggregation before it counts"
            raise RuntimeError(msg)
        return self._position

    @property
    def known_position(self) -> Position | None:
        """How far the topic is counted, as last known; None before `open`."""
        return self._position

    @property
    def owner(self) -> str:
        """Token of this writer."""
        return self._owner

    @property
    def raw_topic_id(self) -> str:
        """Kafka's id of the raw topic; empty before `open`."""
        return self._raw_topic_id

    @property
    def counted_offsets(self) -> Mapping[int, int]:
        """Next offset of each partition: as last known, and before `open` as the database has it.

        Raises:
            RetryableError, ConfigurationError: the database does not answer.
        """
        position = self._position or self._state.position()
        return position.offsets if position else {}

    @property
    def notice(self) -> str:
        """What a person should know of the raw topic, in a sentence; empty when all is as ever."""
        lanes = self._position.lanes if self._position else {}
        others = {lane.raw_topic_id for lane in lanes} - {self._raw_topic_id}
        if not others:
            return ""
        return (
            f"the raw topic was created again (now {self._raw_topic_id}): its tweets are counted in lanes of their own"
        )

    @property
    def stale(self) -> str:
        """Return why to `open` again although nothing failed; empty when there is no reason.

        Raises:
            SupersededError: another aggregator has taken over.
            RetryableError: the database does not answer.
        """
        found = self._state.position()
        if not found or not found.owner:
            return "the counts were reset"
        if found.owner != self._owner:
            raise SupersededError(_taken_over(f"another aggregator ({found.owner}) has taken over the counts"))
        return ""

    def open(self, topic_id: str, raw_topic_id: str) -> Position:
        """Become the one writer and say where to read on.

        Args:
            topic_id: Kafka's id of the processed topic.
            raw_topic_id: Kafka's id of the raw topic.

        Raises:
            SupersededError: another aggregator has taken over from this one.
            ConfigurationError: as `CountsState.claim`.
            RetryableError: the database does not answer.
        """
        if self._lost_to:
            raise SupersededError(_taken_over(self._lost_to))
        self._raw_topic_id = raw_topic_id
        before = self._state.position()
        self._position = self._state.claim(self._owner, topic_id, raw_topic_id)
        if before is None:
            log.warning("the counts in %s are new: they begin with what Kafka has", self._state.where)
        elif before.topic_id != topic_id:
            log.warning("topic %s was created again (now %s): it is read from its beginning", before.topic, topic_id)
        if self.notice:
            log.warning("%s", self.notice)
        return self._position

    def count(self, batch: BatchCounts) -> None:
        """Add a batch, as a whole or not at all. Batches come one after the other.

        Raises:
            ConflictError: another aggregator has taken over.
            RetryableError: the database does not answer, or the counts were reset: `open` again.
            IntegrityError: most of the records are not processed tweets.
        """
        self._judge_rejected(batch)
        failpoints.reach("counts.before-transaction")
        try:
            self._position = self._state.add(batch, self._owner)
        except ConflictError as error:
            self._lost_to = str(error)
            raise
        failpoints.reach("counts.after-transaction")
        self._publication.wake(behind=batch.records >= self._full_batch)

    def _judge_rejected(self, batch: BatchCounts) -> None:
        if not batch.rejected:
            return
        topic = self.position.topic
        log.warning("%d records of %s are not processed tweets and are not counted", batch.rejected, topic)
        if batch.records >= _MIN_JUDGED and batch.rejected > self._max_rejected_share * batch.records:
            msg = (
                f"{batch.rejected} of {batch.records} records of {topic} are not processed tweets, more than "
                "SPEED_MAX_DEAD_LETTER_SHARE allows: is another program writing there?"
            )
            raise IntegrityError(msg)


def _taken_over(sentence: str) -> str:
    return f"{sentence}: this one ends. Stop one of the two; counts are never shared"
