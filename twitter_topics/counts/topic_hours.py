"""The archive's table of exact counts without Spark, read through pyiceberg."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from twitter_topics.archive.catalog import ArchiveTables
from twitter_topics.archive.schema import TOPIC_HOUR_TABLE

if TYPE_CHECKING:
    from twitter_topics.settings import Settings


@dataclass(frozen=True, slots=True)
class HourTotal:
    """One counted hour: its start (UTC), its tweets, in how many topics, and the models that counted it."""

    hour: datetime
    tweets: int
    topics: int
    versions: tuple[str, ...]


class TopicHourStore:
    """Reads `topic_hour`. A table that does not exist yet is an empty one."""

    def __init__(self, settings: Settings) -> None:
        self._tables = ArchiveTables(settings.archive, settings.s3)

    def totals(self, start: datetime, end: datetime) -> list[HourTotal]:
        """Counted hours that start in [start, end), oldest first. An hour without a tweet has no row.

        Raises:
            RetryableError: catalog or bucket does not answer.
        """
        rows: defaultdict[datetime, list[dict[str, Any]]] = defaultdict(list)
        for row in self._rows(start, end):
            rows[row["hour"].astimezone(UTC)].append(row)
        return [
            HourTotal(
                hour,
                sum(row["tweets"] for row in found),
                sum(row["tweets"] > 0 for row in found),
                tuple(sorted({row["model_version"] for row in found})),
            )
            for hour, found in sorted(rows.items())
        ]

    def _rows(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        in_range = f"hour >= '{start.isoformat()}' and hour < '{end.isoformat()}'"
        fields = ("hour", "topic_id", "model_version", "tweets")
        return self._tables.rows(TOPIC_HOUR_TABLE, in_range, fields)
