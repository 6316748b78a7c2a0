"""Whether the confidence in a tweet's topic is true: predicted from one other seed, observed with a third one.

    make bench-confidence ARGS="--tweets tweets.jsonl.gz"     # or: python -m benchmarks.confidence --tweets …

Corpus, trainer, calibration and scorer are those of the jobs; neither Spark nor S3 runs. Writes
benchmarks/results/confidence.json and docs/images/topic-confidence.svg. Exits with 1 if the expected calibration error
of a model is above its goal.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import report, themes
from benchmarks.circumstances import machine
from benchmarks.gate import ITERATIONS, read, window
from twitter_topics.records.processed import NO_TOPIC
from twitter_topics.settings import TopicsSettings
from twitter_topics.topic_models.scoring.topic_model import FloatArray, TopicModel
from twitter_topics.topic_models.training.alignment import Predecessor
from twitter_topics.topic_models.training.confidence import another_seed, calibrate, largest_shares
from twitter_topics.topic_models.training.corpus import Corpus, build_corpus, held_out_one_in
from twitter_topics.topic_models.training.trainers import GsdmmTrainer
from twitter_topics.topic_models.training.tweets import TrainingTweets

REAL = ((5_000, 20), (20_000, 20), (60_000, 20), (60_000, 50))
"""Tweets and topics of the windows of real tweets."""

GENERATED = (28_800, 20)
STARTS = 3
MIN_CONFIDENCE: float = TopicsSettings.model_fields["min_confidence"].default
MAX_ERROR = 0.05

FREE = "freely from the same topics"
RANDOM = "from random starts, matched"
ANCHORED = "anchored to the same champion"

_SECOND, _THIRD = 2, 3
_RESERVED_ONE_IN = 5
_BINS = 10

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Sample:
    """Reserved tweets with a known word: the predicted confidence in each, and its largest share; whether a third seed
    serves the same topic, by how it was trained; and the theme, if the tweet was generated. `unknown` is the share of
    tweets without a known word."""

    confidence: FloatArray
    shares: FloatArray
    agrees: dict[str, BoolArray]
    min_share: float
    unknown: float
    topics: np.ndarray[Any, np.dtype[Any]]
    themes: np.ndarray[Any, np.dtype[Any]] | None
    seconds: dict[str, float]

    @property
    def clear(self) -> BoolArray:
        served: BoolArray = self.shares.astype(np.float32) >= self.min_share
        return served


def samples(tweets: TrainingTweets, names: np.ndarray[Any, np.dtype[Any]] | None, k: int) -> dict[str, Sample]:
    """Train a first model on a window, and one that continues it on a window that shares half of it; two thirds of the
    tweets are a window. One tweet in five is reserved: neither trained on nor calibrated with."""
    size = tweets.count * 2 // 3
    found: dict[str, Sample] = {}
    champion: Predecessor | None = None
    for kind, begin in (("first", 0), ("continued", tweets.count - size)):
        inside = window(tweets, begin, size)
        reserved = inside.slices % _RESERVED_ONE_IN == 1
        learned = TrainingTweets(inside.words.filter(pa.array(~reserved)), inside.slices[~reserved], [], [])
        spoken = inside.words.filter(pa.array(reserved))
        themes_of = None if names is None else names[begin : begin + size][reserved]
        found[kind], champion = sample(learned, spoken, themes_of, held_out_one_in(size), k, champion)
    return found


def sample(
    learned: TrainingTweets,
    spoken: pa.ListArray,
    names: np.ndarray[Any, np.dtype[Any]] | None,
    one_in: int,
    k: int,
    champion: Predecessor | None,
) -> tuple[Sample, Predecessor]:
    """Train and calibrate a model, and ask a third seed about the reserved tweets."""
    words = learned.to_train(one_in)
    corpus, begun = build_corpus(words), time.process_time()
    trained = GsdmmTrainer().fit(corpus, k=k, iterations=ITERATIONS, seed=1, champion=champion)
    model, fitted = trained.model, time.process_time()
    found = calibrate(model, words, learned.to_judge(one_in), sweeps=ITERATIONS, seed=_SECOND)
    if found is None:
        raise SystemExit(f"{learned.count:,} tweets are too few")
    seconds = {"train": fitted - begun, "calibrate": time.process_time() - fitted}
    topics, shares = largest_shares(model, spoken)
    known = topics != NO_TOPIC
    agrees = {
        how: (largest_shares(other, spoken)[0] == topics)[known]
        for how, other in third_models(corpus, words, model, k, champion).items()
    }
    measured = Sample(
        confidence=found.of(shares[known]),
        shares=shares[known],
        agrees=agrees,
        min_share=found.min_share(MIN_CONFIDENCE),
        unknown=float(np.mean(~known)),
        topics=topics[known],
        themes=None if names is None else names[known],
        seconds=seconds,
    )
    return measured, Predecessor(model, trained.identities.next_topic_id)


def third_models(
    corpus: Corpus, words: pa.ListArray, model: TopicModel, k: int, champion: Predecessor | None
) -> dict[str, TopicModel]:
    """Return topics of a third seed, by how it is trained."""
    self, options = Predecessor(model, 10_000), {"k": k, "iterations": ITERATIONS, "seed": _THIRD}
    models = {
        FREE: another_seed(model, words, sweeps=ITERATIONS, seed=_THIRD),
        RANDOM: GsdmmTrainer(anchored=False).fit(corpus, champion=self, **options).model,
    }
    if champion is not None:
        models[ANCHORED] = GsdmmTrainer().fit(corpus, champion=champion, **options).model
    return models


def reliability(confidence: FloatArray, agrees: BoolArray) -> list[dict[str, float]]:
    """Return the mean predicted and the observed agreement in bins of equal width of the prediction."""
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return [
        {"predicted": float(confidence[own].mean()), "observed": float(agrees[own].mean()), "tweets": int(own.sum())}
        for own in (bins == number for number in range(_BINS))
        if own.any()
    ]


def calibration_error(confidence: FloatArray, agrees: BoolArray) -> float:
    """Return the expected calibration error: the mean difference of prediction and observation, weighted by tweets.

    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning" (2015).
    """
    bins = reliability(confidence, agrees)
    return sum(one["tweets"] * abs(one["predicted"] - one["observed"]) for one in bins) / len(confidence)


def summary(stream: str, tweets: int, k: int, kind: str, found: list[Sample]) -> dict[str, Any]:
    """Return one row: the tweets of all starts together."""
    confidence, shares = (np.concatenate([getattr(one, name) for one in found]) for name in ("confidence", "shares"))
    clear = np.concatenate([one.clear for one in found])
    agrees = {how: np.concatenate([one.agrees[how] for one in found]) for how in found[0].agrees}
    free, order = agrees[FREE], np.argsort(shares, kind="stable")
    unknown = float(np.mean([one.unknown for one in found]))
    return {
        "stream": stream,
        "tweets": tweets,
        "k": k,
        "kind": kind,
        "min_share": [one.min_share for one in found],
        "without_before": unknown,
        "without": unknown + (1 - unknown) * float(np.mean(~clear)),
        "agree": float(free.mean()),
        "agree_clear": float(free[clear].mean()),
        "agree_unclear": None if clear.all() else float(free[~clear].mean()),
        "error": calibration_error(confidence, free),
        "reliability": reliability(confidence, free),
        "by_share": {
            how: [float(one[part].mean()) for part in np.array_split(order, _BINS)] for how, one in agrees.items()
        },
        "nmi": [_nmi(one, np.ones_like(one.clear)) for one in found if one.themes is not None],
        "nmi_clear": [_nmi(one, one.clear) for one in found if one.themes is not None],
        "seconds": {name: float(np.mean([one.seconds[name] for one in found])) for name in found[0].seconds},
    }


def _nmi(one: Sample, chosen: BoolArray) -> float:
    assert one.themes is not None
    return themes.information(one.themes[chosen], one.topics[chosen])


def generated(seed: int, tweets: int) -> tuple[TrainingTweets, np.ndarray[Any, np.dtype[Any]]]:
    """Return the default stream's tweets and their themes."""
    day = themes.read("", seed, tweets)
    return replace(day.tweets, languages=[]), day.themes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tweets", type=Path, required=True, metavar="FILE.jsonl.gz", help="at least 90,000, by time")
    options = parser.parse_args()
    real = read(options.tweets)
    rows = []
    for size, k in REAL:
        length = size * 3 // 2
        starts = np.linspace(0, real.count - length, STARTS).astype(int).tolist()
        rows += _rows("real", size, k, [samples(window(real, start, length), None, k) for start in starts])
    size, k = GENERATED
    days = [generated(seed, size * 3 // 2) for seed in themes.SEEDS]
    rows += _rows("generated", size, k, [samples(tweets, names, k) for tweets, names in days])
    result = {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "tweets": real.count,
        "starts": STARTS,
        "min_confidence": MIN_CONFIDENCE,
        "machine": machine(),
        "versions": {"Python": platform.python_version()}
        | {name: metadata.version(name) for name in ("numba", "numpy", "scipy")},
        "rows": rows,
    }
    report.CONFIDENCE.write_text(json.dumps(result, indent=1) + "\n")
    plot(rows)
    report.write()
    if wrong := [row for row in rows if row["error"] > MAX_ERROR]:
        print(
            *(f"error {row['error']:.3f}: {row['stream']} {row['tweets']:,} {row['kind']}" for row in wrong), sep="\n"
        )
        raise SystemExit(1)


def _rows(stream: str, size: int, k: int, found: list[dict[str, Sample]]) -> list[dict[str, Any]]:
    rows = [summary(stream, size, k, kind, [one[kind] for one in found]) for kind in ("first", "continued")]
    for row in rows:
        print(
            f"{stream:9} {size:6,} k={k} {row['kind']:9} agree {row['agree']:.3f} clear {row['agree_clear']:.3f} "
            f"without {row['without_before']:.3f} -> {row['without']:.3f} error {row['error']:.3f}",
            flush=True,
        )
    return rows


def plot(rows: list[dict[str, Any]]) -> None:
    """Draw predicted against observed agreement, and the agreement with each kind of third seed by a tweet's share."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "confidence"
    from matplotlib import pyplot

    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(14, 4.2), layout="constrained", sharey=True)
    left.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for row in rows:
        curve = row["reliability"]
        name = f"{row['stream']}, {row['tweets']:,}, k={row['k']}, {row['kind']}"
        style = "--" if row["kind"] == "continued" else "-"
        left.plot(*zip(*((one["predicted"], one["observed"]) for one in curve), strict=True), style, marker="o",
                  markersize=3, linewidth=1, label=name)  # fmt: skip
    left.set_title("observed agreement, by predicted confidence", fontsize=10)
    deciles = np.arange(_BINS) + 1
    for axis, stream, tweets in ((middle, "real", REAL[2][0]), (right, "generated", GENERATED[0])):
        (row,) = [
            row for row in rows
            if (row["stream"], row["tweets"], row["k"], row["kind"]) == (stream, tweets, 20, "continued")
        ]  # fmt: skip
        for how, agreement in row["by_share"].items():
            axis.plot(deciles, agreement, marker="o", markersize=3, label=how)
        axis.set_title(f"{tweets:,} {stream} tweets, by tenths of share", fontsize=10)
        axis.legend(title="third seed trained", fontsize=8, title_fontsize=8)
    left.set_ylim(0, 1.02)
    left.legend(fontsize=6)
    figure.savefig(report.CONFIDENCE_PLOT, metadata={"Date": None})


if __name__ == "__main__":
    main()
