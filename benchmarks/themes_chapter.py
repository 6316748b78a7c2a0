"""The chapter on themes and topics."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import Any

from benchmarks.circumstances import measured


def themes_chapter(result: dict[str, Any]) -> list[str]:
    """Return the chapter as lines of Markdown."""
    rows, seeds = result["rows"], len(result["seeds"])
    codes = _languages(rows)
    return [
        "## Themes of the made-up stream",
        measured(result),
        "",
        f"A day of {result['tweets']:,} generated tweets about {result['themes']} themes, of {seeds} seeds: mean, "
        "lowest and highest. The trainer is not told the themes. NMI is the normalized mutual information of theme and "
        "topic, 1 if each tells the other; purity is the share of tweets whose theme is the most frequent one of their "
        "topic. *Clusters* are the training's, one topic for each document; *served* is the dominant topic that the "
        "classifier stores. Even a topic for each theme and language stays below 1 over all languages, because it "
        f"splits the themes: {_ideals(rows)}. Compare the NMI within languages.",
        "",
        "| stream | | topics | clusters: NMI | purity | served: NMI | purity | NMI within languages "
        "| in a topic of their own language |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
        *(_row(row) for row in rows),
        "",
        "### NMI within each language, served",
        "",
        "| stream | | " + " | ".join(codes) + " |",
        "|---|---|" + "--:|" * len(codes),
        *(_by_language(row, codes) for row in rows),
        "",
        "### Themes that share a topic",
        "Tweets in a topic that has more tweets of another theme, share of all tweets, mean of the seeds.",
        "",
        "| stream | | |",
        "|---|---|---|",
        *(_mixed(row) for row in rows),
    ]


def _row(row: dict[str, Any]) -> str:
    runs = row["runs"]
    figures = [
        _spread([run[level][name] for run in runs])
        for level, name in (
            ("clusters", "nmi"),
            ("clusters", "purity"),
            ("served", "nmi"),
            ("served", "purity"),
            ("served", "nmi_within"),
        )
    ]
    topics = sorted({run["topics"] for run in runs})
    count = f"{topics[0]}" if len(topics) == 1 else f"{topics[0]} to {topics[-1]}"
    own = f"{mean(run['own_language'] for run in runs):.1%}"
    return f"| {row['stream']} | {row['kind']} | {count} | {' | '.join(figures)} | {own} |"


def _by_language(row: dict[str, Any], codes: Sequence[str]) -> str:
    found = [[run["served"]["nmi_by_language"].get(code) for run in row["runs"]] for code in codes]
    cells = ["" if None in values else f"{mean(values):.2f}" for values in found]
    return f"| {row['stream']} | {row['kind']} | {' | '.join(cells)} |"


def _mixed(row: dict[str, Any]) -> str:
    pairs = {pair for run in row["runs"] for pair in run["mixed"]}
    shares = {pair: mean(run["mixed"].get(pair, 0.0) for run in row["runs"]) for pair in pairs}
    largest = sorted(shares.items(), key=lambda one: (-one[1], one[0]))[:4]
    return f"| {row['stream']} | {row['kind']} | {', '.join(f'{pair} {share:.1%}' for pair, share in largest)} |"


def _languages(rows: list[dict[str, Any]]) -> list[str]:
    return sorted({code for row in rows for run in row["runs"] for code in run["served"]["nmi_by_language"]})


def _ideals(rows: list[dict[str, Any]]) -> str:
    ideals = {row["stream"]: mean(row["ideal_nmi"]) for row in rows}
    return ", ".join(f"{stream} {ideal:.2f}" for stream, ideal in ideals.items())


def _spread(values: list[float]) -> str:
    return f"{mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"
