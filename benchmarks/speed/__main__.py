"""python -m benchmarks.speed [--tweets FILE.jsonl.gz] [--quick]"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]


def backlog(stack: Any, tweets: Any, number: int, hours: float, ago_hours: float = 0) -> dict[str, Any]:
    """Send tweets as fast as the producer can, and wait until every store has them."""
    before, held = stack.cpu(), stack.produced()
    load = os.getloadavg()[0]
    file = tweets.write(
        stack.folder / f"{number}-{time.monotonic_ns()}.jsonl.gz", number, hours=hours, ago_hours=ago_hours
    )
    began = time.monotonic()
    producer = stack.replay(file)
    usage = 0.0
    while producer.poll() is None:
        import psutil

        times = psutil.Process(producer.pid).cpu_times()
        usage = times.user + times.system
        time.sleep(0.2)
    if producer.returncode:
        raise SystemExit(f"the producer ended with {producer.returncode}")
    sent = time.monotonic() - began
    seconds = stack.wait_for(held + number, began)
    after = stack.cpu()
    cost = {name: round((after[name] - before.get(name, 0)) / number * 1e6, 1) for name in after}
    cost["producer"] = round(usage / number * 1e6, 1)
    return {
        "tweets": number,
        "sent_after": round(sent, 1),
        "seconds": seconds._asdict(),
        "per_second": round(number / max(seconds)),
        "cpu_us": dict(sorted(cost.items())),
        "cpu_us_total": round(sum(cost.values())),
        "memory_mb": {name: round(size) for name, size in sorted(stack.memory().items())},
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
    }


def _rate(text: str) -> tuple[int, float]:
    rate, seconds = text.split(":")
    return int(rate), float(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tweets", type=Path)
    parser.add_argument("--number", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--airflow", action="store_true")
    parser.add_argument("--live", type=_rate, action="append", default=[], metavar="RATE:SECONDS")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()

    from benchmarks.speed.live import latency
    from benchmarks.speed.running import BenchStack
    from benchmarks.speed.tweets import Tweets

    tweets = Tweets(options.tweets)
    with tempfile.TemporaryDirectory(prefix="bench-speed-") as name:
        stack = BenchStack(Path(name), dict(one.split("=", 1) for one in options.set))
        with stack.running(tweets.texts(20_000), airflow=options.airflow):
            backlog(stack, tweets, 5_000, options.hours, ago_hours=2)
            for rate, seconds in options.live:
                print(json.dumps(latency(stack, tweets, rate, seconds), indent=1), flush=True)
            for _ in range(options.rounds):
                print(json.dumps(backlog(stack, tweets, options.number, options.hours), indent=1), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT))
    main()
