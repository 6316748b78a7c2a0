"""The series store: what is counted, in InfluxDB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from twitter_topics.backends.influx import NS_PER_MS, InfluxDatabase, Row, Value, delete, line, select, series_key
from twitter_topics.counts.series import (
    AGGREGATOR_LEDGER,
    MILLION,
    PANE_MS,
    TOPIC_HOUR_FINAL,
    TOPIC_LAST_HOUR,
    TOPIC_PANE,
    WINDOW_MS,
    HourPoint,
    Intent,
    LastHour,
    LedgerEntry,
    Pane,
    Position,
    Series,
    Sums,
    TopicCount,
)
from twitter_topics.errors import IntegrityError


class SeriesStore(InfluxDatabase):
    """Panes, rolling hours and the aggregator's ledger. Errors as InfluxDatabase.

    The default retention policy keeps everything, and must: the ledger's times are sequence numbers (so 1970), and a
    replay may bring tweets as old as SPEED_MAX_AGE_DAYS, whose points a finite policy would refuse.
    """

    # --- what the aggregator writes

    def write_intent(self, intent: Intent) -> None:
        """Say which panes a batch will touch, before it touches one."""
        fields: dict[str, Value] = {"first_ms": intent.first_ms, "last_ms": intent.last_ms}
        self._write([line(AGGREGATOR_LEDGER, fields, intent.sequence)])

    def write_panes(self, panes: Iterable[Pane]) -> None:
        self._write(_pane_line(pane) for pane in panes)

    def write_hours(self, points: Iterable[HourPoint]) -> None:
        """Write rolling hours; a point's time is the end of its hour."""
        self._write(_hour_line(TOPIC_LAST_HOUR, point, point.end_ms) for point in points)

    def write_final_hours(self, points: Iterable[HourPoint]) -> None:
        """Write exact counts of closed hours from the archive; a point's time is the start of its hour."""
        self._write(_hour_line(TOPIC_HOUR_FINAL, point, point.end_ms - WINDOW_MS) for point in points)

    def forget_final_hours(self, from_ms: int, to_ms: int) -> None:
        """Drop the exact counts of hours that start in [from_ms, to_ms): a recount may bring other topics or models."""
        bounds = f"time >= {int(from_ms) * NS_PER_MS} AND time < {int(to_ms) * NS_PER_MS}"
        self._rows(delete(TOPIC_HOUR_FINAL, f"WHERE {bounds}"), write=True)

    def write_ledger(self, entry: LedgerEntry) -> None:
        """Say that all writes of a batch are done."""
        fields: dict[str, Value] = {"sequence": entry.sequence, "position": entry.position.to_json()}
        self._write([line(AGGREGATOR_LEDGER, fields, entry.sequence)])

    def forget_ledger_before(self, sequence: int) -> None:
        """Drop old ledger points; only the last is ever read."""
        self._rows(delete(AGGREGATOR_LEDGER, f"WHERE time < {int(sequence)}"), write=True)

    def reset_counts(self) -> None:
        """Drop panes and rolling hours that no ledger accounts for, and broken-off batches."""
        for measurement in (TOPIC_LAST_HOUR, TOPIC_PANE, AGGREGATOR_LEDGER):
            self._rows(delete(measurement), write=True)

    # --- what it reads

    def ledger(self) -> LedgerEntry | None:
        """The last complete batch, None before the first."""
        sql = select("sequence, position", AGGREGATOR_LEDGER, "WHERE sequence > 0 ORDER BY time DESC LIMIT 1")
        for _, row in self._rows(sql):
            try:
                return LedgerEntry(row["sequence"], Position.from_json(row["position"]))
            except (KeyError, TypeError, ValueError) as error:
                msg = f"{AGGREGATOR_LEDGER} is not readable ({error}): delete its points to recount from the topic"
                raise IntegrityError(msg) from error
        return None

    def intents(self, after: int) -> list[Intent]:
        """Batches begun after the complete batch `after`."""
        sql = select("first_ms, last_ms", AGGREGATOR_LEDGER, "WHERE time > $after")
        return [
            Intent(row["time"], row["first_ms"], row["last_ms"]) for _, row in self._rows(sql, bound={"after": after})
        ]

    def panes(self, from_ms: int, to_ms: int) -> list[Pane]:
        """Panes that start in [from_ms, to_ms), as stored: the caller judges their sequence."""
        columns = "tweets, mass, sentiment, base_tweets, base_mass, base_sentiment, sequence"
        return [_pane(tags, row) for tags, row in self._counts(columns, TOPIC_PANE, from_ms, to_ms)]

    def counted(self) -> int:
        """Tweets in all panes, without what a broken-off batch added."""
        entry = self.ledger()
        if entry is None:
            return 0
        total = sum(row["sum"] for _, row in self._rows(select("sum(tweets)", TOPIC_PANE)))
        loose = 0
        for intent in self.intents(entry.sequence):
            for pane in self.panes(intent.first_ms, intent.last_ms + PANE_MS):
                loose += pane.total.tweets - pane.as_of(entry.sequence).tweets
        return int(total) - loose

    def last_hour(self, now_ms: int | None = None) -> LastHour | None:
        """Counts of the newest hour that is completely written.

        Args:
            now_ms: no hour that ends later; None = the newest there is (a source's clock may run ahead of ours).

        Returns:
            All topics that have a point at that end, or None before the first tweet.
        """
        entry = self.ledger()
        if entry is None or entry.position.newest_ms is None:
            return None
        end_ms = entry.position.newest_ms + PANE_MS
        if now_ms is not None:
            end_ms = min(end_ms, now_ms - now_ms % PANE_MS)
        return LastHour(end_ms, topics_of(self.hours(end_ms, end_ms + PANE_MS)))

    def hours(self, from_ms: int, to_ms: int) -> list[HourPoint]:
        """Rolling hours that end in [from_ms, to_ms). Their sentiment sums are the stored means times the tweets."""
        rows = self._counts("tweets, mass, sentiment", TOPIC_LAST_HOUR, from_ms, to_ms)
        return [_hour(tags, row) for tags, row in rows]

    def final_hours(self, from_ms: int, to_ms: int) -> list[HourPoint]:
        """Exact counts of hours that start in [from_ms, to_ms)."""
        rows = self._counts("tweets, mass, sentiment", TOPIC_HOUR_FINAL, from_ms, to_ms)
        return [_hour(tags, row, WINDOW_MS) for tags, row in rows]

    def _counts(self, columns: str, measurement: str, from_ms: int, to_ms: int) -> list[Row]:
        return self._between(columns, measurement, from_ms, to_ms, "topic_id, topic_label, model_version")


@lru_cache(maxsize=4096)
def _series_key(measurement: str, series: Series) -> str:
    """The same few hundred come up all the time."""
    tags = {"topic_id": str(series.topic_id), "topic_label": series.label, "model_version": series.model_version}
    return series_key(measurement, tags)


def _series(tags: Mapping[str, str]) -> Series:
    return Series(int(tags["topic_id"]), tags["topic_label"], tags["model_version"])


def _pane_line(pane: Pane) -> str:
    fields: dict[str, Value] = {
        "tweets": pane.total.tweets,
        "mass": pane.total.mass / MILLION,
        "sentiment": pane.total.sentiment / MILLION,
        "base_tweets": pane.base.tweets,
        "base_mass": pane.base.mass / MILLION,
        "base_sentiment": pane.base.sentiment / MILLION,
        "sequence": pane.sequence,
    }
    return line(_series_key(TOPIC_PANE, pane.series), fields, pane.start_ms * NS_PER_MS)


def _pane(tags: Mapping[str, str], row: Mapping[str, Any]) -> Pane:
    total = _sums(row["tweets"], row["mass"], row["sentiment"])
    base = _sums(row["base_tweets"], row["base_mass"], row["base_sentiment"])
    return Pane(row["time"] // NS_PER_MS, _series(tags), total, base, row["sequence"])


def _sums(tweets: int, mass: float, sentiment: float) -> Sums:
    return Sums(tweets, round(mass * MILLION), round(sentiment * MILLION))


def _hour_line(measurement: str, point: HourPoint, time_ms: int) -> str:
    fields: dict[str, Value] = {
        "tweets": point.sums.tweets,
        "mass": point.sums.mass / MILLION,
        "sentiment": point.sums.mean_sentiment,
    }
    return line(_series_key(measurement, point.series), fields, time_ms * NS_PER_MS)


def _hour(tags: Mapping[str, str], row: Mapping[str, Any], to_end_ms: int = 0) -> HourPoint:
    sums = _sums(row["tweets"], row["mass"], row["sentiment"] * row["tweets"])
    return HourPoint(row["time"] // NS_PER_MS + to_end_ms, _series(tags), sums)


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
        TopicCount(topic_id, leading[topic_id].series.label, total.tweets, total.mass / MILLION, total.mean_sentiment)
        for topic_id, total in sums.items()
    ]
    return sorted(topics, key=lambda topic: (-topic.tweets, -topic.mass, topic.topic_id))
