"""The recount against a count by hand, on real Iceberg tables."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from twitter_topics.archive.hours import HourRange
from twitter_topics.archive.rows import ensure_tables, raw_table
from twitter_topics.archive.schema import RAW_SCHEMA
from twitter_topics.classification.sentiment import compound
from twitter_topics.counts import recount
from twitter_topics.counts.recount import HourCount, final_points, recount_hours, topic_hour_table
from twitter_topics.errors import IntegrityError
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.topic_model import TopicModel

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings

pytestmark = pytest.mark.spark

DAY = datetime(2026, 11, 1, tzinfo=UTC)
HOURS = HourRange(DAY + timedelta(hours=10), DAY + timedelta(hours=13))
WORDS = {3: "goal match team striker", 7: "storm rain flood wind", 12: "phone camera die screen"}
"""The last topic has a word that is none in German."""
VERSION = "20261101T040000Z-gsdmm"


def model() -> TopicModel:
    """Three topics of four words each, which share nothing."""
    matrix = np.full((3, 12), 0.1)
    for topic in range(3):
        matrix[topic, topic * 4 : topic * 4 + 4] = 1000.0
    return TopicModel(
        vocabulary=tuple(word for words in WORDS.values() for word in words.split()),
        topics_matrix=matrix,
        alpha=np.full(3, 0.1),
        eta=0.1,
        documents=np.array([5, 4, 3]),
        word_counts=np.ones(12, dtype=np.int64),
        topic_ids=np.array(list(WORDS)),
        labels=("football", "storm", "phones"),
    )


ARRAYS = model().to_bytes()

LANGUAGES = ("en", "de", "en-GB")
"""Of made-up tweets, by their id; a German one has no sentiment."""

Row = tuple[str | None, datetime, str | None, bytes | None, str | None, int, int, datetime]


def made_up_rows(count: int) -> list[Row]:
    """Tweets of two days: repeated ids (in a day, and across midnight), rejects, and texts without a known word."""
    chance = random.Random(7)
    rows: list[Row] = []
    for offset in range(count):
        moment = DAY + timedelta(seconds=chance.randrange(36 * 3600), microseconds=chance.randrange(10**6))
        if chance.random() < 0.05:
            rows.append((None, moment, None, b"{broken", "json: broken", offset % 3, offset, moment))
            continue
        words = chance.choice([*WORDS.values(), "nothing known here"]).split()
        text = " ".join(chance.choices(words, k=3)) + chance.choice([" great!", " terrible", ""])
        if chance.random() < 0.3:
            text += " " + chance.choice(WORDS[12].split())
        tweet_id = str(chance.randrange(count // 2))
        value = json.dumps({"text": text, "lang": LANGUAGES[int(tweet_id) % 3]}).encode()
        rows.append((tweet_id, moment, "t", value, None, offset % 3, offset, moment))
    return rows


def append(spark: SparkSession, settings: Settings, rows: list[Row]) -> None:
    spark.createDataFrame([(*row, "post") for row in rows], RAW_SCHEMA).coalesce(1).writeTo(
        raw_table(settings)
    ).append()


def counted_by_hand(rows: list[Row], hours: HourRange) -> dict[tuple[datetime, int], tuple[int, float, int, float]]:
    """(hour, topic) → tweets, mass, scored tweets, mean compound of these."""
    owners: dict[tuple[str, Any], Row] = {}
    for row in sorted(rows, key=lambda row: (row[5], row[6])):
        if row[4] is None and row[0] is not None:
            owners.setdefault((row[0], row[1].date()), row)
    scorer = Scorer.load(ARRAYS)
    tweets: Counter[tuple[datetime, int]] = Counter()
    mass: defaultdict[tuple[datetime, int], float] = defaultdict(float)
    feelings: defaultdict[tuple[datetime, int], list[float]] = defaultdict(list)
    for row in owners.values():
        if not hours.start <= row[1] < hours.end:
            continue
        hour = row[1].replace(minute=0, second=0, microsecond=0)
        tweet = json.loads(row[3] or b"")
        text = tweet["text"]
        topics = scorer.score_batch([text], ["de" if tweet["lang"] == "de" else "en"])[0]
        for topic, share in topics:
            mass[hour, topic] += share
        tweets[hour, topics[0][0]] += 1
        if tweet["lang"] != "de":
            feelings[hour, topics[0][0]].append(compound(text))
    felt = {key: feelings.get(key, []) for key in mass}
    return {
        key: (tweets[key], mass[key], len(felt[key]), sum(felt[key]) / len(felt[key]) if felt[key] else 0.0)
        for key in mass
    }


def as_dict(rows: tuple[HourCount, ...]) -> dict[tuple[datetime, int], tuple[int, float, int, float]]:
    found = {
        (datetime.fromtimestamp(row.hour_ms / 1000, UTC), row.topic_id): (
            *(row.tweets, row.mass),
            *(row.scored, row.sentiment),
        )
        for row in rows
    }
    assert len(found) == len(rows)
    return found


def test_equal_to_a_count_by_hand_and_the_same_again(spark: SparkSession, local_archive: Settings) -> None:
    rows = made_up_rows(4000)
    append(spark, local_archive, rows[:2000])
    append(spark, local_archive, rows[2000:])
    by_hand = counted_by_hand(rows, HOURS)
    assert {topic for _, topic in by_hand} == {-1, *WORDS}

    first = recount_hours(spark, local_archive, HOURS, version=VERSION, arrays=ARRAYS)
    again = recount_hours(spark, local_archive, HOURS, version=VERSION, arrays=ARRAYS)

    found = as_dict(first.rows)
    assert found.keys() == by_hand.keys()
    for key, expected in by_hand.items():
        assert found[key] == pytest.approx(expected, abs=1e-3), key
        assert (found[key][0], found[key][2]) == (expected[0], expected[2]), key
    assert first.tweets == sum(tweets for tweets, _, _, _ in by_hand.values()) > 100
    assert 100 < sum(scored for _, _, scored, _ in by_hand.values()) < first.tweets
    assert {row.topic_label for row in first.rows} == {"football", "storm", "phones", "no topic"}
    assert [(row.hour_ms, row.topic_id, row.tweets) for row in again.rows] == [
        (row.hour_ms, row.topic_id, row.tweets) for row in first.rows
    ]
    assert spark.table(topic_hour_table(local_archive)).count() == len(first.rows)


def test_another_model_replaces_the_range_and_nothing_else(spark: SparkSession, local_archive: Settings) -> None:
    append(spark, local_archive, made_up_rows(1500))
    wide = HourRange(DAY, DAY + timedelta(hours=24))
    recount_hours(spark, local_archive, wide, version=VERSION, arrays=ARRAYS)
    newer = "20261102T040000Z-gsdmm"

    recount_hours(spark, local_archive, HOURS, version=newer, arrays=ARRAYS)

    versions = spark.table(topic_hour_table(local_archive)).select("hour", "model_version").distinct().collect()
    by_hour = {row["hour"].astimezone(UTC).hour: row["model_version"] for row in versions}
    assert len(versions) == len(by_hour) == 24
    assert {hour for hour, version in by_hour.items() if version == newer} == {10, 11, 12}


def test_an_hour_without_tweets_leaves_no_row(spark: SparkSession, local_archive: Settings) -> None:
    append(spark, local_archive, made_up_rows(300))
    empty = HourRange(DAY + timedelta(days=5), DAY + timedelta(days=5, hours=2))
    assert recount_hours(spark, local_archive, empty, version=VERSION, arrays=ARRAYS).rows == ()


def test_an_empty_archive_is_an_error(spark: SparkSession, local_archive: Settings) -> None:
    with pytest.raises(IntegrityError, match="nothing was archived"):
        recount_hours(spark, local_archive, HOURS, version=VERSION, arrays=ARRAYS)


def test_an_older_table_gains_the_column_of_scored_tweets(spark: SparkSession, local_archive: Settings) -> None:
    append(spark, local_archive, made_up_rows(600))
    table = topic_hour_table(local_archive)
    spark.sql(f"ALTER TABLE {table} DROP COLUMN scored")
    spark.sql(f"INSERT INTO {table} VALUES (TIMESTAMP '2026-11-01 00:00:00', 3, 'football', 'v', 5, 5.0, 0.5)")  # noqa: S608
    for _ in range(2):
        ensure_tables(spark, local_archive)
    recount_hours(spark, local_archive, HOURS, version=VERSION, arrays=ARRAYS)
    rows = spark.table(table).collect()
    assert [tuple(row)[1:] for row in rows if row["scored"] is None] == [(3, "football", "v", 5, 5.0, 0.5, None)]
    assert len(rows) > 10


def test_a_lost_or_doubled_tweet_is_named(
    spark: SparkSession, local_archive: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(spark, local_archive, made_up_rows(600))
    honest = recount.owners
    monkeypatch.setattr(recount, "owners", lambda days, hours: honest(days, hours).limit(5))
    with pytest.raises(IntegrityError, match="assert_topic_hour_complete"):
        recount_hours(spark, local_archive, HOURS, version=VERSION, arrays=ARRAYS)
    monkeypatch.setattr(recount, "owners", lambda days, hours: honest(days, hours).union(honest(days, hours)))
    with pytest.raises(IntegrityError, match="assert_topic_hour_complete"):
        recount_hours(spark, local_archive, HOURS, version=VERSION, arrays=ARRAYS)


def test_points_start_at_the_hour_and_keep_the_mean() -> None:
    (point,) = final_points([HourCount(int(DAY.timestamp() * 1000), 3, "football", VERSION, 4, 3.5, 2, -0.25)])
    assert point.end_ms - 3_600_000 == DAY.timestamp() * 1000
    assert (point.sums.tweets, point.sums.scored, point.sums.mean_sentiment) == (4, 2, -0.25)
