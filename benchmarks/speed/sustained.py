"""A steady rate for minutes: whether the stack keeps up, and whether its memory stays flat."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks.speed.cpu import used

if TYPE_CHECKING:
    from benchmarks.speed.running import BenchStack, Reached
    from benchmarks.speed.tweets import Tweets

_EVERY_S = 10.0


def sustained(stack: BenchStack, tweets: Tweets, rate: int, seconds: float) -> dict[str, Any]:
    """Send tweets at a steady rate, and watch how far each store is behind and how much memory each process has.

    Returns:
        Tweets behind in each store (median and maximum of the samples, and when the last tweet was sent), seconds until
        every store had them all, CPU microseconds per tweet, and memory by process: when a third of the time is over,
        at the end, and the maximum of the samples.
    """
    number = int(rate * seconds)
    file = tweets.write(stack.folder / f"sustained-{rate}.jsonl.gz", number, hours=seconds / 3600)
    before, held = stack.cpu(), stack.produced()
    began = time.monotonic()
    producer = stack.replay(file, speed="1")
    behind: list[Reached] = []
    memory: list[dict[str, float]] = []
    while producer.poll() is None:
        time.sleep(_EVERY_S)
        memory.append(stack.memory())
        produced = stack.produced()
        behind.append(stack.reached().behind(produced))
    if producer.returncode:
        raise SystemExit(f"the producer ended with {producer.returncode}")
    sent = time.monotonic() - began
    stack.wait_for(held + number, began)
    drained = time.monotonic() - began - sent
    cost = {name: share / number * 1e6 for name, share in used(before, stack.cpu()).items()}
    names = sorted({name for one in memory for name in one})
    samples = {name: [one.get(name, 0.0) for one in memory] for name in names}
    return {
        "rate": rate,
        "tweets": number,
        "sent_after": round(sent, 1),
        "drained_after": round(drained, 1),
        "behind": {
            store: {
                "median": sorted(getattr(one, store) for one in behind)[len(behind) // 2],
                "max": max(getattr(one, store) for one in behind),
                "last": getattr(behind[-1], store),
            }
            for store in behind[-1]._fields
        },
        "cpu_us": {name: round(share, 1) for name, share in cost.items()},
        "memory_mb": {
            name: {"third": round(seen[len(seen) // 3]), "end": round(seen[-1]), "max": round(max(seen))}
            for name, seen in samples.items()
        },
    }
