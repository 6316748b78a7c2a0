"""The chapter of docs/benchmarks.md about the whole stack."""

from __future__ import annotations

import itertools
import statistics
from typing import Any

from benchmarks.circumstances import measured


def speed_chapter(result: dict[str, Any]) -> list[str]:
    """Return its lines of Markdown."""
    idle = " and an idle Airflow" if result["airflow"] else ""
    changed = f" Settings: {', '.join(result['settings'])}." if result["settings"] else ""
    lines = [
        "## The whole stack",
        f"{measured(result)} Producer, Kafka, archive on S3, Elasticsearch, counts in SQL and InfluxDB{idle} share the "
        f"cores. Tweets: {result['tweets']}.{changed}",
    ]
    for number, run in enumerate(result["backlog"], 1):
        lines += ["", *_backlog(run, f" {number}" if len(result["backlog"]) > 1 else "")]
    if result.get("record_second"):
        lines += ["", *_record_second(result["record_second"])]
    if result.get("idle"):
        lines += ["", *_idle(result["idle"])]
    if result["live"]:
        lines += ["", *_live(result["live"])]
    if result.get("sustained"):
        lines += ["", *_sustained(result["sustained"])]
    if result.get("kills"):
        lines += ["", *_kills(result["kills"])]
    if result.get("alternatives"):
        lines += ["", *_alternatives(result["alternatives"], result["backlog"][-1])]
    return lines


def _backlog(run: dict[str, Any], number: str) -> list[str]:
    seconds = run["seconds"]
    lines = [
        f"### Backlog{number}",
        f"{run['tweets']:,} tweets at once: sent after {run['sent_after']:.0f} s, archived after "
        f"{seconds['archived']:.0f} s, indexed after {seconds['indexed']:.0f} s, counted after "
        f"{seconds['counted']:.0f} s: **{run['per_second']:,} tweets/s** through everything, "
        f"**{run['cpu_us_total']} µs of CPU** each. Load {run['load'][0]} before, {run['load'][1]} after.",
        "",
        "| process | CPU per tweet | memory |",
        "|---|--:|--:|",
    ]
    for name, share in sorted(run["cpu_us"].items(), key=lambda one: -one[1]):
        size = run["memory_mb"].get(name)
        lines.append(f"| {name} | {share:.1f} µs | {f'{size:,} MB' if size else ''} |")
    return [*lines, f"| **sum** | {run['cpu_us_total']} µs | {sum(run['memory_mb'].values()):,} MB |"]


def _record_second(run: dict[str, Any]) -> list[str]:
    seconds = run["seconds"]
    return [
        "### The record second",
        f"Twitter's record is {run['tweets']:,} tweets in one second. So many with the times of one second were sent "
        f"after {run['sent_after']:.0f} s, archived after {seconds['archived']:.0f} s, indexed after "
        f"{seconds['indexed']:.0f} s and counted after {seconds['counted']:.0f} s.",
    ]


def _idle(run: dict[str, Any]) -> list[str]:
    shares = sorted(run["percent_of_a_core"].items(), key=lambda one: -one[1])
    return [
        "### Idle",
        f"One tweet per second for {run['seconds']} s and nobody reading: **{run['cpu_total']:.0f} % of a core**. "
        + ", ".join(f"{name} {share:.1f}" for name, share in shares if share)
        + ".",
    ]


def _live(runs: list[dict[str, Any]]) -> list[str]:
    lines = [
        "### Live",
        "Seconds from Kafka's timestamp until a reader sees the tweet: a search in Elasticsearch, the rolling hour in "
        "InfluxDB.",
        "",
        "| tweets/s | searchable p50 | p95 | in the rolling hour p50 | p95 | CPU, share of a core |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for run in runs:
        found, rolling = run["searchable"], run["rolling"]
        lines.append(
            f"| {run['rate']:,} | {found['p50_s']:.1f} | {found['p95_s']:.1f} | {rolling['p50_s']:.1f} | "
            f"{rolling['p95_s']:.1f} | {run['cpu_total']:.0f} % |"
        )
    return lines


def _sustained(run: dict[str, Any]) -> list[str]:
    cost = sum(run["cpu_us"].values())
    lines = [
        "### A steady rate",
        f"{run['rate']:,} tweets/s for {run['sent_after'] / 60:.0f} minutes, {run['tweets']:,} tweets; "
        f"{run['drained_after']:.0f} s after the last was sent every store had all of them. {cost:.0f} µs of CPU each, "
        f"without the producer's.{_audited(run.get('audit'))}{_jobs(run.get('jobs', {}))}",
        "",
        "![Tweets behind in each store, and memory by process](images/steady-rate.svg)",
        "",
        "| store | tweets behind, median | max | at the end |",
        "|---|--:|--:|--:|",
    ]
    lines += [
        f"| {store} | {seen['median']:,} | {seen['max']:,} | {seen['last']:,} |"
        for store, seen in run["behind"].items()
    ]
    lines += ["", "| process | memory after a third | at the end | max |", "|---|--:|--:|--:|"]
    for name, seen in sorted(run["memory_mb"].items(), key=lambda one: -one[1]["max"]):
        lines.append(f"| {name} | {seen['third']:,} MB | {seen['end']:,} MB | {seen['max']:,} MB |")
    return lines


def _jobs(jobs: dict[str, list[float]]) -> str:
    spans = [f"`{job}` from minute {first / 60:.0f} to {last / 60:.0f}" for job, (first, last) in jobs.items()]
    return f" Airflow's batch jobs ran beside it: {', '.join(spans)}." if spans else ""


def _audited(audit: dict[str, Any] | None) -> str:
    if audit is None:
        return ""
    numbers = ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in audit.items() if isinstance(n, int))
    found = "".join(f" {text[:1].upper()}{text[1:]}." for text in audit.get("findings", ()))
    return f" `audit` then: **{audit['state']}** ({numbers}).{found}"


def _kills(run: dict[str, Any]) -> list[str]:
    every = list(itertools.chain(*run["seconds"].values()))
    held = ", ".join(f"{store} {number:,}" for store, number in run["held"].items())
    lines = [
        "### Recovery",
        f"{len(every)} times kill -9, one process after the other, while {run['rate']:,} tweets/s arrived and some "
        "store lacked some of them: seconds until every store had the tweets of the second after the kill, and "
        "InfluxDB an hour that ends at least 10 s later than the newest one before it. Median "
        f"**{run['median']:.0f} s**, maximum **{run['max']:.0f} s**. At the end: produced {run['produced']:,}, {held}.",
        "",
        "| killed | times | median | max |",
        "|---|--:|--:|--:|",
    ]
    lines += [
        f"| {victim} | {len(seconds)} | {statistics.median(seconds):.1f} s | {max(seconds):.1f} s |"
        for victim, seconds in run["seconds"].items()
    ]
    return lines


def _alternatives(runs: list[dict[str, Any]], ours: dict[str, Any]) -> list[str]:
    lines = [
        "### What one would build instead",
        f"In the same run, on the same servers, the newest {runs[0]['tweets']:,} of the same tweets. *A plain copy* "
        "moves each tweet from Kafka to Elasticsearch (kafka-python, Elasticsearch's parallel bulk helper) and does "
        "nothing else. *The usual way* is Spark with its own LDA pipeline, VADER and TextBlob in a pandas UDF, and the "
        "bulk helper in each partition, without archive, counts and exactly-once effect. CPU is that of the process, "
        "Kafka and Elasticsearch.",
        "",
        "| | tweets/s | ratio to ours | CPU per tweet | of it Elasticsearch |",
        "|---|--:|--:|--:|--:|",
        f"| twitter-topics, everything included | {ours['per_second']:,} | 1.00 | {ours['cpu_us_total']} µs | "
        f"{ours['cpu_us']['elasticsearch']:.0f} µs |",
    ]
    lines += [
        f"| {run['way']} | {run['per_second']:,} | {run['per_second'] / ours['per_second']:.2f} | "
        f"{sum(run['cpu_us'].values()):.0f} µs | {run['cpu_us']['elasticsearch']:.0f} µs |"
        for run in runs
    ]
    return lines
