"""What is measured of a model: rows of the Iceberg table `tweets.model_metrics`, which is kept for good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from twitter_topics.archive.catalog import ArchiveTables
from twitter_topics.archive.schema import MODEL_METRICS_TABLE
from twitter_topics.errors import IntegrityError
from twitter_topics.topic_models.registry.version import check_version

if TYPE_CHECKING:
    from twitter_topics.settings import Settings

MEASURED = "measured.json"
"""File of a version: {slices: list of {name, start, end, metrics: list of Metric}, topic_documents: number of held-out
tweets in each topic, in the model's order}. Versions from before evaluations were kept lack it."""

HELD_OUT, LATER, DAY = "held_out", "later", "day"
"""Slices of tweets: of the training's window; after it; of one UTC day, of which the champion was not trained."""

ALL_LANGUAGES = "all"

Role = Literal["challenger", "champion"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A number about a version, and its 95 % interval where it has one.

    documents: tweets that it rests on.
    """

    version: str
    role: Role
    language: str
    metric: str
    value: float
    documents: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class MeasuredSlice:
    """What was measured on the tweets with `start` <= event time < `end`."""

    name: str
    start: datetime
    end: datetime
    metrics: tuple[Metric, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, times in ISO 8601."""
        metrics = [asdict(one) for one in self.metrics]
        return {"name": self.name, "start": self.start.isoformat(), "end": self.end.isoformat(), "metrics": metrics}


def slices_from(content: Mapping[str, Any]) -> tuple[MeasuredSlice, ...]:
    """Read the slices of MEASURED.

    Raises:
        IntegrityError: the content is not that of MEASURED.
    """
    try:
        return tuple(
            MeasuredSlice(
                one["name"],
                datetime.fromisoformat(one["start"]),
                datetime.fromisoformat(one["end"]),
                tuple(Metric(**metric) for metric in one["metrics"]),
            )
            for one in content["slices"]
        )
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{MEASURED} is damaged: {error}"
        raise IntegrityError(msg) from None


def day_of_version(version: str, day: date) -> str:
    """Return the name of the measurement of a version on a day."""
    return f"{version}/{day.isoformat()}"


def day_of(measurement: str) -> str:
    """Return the date in the name of such a measurement, ISO 8601."""
    return measurement.rpartition("/")[2]


class MetricsTable:
    """Reads `tweets.model_metrics` without Spark. A table that does not exist yet is an empty one."""

    def __init__(self, settings: Settings) -> None:
        self._tables = ArchiveTables(settings.archive, settings.s3)

    def of_version(self, version: str) -> list[dict[str, Any]]:
        """Return the rows about a version over all its languages, as dictionaries of the table's columns.

        Raises:
            RetryableError: catalog or bucket does not answer.
        """
        about = f"version = '{check_version(version)}' and language = '{ALL_LANGUAGES}'"
        return self._tables.rows(MODEL_METRICS_TABLE, about)
