"""Whether the archiver has come far enough to count past hours exactly."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from twitter_topics.archive.hours import GRACE
from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.backends.kafka_offsets import lag, ranges_before
from twitter_topics.errors import RetryableError

if TYPE_CHECKING:
    from twitter_topics.archive.hours import HourRange
    from twitter_topics.settings import Settings


def check_archived(settings: Settings, hours: HourRange) -> None:
    """Make sure that the archive has every record that arrived until the hours were closed. What Kafka has deleted is
    taken for archived: no waiting would bring it back.

    Raises:
        RetryableError: the archiver has not come so far, or Kafka or the archive does not answer.
        ConfigurationError: Kafka rejects the user.
    """
    closed = hours.end + GRACE
    arrived = ranges_before(settings.kafka, settings.kafka.raw_topic, hours.end_ms + GRACE // timedelta(milliseconds=1))
    lacking = lag(arrived, ArchiveStore(settings).next_offsets())
    if lacking:
        raise RetryableError(
            f"the archive lacks {lacking:,} records that arrived before {closed.isoformat()}: wait for the archiver "
            "(`twitter-topics status` shows how far it is behind), then try again"
        )
