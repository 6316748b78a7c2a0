"""Latency of a live stream: from Kafka to Elasticsearch's search and to InfluxDB's rolling hour."""

from __future__ import annotations

import statistics
import threading
import time
from typing import TYPE_CHECKING, Any

from benchmarks.speed.cpu import used
from twitter_topics.backends.kafka_offsets import open_consumer, topic_ranges

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.speed.running import BenchStack
    from benchmarks.speed.tweets import Tweets

_WARM_SHARE = 0.2


def latency(stack: BenchStack, tweets: Tweets, rate: int, seconds: float) -> dict[str, Any]:
    """Send tweets at a steady rate; return the percentiles of seconds until a reader of each store sees them."""
    number = int(rate * seconds)
    file = tweets.write(stack.folder / f"live-{rate}.jsonl.gz", number, hours=seconds / 3600)
    before = {partition: one.end for partition, one in _ranges(stack).items()}
    stop = threading.Event()
    watchers = [_Watcher(stack.searchable, stop, 0.1), _Watcher(stack.rolling, stop, 0.5)]
    for watcher in watchers:
        watcher.start()
    cost = _cost_of_sending(stack, file)
    for watcher in watchers:
        watcher.wait_for(number)
    stop.set()
    for watcher in watchers:
        watcher.join()
    sent = sorted(_sent(stack, before))
    found = {"rate": rate, "tweets": number, **cost}
    for name, watcher in zip(("searchable", "rolling"), watchers, strict=True):
        waited = watcher.waited(sent)[int(number * _WARM_SHARE) :]
        cuts = statistics.quantiles(waited, n=100, method="inclusive")
        found[name] = {"p50_s": round(cuts[49], 2), "p95_s": round(cuts[94], 2), "max_s": round(max(waited), 2)}
    return found


def idle(stack: BenchStack, tweets: Tweets, seconds: float) -> dict[str, Any]:
    """Send one tweet a second, with nobody reading; return the CPU that each process uses, in percent of a core."""
    file = tweets.write(stack.folder / "idle.jsonl.gz", int(seconds), hours=seconds / 3600)
    return {"seconds": round(seconds), **_cost_of_sending(stack, file)}


def _cost_of_sending(stack: BenchStack, file: Path) -> dict[str, Any]:
    """Send a file at the pace of its times; return the CPU that each process uses meanwhile, in percent of a core."""
    producer = stack.replay(file, speed="1")
    before, began = stack.cpu(), time.monotonic()
    if producer.wait():
        raise SystemExit(f"the producer ended with {producer.returncode}")
    seconds, took = used(before, stack.cpu()), time.monotonic() - began
    shares = {name: round(share / took * 100, 1) for name, share in seconds.items()}
    return {"percent_of_a_core": shares, "cpu_total": round(sum(shares.values()), 1)}


class _Watcher(threading.Thread):
    """Notes when a store's number rises."""

    def __init__(self, read: Callable[[], int], stop: threading.Event, every: float) -> None:
        super().__init__(daemon=True)
        self._read, self._stopped, self._every = read, stop, every
        self._begin = read()
        self._seen: list[tuple[float, int]] = []

    def run(self) -> None:
        while not self._stopped.wait(self._every):
            number = self._read() - self._begin
            if number > (self._seen[-1][1] if self._seen else 0):
                self._seen.append((time.time(), number))

    def wait_for(self, number: int, limit: float = 120) -> None:
        until = time.monotonic() + limit
        while not self._seen or self._seen[-1][1] < number:
            if time.monotonic() > until:
                raise TimeoutError(f"{self._seen[-1:]} of {number}")
            time.sleep(0.1)

    def waited(self, sent: list[float]) -> list[float]:
        """Return for each tweet, in the order of sending, how long it took until so many were seen."""
        waits, done = [], 0
        for at, number in self._seen:
            waits += [at - one for one in sent[done:number]]
            done = max(done, number)
        return waits


def _ranges(stack: BenchStack) -> dict[int, Any]:
    return topic_ranges(stack.settings.kafka, stack.settings.kafka.raw_topic)


def _sent(stack: BenchStack, before: dict[int, int]) -> list[float]:
    """Return the time of each record since `before`, in Unix seconds."""
    from kafka import TopicPartition

    kafka, found = stack.settings.kafka, []
    with open_consumer(kafka) as consumer:
        for partition, one in _ranges(stack).items():
            place = TopicPartition(kafka.raw_topic, partition)
            consumer.assign([place])
            consumer.seek(place, before.get(partition, one.begin))
            left = one.end - before.get(partition, one.begin)
            while left > 0:
                records = consumer.poll(timeout_ms=1_000).get(place, ())
                found += [record.timestamp / 1000 for record in records]
                left -= len(records)
    return found
