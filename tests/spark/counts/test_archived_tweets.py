"""Archived tweets are counted as the classifier and the aggregator would have counted them."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from tests.spark.counts.test_recount import ARRAYS, DAY, VERSION, Row, append, made_up_rows
from twitter_topics.archive.schema import DELETED
from twitter_topics.backends.kafka_partitioner import partition_of
from twitter_topics.classification.sentiment import compound
from twitter_topics.counts.archived_tweets import ArchivedTweets, archived_until
from twitter_topics.counts.batch import Lane, Marks, TopicPane
from twitter_topics.counts.panes import PANE_MS, Sums
from twitter_topics.counts.restoration import Restoration, Scope
from twitter_topics.topic_models.scoring.scorer import Scorer

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings

pytestmark = pytest.mark.spark

PARTITIONS = 2
RAW = "raw-1"
ROWS = 600
ENGLISH = frozenset({"en"})
FIRST_DAY = int(DAY.timestamp()) // 86_400


def with_deletions(rows: list[Row]) -> list[Row]:
    """The rows, every tenth tweet of which was deleted on request: its text is gone in all its records."""
    gone = {row[0] for at, row in enumerate(rows) if at % 10 == 0}
    return [
        (*row[:3], None, f"{DELETED}delete", *row[5:]) if row[0] in gone and row[0] is not None else row for row in rows
    ]


def by_hand(
    rows: list[Row], restoration: Restoration, day: int, rejected: set[tuple[int, int]]
) -> dict[TopicPane, Sums]:
    scorer = Scorer.load(ARRAYS)
    owners: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: (row[5], row[6])):
        if row[0] is not None and int(row[1].timestamp()) // 86_400 == day and (row[5], row[6]) not in rejected:
            owners.setdefault(row[0], row)
    sums: dict[TopicPane, Sums] = defaultdict(Sums)
    for tweet_id, row in owners.items():
        lane = partition_of(tweet_id.encode(), PARTITIONS)
        if row[6] >= restoration.limit(row[5], lane):
            continue
        start = int(row[1].timestamp() * 1000) // PANE_MS * PANE_MS
        tweet = json.loads(row[3]) if row[3] else {"text": "", "lang": "de"}
        text, is_felt = tweet["text"], tweet["lang"] != "de"
        topics = scorer.score_batch([text], ["en" if is_felt else "de"])[0]
        for at, (topic, share) in enumerate(topics):
            feeling = round(compound(text) * 1_000_000) if is_felt and at == 0 else 0
            scored = int(at == 0 and is_felt)
            key = TopicPane(start, topic, scorer.labels[topic], VERSION)
            sums[key] = sums[key].plus(Sums(int(at == 0), scored, round(round(share, 6) * 1_000_000), feeling))
    return dict(sums)


def plan(scope: Scope, archived: dict[int, int]) -> Restoration:
    lanes = {Lane(RAW, 0, 0): Marks(150, 599), Lane(RAW, 0, 1): Marks(30, 599), Lane(RAW, 1, 0): Marks(1, 599)}
    counted = lanes if scope is Scope.expired else {}
    return Restoration(scope).begin(counted, RAW, archived, [0], PARTITIONS)


def once_and_twice(rows: list[Row]) -> set[tuple[int, int]]:
    """The only record of one tweet, and the first of two of another."""
    places: dict[tuple[str, date], list[tuple[int, int]]] = defaultdict(list)
    for row in rows:
        if row[0] is not None:
            places[row[0], row[1].date()].append((row[5], row[6]))
    once = next(found[0] for found in places.values() if len(found) == 1)
    twice = next(min(found) for found in places.values() if len(found) == 2)
    return {once, twice}


@pytest.mark.parametrize("scope", Scope)
def test_a_tweet_counts_once_by_its_first_record_if_its_lane_lacks_it(
    spark: SparkSession, local_archive: Settings, scope: Scope
) -> None:
    rows = with_deletions(made_up_rows(ROWS))
    append(spark, local_archive, rows)
    archived = archived_until(spark, local_archive)
    assert archived == {0: 598, 1: 599, 2: 600}
    restoration, rejected = plan(scope, archived), once_and_twice(rows)
    tweets = ArchivedTweets(restoration, frozenset(rejected), VERSION, spark.sparkContext.broadcast(ARRAYS), ENGLISH)
    total = 0
    for day in (FIRST_DAY, FIRST_DAY + 1):
        counts = tweets.of_day(spark, local_archive, day)
        assert counts.sums == by_hand(rows, restoration, day, rejected)
        assert len(counts.lanes) == len(counts.offsets) == counts.records == 0
        total += sum(sums.tweets for sums in counts.sums.values())
    everything = len({(row[0], row[1].date()) for row in rows if row[0]})
    if scope is Scope.all:  # of a tweet whose first record the index rejected, the second one counts
        assert total == everything - 1
    else:
        assert 0 < total < everything - 1


def test_a_day_without_tweets_counts_nothing(spark: SparkSession, local_archive: Settings) -> None:
    append(spark, local_archive, made_up_rows(10))
    restoration = plan(Scope.all, {0: 10, 1: 10, 2: 10})
    tweets = ArchivedTweets(restoration, frozenset(), VERSION, spark.sparkContext.broadcast(ARRAYS), ENGLISH)
    day = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) // 86_400
    counts = tweets.of_day(spark, local_archive, day)
    assert counts.sums == {}
    assert counts.shares == 0
