"""Measures the whole stack: latency and CPU of a live stream, then throughput and CPU per tweet of a backlog.

    make bench-speed                      # python -m benchmarks.speed [--quick] [--tweets FILE.jsonl.gz]

Starts its own servers in a temporary folder. Writes benchmarks/results/speed.json and docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.circumstances import machine, versions
from benchmarks.speed.alternatives import alternatives
from benchmarks.speed.backlog import backlog
from benchmarks.speed.kills import kills
from benchmarks.speed.live import idle, latency
from benchmarks.speed.running import BenchStack
from benchmarks.speed.sustained import plot, sustained
from benchmarks.speed.tweets import Tweets

WARM_UP = 5_000
TRAINED_ON = 20_000
LIVE = [(1, 60.0), (100, 60.0), (1_000, 60.0)]
RECORD_SECOND = 143_199
"""Tweets of the second with the most of them, 3 August 2013 (Twitter's engineering blog, "New Tweets per second
record")."""
IDLE_SECONDS = 60
FEWEST = 20
"""Tweets of a live stream; fewer have no percentiles."""
QUICK_LIVE = [(100, 30.0), (1_000, 30.0)]


def _rate(text: str) -> tuple[int, float]:
    rate, _, seconds = text.partition(":")
    if int(rate) * float(seconds) < FEWEST:
        raise argparse.ArgumentTypeError(f"{text}: at least {FEWEST} tweets have to be sent")
    return int(rate), float(seconds)


def main() -> None:
    """Measure what the options name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tweets", type=Path, help="gzipped lines of v1.1 tweets; default: made up")
    parser.add_argument("--number", type=int, help="tweets of the backlog")
    parser.add_argument("--hours", type=float, default=1, help="period over which their times are spread")
    parser.add_argument("--rounds", type=int, help="how often the backlog is measured")
    parser.add_argument("--live", type=_rate, action="append", metavar="RATE:SECONDS", help="a live stream")
    parser.add_argument("--sustained", type=_rate, metavar="RATE:SECONDS", help="a steady rate, with memory over time")
    parser.add_argument("--kills", type=int, metavar="NUMBER", help="kill -9 so many processes, one after the other")
    parser.add_argument("--alternatives", type=int, metavar="TWEETS", help="what a user would build instead")
    parser.add_argument("--no-airflow", action="store_true", help="without Airflow, which is idle otherwise")
    parser.add_argument("--quick", action="store_true", help="less than five minutes")
    parser.add_argument("--add", action="store_true", help="only what is named, beside the chapters of the last run")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the stack")
    options = parser.parse_args()

    tweets = Tweets(options.tweets)
    number = options.number or (100_000 if options.quick else 300_000)
    rounds = options.rounds or (0 if options.add else 1)
    live = options.live or ([] if options.add else QUICK_LIVE if options.quick else LIVE)
    result: dict[str, Any] = {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "tweets": options.tweets.name if options.tweets else "made up",
        "settings": options.set,
        "airflow": not options.no_airflow,
        "machine": machine(),
        "versions": versions(None),
    }
    if options.add:
        result = _last(result)
    with tempfile.TemporaryDirectory(prefix="bench-speed-") as name:
        stack = BenchStack(Path(name), dict(one.split("=", 1) for one in options.set))
        with stack.running(tweets.texts(TRAINED_ON), airflow=not options.no_airflow):
            backlog(stack, tweets, WARM_UP, 1, ago_hours=2)
            # before the others, whose tweets leave the rolling hour again
            if live:
                result["live"] = [_shown(latency(stack, tweets, rate, seconds)) for rate, seconds in live]
            if options.sustained:
                result["sustained"] = sustained(stack, tweets, *options.sustained)
                plot(result["sustained"], report.SUSTAINED_PLOT)
            if rounds:
                result["backlog"] = [_shown(backlog(stack, tweets, number, options.hours)) for _ in range(rounds)]
            if not options.quick and not options.add:
                result["record_second"] = _shown(backlog(stack, tweets, RECORD_SECOND, 1 / 3600))
                result["idle"] = _shown(idle(stack, tweets, IDLE_SECONDS))
            if options.kills:
                result["kills"] = _shown(kills(stack, tweets, options.kills))
            if options.alternatives:
                result["alternatives"] = [_shown(one) for one in alternatives(stack, options.alternatives)]
    report.SPEED.write_text(json.dumps(result, indent=1) + "\n")
    report.write()


def _last(now: dict[str, Any]) -> dict[str, Any]:
    """Return the last result, if it is of the same day, machine, versions and settings; the code may have changed."""
    last: dict[str, Any] = json.loads(report.SPEED.read_text())
    differing = [name for name, value in now.items() if last.get(name) != value]
    if differing:
        raise SystemExit(f"--add: the last run differs from this one in {', '.join(differing)}; run without --add")
    return last


def _shown(found: dict[str, Any]) -> dict[str, Any]:
    print(json.dumps(found, indent=1), flush=True)
    return found


if __name__ == "__main__":
    main()
