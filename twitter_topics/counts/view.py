"""The counts as people see them: points in InfluxDB that are written once and never again with another value.

A correction is a new point: its time is the end of the hour plus the revision in nanoseconds. The newest revision is
`last(…)` of the ten seconds after the end, **within all tags**; only then may series be added up. (InfluxDB gives back
old values of points that were overwritten, docs/adr/0008.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from twitter_topics.backends.influx import LONG_TIMEOUT_S, NS_PER_MS, InfluxStore, Value, field_set, line, series_key
from twitter_topics.counts.panes import MILLION, PANE_MS, WINDOW_MS, HourPoint, Series, Sums, pane_start
from twitter_topics.counts.revision import revision_at
from twitter_topics.records import measurements
from twitter_topics.settings import InfluxSettings

TOPIC_LAST_HOUR, TOPIC_HOUR_FINAL = measurements.TOPIC_LAST_HOUR.name, measurements.TOPIC_HOUR_FINAL.name
COUNTS_VIEW, COUNTS_PUBLISHED = measurements.COUNTS_VIEW.name, measurements.COUNTS_PUBLISHED.name
"""Which state the view shows, since which revision; and up to which end it is complete."""

SPEED_LAYER_ERROR = measurements.SPEED_LAYER_ERROR.name

OLD_MEASUREMENTS = ("topic_pane", "aggregator_ledger")
"""Where the counts lived before they had a database of their own."""

_TAGS = "topic_id, topic_label, model_version"
_FIELDS = "last(tweets) AS tweets, last(scored) AS scored, last(mass) AS mass, last(sentiment) AS sentiment"


class TopicCount(NamedTuple):
    """One topic over an hour, all model versions together. `mass` in tweets, `sentiment` the mean compound of the
    `scored` tweets, None without any."""

    topic_id: int
    label: str
    tweets: int
    scored: int
    mass: float
    sentiment: float | None


class LastHour(NamedTuple):
    """The newest hour: its end and its topics, most tweets first."""

    end_ms: int
    topics: list[TopicCount]


class View(Protocol):
    """What the publisher needs of it."""

    def ensure_database(self) -> None: ...
    def state_id(self) -> str | None: ...
    def begin(self, state_id: str, revision: int) -> None: ...
    def write_hours(self, points: Iterable[HourPoint], revision: int) -> None: ...
    def end(self, newest_end_ms: int, revision: int) -> None: ...


class CountsView:
    """Writes and reads the view. Methods raise what `InfluxStore` raises."""

    def __init__(self, settings: InfluxSettings, timeout_s: tuple[float, float] = LONG_TIMEOUT_S) -> None:
        self._influx = InfluxStore(settings, timeout_s)

    @property
    def where(self) -> str:
        """Name and address of the server, for messages."""
        return self._influx.where

    def close(self) -> None:
        self._influx.close()

    def ensure_database(self) -> None:
        """As `InfluxStore.ensure_database`."""
        self._influx.ensure_database()

    def begin(self, state_id: str, revision: int) -> None:
        """Show this state from now on. What the view shows of another state, or of none, is dropped."""
        if self.state_id() == state_id:
            return
        for measurement in (TOPIC_LAST_HOUR, COUNTS_VIEW, COUNTS_PUBLISHED, *OLD_MEASUREMENTS):
            self._influx.execute(f"DROP MEASUREMENT {measurement}")
        self._influx.write([line(COUNTS_VIEW, {}, {"state_id": state_id}, revision)])

    def state_id(self) -> str | None:
        """The state that the view shows."""
        rows = self._influx.rows(f"SELECT last(state_id) AS state_id FROM {COUNTS_VIEW}")  # noqa: S608 - a constant
        return next((row["state_id"] for _, row in rows), None)

    def write_hours(self, points: Iterable[HourPoint], revision: int) -> None:
        """Write rolling hours as of a revision."""
        self._influx.write(_hour_line(TOPIC_LAST_HOUR, point, point.end_ms, revision) for point in points)

    def end(self, newest_end_ms: int, revision: int) -> None:
        """Say that all hours up to this end are written."""
        self._influx.write([line(COUNTS_PUBLISHED, {}, {"newest_end_ms": newest_end_ms}, revision)])

    def next_final_revision(self, from_ms: int, to_ms: int, unix_seconds: float) -> int:
        """Return a revision for the exact counts of the hours that start in [from_ms, to_ms): that of the time, or one
        above those that a clock ahead has given them."""
        newest = (
            f"SELECT tweets FROM {TOPIC_HOUR_FINAL} WHERE time >= $from AND time < $to "  # noqa: S608 - a constant
            "ORDER BY time DESC LIMIT 1"
        )
        revision = revision_at(unix_seconds)
        for start_ms in range(from_ms, to_ms, WINDOW_MS):
            start_ns = start_ms * NS_PER_MS
            for _, row in self._influx.rows(newest, {"from": start_ns, "to": start_ns + WINDOW_MS * NS_PER_MS}):
                revision = max(revision, row["time"] - start_ns + 1)
        return revision

    def write_final_hours(self, points: Iterable[HourPoint], from_ms: int, to_ms: int, revision: int) -> None:
        """Write the exact counts of the hours that start in [from_ms, to_ms), as of a revision.

        Series that these hours showed before and that are not among `points` fall to zero.
        """
        new = list(points)
        written = {(one.end_ms, one.series) for one in new}
        gone = [
            one._replace(sums=Sums())
            for one in self.final_hours(from_ms, to_ms)
            if (one.end_ms, one.series) not in written and one.sums != Sums()
        ]
        lines = (_hour_line(TOPIC_HOUR_FINAL, one, one.end_ms - WINDOW_MS, revision) for one in [*new, *gone])
        self._influx.write(lines)

    def write_speed_layer_error(self, from_ms: int, to_ms: int, revision: int) -> None:
        """Compare the exact hours that start in [from_ms, to_ms) with the rolling hours that cover the same time, where
        there are any, and write the difference as of a revision."""
        exact: dict[int, Counter[int]] = {}
        for point in self.final_hours(from_ms, to_ms):
            exact.setdefault(point.end_ms, Counter())[point.series.topic_id] += point.sums.tweets
        lines = []
        for end_ms, topics in exact.items():
            rolling: Counter[int] = Counter()
            for point in self.hours(end_ms, end_ms + PANE_MS):
                rolling[point.series.topic_id] += point.sums.tweets
            if rolling:
                fields = _difference(topics, rolling)
                lines.append(line(SPEED_LAYER_ERROR, {}, fields, (end_ms - WINDOW_MS) * NS_PER_MS + revision))
        self._influx.write(lines)

    def last_hour(self, now_ms: int | None = None) -> LastHour | None:
        """Counts of the newest hour that is completely written.

        Args:
            now_ms: no hour that ends later; None = the newest there is (a source's clock may run ahead of ours).

        Returns:
            All topics that have a point at that end, or None before the first tweet.
        """
        newest = f"SELECT last(newest_end_ms) AS end_ms FROM {COUNTS_PUBLISHED}"  # noqa: S608 - a constant
        for _, row in self._influx.rows(newest):
            end_ms = row["end_ms"] if now_ms is None else min(row["end_ms"], pane_start(now_ms))
            return LastHour(end_ms, topics_of(self.hours(end_ms, end_ms + PANE_MS)))
        return None

    def hours(self, from_ms: int, to_ms: int) -> list[HourPoint]:
        """Rolling hours that end in [from_ms, to_ms), as a dashboard reads them."""
        return self._last(TOPIC_LAST_HOUR, from_ms, to_ms, PANE_MS, 0)

    def final_hours(self, from_ms: int, to_ms: int) -> list[HourPoint]:
        """Exact counts of hours that start in [from_ms, to_ms)."""
        return self._last(TOPIC_HOUR_FINAL, from_ms, to_ms, WINDOW_MS, WINDOW_MS)

    def _last(self, measurement: str, from_ms: int, to_ms: int, step_ms: int, to_end_ms: int) -> list[HourPoint]:
        sql = (
            f"SELECT {_FIELDS} FROM {measurement} WHERE time >= $from AND time < $to "  # noqa: S608 - constants
            f"GROUP BY time({step_ms // 1000}s), {_TAGS} fill(none)"
        )
        bound = {"from": from_ms * NS_PER_MS, "to": to_ms * NS_PER_MS}
        return [
            HourPoint(row["time"] // NS_PER_MS + to_end_ms, _series(tags), _sums(row))
            for tags, row in self._influx.rows(sql, bound)
        ]


def _hour_line(measurement: str, point: HourPoint, time_ms: int, revision: int) -> str:
    sums = point.sums
    fields: dict[str, Value] = {
        "tweets": sums.tweets,
        "scored": sums.scored,
        "mass": sums.mass / MILLION,
        "compound": sums.sentiment / MILLION,
    }
    if (mean := sums.mean_sentiment) is not None:
        fields["sentiment"] = mean
    series = point.series
    tags = {"topic_id": str(series.topic_id), "topic_label": series.label, "model_version": series.model_version}
    return f"{series_key(measurement, tags)} {field_set(fields)} {time_ms * NS_PER_MS + revision}"


def _difference(exact: Counter[int], rolling: Counter[int]) -> dict[str, Value]:
    """Return the fields of `speed_layer_error` from tweets by topic."""
    differences = [exact[topic] - rolling[topic] for topic in exact.keys() | rolling.keys()]
    moved = (sum(map(abs, differences)) - abs(sum(differences))) // 2
    return {"exact": exact.total(), "speed": rolling.total(), "moved": moved}


def _series(tags: dict[str, str]) -> Series:
    return Series(int(tags["topic_id"]), tags["topic_label"], tags["model_version"])


def _sums(row: dict[str, Any]) -> Sums:
    tweets = row["tweets"] or 0
    scored = row["scored"] if row["scored"] is not None else tweets  # points before there was `scored`
    sentiment = (row["sentiment"] or 0.0) * scored
    return Sums(tweets, scored, round((row["mass"] or 0.0) * MILLION), round(sentiment * MILLION))


def topics_of(points: Iterable[HourPoint]) -> list[TopicCount]:
    """Topics over all model versions, most tweets first; the label is of the version with most of the mass."""
    sums: dict[int, Sums] = {}
    leading: dict[int, HourPoint] = {}
    for point in points:
        topic_id = point.series.topic_id
        sums[topic_id] = sums.get(topic_id, Sums()).plus(point.sums)
        if topic_id not in leading or point.sums.mass > leading[topic_id].sums.mass:
            leading[topic_id] = point
    topics = [
        TopicCount(
            topic_id,
            leading[topic_id].series.label,
            total.tweets,
            total.scored,
            total.mass / MILLION,
            total.mean_sentiment,
        )
        for topic_id, total in sums.items()
    ]
    return sorted(topics, key=lambda topic: (-topic.tweets, -topic.mass, topic.topic_id))
