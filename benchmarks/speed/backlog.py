"""A backlog: how fast the whole stack works through tweets that are there at once, and what each costs."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.speed.cpu import used

if TYPE_CHECKING:
    from benchmarks.speed.running import BenchStack
    from benchmarks.speed.tweets import Tweets


def backlog(stack: BenchStack, tweets: Tweets, number: int, hours: float, ago_hours: float = 0) -> dict[str, Any]:
    """Send tweets as fast as the producer can, and wait until every store has them.

    Returns:
        Seconds from the producer's start until all tweets were sent, and until each store had them; CPU microseconds
        per tweet and memory by process; the machine's load before and after.
    """
    name = f"{number}-{time.monotonic_ns()}.jsonl.gz"
    file = tweets.write(stack.folder / name, number, hours=hours, ago_hours=ago_hours)
    before, held, load = stack.cpu(), stack.produced(), os.getloadavg()[0]
    began = time.monotonic()
    producer = stack.replay(file)
    producers = 0.0
    while producer.poll() is None:
        times = psutil.Process(producer.pid).cpu_times()
        producers = times.user + times.system
        time.sleep(0.2)
    if producer.returncode:
        raise SystemExit(f"the producer ended with {producer.returncode}")
    sent = time.monotonic() - began
    seconds = stack.wait_for(held + number, began)
    cost = {name: share / number * 1e6 for name, share in used(before, stack.cpu()).items()}
    cost["producer"] = producers / number * 1e6
    return {
        "tweets": number,
        "hours": hours,
        "sent_after": round(sent, 1),
        "seconds": seconds._asdict(),
        "per_second": round(number / max(seconds)),
        "cpu_us": {name: round(share, 1) for name, share in cost.items()},
        "cpu_us_total": round(sum(cost.values())),
        "memory_mb": {name: round(size) for name, size in sorted(stack.memory().items())},
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
    }
