"""A steady rate for minutes: whether the stack keeps up, and whether its memory stays flat."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks.speed.cpu import used
from twitter_topics.audit.report import as_dict

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.speed.running import BenchStack, Reached
    from benchmarks.speed.tweets import Tweets

_EVERY_S = 10.0
_AUDITED = ("state", "produced", "archived_records", "archived_distinct", "indexed", "counted")
_DRAWN = 6
"""Processes with a line of their own."""


def sustained(stack: BenchStack, tweets: Tweets, rate: int, seconds: float) -> dict[str, Any]:
    """Send tweets at a steady rate, and watch how far each store is behind and how much memory each process has.

    Returns:
        Tweets behind in each store (median and maximum of the samples, and when the last tweet was sent), seconds until
        every store had them all, CPU microseconds per tweet, memory in MB by process: when a third of the time is over,
        at the end, and the maximum of the samples; the batch jobs that Airflow ran meanwhile, with the seconds of their
        first and last sample; what the audit found then; and the samples themselves.
    """
    number = int(rate * seconds)
    file = tweets.write(stack.folder / f"sustained-{rate}.jsonl.gz", number, hours=seconds / 3600)
    before, held = stack.cpu(), stack.produced()
    began = time.monotonic()
    producer = stack.replay(file, speed="1")
    behind: list[Reached] = []
    memory: list[dict[str, float]] = []
    seconds_in: list[float] = []
    jobs: dict[str, list[float]] = {}
    while producer.poll() is None:
        time.sleep(_EVERY_S)
        seconds_in.append(round(time.monotonic() - began, 1))
        memory.append(stack.memory())
        for job in stack.batch_jobs():
            jobs.setdefault(job, []).append(seconds_in[-1])
        produced = stack.produced()
        behind.append(stack.reached().behind(produced))
        print(f"{seconds_in[-1]:.0f} s: {produced - held:,} sent, behind {behind[-1]._asdict()}", flush=True)
    if producer.returncode:
        raise SystemExit(f"the producer ended with {producer.returncode}")
    sent = time.monotonic() - began
    stack.wait_for(held + number, began)
    drained = time.monotonic() - began - sent
    cost = {name: share / number * 1e6 for name, share in used(before, stack.cpu()).items()}
    audited = as_dict(stack.audit())
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
        "jobs": {job: [seen[0], seen[-1]] for job, seen in jobs.items()},
        "audit": {name: audited[name] for name in _AUDITED}
        | {"findings": [one["text"] for one in audited["findings"]]},
        "samples": {
            "seconds": seconds_in,
            "behind": {store: [getattr(one, store) for one in behind] for store in behind[-1]._fields},
            "memory_mb": {name: [round(size) for size in seen] for name, seen in samples.items()},
        },
    }


def plot(run: dict[str, Any], path: Path) -> None:
    """Draw the samples: tweets behind in each store, and memory by process."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "sustained"
    from matplotlib import pyplot

    samples = run["samples"]
    minutes = [seconds / 60 for seconds in samples["seconds"]]
    figure, (behind, memory) = pyplot.subplots(1, 2, figsize=(13, 4), layout="constrained")
    for store, seen in samples["behind"].items():
        behind.plot(minutes, seen, label=store)
    behind.set(title=f"tweets behind at {run['rate']:,} tweets/s", xlabel="minutes", ylim=(0, None))
    behind.legend(fontsize=8)
    largest = sorted(samples["memory_mb"].items(), key=lambda one: -max(one[1]))
    for name, seen in largest[:_DRAWN]:
        memory.plot(minutes, seen, label=name)
    rest = [sum(sizes) for sizes in zip(*(seen for _, seen in largest[_DRAWN:]), strict=True)]
    memory.plot(minutes, rest, label="all others together", color="grey")
    memory.set(title="memory, MB", xlabel="minutes", ylim=(0, None))
    memory.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(path, metadata={"Date": None})
