"""Recovery from kill -9, while tweets arrive."""

from __future__ import annotations

import itertools
import os
import signal
import statistics
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from elastic_transport import TransportError
from elasticsearch import ApiError

from benchmarks.speed.cpu import processes
from twitter_topics.counts.panes import PANE_MS
from twitter_topics.errors import RetryableError

if TYPE_CHECKING:
    from benchmarks.speed.running import BenchStack, Reached
    from benchmarks.speed.tweets import Tweets

VICTIMS = (
    "classify-tweets",
    "classify-tweets: JVM",
    "classify-tweets: Python workers",
    "aggregate-topics",
    "aggregate-topics: JVM",
    "aggregate-topics: Python workers",
    "elasticsearch",
    "kafka",
    "s3",
    "influxdb",
)
RATE = 200
_SECONDS_EACH = 40
_LIMIT_S = 300.0
_DOWN = (RetryableError, TransportError, ApiError)


def kills(stack: BenchStack, tweets: Tweets, number: int) -> dict[str, Any]:
    """Kill one process after the other while RATE tweets arrive per second and some store lacks some of them.

    Recovered is the stack when every store has the tweets of the second after the kill, and InfluxDB an hour that ends
    at least 10 s later than the newest one before it.

    Returns:
        Seconds until then, by victim and in all, and how many tweets were produced and are in each store at the end.
    """
    hours = number * _SECONDS_EACH / 3600  # of tweets that are as old as their arrival
    file = tweets.write(stack.folder / "kills.jsonl.gz", int(RATE * hours * 3600), hours=hours, ago_hours=-hours)
    producer = stack.replay(file, speed="1")
    seconds: dict[str, list[float]] = defaultdict(list)
    victims = itertools.cycle(VICTIMS)
    while sum(map(len, seconds.values())) < number:
        victim = next(victims)
        seconds[victim].append(_kill(stack, victim))
        print(f"{victim}: {seconds[victim][-1]} s", flush=True)
    producer.terminate()
    producer.wait()
    produced = stack.produced()
    until = time.monotonic() + _LIMIT_S
    while min(held := stack.held()) < produced and time.monotonic() < until:
        time.sleep(1)
    every = list(itertools.chain(*seconds.values()))
    return {
        "rate": RATE,
        "seconds": seconds,
        "median": statistics.median(every),
        "max": max(every),
        "produced": produced,
        "held": held._asdict(),
    }


def _kill(stack: BenchStack, victim: str) -> float:
    while True:  # until it is there, and some store lacks tweets
        produced, alive = stack.produced(), [one for kind, one in processes(stack.roots()) if kind == victim]
        hour = stack.hour()
        if alive and hour is not None and min(stack.held()) < produced:
            break
        time.sleep(0.2)
    os.kill(alive[0].pid, signal.SIGKILL)
    began = time.monotonic()
    while not _has(stack, produced + RATE, hour.end_ms + PANE_MS):
        if time.monotonic() - began > _LIMIT_S:
            msg = f"not recovered {_LIMIT_S:.0f} s after {victim} was killed: {stack.held()} of {produced + RATE}"
            raise TimeoutError(msg)
        time.sleep(0.2)
    return round(time.monotonic() - began, 1)


def _has(stack: BenchStack, tweets: int, end_ms: int) -> bool:
    try:
        held: Reached = stack.held()
        hour = stack.hour()
    except _DOWN:
        return False
    return min(held) >= tweets and hour is not None and hour.end_ms >= end_ms
