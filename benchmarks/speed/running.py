"""A stack of its own for the benchmark: real servers, the streaming apps, a trained model, and producers on files."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from benchmarks.speed.cpu import batch_jobs, cpu_seconds, memory_mb
from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.audit.run import audit
from twitter_topics.audit.stores import RealStores
from twitter_topics.backends.kafka_offsets import topic_ranges
from twitter_topics.counts.state import CountsState
from twitter_topics.counts.view import CountsView
from twitter_topics.errors import RetryableError
from twitter_topics.local.stack import Stack
from twitter_topics.search.store import elasticsearch_client
from twitter_topics.settings import Settings
from twitter_topics.testing.models import register_model
from twitter_topics.testing.services import stack_variables
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.scoring.text import content_words
from twitter_topics.topic_models.training.corpus import build_corpus
from twitter_topics.topic_models.training.labels import topic_labels
from twitter_topics.topic_models.training.trainers import GsdmmTrainer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from twitter_topics.audit.balance import Report
    from twitter_topics.counts.view import LastHour
    from twitter_topics.local.services import Service
    from twitter_topics.topic_models.scoring.topic_model import TopicModel

K = 20
GOLDEN_TEXTS = 20


def trained(texts: Sequence[str]) -> TopicModel:
    """Return a model of K topics."""
    corpus = build_corpus(pa.array([content_words(text) for text in texts], pa.list_(pa.string())))
    model = GsdmmTrainer().fit(corpus, k=K, iterations=20, seed=1).model
    return model.with_identity(np.arange(model.k), topic_labels(model))


class Reached(NamedTuple):
    """How many tweets each store holds."""

    archived: int
    indexed: int
    counted: int

    def behind(self, produced: int) -> Reached:
        """Return how many of the produced tweets each store lacks."""
        return Reached(*(max(0, produced - held) for held in self))


class _OwnProducers(Stack):
    @cached_property
    def all_services(self) -> list[Service]:
        """All but the producers: the benchmark starts its own."""
        return [one for one in super().all_services if one.settings in ("server", "stream", "airflow", "page")]


class BenchStack:
    """The stack, and what the benchmark reads of it."""

    def __init__(self, folder: Path, extra: dict[str, str]) -> None:
        self.folder = folder
        self._stack = _OwnProducers(Settings(stack_variables(folder / "stack") | extra), print)

    @contextmanager
    def running(self, texts: Sequence[str], *, airflow: bool) -> Iterator[BenchStack]:
        """Start it with a model that is trained on the texts; with Airflow idle, if it is wanted."""
        try:
            self._stack.up(["services"])
            self.settings = Settings(self._stack.addresses.variables)
            self._promote(texts)
            self._stack.up(["speed", "batch"] if airflow else ["speed"])
            self._search = elasticsearch_client(self.settings.elasticsearch)
            self._view = CountsView(self.settings.influx.for_reading())
            self._archive, self._counts = ArchiveStore(self.settings), CountsState.of(self.settings)
            yield self
        finally:
            self._stack.down()

    def _promote(self, texts: Sequence[str]) -> None:
        model = trained(texts)
        models, version = ModelStore(self.settings), "20260101T000000Z-bench"
        register_model(models, version, model, list(texts[:GOLDEN_TEXTS]))
        models.promote(version, None, "benchmark", "benchmark")

    def replay(self, file: Path, *, speed: str = "max") -> subprocess.Popen[bytes]:
        """Start a producer on a file, as `twitter-topics` does."""
        state = self.folder / f"producer-{file.name}"
        variables = self.environment() | {
            "PRODUCER_SOURCE": "replay",
            "PRODUCER_REPLAY_FILE": str(file),
            "PRODUCER_REPLAY_SPEED": speed,
            "PRODUCER_STATE_DIR": str(state),
            "SPEED_HEALTH_DIR": str(state),
        }
        state.mkdir()
        with (state / "log").open("wb") as log:
            return subprocess.Popen([sys.executable, "-m", "producer", "replay"], env=variables, stderr=log, stdout=log)

    def environment(self) -> dict[str, str]:
        """Return the variables of a streaming app."""
        return self._stack._environment_of(self._stack._service("classify-tweets"))

    def stop_apps(self) -> None:
        """Stop the streaming apps; the servers stay."""
        self._stack.supervisor.stop([one.name for one in self._stack.all_services if one.settings == "stream"])

    def roots(self) -> dict[str, int]:
        """Return the pids of the services."""
        states = {one.name: self._stack.state_of(one.name) for one in self._stack.all_services}
        return {name: int(state["pid"]) for name, state in states.items() if state.get("phase") == "running"}

    def cpu(self) -> dict[str, float]:
        return cpu_seconds(self.roots())

    def memory(self) -> dict[str, float]:
        return memory_mb(self.roots())

    def batch_jobs(self) -> set[str]:
        """Return the names of the Spark jobs that Airflow runs now."""
        return batch_jobs(self.roots())

    def produced(self) -> int:
        ranges = topic_ranges(self.settings.kafka, self.settings.kafka.raw_topic)
        return sum(one.end - one.begin for one in ranges.values())

    def audit(self) -> Report:
        """Return what the audit finds in all stores, the archive's every row included."""
        retention_days = self.settings.elasticsearch.retention_days
        return audit(RealStores(self.settings), retention_days=retention_days, wait_seconds=60)

    def reached(self) -> Reached:
        """Return what the stores say, without a refresh that would cost them time."""
        stats = self._search.indices.stats(index="tweets-*", metric="indexing")
        indexed = stats["_all"]["primaries"].get("indexing", {}).get("index_total", 0)
        try:
            archived = self._archive.rows()
        except RetryableError:
            archived = 0
        counted = self._counts.counted()
        return Reached(archived, indexed, counted[1].tweets if counted else 0)

    def held(self) -> Reached:
        """Return what a reader finds in each store; `reached` forgets what Elasticsearch wrote before a restart."""
        return self.reached()._replace(indexed=self.searchable())

    def searchable(self) -> int:
        """Return the number of tweets that a search finds, without asking for a refresh."""
        return int(self._search.count(index="tweets-*", ignore_unavailable=True)["count"])

    def hour(self) -> LastHour | None:
        """Return the newest rolling hour in InfluxDB."""
        return self._view.last_hour()

    def rolling(self) -> int:
        """Return the number of tweets in the newest rolling hour in InfluxDB."""
        hour = self.hour()
        is_old = hour is None or hour.end_ms < (time.time() - 1_800) * 1000
        return 0 if hour is None or is_old else sum(topic.tweets for topic in hour.topics)

    def wait_for(self, tweets: int, began: float, limit: float = 3_600) -> Reached:
        """Wait until every store holds so many tweets; return after how many seconds since `began` each did."""
        seconds: dict[str, float] = {}
        while len(seconds) < len(Reached._fields):
            now = time.monotonic() - began
            if now > limit:
                raise TimeoutError(f"{self.reached()} of {tweets} after {limit:.0f} s")
            for name, number in self.reached()._asdict().items():
                if number >= tweets:
                    seconds.setdefault(name, now)
            time.sleep(0.5)
        return Reached(**{name: round(seconds[name], 1) for name in Reached._fields})  # type: ignore[arg-type]
