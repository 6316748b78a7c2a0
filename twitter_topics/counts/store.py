"""The series store: InfluxDB's 1.x API. Measurement, tags and time fix a point: writing it twice is harmless."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import requests
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError

from twitter_topics.counts.series import (
    AGGREGATOR_LEDGER,
    MILLION,
    PANE_MS,
    PIPELINE_HEALTH,
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
    tag_text,
)
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError
from twitter_topics.records.gap import SOURCE_GAP, Gap
from twitter_topics.settings import InfluxSettings

POINTS_PER_REQUEST = 5_000
_NS_PER_MS = 1_000_000
_TIMEOUT_S = (5.0, 30.0)  # the server itself gives up a write after 10 s
SHORT_TIMEOUT_S = (2.0, 5.0)
"""For what may as well be written later: seconds to connect and to answer."""

_CLIENT_ERRORS = (requests.RequestException, InfluxDBServerError, InfluxDBClientError)
_WHOLE_TRIES, _WHOLE_PAUSE_SECONDS = 20, 0.1
_TAG_ESCAPES = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})

Value = int | float | str | bool
Row = tuple[dict[str, str], dict[str, Any]]
"""(tags, columns) of a row of an answer."""


class SeriesStore:
    """Panes, rolling hours, the aggregator's ledger and health, in one database.

    All points stay in the default retention policy, which keeps everything: the ledger's times are sequence numbers (so
    1970), and a replay may bring tweets as old as SPEED_MAX_AGE_DAYS, whose points a finite policy would refuse.

    Every method raises RetryableError when the server is away, busy or does not know the database; ConfigurationError
    when it refuses the user; IntegrityError when it refuses what was sent or holds what nobody wrote.
    """

    def __init__(self, settings: InfluxSettings, timeout_s: tuple[float, float] = _TIMEOUT_S) -> None:
        url = urlsplit(settings.url)
        self._database = settings.database
        self._where = f"InfluxDB at {url.hostname}:{url.port or 8086}"
        password = settings.password.get_secret_value()
        basic = base64.b64encode(f"{settings.username}:{password}".encode()).decode()
        self._hidden = (password, basic) if password else ()
        self._client = InfluxDBClient(
            host=url.hostname,
            port=url.port or 8086,
            path=url.path.strip("/"),
            ssl=url.scheme == "https",
            verify_ssl=True,
            username=settings.username or None,
            password=password or None,
            database=settings.database,
            timeout=timeout_s,
            retries=2,  # the second try takes a new connection where the server has dropped a kept one
        )

    def close(self) -> None:
        self._client.close()

    def ensure_database(self) -> None:
        """Make the database if it is not there. Only that needs an admin."""
        names = [row["name"] for _, row in self._rows("SHOW DATABASES")]
        if self._database not in names:
            self._rows(f'CREATE DATABASE "{self._database}"', write=True)

    # --- what the aggregator writes

    def write_intent(self, intent: Intent) -> None:
        """Say which panes a batch will touch, before it touches one."""
        fields: dict[str, Value] = {"first_ms": intent.first_ms, "last_ms": intent.last_ms}
        self._write([_line(AGGREGATOR_LEDGER, {}, fields, intent.sequence)])

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
        bounds = f"time >= {int(from_ms) * _NS_PER_MS} AND time < {int(to_ms) * _NS_PER_MS}"
        self._rows(_delete(TOPIC_HOUR_FINAL, f"WHERE {bounds}"), write=True)

    def write_ledger(self, entry: LedgerEntry) -> None:
        """Say that all writes of a batch are done."""
        fields: dict[str, Value] = {"sequence": entry.sequence, "position": entry.position.to_json()}
        self._write([_line(AGGREGATOR_LEDGER, {}, fields, entry.sequence)])

    def forget_ledger_before(self, sequence: int) -> None:
        """Drop old ledger points; only the last is ever read."""
        self._rows(_delete(AGGREGATOR_LEDGER, f"WHERE time < {int(sequence)}"), write=True)

    def reset_counts(self) -> None:
        """Drop panes and rolling hours that no ledger accounts for, and broken-off batches."""
        for measurement in (TOPIC_LAST_HOUR, TOPIC_PANE, AGGREGATOR_LEDGER):
            self._rows(_delete(measurement), write=True)

    # --- what it reads

    def ledger(self) -> LedgerEntry | None:
        """The last complete batch, None before the first."""
        sql = _select("sequence, position", AGGREGATOR_LEDGER, "WHERE sequence > 0 ORDER BY time DESC LIMIT 1")
        for _, row in self._rows(sql):
            try:
                return LedgerEntry(row["sequence"], Position.from_json(row["position"]))
            except (KeyError, TypeError, ValueError) as error:
                msg = f"{AGGREGATOR_LEDGER} is not readable ({error}): delete its points to recount from the topic"
                raise IntegrityError(msg) from error
        return None

    def intents(self, after: int) -> list[Intent]:
        """Batches begun after the complete batch `after`."""
        sql = _select("first_ms, last_ms", AGGREGATOR_LEDGER, "WHERE time > $after")
        return [
            Intent(row["time"], row["first_ms"], row["last_ms"]) for _, row in self._rows(sql, bound={"after": after})
        ]

    def panes(self, from_ms: int, to_ms: int) -> list[Pane]:
        """Panes that start in [from_ms, to_ms), as stored: the caller judges their sequence."""
        columns = "tweets, mass, sentiment, base_tweets, base_mass, base_sentiment, sequence"
        return [_pane(tags, row) for tags, row in self._between(columns, TOPIC_PANE, from_ms, to_ms)]

    def counted(self) -> int:
        """Tweets in all panes, without what a broken-off batch added."""
        entry = self.ledger()
        if entry is None:
            return 0
        total = sum(row["sum"] for _, row in self._rows(_select("sum(tweets)", TOPIC_PANE)))
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
        rows = self._between("tweets, mass, sentiment", TOPIC_LAST_HOUR, from_ms, to_ms)
        return [_hour(tags, row) for tags, row in rows]

    def final_hours(self, from_ms: int, to_ms: int) -> list[HourPoint]:
        """Exact counts of hours that start in [from_ms, to_ms)."""
        rows = self._between("tweets, mass, sentiment", TOPIC_HOUR_FINAL, from_ms, to_ms)
        return [_hour(tags, row, WINDOW_MS) for tags, row in rows]

    # --- health

    def write_health(self, part: str, *, at: float | None = None, **fields: Value) -> None:
        """One point of `pipeline_health`. Fields as in the contract, `at` in Unix seconds (default: now)."""
        numbers = {"rate": float, "batch_seconds": float, "lag": int, "restarts": int}
        values = {name: numbers[name](value) if name in numbers else value for name, value in fields.items()}
        moment = time.time() if at is None else at
        self._write([_line(PIPELINE_HEALTH, {"part": part}, values, int(moment * 1000) * _NS_PER_MS)])

    # --- gaps of the sources

    def write_gap(self, gap: Gap) -> None:
        """Write a gap; its time is its begin, so that written again it is the same point."""
        fields: dict[str, Value] = {
            "from_ms": gap.from_ms,
            "to_ms": gap.to_ms,
            "seconds": gap.seconds,
            "estimated_posts": gap.estimated_posts,
        }
        tags = {"source": gap.source, "cause": gap.cause}
        self._write([_line(SOURCE_GAP, tags, fields, gap.from_ms * _NS_PER_MS)])

    def gaps(self, from_ms: int, to_ms: int) -> list[Gap]:
        """Gaps that began in [from_ms, to_ms), oldest first."""
        rows = self._between("from_ms, to_ms, estimated_posts", SOURCE_GAP, from_ms, to_ms, "source, cause")
        found = [
            Gap(tags["source"], row["from_ms"], row["to_ms"], tags["cause"], row["estimated_posts"])
            for tags, row in rows
        ]
        return sorted(found, key=lambda gap: (gap.from_ms, gap.source, gap.cause))

    # --- transport

    def _write(self, lines: Iterable[str]) -> None:
        for chunk in _chunks(lines, POINTS_PER_REQUEST):
            try:
                self._client.write(chunk, params={"db": self._database, "precision": "ns"}, protocol="line")
            except _CLIENT_ERRORS as error:
                raise self._translated(error, "write") from error

    def _between(
        self,
        columns: str,
        measurement: str,
        from_ms: int,
        to_ms: int,
        tags: str = "topic_id, topic_label, model_version",
    ) -> list[Row]:
        """Rows with times in [from_ms, to_ms) and the tags of their series.

        InfluxDB stores the fields of a point one after the other, so a reader beside the writer may see half a point.
        """
        rest = f"WHERE time >= $from AND time < $to GROUP BY {tags}"
        bound = {"from": from_ms * _NS_PER_MS, "to": to_ms * _NS_PER_MS}
        for _ in range(_WHOLE_TRIES):
            rows = list(self._rows(_select(columns, measurement, rest), bound=bound))
            if all(value is not None for _, row in rows for value in row.values()):
                return rows
            time.sleep(_WHOLE_PAUSE_SECONDS)
        msg = f"{self._where}: points of {measurement} stay half written"
        raise RetryableError(msg)

    def _rows(self, sql: str, *, bound: dict[str, int] | None = None, write: bool = False) -> Iterator[Row]:
        try:
            result = self._client.query(sql, bind_params=bound, epoch="ns", method="POST" if write else "GET")
        except _CLIENT_ERRORS as error:
            raise self._translated(error, "query") from error
        series = result.raw.get("series", [])
        return (
            (one.get("tags", {}), dict(zip(one["columns"], values, strict=True)))
            for one in series
            for values in one.get("values", [])
        )

    def _words_of(self, error: Exception) -> str:
        """A server, or a proxy before it, may repeat what it was sent."""
        text = str(error)
        for secret in self._hidden:
            text = text.replace(secret, "***")
        return text[:300]

    def _translated(self, error: Exception, doing: str) -> Exception:
        if isinstance(error, (requests.RequestException, InfluxDBServerError)):
            return RetryableError(f"{self._where} did not {doing}: {self._words_of(error)}")
        code = getattr(error, "code", None)
        if code in {401, 403}:
            return ConfigurationError(
                f"{self._where} refused INFLUXDB_USERNAME and INFLUXDB_PASSWORD: {self._words_of(error)}"
            )
        if code == 404 or "database not found" in str(error):
            return RetryableError(f"{self._where} has no database {self._database} (any more)")
        return IntegrityError(f"{self._where} refused a {doing}: {self._words_of(error)}")


def _select(columns: str, measurement: str, rest: str = "") -> str:
    return f"SELECT {columns} FROM {measurement} {rest}"  # noqa: S608 - this module's constants; values are bound


def _delete(measurement: str, rest: str = "") -> str:
    return f"DELETE FROM {measurement} {rest}"  # noqa: S608 - this module's constants and integers


def _chunks(lines: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(lines)
    while chunk := list(islice(rest, size)):
        yield chunk


def _line(measurement: str, tags: Mapping[str, str], fields: Mapping[str, Value], time_ns: int) -> str:
    names = "".join(f",{key}={tag_text(value).translate(_TAG_ESCAPES)}" for key, value in tags.items())
    return f"{measurement}{names} {_fields(fields)} {time_ns}"


@lru_cache(maxsize=4096)
def _series_key(measurement: str, series: Series) -> str:
    """Measurement and tags of a count's line; the same few hundred come up all the time."""
    tags = {"topic_id": str(series.topic_id), "topic_label": series.label, "model_version": series.model_version}
    return measurement + "".join(f",{key}={tag_text(value).translate(_TAG_ESCAPES)}" for key, value in tags.items())


def _fields(fields: Mapping[str, Value]) -> str:
    return ",".join(f"{key}={_field(value)}" for key, value in fields.items())


def _field(value: Value) -> str:
    """A field in line protocol. Its form fixes the column's type for good: integers end in i, floats never do."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        if not math.isfinite(value):
            msg = f"{value} is no number that a series can hold"
            raise IntegrityError(msg)
        return repr(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


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
    return f"{_series_key(TOPIC_PANE, pane.series)} {_fields(fields)} {pane.start_ms * _NS_PER_MS}"


def _pane(tags: Mapping[str, str], row: Mapping[str, Any]) -> Pane:
    total = _sums(row["tweets"], row["mass"], row["sentiment"])
    base = _sums(row["base_tweets"], row["base_mass"], row["base_sentiment"])
    return Pane(row["time"] // _NS_PER_MS, _series(tags), total, base, row["sequence"])


def _sums(tweets: int, mass: float, sentiment: float) -> Sums:
    return Sums(tweets, round(mass * MILLION), round(sentiment * MILLION))


def _hour_line(measurement: str, point: HourPoint, time_ms: int) -> str:
    fields: dict[str, Value] = {
        "tweets": point.sums.tweets,
        "mass": point.sums.mass / MILLION,
        "sentiment": point.sums.mean_sentiment,
    }
    return f"{_series_key(measurement, point.series)} {_fields(fields)} {time_ms * _NS_PER_MS}"


def _hour(tags: Mapping[str, str], row: Mapping[str, Any], to_end_ms: int = 0) -> HourPoint:
    sums = _sums(row["tweets"], row["mass"], row["sentiment"] * row["tweets"])
    return HourPoint(row["time"] // _NS_PER_MS + to_end_ms, _series(tags), sums)


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
