"""The chapter on clear topics."""

from __future__ import annotations

from statistics import mean
from typing import Any

from benchmarks.circumstances import measured


def confidence_chapter(result: dict[str, Any]) -> list[str]:
    """Return the chapter as lines of Markdown."""
    rows = result["rows"]
    return [
        "## Clear topics",
        measured(result),
        "",
        "A topic is clear if another seed would serve the same one with a probability (confidence) of at least "
        f"{result['min_confidence']:g}. The confidence is predicted from a tweet's largest share, as the training of a "
        "version does it, with a second seed; observed is the agreement with a third one, on tweets that were neither "
        f"trained on nor calibrated with. Windows of {result['starts']} starts out of {result['tweets']:,} real tweets "
        "and of three days of generated ones. *Continued* is a model that is anchored to the first one, on a window "
        "that shares half of its tweets. The expected calibration error (ECE) is the mean difference of prediction and "
        "observation.",
        "",
        "![Observed agreement by predicted confidence, and by training of the third seed](images/topic-confidence.svg)",
        "",
        "| stream | tweets | topics | | ECE | agreement with the third seed | of clear topics | of unclear ones "
        "| without a topic, before | now | CPU: training | calibration |",
        "|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        *map(_row, rows),
        "",
        "### Predicted and observed",
        "",
        "| confidence | predicted | observed | tweets |",
        "|---|--:|--:|--:|",
        *_bins([one for row in rows if row["stream"] == "real" for one in row["reliability"]]),
        "",
        "All models of real tweets together.",
        "",
        "### Other ways to train the third seed",
        "Agreement of continued models with a third seed, in the tenth of the tweets whose largest share is smallest, "
        "and in that in which it is largest. From random starts, a theme that two topics share is cut elsewhere, "
        "however clear it is; anchored to the same champion, hardly anything can change.",
        "",
        "| stream | tweets | topics | third seed trained | smallest share | largest share |",
        "|---|--:|--:|---|--:|--:|",
        *(line for row in rows if row["kind"] == "continued" for line in _ways(row)),
        "",
        _themes(rows),
    ]


def _row(row: dict[str, Any]) -> str:
    unclear = "" if row["agree_unclear"] is None else f"{row['agree_unclear']:.1%}"
    return (
        f"| {row['stream']} | {row['tweets']:,} | {row['k']} | {row['kind']} | {row['error']:.3f} | {row['agree']:.1%} "
        f"| {row['agree_clear']:.1%} | {unclear} | {row['without_before']:.1%} | {row['without']:.1%} "
        f"| {row['seconds']['train']:.1f} s | {row['seconds']['calibrate']:.1f} s |"
    )


def _bins(found: list[dict[str, float]]) -> list[str]:
    lines = []
    for tenth in range(10):
        own = [one for one in found if min(int(one["predicted"] * 10), 9) == tenth]
        tweets = sum(one["tweets"] for one in own)
        if tweets:
            predicted, observed = (
                sum(one["tweets"] * one[name] for one in own) / tweets for name in ("predicted", "observed")
            )
            span = f".{tenth} to {f'.{tenth + 1}' if tenth < 9 else '1'}"
            lines.append(f"| {span} | {predicted:.3f} | {observed:.3f} | {tweets:,} |")
    return lines


def _ways(row: dict[str, Any]) -> list[str]:
    return [
        f"| {row['stream']} | {row['tweets']:,} | {row['k']} | {how} | {by_share[0]:.1%} | {by_share[-1]:.1%} |"
        for how, by_share in row["by_share"].items()
    ]


def _themes(rows: list[dict[str, Any]]) -> str:
    generated = [row for row in rows if row["nmi"]]
    before, clear = (mean(value for row in generated for value in row[name]) for name in ("nmi", "nmi_clear"))
    return (
        f"NMI of theme and topic of the generated tweets: {before:.3f} of all, {clear:.3f} of those with a clear topic."
    )
