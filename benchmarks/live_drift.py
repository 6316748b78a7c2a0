"""The drift of days with and without a new subject, which says how high TOPICS_MAX_WORD_DRIFT should be.

    make bench-drift ARGS="--tweets tweets.jsonl.gz"     # or: python -m benchmarks.live_drift --tweets tweets.jsonl.gz

A champion is trained on some tweets of the file and measured on days made of others, by the code of model_drift. New
subjects are tweets with a word that begins like one of --subject, which no champion was trained on, and planted ones:
tweets three in five of whose words are replaced by words that nobody knows. Prints a table; decision 20 has it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.drift import about
from benchmarks.gate import Challenger, read, train
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.training.corpus import held_out_one_in
from twitter_topics.topic_models.training.drift import Reference, day_metrics
from twitter_topics.topic_models.training.metrics import serve
from twitter_topics.topic_models.training.tweets import TrainingTweets

TRAINED, DAYS, REPEATS = (2_000, 20_000, 60_000), (1_000, 5_000, 20_000), 10
SHARES = (0.05, 0.1, 0.2)
Words = list[list[str]]


def as_tweets(words: Words) -> TrainingTweets:
    lists = pa.array(words, pa.list_(pa.string()))
    return TrainingTweets(lists, np.zeros(len(words), dtype=np.int64), [], pa.array(["en"] * len(words)))


def champion(known: Words, held_out: Words) -> tuple[Scorer, Reference]:
    """Train as the job does; the reference is made as the evaluation makes it."""
    scorer, judged = Scorer(train(as_tweets(known).words, Challenger(good=True), None)), as_tweets(held_out)
    served = serve(scorer, judged.words, judged.languages)
    share = float(served.counts.sum() / len(judged.words.flatten()))
    return scorer, Reference(served.documents, {"all": share})


def word_drift(scorer: Scorer, before: Reference, day: Words) -> float:
    metrics = {one.metric: one.value for one in day_metrics("v", scorer, as_tweets(day), before, 1.0)}
    return metrics["word_drift"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tweets", type=Path, required=True, metavar="FILE.jsonl.gz", help="at least 90,000")
    parser.add_argument("--subject", default="christmas,xmas,santa,holiday,#christmas", help="beginnings of words")
    options = parser.parse_args()
    draw, beginnings = np.random.default_rng(1), tuple(options.subject.split(","))
    every: Words = [one for one in read(options.tweets).words.to_pylist() if one]
    withheld = [one for one in every if any(word.startswith(beginnings) for word in one)]
    others = [one for one in every if not any(word.startswith(beginnings) for word in one)]
    others = [others[number] for number in draw.permutation(len(others)).tolist()]
    rest = others[max(TRAINED) * 21 // 20 :]
    new = {"withheld": withheld, "planted": [about(one, 0, draw) for one in rest if len(one) >= 2]}
    print("| trained on | tweets of the day | nothing new: mean (most) | " + " | ".join(
        f"{share:.0%} {kind}" for kind in new for share in SHARES
    ) + " |\n|--:|--:|--:" + "|--:" * len(new) * len(SHARES) + "|")  # fmt: skip
    for size in TRAINED:
        one_in = held_out_one_in(size)
        scorer, before = champion(others[:size], others[size : size + size // one_in])
        for tweets in DAYS:
            days = [word_drift(scorer, before, _chosen(rest, tweets, draw)) for _ in range(REPEATS)]
            cells = [f"{np.mean(days):.3f} ({max(days):.3f})"]
            for subject in new.values():
                for share in SHARES:
                    count = round(share * tweets)
                    mixed = [*_chosen(rest, tweets - count, draw), *_chosen(subject, count, draw)]
                    cells.append(f"{word_drift(scorer, before, mixed):.3f}")
            print(f"| {size:,} | {tweets:,} | " + " | ".join(cells) + " |", flush=True)


def _chosen(words: Words, count: int, draw: np.random.Generator) -> Words:
    return [words[number] for number in draw.choice(len(words), count, replace=False).tolist()]


if __name__ == "__main__":
    main()
