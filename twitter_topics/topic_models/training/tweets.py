"""Archived tweets as lists of words, at one snapshot, each tweet once and in a fixed order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as fn

from twitter_topics.archive.rows import raw_table
from twitter_topics.backends.sql import statement
from twitter_topics.errors import TooFewTweetsError
from twitter_topics.records.content import Content
from twitter_topics.records.tweet import tweet_identity
from twitter_topics.topic_models.scoring.text import NEWEST, TEXT_RULES
from twitter_topics.topic_models.training.corpus import slice_of
from twitter_topics.topic_models.training.extent import Extent, Offsets

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

    from twitter_topics.settings import Settings
    from twitter_topics.topic_models.scoring.text_rules import TextRules

_SOURCE = "training_source"
_SAMPLE_OF = 1_000_000
_SCHEMA = (
    "tweet_id string, kafka_partition int, kafka_offset long, "
    "words array<string>, slice int, language string, sample_text string"
)


@dataclass(frozen=True)
class TrainingTweets:
    """Words of tweets, ordered by tweet id.

    words: list<string>, one list per tweet. slices: the slice of each (corpus.slice_of). sample_texts: of slice 0,
    which is always held out. languages: string, the language of each tweet; unused for one set of topics.
    """

    words: pa.ListArray
    slices: np.ndarray[Any, np.dtype[Any]]
    sample_texts: list[str]
    languages: pa.Array

    @property
    def count(self) -> int:
        return len(self.words)

    @property
    def posts(self) -> dict[str, int]:
        """Number of tweets by language."""
        return {one["values"]: one["counts"] for one in self.languages.value_counts().to_pylist()}

    @property
    def sample_languages(self) -> list[str]:
        """Those of the sample texts."""
        return list(self.languages.filter(pa.array(self.slices == 0)).to_pylist())

    def in_languages(self, codes: tuple[str, ...]) -> TrainingTweets:
        """Return the tweets of some languages, without texts."""
        chosen = pc.is_in(self.languages, value_set=pa.array(codes, pa.string()))
        slices = self.slices[chosen.to_numpy(zero_copy_only=False)]
        return TrainingTweets(self.words.filter(chosen), slices, [], self.languages.filter(chosen))

    def to_train(self, held_out_one_in: int) -> pa.ListArray:
        return self.words.filter(pa.array(self.slices % held_out_one_in != 0))

    def to_judge(self, held_out_one_in: int) -> pa.ListArray:
        return self.words.filter(self._held_out(held_out_one_in))

    def languages_to_judge(self, held_out_one_in: int) -> pa.Array:
        return self.languages.filter(self._held_out(held_out_one_in))

    def _held_out(self, one_in: int) -> pa.Array:
        return pa.array(self.slices % one_in == 0)


@dataclass(frozen=True)
class ArchivedTweets(TrainingTweets):
    """Those of a range of the archive."""

    extent: Extent


def read_tweets(
    spark: SparkSession,
    settings: Settings,
    *,
    snapshot: int,
    start: datetime,
    end: datetime,
    max_tweets: int,
    rules: TextRules = NEWEST,
) -> ArchivedTweets:
    """Return the readable tweets with `start` <= event time < `end`, in the snapshot. If there are more than
    `max_tweets`, the range starts later, at a full second.

    A tweet archived more than once counts once: the record with the smallest partition and offset.

    Raises:
        TooFewTweetsError: more than `max_tweets` tweets have the same time.
    """
    source = _at(spark, settings, snapshot)
    return _read(source, _newest(source, start, end, max_tweets), end, rules)


def read_again(
    spark: SparkSession, settings: Settings, extent: Extent, *, snapshot: int, rules: TextRules = NEWEST
) -> ArchivedTweets:
    """Return what `read_tweets` returned, without the tweets that were deleted before this later snapshot."""
    bounds = [(fn.lit(partition), fn.lit(one.last).cast("long")) for partition, one in extent.offsets.items()]
    last = fn.create_map(*chain.from_iterable(bounds))
    source = _at(spark, settings, snapshot).where(fn.col("kafka_offset") <= last[fn.col("kafka_partition")])
    return _read(source, extent.start, extent.end, rules)


def read_sample(
    spark: SparkSession,
    settings: Settings,
    *,
    snapshot: int,
    start: datetime,
    end: datetime,
    most: int,
    rules: TextRules,
) -> ArchivedTweets:
    """Return the readable tweets with `start` <= event time < `end`, in the snapshot; of more than `most`, about so
    many, and the same ones each time."""
    source = _at(spark, settings, snapshot)
    share = most / max(sum(one["tweets"] for one in _per_period(source, start, end, seconds=86_400)), 1)
    if share < 1:
        source = source.where(fn.pmod(fn.xxhash64("tweet_id"), fn.lit(_SAMPLE_OF)) < fn.lit(_SAMPLE_OF * share))
    return _read(source, start, end, rules)


def _at(spark: SparkSession, settings: Settings, snapshot: int) -> DataFrame:
    return spark.read.option("versionAsOf", snapshot).table(raw_table(settings))


def _newest(source: DataFrame, start: datetime, end: datetime, most: int) -> datetime:
    """Return where the newest tweets of a range begin, `most` at most.

    It is a full second, found by counting, so it depends on the tweets alone and not on the files that they are in.
    """
    newest, begins = 0, start
    for seconds in (3600, 1):  # the hours, then the seconds of the hour that is too much
        for period in _per_period(source, start, end, seconds=seconds):
            at = datetime.fromtimestamp(period["begins"], UTC)
            if newest + period["tweets"] > most:
                start, end = max(start, at), min(end, at + timedelta(seconds=seconds))
                break
            newest, begins = newest + period["tweets"], max(start, at)
        else:
            return start
    if not newest:
        msg = f"more than {most:,} tweets have the same time; raise TOPICS_MAX_DOCUMENTS"
        raise TooFewTweetsError(msg)
    return begins


def _per_period(source: DataFrame, start: datetime, end: datetime, *, seconds: int) -> list[Row]:
    source.createOrReplaceTempView(_SOURCE)
    query = statement("count_tweets_per_period", source=_SOURCE)
    found: list[Row] = source.sparkSession.sql(query, args={"start": start, "end": end, "seconds": seconds}).collect()
    return found


def _read(source: DataFrame, start: datetime, end: datetime, rules: TextRules) -> ArchivedTweets:
    source.createOrReplaceTempView(_SOURCE)
    query = statement("select_training_tweets", source=_SOURCE)
    rows = source.sparkSession.sql(query, args={"start": start, "end": end})
    table = first_records(word_rows(rows, rules).toArrow())
    samples = table["sample_text"].drop_null().to_pylist()
    languages = table["language"].combine_chunks()
    extent = Extent(start, end, _offsets(table))
    return ArchivedTweets(table["words"].combine_chunks(), table["slice"].to_numpy(), samples, languages, extent)


def word_rows(rows: DataFrame, rules: TextRules) -> DataFrame:
    """Replace each row's payload by its words and language. Only tweets of slice 0 keep their text."""
    number = rules.number

    def words_of_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return _words_of_batches(batches, TEXT_RULES[number])

    return rows.mapInArrow(words_of_batches, _SCHEMA)


def original_id(body: dict[str, Any], tweet_id: str) -> str:
    """Return the id of the tweet whose text this is: the retweeted one's, if it has an id, else `tweet_id`."""
    retweeted = body.get("retweeted_status")
    while isinstance(retweeted, dict) and (found := tweet_identity(retweeted)):
        tweet_id, retweeted = found, retweeted.get("retweeted_status")
    return tweet_id


def first_records(table: pa.Table) -> pa.Table:
    """Return one row per tweet, its first record, in an order independent of Spark's partitions."""
    keys = [(name, "ascending") for name in ("tweet_id", "kafka_partition", "kafka_offset")]
    table = table.sort_by(keys)
    ids = table["tweet_id"].to_pylist()
    first = np.array([index == 0 or ids[index] != ids[index - 1] for index in range(len(ids))], dtype=bool)
    return table.filter(pa.array(first))


def _offsets(table: pa.Table) -> dict[int, Offsets]:
    wanted = [("kafka_offset", one) for one in ("min", "max", "count")]
    found = table.group_by("kafka_partition").aggregate(wanted).to_pylist()
    return {
        one["kafka_partition"]: Offsets(one["kafka_offset_min"], one["kafka_offset_max"], one["kafka_offset_count"])
        for one in found
    }


def _words_of_batches(batches: Iterable[pa.RecordBatch], rules: TextRules) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        bodies = [json.loads(payload) for payload in batch.column("payload").to_pylist()]
        contents = [Content(body) for body in bodies]
        # a lone surrogate is legal in JSON and in Python, but not in a column
        texts = [content.prose.encode("utf-8", "replace").decode("utf-8") for content in contents]
        languages = [content.language.code for content in contents]
        ids = [original_id(*pair) for pair in zip(bodies, batch.column("tweet_id").to_pylist(), strict=True)]
        slices = [slice_of(tweet_id) for tweet_id in ids]
        samples = [text if part == 0 else None for part, text in zip(slices, texts, strict=True)]
        yield pa.RecordBatch.from_arrays(
            [
                *(batch.column(name) for name in ("tweet_id", "kafka_partition", "kafka_offset")),
                pa.array(map(rules.content_words, texts, languages), pa.list_(pa.string())),
                pa.array(slices, pa.int32()),
                pa.array(languages, pa.string()),
                pa.array(samples, pa.string()),
            ],
            names=[field.split()[0] for field in _SCHEMA.split(", ")],
        )
