"""What a user would build instead, on the same servers and the same tweets.

- **a plain copy**: every tweet from Kafka into Elasticsearch as it is, without topics, sentiment, archive and counts.
  No pipeline that writes to Elasticsearch can be much faster.
- **the usual way**: Spark reads Kafka, its own LDA pipeline gives topics, VADER and TextBlob run in a pandas UDF, and
  each partition writes with Elasticsearch's bulk helper. Without archive, counts and exactly-once effect.

Each runs as a process of its own: it works off `warm` tweets, reports, waits, and then works off those that are timed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
from elasticsearch import helpers

from benchmarks.speed.cpu import cpu_seconds, used
from twitter_topics.backends.kafka import client_options
from twitter_topics.backends.kafka_offsets import topic_ranges
from twitter_topics.search.store import elasticsearch_client
from twitter_topics.settings import ElasticsearchSettings, Settings

if TYPE_CHECKING:
    from pyspark.sql import Column

    from benchmarks.speed.running import BenchStack

Ranges = dict[int, tuple[int, int]]
"""First offset and the one after the last, by partition."""

WARM = 10_000
PER_JOB = 50_000
_SERVERS = ("elasticsearch", "kafka")
_TEXT_JSON = "id_str string, text string, lang string, created_at string, user struct<screen_name: string>"


def alternatives(stack: BenchStack, number: int) -> list[dict[str, Any]]:
    """Run each on the newest tweets of the raw topic, with the streaming apps stopped.

    Returns:
        For each: tweets per second, and CPU microseconds per tweet by process.
    """
    stack.stop_apps()
    return [_run(stack, way, number) for way in WAYS]


def _run(stack: BenchStack, way: str, number: int) -> dict[str, Any]:
    load = os.getloadavg()[0]
    command = [sys.executable, "-m", "benchmarks.speed.alternatives", way, str(number)]
    with subprocess.Popen(command, env=stack.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        _await(child, b"warm\n")
        own, servers = cpu_seconds({way: child.pid}), stack.cpu()
        began = time.monotonic()
        child.stdin.write(b"go\n")
        child.stdin.flush()
        _await(child, b"done\n")
        seconds = time.monotonic() - began
        spent = used(own, cpu_seconds({way: child.pid}))
        spent |= {name: share for name, share in used(servers, stack.cpu()).items() if name in _SERVERS}
    return {
        "way": way,
        "tweets": number,
        "per_second": round(number / seconds),
        "cpu_us": {name: round(share / number * 1e6, 1) for name, share in spent.items()},
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
    }


def _await(child: subprocess.Popen[bytes], line: bytes) -> None:
    assert child.stdout is not None
    for said in child.stdout:
        if said == line:
            return
    raise SystemExit(f"{child.args!r} ended with {child.wait()}")


def _newest(settings: Settings, number: int, before: int = 0) -> Ranges:
    """Return the ranges of the newest tweets, of those that are followed by `before` newer ones."""
    held = topic_ranges(settings.kafka, settings.kafka.raw_topic)
    ranges, left, skipped = {}, number, before
    for count, (partition, one) in enumerate(sorted(held.items())):
        others = len(held) - count
        skip, take = skipped // others, left // others
        skipped, left = skipped - skip, left - take
        ranges[partition] = (one.end - skip - take, one.end - skip)
    return ranges


def copy(settings: Settings) -> Callable[[Ranges], None]:
    """Return a function that copies a range of tweets into an index."""
    from kafka import KafkaConsumer, TopicPartition

    client = elasticsearch_client(settings.elasticsearch)

    def work(ranges: Ranges) -> None:
        topic = settings.kafka.raw_topic
        consumer = KafkaConsumer(**client_options(settings.kafka), max_poll_records=2_000)
        consumer.assign([TopicPartition(topic, partition) for partition in ranges])
        for partition, (first, _) in ranges.items():
            consumer.seek(TopicPartition(topic, partition), first)
        left = {partition: end - first for partition, (first, end) in ranges.items()}

        def actions() -> Iterable[dict[str, Any]]:
            while any(left.values()):
                for at, records in consumer.poll(1_000).items():
                    wanted = records[: left[at.partition]]
                    left[at.partition] -= len(wanted)
                    for record in wanted:
                        yield {"_index": "copied", "_id": record.key.decode(), "_source": record.value}

        for ok, item in helpers.parallel_bulk(client, actions(), thread_count=2, chunk_size=2_000):
            assert ok, item
        consumer.close()

    return work


def usual(settings: Settings) -> Callable[[Ranges], None]:
    """Return a function that classifies a range of tweets with Spark's own means, into an index."""
    from pyspark.sql import functions as fn

    from twitter_topics.backends.spark_kafka import kafka_options
    from twitter_topics.backends.spark_session import build_session
    from twitter_topics.topic_models.registry.store import ModelStore
    from twitter_topics.topic_models.scoring.topic_model import TopicModel
    from twitter_topics.topic_models.training.spark_text import LANGUAGE, TEXT, TOPICS, pipeline_model

    spark = build_session(settings, "usual", driver_memory=settings.speed.driver_memory, streaming=True)
    store = ModelStore(settings)
    champion = store.champion()
    assert champion is not None
    pipeline = pipeline_model(spark, TopicModel.from_bytes(store.load_arrays(champion.version)))
    topic = settings.kafka.raw_topic
    feeling = _feeling()

    def job(ranges: Ranges) -> None:
        offsets = [{str(one): ends[side] for one, ends in ranges.items()} for side in (0, 1)]
        records = (
            spark.read.format("kafka")
            .options(**kafka_options(settings.kafka))
            .options(subscribe=topic, startingOffsets=json.dumps({topic: offsets[0]}))
            .option("endingOffsets", json.dumps({topic: offsets[1]}))
            .load()
        )
        tweets = records.select(fn.from_json(fn.col("value").cast("string"), _TEXT_JSON).alias("tweet")).select(
            "tweet.*"
        )
        tweets = tweets.withColumn(TEXT, fn.col("text")).withColumn(LANGUAGE, fn.coalesce("lang", fn.lit("und")))
        scored = pipeline.transform(tweets).withColumn("sentiment", feeling(fn.col(TEXT)))
        shown = scored.select(
            "id_str", "text", "lang", "created_at", "user", "sentiment", fn.col(TOPICS).alias("topics")
        )
        shown.coalesce(2).foreachPartition(partial(_write, settings.elasticsearch))

    def work(ranges: Ranges) -> None:
        done = {partition: first for partition, (first, _) in ranges.items()}
        step = max(1, PER_JOB // len(ranges))
        while any(done[partition] < end for partition, (_, end) in ranges.items()):
            part = {one: (done[one], min(done[one] + step, end)) for one, (_, end) in ranges.items()}
            job(part)
            done = {one: end for one, (_, end) in part.items()}

    return work


def _feeling() -> Callable[[Column], Column]:
    from pyspark.sql.functions import pandas_udf

    @pandas_udf("compound double, polarity double, subjectivity double")
    def feeling(texts: pd.Series) -> pd.DataFrame:
        from textblob import TextBlob
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        vader = SentimentIntensityAnalyzer()
        rows = [(vader.polarity_scores(text)["compound"], *TextBlob(text).sentiment) for text in texts]
        return pd.DataFrame(rows, columns=["compound", "polarity", "subjectivity"])

    return feeling  # type: ignore[no-any-return]


def _write(settings: ElasticsearchSettings, rows: Iterable[Any]) -> None:
    client = elasticsearch_client(settings)
    actions = (
        {
            "_index": "usual",
            "_id": row.id_str,
            "_source": row.asDict(recursive=True) | {"topics": row.topics.toArray().tolist()},
        }
        for row in rows
    )
    for ok, item in helpers.streaming_bulk(client, actions, chunk_size=2_000):
        assert ok, item


WAYS: dict[str, Callable[[Settings], Callable[[Ranges], None]]] = {"a plain copy": copy, "the usual way": usual}


def main() -> None:
    """Run one of them, as `alternatives` wants it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("number", type=int)
    options = parser.parse_args()
    settings = Settings()
    work = WAYS[options.way](settings)
    work(_newest(settings, WARM, before=options.number))
    print("warm", flush=True)
    sys.stdin.readline()
    work(_newest(settings, options.number))
    print("done", flush=True)


if __name__ == "__main__":
    main()
