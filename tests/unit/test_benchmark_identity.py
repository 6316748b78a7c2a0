"""The drifting stream of the benchmark of topic identity, and its goals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.drift import BLOCKS, PLANTED, WINDOW, drifting
from benchmarks.identity import CHOSEN, Generation, missed, summary
from twitter_topics.topic_models.training.tweets import TrainingTweets

TWEETS = 6_000


@pytest.fixture(scope="module")
def tweets() -> TrainingTweets:
    draw = np.random.default_rng(1)
    words = [[f"w{word}" for word in draw.integers(0, 50, draw.integers(3, 9))] for _ in range(TWEETS)]
    return TrainingTweets(pa.array(words, pa.list_(pa.string())), np.arange(TWEETS) % 20, [], [])


def test_real_tweets_are_all_there_and_planted_ones_have_their_shares(tweets: TrainingTweets) -> None:
    stream = drifting(tweets, seed=1)
    assert stream.words[:TWEETS].equals(tweets.words)
    real = np.bincount(stream.block[stream.planted < 0], minlength=BLOCKS)
    assert real.sum() == TWEETS
    for topic, (name, shares) in enumerate(PLANTED.items()):
        found = np.bincount(stream.block[stream.planted == topic], minlength=BLOCKS)
        assert found / real == pytest.approx(np.array(shares) / 100, abs=0.001), name
    assert stream.reference.mean() == pytest.approx(0.25, abs=0.02)
    planted = stream.take(stream.planted == 2).to_pylist()
    assert all(sum(word.startswith("cplanted") for word in words) >= 2 for words in planted)
    assert any(word.startswith("w") for words in planted for word in words)


def test_subjects_drift_and_the_seed_decides_how(tweets: TrainingTweets) -> None:
    first, again, other = (drifting(tweets, seed) for seed in (1, 1, 2))
    assert first.words.equals(again.words)
    assert first.block.tolist() == again.block.tolist() != other.block.tolist()
    of_word = [block for block, words in zip(first.block, first.words.to_pylist(), strict=True) if "w0" in words]
    shares = np.bincount(of_word, minlength=BLOCKS) / np.bincount(first.block, minlength=BLOCKS)
    assert shares.max() > 2 * shares.min()


def test_windows_share_two_thirds(tweets: TrainingTweets) -> None:
    stream = drifting(tweets, seed=1)
    first, second = stream.window(0), stream.window(1)
    assert set(stream.block[first & second]) == {1, 2}
    assert set(stream.block[second & ~first]) == {WINDOW}


def row(generation: int, method: str = CHOSEN, **changes: Any) -> Generation:
    planted = {"topic_id": 7.0, "recall": 0.99, "purity": 0.98, "percent": 3.0}
    plain = {
        "kept": None if generation == 0 else 0.85, "kept_confident": 0.97, "labels_kept": 0.9, "perplexity": 1000.0,
        "coherence": 0.0, "diversity": 0.6,
        "planted": dict.fromkeys(("rises", "rises later", "returns"), planted),
    }  # fmt: skip
    return Generation(method=method, k=20, start=1, generation=generation, topics=20, **{**plain, **changes})


LATE = {"topic_id": 7.0, "recall": 0.9, "purity": 0.98, "percent": 3.0}
COLD = [row(generation, "cold start, matched", kept=0.3 if generation else None) for generation in range(7)]


def test_the_summary_has_the_means_of_all_but_the_first_and_the_worst_of_the_planted() -> None:
    worse = {"topic_id": 8.0, "recall": 0.5, "purity": 0.6, "percent": 3.0}
    rows = [row(at) for at in range(7)]
    rows[0] = row(0, perplexity=9e9)
    rows[3] = row(3, kept=0.55, planted={"rises": worse, "rises later": worse})
    (found,) = summary(rows)
    assert found["kept"] == pytest.approx((0.85 * 5 + 0.55) / 6)
    assert (found["perplexity"], found["least_kept"]) == (1000.0, 0.55)
    assert (found["new_recall"], found["new_purity"], found["returned"]) == (0.5, 0.6, [1, 1])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, None),
        ({"kept": 0.79}, "0.790 of the tweets"),
        ({"kept_confident": 0.94}, "0.940 of the confident ones"),
        ({"perplexity": 1001.0}, "perplexity 1001, cold 1000"),
        ({"coherence": -0.021}, "NPMI -0.021, cold 0.000"),
        ({"planted": {"rises": LATE, "rises later": LATE, "returns": LATE}}, "recall of a new topic 0.900"),
    ],
)
def test_a_goal_that_is_missed_is_a_sentence(changes: dict[str, Any], sentence: str | None) -> None:
    changed = [row(0, planted=changes["planted"]) if "planted" in changes else row(0)]
    changed += [row(generation, **changes) for generation in range(1, 7)]
    found = missed(summary([*COLD, *changed]))
    assert [text.startswith(f"k=20: {sentence}") for text in found] == ([] if sentence is None else [True])


def test_another_id_after_a_return_misses_the_goal() -> None:
    other = {"topic_id": 8.0, "recall": 0.99, "purity": 0.98, "percent": 3.0}
    rows = [row(at) for at in range(6)] + [row(6, planted={"returns": other})]
    assert missed(summary([*COLD, *rows])) == ["k=20: the topic that returned has another id"]
