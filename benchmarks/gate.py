"""The promotion gate on windows of tweets, with planted good and bad challengers.

    make bench-gate ARGS="--tweets tweets.jsonl.gz"     # or: python -m benchmarks.gate --tweets tweets.jsonl.gz

A champion is trained on a window and its challengers on another one that shares half of it. Neither Spark nor S3 runs:
corpus, trainer, alignment, evaluation and gate are those of the jobs. Writes benchmarks/results/gate.json. Exits with 1
if more than 5 % of the bad challengers are promoted, or, from 10,000 tweets on, less than 60 % of the good ones.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import report
from benchmarks.circumstances import machine
from twitter_topics.records.content import Content
from twitter_topics.topic_models.registry.gate import Interval, Verdict, judge
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.text import content_words
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training.alignment import Predecessor
from twitter_topics.topic_models.training.corpus import build_corpus, held_out_one_in, slice_of
from twitter_topics.topic_models.training.evaluation import compare, measure
from twitter_topics.topic_models.training.trainers import GsdmmTrainer, aligned
from twitter_topics.topic_models.training.tweets import TrainingTweets

WINDOWS = {2_000: 16, 3_000: 12, 5_000: 8, 10_000: 6, 20_000: 4}
K, ITERATIONS = 20, 30
"""The defaults of the settings."""

MAX_BAD, MIN_GOOD, GOOD_FROM = 0.05, 0.60, 10_000


@dataclass(frozen=True)
class Challenger:
    """How a challenger is trained on a window. `distort` changes the words of all its tweets."""

    good: bool
    seed: int = 2
    k: int = K
    iterations: int = ITERATIONS
    warm: bool = True
    distort: Callable[[pa.ListArray], pa.ListArray] = lambda words: words
    in_training_only: bool = False


def shuffled(words: pa.ListArray) -> pa.ListArray:
    """Deal all words of the window out again, so that none belongs to any other."""
    order = np.random.default_rng(1).permutation(len(words.flatten()))
    return pa.ListArray.from_arrays(pa.array(_starts(words)), words.flatten().take(pa.array(order)))


def foreign(words: pa.ListArray, share: float) -> pa.ListArray:
    """Translate a share of the tweets, spread evenly, into a language that no other tweet has."""
    translate = np.floor(np.arange(len(words)) * share) != np.floor((np.arange(len(words)) + 1) * share)
    lists = words.to_pylist()
    return pa.array(
        [[word + "\u0e01" for word in one] if there else one for one, there in zip(lists, translate, strict=True)],
        pa.list_(pa.string()),
    )


CHALLENGERS = {
    "another seed": Challenger(good=True, seed=2),
    "a third seed": Challenger(good=True, seed=3),
    "one sweep": Challenger(good=False, iterations=1, warm=False),
    "three topics": Challenger(good=False, k=3),
    "shuffled words": Challenger(good=False, distort=shuffled, in_training_only=True),
    "another language": Challenger(good=False, distort=lambda words: foreign(words, 1.0)),
    "three of five in another language": Challenger(good=False, distort=lambda words: foreign(words, 0.6)),
}


def read(file: Path) -> TrainingTweets:
    """Return the words of a file with a tweet per line, in its order."""
    words, slices = [], []
    with gzip.open(file, "rt") as lines:
        for line in lines:
            body = json.loads(line)
            words.append(content_words(Content(body).prose))
            slices.append(slice_of(body["id_str"]))
    return TrainingTweets(pa.array(words, pa.list_(pa.string())), np.array(slices), [], [])


def window(tweets: TrainingTweets, start: int, size: int) -> TrainingTweets:
    """Return consecutive tweets."""
    chosen = np.arange(start, start + size)
    return TrainingTweets(tweets.words.take(pa.array(chosen)), tweets.slices[chosen], [], [])


def train(words: pa.ListArray, recipe: Challenger, champion: TopicModel | None) -> TopicModel:
    """Train as the job does: topics keep the champion's ids."""
    corpus = build_corpus(words)
    before = None if champion is None else Predecessor(champion, 1000)
    warm = before if recipe.warm else None
    trained = GsdmmTrainer().fit(corpus, k=recipe.k, iterations=recipe.iterations, seed=recipe.seed, champion=warm)
    return trained.model if recipe.warm else aligned(trained.model, before).model


def run(tweets: TrainingTweets, size: int, number: int) -> list[dict[str, Any]]:
    """Judge a first model and all challengers of some windows of one size."""
    one_in, found = held_out_one_in(size), []
    for start in np.linspace(0, tweets.count - size * 3 // 2, number).astype(int).tolist():
        first, second = window(tweets, start, size), window(tweets, start + size // 2, size)
        champion = train(first.to_train(one_in), Challenger(good=True, seed=1), None)
        metrics = measure(Scorer(champion), first.to_judge(one_in))
        verdict, gain = judge(metrics, None), metrics.perplexity / metrics.unigram_perplexity
        found.append(_row(size, "first model", verdict, gain, None))
        for name, one in CHALLENGERS.items():
            distorted = TrainingTweets(one.distort(second.words), second.slices, [], [])
            judged = (second if one.in_training_only else distorted).to_judge(one_in)
            model = Scorer(train(distorted.to_train(one_in), one, champion))
            comparison = replace(compare(model, Scorer(champion), judged), asked=(one.k, K))
            ratio = comparison.challenger_perplexity / max(comparison.champion_perplexity, 1e-9)
            verdict = judge(measure(model, judged), comparison)
            found.append(_row(size, name, verdict, ratio, comparison.ratio))
    return found


def _row(size: int, kind: str, verdict: Verdict, ratio: float, interval: Interval | None) -> dict[str, Any]:
    width = None if interval is None else (interval.high - interval.low) / 2
    print(f"{size:6,} {kind:34} {verdict.state:12} {ratio:6.3f} ± {width or 0:.3f}  {verdict.reasons[-1]}", flush=True)
    return {"tweets": size, "kind": kind, "state": verdict.state, "ratio": ratio, "half_width": width}


def summary(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per size and kind: how many of each state, and the medians of ratio and half width."""
    groups: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["tweets"], row["kind"]), []).append(row)
    return [
        {
            "tweets": tweets,
            "kind": kind,
            "good": kind == "first model" or CHALLENGERS[kind].good,
            "states": dict(Counter(row["state"] for row in group)),
            "ratio": float(np.median([row["ratio"] for row in group])),
            "half_width": _median([row["half_width"] for row in group if row["half_width"] is not None]),
        }
        for (tweets, kind), group in groups.items()
    ]


def promoted(rows: Iterable[dict[str, Any]], *, good: bool, at_least: int = 0) -> tuple[int, int]:
    """Return how many of the good or the bad challengers were promoted, and how many there are."""
    kinds = {name for name, one in CHALLENGERS.items() if one.good is good}
    chosen = [row for row in rows if row["kind"] in kinds and row["tweets"] >= at_least]
    return sum(row["state"] == "promote" for row in chosen), len(chosen)


def _median(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tweets", type=Path, required=True, metavar="FILE.jsonl.gz", help="at least 30,000, by time")
    options = parser.parse_args()
    tweets = read(options.tweets)
    rows = [row for size, number in WINDOWS.items() for row in run(tweets, size, number)]
    bad, good = promoted(rows, good=False), promoted(rows, good=True, at_least=GOOD_FROM)
    result = {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "tweets": tweets.count,
        "windows": sum(WINDOWS.values()),
        "machine": machine(),
        "versions": {"Python": platform.python_version()}
        | {name: metadata.version(name) for name in ("numba", "numpy", "scipy")},
        "bad_promoted": bad,
        "good_promoted": good,
        "good_from": GOOD_FROM,
        "kinds": summary(rows),
    }
    report.GATE.write_text(json.dumps(result, indent=1) + "\n")
    report.write()
    print(f"bad promoted: {bad[0]} of {bad[1]}; good promoted from {GOOD_FROM:,} tweets on: {good[0]} of {good[1]}")
    if bad[0] > MAX_BAD * bad[1] or good[0] < MIN_GOOD * good[1]:
        raise SystemExit(1)


def _starts(words: pa.ListArray) -> np.ndarray[Any, np.dtype[np.int32]]:
    lengths = words.value_lengths().to_numpy()
    starts: np.ndarray[Any, np.dtype[np.int32]] = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    return starts


if __name__ == "__main__":
    main()
