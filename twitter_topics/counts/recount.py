"""Exact counts of closed hours from the archive, with the code that serves the stream."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import functions as fn

from twitter_topics.archive.hours import HOUR, HourRange
from twitter_topics.archive.rows import current_snapshot, raw_table
from twitter_topics.archive.schema import NAMESPACE, TOPIC_HOUR_TABLE
from twitter_topics.backends.sql import statement
from twitter_topics.classification.sentiment import compound, is_scored
from twitter_topics.counts.panes import MILLION, WINDOW_MS, HourPoint, Series, Sums
from twitter_topics.errors import IntegrityError
from twitter_topics.records.content import Content
from twitter_topics.topic_models.scoring.scorer import Scorer

if TYPE_CHECKING:
    from pyspark import Broadcast
    from pyspark.sql import Column, DataFrame, SparkSession

    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)

CHECKS = ("assert_topic_hour_complete", "assert_topic_hour_mass", "assert_topic_hour_unique")

PLACE = ["kafka_partition", "kafka_offset"]
"""Columns that name a record of the archive."""

_PARTIAL_SCHEMA = "hour timestamp, topic_id int, tweets long, mass double, scored long, compound double"
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class HourCount:
    """One row of `topic_hour`: an hour (Unix ms of its start), a topic, and what the model says of it.

    `tweets` counts the tweets whose largest share is this topic, `mass` sums the shares of all tweets. `scored` of
    those `tweets` have a sentiment; `sentiment` is the mean of their VADER compounds (0 where there are none).
    """

    hour_ms: int
    topic_id: int
    topic_label: str
    model_version: str
    tweets: int
    mass: float
    scored: int
    sentiment: float


@dataclass(frozen=True, slots=True)
class Recount:
    """What a recount has written, and the snapshot that it read."""

    snapshot_id: int
    rows: tuple[HourCount, ...]

    @property
    def tweets(self) -> int:
        """Distinct tweets counted."""
        return sum(row.tweets for row in self.rows)


def recount_hours(spark: SparkSession, settings: Settings, hours: HourRange, *, version: str, arrays: bytes) -> Recount:
    """Count the tweets of closed hours anew and replace these hours in `lake.tweets.topic_hour`, whatever model counted
    them before. Running it again gives the same rows.

    A tweet is counted once, in the hour of its owner: its first record (lowest partition, then offset) of a UTC day.
    That is the rule of the daily search indices, so the stream and the recount agree on which record it is. A tweet
    that Elasticsearch alone refused is counted here and not there.

    Args:
        version: of the model, written beside every count.
        arrays: its `arrays.npz`.

    Raises:
        IntegrityError: the archive is empty, or what was written does not equal what is archived.
    """
    snapshot_id = current_snapshot(spark, settings)
    if snapshot_id is None:
        raise IntegrityError(f"{raw_table(settings)} has no snapshot yet: nothing was archived")
    days = archived_days(spark, settings, hours, snapshot_id)
    labels = Scorer.load(arrays).labels
    tweets, languages = owners(days, hours), settings.sentiment.codes
    counts = topic_hours(spark, tweets, arrays=arrays, labels=labels, version=version, languages=languages)
    _replace(spark, topic_hour_table(settings), counts, hours)
    written = spark.table(topic_hour_table(settings)).where(within("hour", hours))
    _check(spark, days, written, hours)
    in_order = written.withColumn("second", fn.unix_seconds("hour")).orderBy("hour", "topic_id")
    rows = tuple(_hour_count(row) for row in in_order.collect())
    log.info("recounted %d hours: %d rows at snapshot %d", hours.hours, len(rows), snapshot_id)
    return Recount(snapshot_id, rows)


def topic_hour_table(settings: Settings) -> str:
    """Full name of the table of exact counts."""
    return f"{settings.archive.catalog_name}.{NAMESPACE}.{TOPIC_HOUR_TABLE}"


def archived_days(spark: SparkSession, settings: Settings, hours: HourRange, snapshot_id: int) -> DataFrame:
    """The archive's rows of all UTC days that the hours touch, at one snapshot: owners are decided by day."""
    rows = spark.read.option("versionAsOf", snapshot_id).table(raw_table(settings))
    return rows.where(within("event_time", _whole_days(hours)))


def owners(days: DataFrame, hours: HourRange) -> DataFrame:
    """One row (event_time, payload) per tweet whose owner lies in the hours."""
    # ids first, payloads by a second pass: a shuffle of payloads would move the whole archive
    good = days.where(fn.col("reject_reason").isNull())
    in_hours = good.where(within("event_time", hours))
    return in_hours.join(first_records(good), PLACE, "left_semi").select("event_time", "payload")


def first_records(tweets: DataFrame) -> DataFrame:
    """PLACE of the first record (lowest partition, then offset) of each tweet of a UTC day."""
    by_day = tweets.groupBy("tweet_id", fn.to_date("event_time").alias("day"))
    return by_day.agg(fn.min(fn.struct(*PLACE)).alias("record")).select(*[f"record.{name}" for name in PLACE])


def topic_hours(
    spark: SparkSession,
    tweets: DataFrame,
    *,
    arrays: bytes,
    labels: dict[int, str],
    version: str,
    languages: frozenset[str],
) -> DataFrame:
    """Rows of `topic_hour` from tweets (event_time, payload). `languages`: of SENTIMENT_LANGUAGES."""
    partial = tweets.mapInArrow(_counter(spark.sparkContext.broadcast(arrays), languages), _PARTIAL_SCHEMA)
    label_of = fn.create_map(*[fn.lit(part) for pair in labels.items() for part in pair])
    scored = fn.sum("scored")
    return (
        partial.groupBy("hour", "topic_id")
        .agg(
            fn.sum("tweets").alias("tweets"),
            fn.sum("mass").alias("mass"),
            fn.when(scored > 0, fn.sum("compound") / scored).otherwise(0.0).alias("sentiment"),
            scored.alias("scored"),
        )
        .select(
            "hour",
            "topic_id",
            fn.coalesce(label_of[fn.col("topic_id")], fn.lit("")).alias("topic_label"),
            fn.lit(version).alias("model_version"),
            "tweets",
            "mass",
            "sentiment",
            "scored",
        )
    )


def count_batch(
    event_us: list[int], payloads: list[bytes], scorer: Scorer, languages: frozenset[str]
) -> dict[tuple[int, int], list[float]]:
    """(hour in Unix microseconds, topic_id) → [tweets, mass, scored tweets, sum of compounds] of some tweets."""
    contents = [Content(json.loads(payload)) for payload in payloads]
    topics_of = scorer.score_batch(
        [content.prose for content in contents], [content.language.code for content in contents]
    )
    sums: dict[tuple[int, int], list[float]] = defaultdict(lambda: [0, 0.0, 0, 0.0])
    for microseconds, content, topics in zip(event_us, contents, topics_of, strict=True):
        hour = microseconds - microseconds % _HOUR_US
        for topic_id, share in topics:
            sums[hour, topic_id][1] += round(share, 6)  # as the stream writes it
        dominant = sums[hour, topics[0][0]]
        dominant[0] += 1
        if is_scored(content, languages):
            dominant[2] += 1
            dominant[3] += compound(content.text)
    return sums


def final_points(rows: Iterable[HourCount]) -> list[HourPoint]:
    """The counts as points of `topic_hour_final`."""
    return [
        HourPoint(
            row.hour_ms + WINDOW_MS,
            Series(row.topic_id, row.topic_label, row.model_version),
            Sums(row.tweets, row.scored, round(row.mass * MILLION), round(row.sentiment * row.scored * MILLION)),
        )
        for row in rows
    ]


def _counter(
    arrays: Broadcast[bytes], languages: frozenset[str]
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    stamp = pa.timestamp("us", tz="UTC")

    def rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        scorer = Scorer.load(arrays.value)
        for batch in batches:
            event_us = batch.column("event_time").cast(pa.int64()).to_pylist()
            sums = count_batch(event_us, batch.column("payload").to_pylist(), scorer, languages)
            yield pa.RecordBatch.from_arrays(
                [
                    pa.array([hour for hour, _ in sums], stamp),
                    pa.array([topic_id for _, topic_id in sums], pa.int32()),
                    pa.array([int(tweets) for tweets, _, _, _ in sums.values()], pa.int64()),
                    pa.array([mass for _, mass, _, _ in sums.values()], pa.float64()),
                    pa.array([int(scored) for _, _, scored, _ in sums.values()], pa.int64()),
                    pa.array([total for _, _, _, total in sums.values()], pa.float64()),
                ],
                names=["hour", "topic_id", "tweets", "mass", "scored", "compound"],
            )

    return rows


def _replace(spark: SparkSession, table: str, counts: DataFrame, hours: HourRange) -> None:
    """Replace the rows of the hours in one commit."""
    # Iceberg replaces whole files, and a file holds a day: the day's other hours are written again as they are
    in_days = within("hour", _whole_days(hours))
    others = spark.table(table).where(in_days & ~within("hour", hours))
    counts.unionByName(others).writeTo(table).overwrite(in_days)


def _whole_days(hours: HourRange) -> HourRange:
    """All hours of the UTC days that the hours touch."""
    return HourRange(hours.start.replace(hour=0), (hours.end - HOUR).replace(hour=0) + timedelta(days=1))


def within(column: str, hours: HourRange) -> Column:
    """Condition: a time lies in the hours."""
    return (fn.col(column) >= fn.lit(hours.start)) & (fn.col(column) < fn.lit(hours.end))


def _check(spark: SparkSession, days: DataFrame, written: DataFrame, hours: HourRange) -> None:
    days.createOrReplaceTempView("archived_days")
    written.createOrReplaceTempView("recounted")
    failures = []
    for name in CHECKS:
        text = statement(f"checks/{name}")
        args: dict[str, datetime] = {"start": hours.start, "end": hours.end} if ":start" in text else {}
        rows = spark.sql(text, args=args).limit(5).collect()
        failures += [f"{name}: {row.asDict()}" for row in rows]
    if failures:
        raise IntegrityError("the recount does not equal the archive:\n  " + "\n  ".join(failures))


def _hour_count(row: Any) -> HourCount:
    return HourCount(
        hour_ms=row["second"] * 1000,
        topic_id=row["topic_id"],
        topic_label=row["topic_label"],
        model_version=row["model_version"],
        tweets=row["tweets"],
        mass=row["mass"],
        scored=row["tweets"] if row["scored"] is None else row["scored"],
        sentiment=row["sentiment"],
    )
