"""Topics and rolling counts: Spark's own stages, and ours, on one core.

    make bench-stages ARGS="--tweets tweets.jsonl.gz"     # or: python -m benchmarks.stages

Both get the same texts, model and events, and have to give the same: topic shares that differ by at most 1e-6, and the
same count for each topic and hour. Exits with 1 if they do not. Writes benchmarks/results/stages.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchmarks import report
from benchmarks.circumstances import machine, versions
from benchmarks.speed.cpu import cpu_seconds, used
from benchmarks.speed.running import K
from benchmarks.speed.tweets import Tweets
from twitter_topics.counts.panes import PANE_MS, WINDOW_MS, Ends, Pane, Series, Sums, rolling_hours
from twitter_topics.counts.partial_sums import RECORD_SCHEMA, sums_of_all
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.text import content_words
from twitter_topics.topic_models.training.corpus import build_corpus
from twitter_topics.topic_models.training.spark_text import LANGUAGE, TEXT, TOPICS, pipeline_model
from twitter_topics.topic_models.training.trainers import GsdmmTrainer

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from twitter_topics.topic_models.scoring.topic_model import TopicModel

_LARGEST_DIFFERENCE = 1e-6
_SAMPLE = 2_000
_AT_ONCE = 2_500


def timed(work: Callable[[], Any], items: int, rounds: int) -> dict[str, float]:
    """Return the least seconds of several rounds as items per second, and CPU microseconds per item, JVM included."""
    roots = {"all": os.getpid()}
    work()  # compiled and loaded
    found = []
    for _ in range(rounds):
        before, began = cpu_seconds(roots), time.monotonic()
        work()
        found.append((time.monotonic() - began, used(before, cpu_seconds(roots))["all"]))
    seconds, cpu = (min(one) for one in zip(*found, strict=True))
    return {"per_second": round(items / seconds), "cpu_us": round(cpu / items * 1e6, 2)}


def topics(spark: SparkSession, texts: list[str], rounds: int) -> dict[str, Any]:
    """Compare Spark's pipeline, the scorer in `mapInArrow`, and the scorer alone."""
    corpus = build_corpus(pa.array([content_words(text) for text in texts[:20_000]], pa.list_(pa.string())))
    model = GsdmmTrainer().fit(corpus, k=K, iterations=20, seed=1).model
    pipeline, scorer = pipeline_model(spark, model), Scorer(model)
    frame = spark.createDataFrame([(text, "en") for text in texts], [TEXT, LANGUAGE]).coalesce(1).cache()
    frame.count()
    theirs = pipeline.transform(frame.limit(_SAMPLE)).select(TOPICS).collect()
    ours = scorer.score(texts[:_SAMPLE], ["en"] * _SAMPLE).theta
    known = ours.any(axis=1)
    difference = float(np.abs(np.array([row[0].toArray() for row in theirs])[known] - ours[known]).max())

    def alone() -> None:
        for at in range(0, len(texts), _AT_ONCE):
            part = texts[at : at + _AT_ONCE]
            scorer.score(part, ["en"] * len(part))

    noop = {"format": "noop", "mode": "overwrite"}
    ways: dict[str, Callable[[], Any]] = {
        "Spark's pipeline": lambda: pipeline.transform(frame).select(TOPICS).write.save(**noop),
        "the scorer in mapInArrow": lambda: frame.mapInArrow(_scoring(model), "topics array<float>").write.save(**noop),
        "the scorer alone": alone,
    }
    return {"difference": difference, "ways": {name: timed(way, len(texts), rounds) for name, way in ways.items()}}


def _scoring(model: TopicModel) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    arrays = model.to_bytes()

    def rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        scorer = Scorer.load(arrays)
        for batch in batches:
            theta = scorer.score(batch[TEXT].to_pylist(), batch[LANGUAGE].to_pylist()).theta
            lists = pa.ListArray.from_arrays(np.arange(len(theta) + 1) * theta.shape[1], theta.ravel())
            yield pa.RecordBatch.from_arrays([lists], names=["topics"])

    return rows


def windows(spark: SparkSession, events: int, seconds: int, rounds: int) -> dict[str, Any]:
    """Compare Spark's sliding window with panes: tweets by topic of the hour, every ten seconds."""
    chance = np.random.default_rng(1)
    begin = 1_790_000_000_000 // WINDOW_MS * WINDOW_MS
    times = begin + np.sort(chance.integers(seconds * 1000, size=events))
    ids = chance.zipf(1.5, events) % K
    frame = spark.createDataFrame(pa.table({"ms": times, "topic": ids})).coalesce(1).cache()
    frame.count()
    records = _records(times, ids)
    ends = Ends(begin + PANE_MS, int(times[-1]) // PANE_MS * PANE_MS + PANE_MS)

    def ours() -> dict[tuple[int, int], int]:
        tables = [batch for batch in sums_of_all(records) if batch["kind"][0].as_py() == "sums"]
        panes = [
            Pane(row["pane"], Series(row["topic_id"], row["label"], row["model_version"]), Sums(tweets=row["tweets"]))
            for batch in tables
            for row in batch.to_pylist()
        ]
        points = rolling_hours(panes, ends)
        return {(point.end_ms, point.series.topic_id): point.sums.tweets for point in points if point.sums.tweets}

    def theirs() -> dict[tuple[int, int], int]:
        rows = _sparks_own(frame).collect()
        return {(row.end, row.topic): row["count"] for row in rows if row.end <= ends.last_ms}

    return {
        "events": events,
        "seconds": seconds,
        "equal": ours() == theirs(),
        "ways": {"Spark's window": timed(theirs, events, rounds), "panes": timed(ours, events, rounds)},
    }


def _sparks_own(events: DataFrame) -> DataFrame:
    from pyspark.sql import functions as fn

    hour = fn.window(fn.timestamp_millis("ms"), "3600 seconds", "10 seconds").alias("hour")
    counted = events.groupBy(hour, "topic").count()
    return counted.select((fn.unix_millis("hour.end")).alias("end"), "topic", "count")


def _records(times: np.ndarray, ids: np.ndarray) -> list[pa.RecordBatch]:
    rows = len(times)
    places, label = pa.array(np.arange(rows)), pa.array(["a label"] * rows)
    share = pa.StructArray.from_arrays(
        [pa.array(ids, pa.int32()), label, pa.array(np.ones(rows))], names=["topic_id", "label", "probability"]
    )
    columns = {
        "partition": pa.array(np.zeros(rows), pa.int32()),
        "offset": places,
        "event_time": pa.array(times),
        "model_version": pa.array(["v"] * rows),
        "topics": pa.ListArray.from_arrays(pa.array(np.arange(rows + 1), pa.int32()), share),
        "topic_label": label,
        "compound": pa.array(np.zeros(rows)),
        "raw_topic_id": pa.array(["raw"] * rows),
        "raw_partition": pa.array(np.zeros(rows), pa.int32()),
        "raw_offset": places,
    }
    return list(pa.table(columns, schema=RECORD_SCHEMA).to_batches(max_chunksize=_AT_ONCE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tweets", type=Path, help="gzipped lines of v1.1 tweets; default: made up")
    parser.add_argument("--texts", type=int, default=60_000)
    parser.add_argument("--rate", type=int, default=20_000, help="events per second, for --seconds of event time")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    load = os.getloadavg()[0]
    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", _AT_ONCE)
    texts = Tweets(options.tweets).texts(options.texts)
    result: dict[str, Any] = {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "texts": len(texts),
        "machine": machine(),
        "versions": {"Python": versions(None)["Python"]}
        | {name: metadata.version(name) for name in ("pyspark", "numba")},
        "topics": topics(spark, texts, options.rounds),
        "windows": windows(spark, options.rate * options.seconds, options.seconds, options.rounds),
        "load": {"begin": load, "end": os.getloadavg()[0]},
    }
    spark.stop()
    print(json.dumps(result, indent=1))
    report.STAGES.write_text(json.dumps(result, indent=1) + "\n")
    report.write()
    if result["topics"]["difference"] > _LARGEST_DIFFERENCE or not result["windows"]["equal"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
