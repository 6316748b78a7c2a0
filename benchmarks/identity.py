"""Whether tweets keep their topic from one training to the next, over six generations on drifting tweets.

    make bench-identity ARGS="--tweets tweets.jsonl.gz"     # or: python -m benchmarks.identity --tweets tweets.jsonl.gz

Corpus, trainer, alignment, births, labels and scorer are those of the jobs; neither Spark nor S3 runs. Writes
benchmarks/results/identity.json and docs/images/identity.svg. Exits with 1 if topics anchored as in production miss a
goal.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.circumstances import machine
from benchmarks.drift import BLOCKS, PLANTED, WINDOW, Stream, drifting
from benchmarks.gate import ITERATIONS, read
from twitter_topics.records.processed import NO_TOPIC
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.topic_model import IntArray, TopicModel
from twitter_topics.topic_models.training import topic_quality as quality
from twitter_topics.topic_models.training.alignment import Predecessor
from twitter_topics.topic_models.training.anchoring import WEIGHT, starting_topics
from twitter_topics.topic_models.training.births import after
from twitter_topics.topic_models.training.corpus import Corpus, build_corpus, count_known
from twitter_topics.topic_models.training.evaluation import CONFIDENT
from twitter_topics.topic_models.training.gsdmm import sample_clusters
from twitter_topics.topic_models.training.labels import topic_labels
from twitter_topics.topic_models.training.trainers import GsdmmTrainer, Trained, aligned, as_model, without_noise

GENERATIONS = BLOCKS - WINDOW + 1
"""The first one has no champion."""

Method = Callable[[Corpus, int, int, Predecessor | None], Trained]


def cold(corpus: Corpus, k: int, seed: int, champion: Predecessor | None) -> Trained:
    """Start at random, and match the topics to the champion's afterwards."""
    found = GsdmmTrainer().fit(corpus, k=k, iterations=ITERATIONS, seed=seed)
    return aligned(found.model, champion)


def warm(corpus: Corpus, k: int, seed: int, champion: Predecessor | None) -> Trained:
    """Start from the champion's topics, sample as long as from a random start, and match them afterwards."""
    if champion is None:
        return cold(corpus, k, seed, None)
    columns = max(k, champion.model.k)
    start = starting_topics(corpus, champion.model, columns, seed)
    clusters = sample_clusters(corpus.counts, columns, sweeps=ITERATIONS, seed=seed, start=start)
    return aligned(as_model(corpus, without_noise(clusters)), champion)


def anchored(weight: float) -> Method:
    def fit(corpus: Corpus, k: int, seed: int, champion: Predecessor | None) -> Trained:
        trainer = GsdmmTrainer(anchor_weight=weight)
        return trainer.fit(corpus, k=k, iterations=ITERATIONS, seed=seed, champion=champion)

    return fit


METHODS: dict[str, Method] = {"cold start, matched": cold, "warm start, matched": warm} | {
    f"anchored, weight {weight:g}": anchored(weight) for weight in (0.5, 1.0, 2.0)
}
CHOSEN = f"anchored, weight {WEIGHT:g}"


@dataclass(frozen=True)
class Generation:
    """One model of a lineage. Shares kept are those of all tweets of its window, against the champion; None in the
    first generation. `planted` is, by topic, {topic_id, recall, purity, percent}."""

    method: str
    k: int
    start: int
    generation: int
    topics: int
    kept: float | None
    kept_confident: float | None
    labels_kept: float | None
    perplexity: float
    coherence: float
    diversity: float
    planted: dict[str, dict[str, float]]


def lineage(stream: Stream, method: str, k: int, start: int) -> list[Generation]:
    """Train one generation after another."""
    champion: Predecessor | None = None
    found = []
    for generation in range(GENERATIONS):
        corpus = build_corpus(stream.take(stream.window(generation) & ~stream.reference))
        trained = METHODS[method](corpus, k, start * 100 + generation, champion)
        labels = topic_labels(trained.model, champion.labels if champion else {})
        model = trained.model.with_identity(trained.model.topic_ids, labels)
        measured = _measured(stream, generation, model, champion)
        found.append(Generation(method, k, start, generation, model.k, **measured))
        births = after(champion.births if champion else (), model, str(generation))
        champion = Predecessor(model, trained.identities.next_topic_id, births)
        print(_line(found[-1]), flush=True)
    return found


def _measured(stream: Stream, generation: int, model: TopicModel, champion: Predecessor | None) -> dict[str, Any]:
    inside = stream.window(generation)
    topics = _served(model, stream, inside)
    held_out = count_known(stream.take(inside & stream.reference), model.vocabulary)
    reference = count_known(stream.take(stream.reference), model.vocabulary)
    kept = dict.fromkeys(("kept", "kept_confident", "labels_kept"))
    if champion is not None:
        before = _served(champion.model, stream, inside)
        sure = (
            quality.confidence(champion.model, count_known(stream.take(inside), champion.model.vocabulary)) >= CONFIDENT
        )
        kept = {
            "kept": quality.share_kept(topics, before, NO_TOPIC),
            "kept_confident": quality.share_kept(topics[sure], before[sure], NO_TOPIC),
            "labels_kept": _labels_kept(model, champion),
        }
    return kept | {
        "perplexity": quality.completion_perplexity(Scorer(model), held_out),
        "coherence": quality.coherence(model, reference),
        "diversity": quality.diversity(model),
        "planted": _planted(topics, stream.planted[inside]),
    }


def _served(model: TopicModel, stream: Stream, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> IntArray:
    scorer, counts = Scorer(model), count_known(stream.take(chosen), model.vocabulary)
    served: IntArray = scorer.dominant(scorer.theta_of(counts)).astype(np.int64)
    return served


def _labels_kept(model: TopicModel, champion: Predecessor) -> float:
    before = dict(zip(champion.model.topic_ids.tolist(), champion.model.labels, strict=True))
    now = dict(zip(model.topic_ids.tolist(), model.labels, strict=True))
    return float(np.mean([before[topic_id] == now.get(topic_id) for topic_id in before]))


def _planted(topics: IntArray, planted: IntArray) -> dict[str, dict[str, float]]:
    found = {}
    for number, name in enumerate(PLANTED):
        mine = planted == number
        if mine.mean() < 0.02:
            continue
        ids, counts = np.unique(topics[mine], return_counts=True)
        best = ids[counts.argmax()]
        purity = float((mine & (topics == best)).sum() / (topics == best).sum())
        recall, percent = float(counts.max() / mine.sum()), float(100 * mine.mean())
        found[name] = {"topic_id": int(best), "recall": recall, "purity": purity, "percent": percent}
    return found


def _line(one: Generation) -> str:
    kept = "first" if one.kept is None else f"kept {one.kept:.3f} / {one.kept_confident:.3f}"
    planted = ", ".join(f"{name} {int(at['topic_id'])}" for name, at in one.planted.items())
    return (
        f"k={one.k} {one.method:22} start {one.start} generation {one.generation}: {kept:18} "
        f"perplexity {one.perplexity:7.1f} NPMI {one.coherence:+.3f} diversity {one.diversity:.2f}  {planted}"
    )


def summary(rows: Iterable[Generation]) -> list[dict[str, Any]]:
    """Return the means of each k and method over generations 1 to 6 of all starts, the least share kept, and how well
    planted topics were found when they were new, and recognised when they came back."""
    groups: dict[tuple[int, str], list[Generation]] = {}
    for row in rows:
        groups.setdefault((row.k, row.method), []).append(row)
    return [{"k": k, "method": method, **_summary(group)} for (k, method), group in groups.items()]


def _summary(group: list[Generation]) -> dict[str, Any]:
    later = [row for row in group if row.kept is not None]
    means = ("kept", "kept_confident", "labels_kept", "perplexity", "coherence", "diversity")
    new = [
        row.planted[name] for row in group for name, at in (("rises", 1), ("rises later", 3)) if row.generation == at
    ]
    first = {row.start: row.planted["returns"]["topic_id"] for row in group if row.generation == 0}
    last = {row.start: row.planted["returns"]["topic_id"] for row in group if row.generation == GENERATIONS - 1}
    return {name: float(np.mean([getattr(row, name) for row in later])) for name in means} | {
        "least_kept": min(row.kept for row in later if row.kept is not None),
        "new_recall": min(one["recall"] for one in new),
        "new_purity": min(one["purity"] for one in new),
        "returned": [sum(first[start] == last[start] for start in first), len(first)],
    }


def missed(rows: list[dict[str, Any]]) -> list[str]:
    """Return the goals that the chosen method misses, as sentences."""
    by_method = {(row["k"], row["method"]): row for row in rows}
    sentences = []
    for (k, method), row in by_method.items():
        if method != CHOSEN:
            continue
        colder = by_method[k, "cold start, matched"]
        goals = {
            f"{row['kept']:.3f} of the tweets keep their topic, not .80": row["kept"] >= 0.80,
            f"{row['kept_confident']:.3f} of the confident ones, not .95": row["kept_confident"] >= 0.95,
            f"perplexity {row['perplexity']:.0f}, cold {colder['perplexity']:.0f}": row["perplexity"]
            <= colder["perplexity"],
            f"NPMI {row['coherence']:.3f}, cold {colder['coherence']:.3f}": row["coherence"]
            >= colder["coherence"] - 0.02,
            f"recall of a new topic {row['new_recall']:.3f}": row["new_recall"] >= 0.95,
            f"purity of a new topic {row['new_purity']:.3f}": row["new_purity"] >= 0.95,
            "the topic that returned has another id": row["returned"][0] == row["returned"][1],
        }
        sentences += [f"k={k}: {sentence}" for sentence, reached in goals.items() if not reached]
    return sentences


def plot(rows: list[Generation]) -> None:
    """Draw share kept, perplexity, NPMI and kept labels of each generation."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "identity"
    from matplotlib import pyplot

    measures = {"kept": "tweets with the same topic", "labels_kept": "topics with the same label",
                "perplexity": "perplexity", "coherence": "NPMI"}  # fmt: skip
    ks = sorted({row.k for row in rows})
    figure, axes = pyplot.subplots(
        len(ks), len(measures), figsize=(14, 3.2 * len(ks)), squeeze=False, layout="constrained"
    )
    for line, k in zip(axes, ks, strict=True):
        for axis, (measure, title) in zip(line, measures.items(), strict=True):
            for method in METHODS:
                mine = [row for row in rows if row.k == k and row.method == method]
                known = sorted({row.generation for row in mine if getattr(row, measure) is not None})
                means = [np.mean([getattr(row, measure) for row in mine if row.generation == at]) for at in known]
                axis.plot(known, means, label=method, marker="o", markersize=3, linewidth=2 if method == CHOSEN else 1)
            axis.set_title(f"{title}, k={k}", fontsize=10)
            axis.set_xlabel("generation", fontsize=9)
            if measure.endswith("kept"):
                axis.set_ylim(0, 1)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=len(METHODS), fontsize=9)
    figure.savefig(report.IDENTITY_PLOT, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tweets", type=Path, required=True, metavar="FILE.jsonl.gz", help="at least 50,000")
    parser.add_argument("--starts", type=int, default=3, help="streams, each with first models of its own")
    parser.add_argument("--quick", action="store_true", help="one stream and 20 topics; writes nothing")
    options = parser.parse_args()
    tweets = read(options.tweets)
    starts, sizes = (1, (20,)) if options.quick else (options.starts, (20, 50))
    rows: list[Generation] = []
    for start in range(1, starts + 1):
        stream = drifting(tweets, start)
        rows += [row for k in sizes for method in METHODS for row in lineage(stream, method, k, start)]
    methods = summary(rows)
    if not options.quick:
        inside = stream.window(0)
        result = {
            "measured_on": datetime.now(UTC).date().isoformat(),
            "tweets": tweets.count,
            "window": int(inside.sum()),
            "reference": int(stream.reference.sum()),
            "starts": starts,
            "machine": machine(),
            "versions": {"Python": platform.python_version()}
            | {name: metadata.version(name) for name in ("numba", "numpy", "scipy")},
            "chosen": CHOSEN,
            "methods": methods,
            "generations": [asdict(row) for row in rows],
        }
        report.IDENTITY.write_text(json.dumps(result, indent=1) + "\n")
        plot(rows)
        report.write()
    if sentences := missed(methods):
        print(*sentences, sep="\n")
        raise SystemExit(1)


if __name__ == "__main__":
    main()
