"""Generate docs/benchmarks.md from the benchmark's results.

python -m benchmarks.report       # `make docs` runs it too
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.circumstances import measured
from benchmarks.confidence_chapter import confidence_chapter
from benchmarks.speed.chapter import speed_chapter
from benchmarks.themes_chapter import themes_chapter

PROJECT = Path(__file__).resolve().parents[1]
RESULTS = PROJECT / "benchmarks" / "results" / "producer.json"
SENTIMENT, SPEED = RESULTS.with_name("sentiment.json"), RESULTS.with_name("speed.json")
REPLAY = RESULTS.with_name("replay.json")
GATE, THEMES = RESULTS.with_name("gate.json"), RESULTS.with_name("themes.json")
STAGES, CLASSIFIER = RESULTS.with_name("stages.json"), RESULTS.with_name("classifier.json")
IDENTITY = RESULTS.with_name("identity.json")
CONFIDENCE = RESULTS.with_name("confidence.json")
CONFIDENCE_PLOT = PROJECT / "docs" / "images" / "topic-confidence.svg"
IDENTITY_PLOT = PROJECT / "docs" / "images" / "topic-identity.svg"
SUSTAINED_PLOT = IDENTITY_PLOT.with_name("steady-rate.svg")
PAGE = PROJECT / "docs" / "benchmarks.md"
ALL = (RESULTS, SENTIMENT, SPEED, REPLAY, GATE, IDENTITY, THEMES, STAGES, CONFIDENCE, CLASSIFIER)
"""In the order in which `page` takes them."""

NAMES = {
    "ours": "ours, spooled with fsync and acknowledged",
    "kafka-python": "kafka-python, no spool",
    "confluent-kafka": "confluent-kafka, no spool",
}


def page(
    producer: dict[str, Any],
    sentiment: dict[str, Any],
    speed: dict[str, Any],
    replay: dict[str, Any],
    gate: dict[str, Any],
    identity: dict[str, Any],
    themes: dict[str, Any],
    stages: dict[str, Any],
    confidence: dict[str, Any],
    classifier: dict[str, Any],
) -> str:
    """Return the page as Markdown."""
    lines = [
        "# Benchmarks",
        "`make bench-speed`, `bench-classifier`, `bench-stages`, `bench-sentiment`, `bench-gate`, `bench-identity`, "
        "`bench-confidence`, `bench-themes`, `bench-producer` and `bench-replay` write their chapters of this page "
        "from their results in `benchmarks/results/`. What is measured: [README](../benchmarks/README.md).",
        "",
        *speed_chapter(speed),
        "",
        *_classifier_chapter(classifier),
        "",
        *_stages_chapter(stages),
        "",
        *_sentiment_chapter(sentiment),
        "",
        *_gate_chapter(gate),
        "",
        *_identity_chapter(identity),
        "",
        *confidence_chapter(confidence),
        "",
        *themes_chapter(themes),
        "",
        *_producer_chapter(producer),
        "",
        *_replay_chapter(replay),
    ]
    return "\n".join(lines) + "\n"


def write() -> None:
    """Write the page of the results."""
    PAGE.write_text(page(*(json.loads(path.read_text()) for path in ALL)))


def _classifier_chapter(result: dict[str, Any]) -> list[str]:
    load, steps = result["load"], result["cpu_us"]
    return [
        "## The Python workers by step",
        f"{measured(result)} Load {load['begin']:.1f} at the start, {load['end']:.1f} at the end.",
        "",
        f"The code of classifier and archiver alone, on one core, {result['number']:,} tweets ({result['tweets']}) in "
        f"batches as Spark hands them over; {result['rounds']} rounds. In the stack the workers also exchange Arrow "
        "with the JVM and talk to Elasticsearch.",
        "",
        "| step | CPU per tweet |",
        "|---|--:|",
        *(f"| {step} | {us:.1f} µs |" for step, us in steps.items()),
        f"| **sum** | {sum(steps.values()):.1f} µs |",
        "",
        "No step stands out any more. The next gain would be the document and the sentiment in a compiled extension; "
        "beyond that, Elasticsearch and the JVMs cost more than all of this (see the backlogs above).",
    ]


def _stages_chapter(result: dict[str, Any]) -> list[str]:
    topics, windows, load = result["topics"], result["windows"], result["load"]
    return [
        "## Topics and rolling counts on one core",
        f"{measured(result)} Load {load['begin']:.1f} at the start, {load['end']:.1f} at the end.",
        "",
        f"{result['texts']:,} texts and the same model; the shares differ by at most {topics['difference']:.0e}. CPU "
        "is that of Python and JVM together.",
        "",
        "| topics of a text | texts/s | CPU per text | ratio of CPU |",
        "|---|--:|--:|--:|",
        *_ways(topics["ways"]),
        "",
        f"{windows['events']:,} events of {windows['seconds']} s, counted by topic for the hour, every ten seconds: "
        f"{'the same counts' if windows['equal'] else '**different counts**'}. Spark makes 360 copies of each event.",
        "",
        "| rolling hours | events/s | CPU per event | ratio of CPU |",
        "|---|--:|--:|--:|",
        *_ways(windows["ways"]),
    ]


def _ways(ways: dict[str, dict[str, float]]) -> list[str]:
    first = next(iter(ways.values()))["cpu_us"]
    return [
        f"| {name} | {one['per_second']:,} | {one['cpu_us']:.1f} µs | {first / one['cpu_us']:.1f} |"
        for name, one in ways.items()
    ]


def _sentiment_chapter(result: dict[str, Any]) -> list[str]:
    differences = result["differences"].values()
    return [
        "## Sentiment",
        measured(result),
        "",
        f"{sum(kind['both'] for kind in differences)} numbers of {sum(kind['texts'] for kind in differences):,} texts "
        "differ from those of the libraries.",
        "",
        "| CPU per text | library | ours | ratio |",
        "|---|--:|--:|--:|",
        *(
            f"| {name} | {one['library']:.1f} µs | {one['ours']:.1f} µs | {one['library'] / one['ours']:.1f} |"
            for name, one in result["cpu_us_per_text"].items()
        ),
    ]


def _gate_chapter(result: dict[str, Any]) -> list[str]:
    bad, good = result["bad_promoted"], result["good_promoted"]
    return [
        "## Promotion gate",
        measured(result),
        "",
        f"{result['windows']} windows out of {result['tweets']:,} tweets. Promoted: {bad[0]} of {bad[1]} bad "
        f"challengers; from {result['good_from']:,} tweets on, {good[0]} of {good[1]} good ones. The ratio is "
        "challenger's perplexity / champion's, of a first model its perplexity / that of word frequencies alone; "
        "medians, ± half the width of the 95 % interval.",
        "",
        "| tweets | challenger | | promoted | cannot tell | refused | a person decides | ratio |",
        "|--:|---|---|--:|--:|--:|--:|--:|",
        *(_verdicts(row) for row in result["kinds"]),
    ]


def _identity_chapter(result: dict[str, Any]) -> list[str]:
    return [
        "## Topic identity",
        measured(result),
        "",
        f"Six trainings, each continuing the one before, on windows of {result['window']:,} drifting tweets that share "
        f"two thirds with the window before; means of {result['starts']} streams. NPMI is measured on "
        f"{result['reference']:,} tweets that no model was trained on. New topics of 3 % are planted in the "
        "first and the third training; another one is gone for three trainings and returns. In production: "
        f"*{result['chosen']}*.",
        "",
        "![Share of tweets and labels kept, perplexity and NPMI by generation](images/topic-identity.svg)",
        "",
        "| topics | | tweets that keep their topic (least) | the confident ones | labels kept | perplexity | NPMI | "
        "diversity | new topic: least recall, purity | returns with its id |",
        "|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        *(_identity(row) for row in result["methods"]),
    ]


def _identity(row: dict[str, Any]) -> str:
    return (
        f"| {row['k']} | {row['method']} | {row['kept']:.1%} ({row['least_kept']:.1%}) | {row['kept_confident']:.1%} "
        f"| {row['labels_kept']:.0%} | {row['perplexity']:,.0f} | {row['coherence']:.3f} | {row['diversity']:.2f} "
        f"| {row['new_recall']:.2f}, {row['new_purity']:.2f} | {row['returned'][0]} of {row['returned'][1]} |"
    )


def _verdicts(row: dict[str, Any]) -> str:
    counts = " | ".join(str(row["states"].get(state, "")) for state in ("promote", "cannot_tell", "refuse", "person"))
    width = "" if row["half_width"] is None else f" ± {row['half_width']:.3f}"
    ratio = f"{row['ratio']:.3f}{width}" if row["ratio"] else ""
    return f"| {row['tweets']:,} | {row['kind']} | {'good' if row['good'] else 'bad'} | {counts} | {ratio} |"


def _producer_chapter(result: dict[str, Any]) -> list[str]:
    options, load = result["options"], result["load"]
    lines = [
        "## Producer",
        measured(result),
        "",
        f"Load of the machine, broker and clients included: {load['begin']:.1f} at the start, {load['end']:.1f} at "
        "the end. If it exceeds the number of cores, only the ratios are meaningful.",
        "",
        "### Throughput",
        f"{_count(options['rounds'], 'round')} of {options['records']:,} posts of 450 bytes and half as many of 2,000.",
        "",
        "| bytes | | posts/s, median (min to max) | CPU per post | ratio |",
        "|--:|---|--:|--:|--:|",
    ]
    lines += [_speed(row) for row in result["throughput"]]
    lines += ["", "### Added latency", "", "| posts/s | p50 | p99 | max |", "|--:|--:|--:|--:|"]
    lines += [
        f"| {int(rate):,} | {found['p50_ms']:.1f} ms | {found['p99_ms']:.1f} ms | {found['max_ms']:.1f} ms |"
        for rate, found in result["latency"].items()
    ]
    if "outage" in result:
        lines += ["", "### Memory without the broker", *_outage(result["outage"], options)]
    return lines


def _replay_chapter(result: dict[str, Any]) -> list[str]:
    load, rows = result["load"], result["formats"]
    base = rows[0]["per_second"]
    return [
        "## Replay",
        measured(result),
        "",
        f"Files of generated tweets, read by the real producer and acknowledged by a broker on the same cores; "
        f"{_count(result['options']['rounds'], 'round')}. The time to start is taken off. Load: {load['begin']:.1f} at "
        f"the start, {load['end']:.1f} at the end.",
        "",
        "| format | posts | file | posts/s, median (min to max) | ratio | CPU per post | memory at most |",
        "|---|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {row['format']} | {row['posts']:,} | {row['megabytes']:,.0f} MB | {row['per_second']:,.0f} "
            f"({row['least']:,.0f} to {row['most']:,.0f}) | {row['per_second'] / base:.2f} | {row['cpu_us']:.0f} µs "
            f"| {row['peak_mb']:.0f} MB |"
            for row in rows
        ),
    ]


def _speed(row: dict[str, Any]) -> str:
    speeds = f"{row['median']:,.0f} ({row['least']:,.0f} to {row['most']:,.0f})"
    return f"| {row['bytes']:,} | {NAMES[row['way']]} | {speeds} | {row['cpu_us']:.1f} µs | {row['ratio']:.2f} |"


def _outage(found: dict[str, float], options: dict[str, Any]) -> list[str]:
    return [
        f"{_count(options['minutes'], 'minute')} without the broker at {options['rate']:,} posts/s, then catching up: "
        f"{found['rss_start_mb']:.0f} MB resident at the start, {found['rss_max_mb']:.0f} MB at most, "
        f"{found['rss_end_mb']:.0f} MB at the end; up to {found['spool_max_records']:,.0f} posts waited in "
        f"{found['spool_max_mb']:.0f} MB of spool.",
    ]


def _count(number: float, what: str) -> str:
    return f"{number:g} {what}{'' if number == 1 else 's'}"


if __name__ == "__main__":
    write()
