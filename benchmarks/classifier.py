"""Where the time of the Python workers goes: CPU per tweet of classifier and archiver by step, on one core.

    make bench-classifier ARGS="--tweets tweets.jsonl.gz"     # or: python -m benchmarks.classifier

Runs the code of the workers on record batches as Spark hands them over, without Spark and without Elasticsearch. Writes
benchmarks/results/classifier.json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pyarrow as pa

from benchmarks import report
from benchmarks.circumstances import machine, versions
from benchmarks.speed.running import trained
from benchmarks.speed.tweets import Tweets
from twitter_topics.archive import rows as archive
from twitter_topics.backends.garbage import collect_seldom
from twitter_topics.classification import rows
from twitter_topics.classification.document import search_document
from twitter_topics.classification.flood import Tally
from twitter_topics.classification.sentiment import sentiment
from twitter_topics.records.content import Content
from twitter_topics.records.language import language_of
from twitter_topics.records.processed import processed_fields
from twitter_topics.records.tweet import TimeBounds, read_tweet
from twitter_topics.search.encoded import EncodedDocument
from twitter_topics.search.ownership import Outcome, Written
from twitter_topics.settings import Settings
from twitter_topics.topic_models.scoring.scorer import Scorer

_TRAINED_ON = 20_000
_RECORDS = 2_500
"""Of a batch, as backends.spark_session sets it."""

_TICK_S = 0.001


def record_batches(lines: list[bytes]) -> list[pa.RecordBatch]:
    """Return the tweets as Spark hands records of the raw topic to a worker."""
    now_us = int(time.time() * 1_000_000)
    batches = []
    for at in range(0, len(lines), _RECORDS):
        part = lines[at : at + _RECORDS]
        columns = {
            "value": pa.array(part, pa.binary()),
            "partition": pa.array([0] * len(part), pa.int32()),
            "offset": pa.array(range(at, at + len(part)), pa.int64()),
            "timestamp": pa.array([now_us] * len(part), pa.timestamp("us", "UTC")),
            "edit_offset": pa.nulls(len(part), pa.int64()),
            "event": pa.nulls(len(part), pa.string()),
        }
        batches.append(pa.RecordBatch.from_pydict(columns))
    return batches


def classifier(arrays: bytes) -> rows.RecordClassifier:
    """Return the classifier of a batch, with a model that is not broadcast."""
    settings = Settings({})
    model: Any = SimpleNamespace(value=arrays)
    tally: Any = None  # of tasks
    return rows.RecordClassifier(
        model_version="benchmark",
        arrays=model,
        raw_topic_id="benchmark",
        kafka=settings.kafka,
        elasticsearch=settings.elasticsearch,
        bounds=TimeBounds(),
        sentiment_languages=settings.sentiment.codes,
        max_dead_letter_share=1.0,
        quarantined={},
        recent=Tally(),
        seen=tally,
    )


BETWEEN = "records from Arrow, and between the steps"
STEPS: dict[str, Any] = {
    "check and decode the record": read_tweet,
    "find the text": Content.__init__,
    "find the language": language_of,
    "find the words": Scorer._word_indices,
    "infer the topics": Scorer.theta,
    "choose the topics": Scorer.topics_of,
    "sentiment": sentiment,
    "build the value for Kafka": processed_fields,
    "build the document": search_document,
    "encode the document": EncodedDocument.of,
    "rows for Kafka, to Arrow": rows.RecordClassifier._rows,
    "the archiver's pass": archive._row_batch,
}


class Sampler:
    """Counts in which step the CPU is, at each tick of the CPU clock: nothing is slower for being measured."""

    def __init__(self, steps: Mapping[str, Any]) -> None:
        self.ticks: Counter[str] = Counter()
        self._step_of = {function.__code__: step for step, function in steps.items()}

    @contextmanager
    def sampling(self) -> Iterator[None]:
        before = signal.signal(signal.SIGPROF, self.tick)
        signal.setitimer(signal.ITIMER_PROF, _TICK_S, _TICK_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)

    def tick(self, _signal: int, frame: FrameType | None) -> None:
        step = BETWEEN
        while frame is not None:
            step = self._step_of.get(frame.f_code, step)  # the outermost one
            frame = frame.f_back
        self.ticks[step] += 1


def one_round(own: rows.RecordClassifier, scorer: Scorer, batches: list[pa.RecordBatch]) -> int:
    """Do what the workers do, and return the number of documents."""
    documents = 0
    for batch in batches:
        archive._row_batch(batch, own.bounds)
        part = own._prepare(batch, scorer)
        own._rows(part, [Written(Outcome.OWNED, counted=one.counted) for one in part.documents])
        documents += len(part.documents)
    return documents


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tweets", type=Path, help="gzipped lines of v1.1 tweets; default: made up")
    parser.add_argument("--number", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()

    load = os.getloadavg()[0]
    tweets = Tweets(options.tweets)
    arrays = trained(tweets.texts(_TRAINED_ON)).to_bytes()
    with tempfile.TemporaryDirectory() as folder:
        file = tweets.write(Path(folder) / "tweets.gz", options.number, hours=1)
        lines = gzip.decompress(file.read_bytes()).splitlines()
    batches = record_batches(lines)
    own, scorer = classifier(arrays), Scorer.load(arrays)
    collect_seldom()
    documents = one_round(own, scorer, batches)  # compiled, and words remembered
    if documents != options.number:
        raise SystemExit(f"{options.number:,} tweets gave {documents:,} documents")
    sampler = Sampler(STEPS)
    began = time.process_time()
    with sampler.sampling():
        for _ in range(options.rounds):
            one_round(own, scorer, batches)
    cpu_us = (time.process_time() - began) / options.rounds / options.number * 1e6
    ticks = sampler.ticks
    result = {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "tweets": options.tweets.name if options.tweets else "made up",
        "number": options.number,
        "rounds": options.rounds,
        "machine": machine(),
        "versions": versions(None) | {name: metadata.version(name) for name in ("msgspec", "numba", "pyarrow")},
        "load": {"begin": load, "end": os.getloadavg()[0]},
        "cpu_us": {step: round(cpu_us * some / ticks.total(), 2) for step, some in ticks.most_common()},
    }
    report.CLASSIFIER.write_text(json.dumps(result, indent=1) + "\n")
    report.write()
    for step, us in result["cpu_us"].items():
        print(f"{us:6.1f} µs  {step}")


if __name__ == "__main__":
    main()
