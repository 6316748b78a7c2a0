from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import digamma

from twitter_topics.errors import IntegrityError
from twitter_topics.records.processed import MIN_PROBABILITY, NO_TOPIC, NO_TOPIC_LABEL
from twitter_topics.testing.corpora import THEMES
from twitter_topics.testing.models import in_format_1, model_of_languages, planted_model
from twitter_topics.topic_models.scoring.inference import exp_digamma
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.start_vector import spark_start_vector
from twitter_topics.topic_models.scoring.text import NEWEST
from twitter_topics.topic_models.scoring.topic_model import TopicModel

TEXTS = [
    "Storm surge and flood warning at the coast!!",
    "GOAL!!! penalty, what a match #football",
    "storm goal storm goal",
    "zzz unknown words only",
    "",
    "love",
]


@pytest.fixture(scope="module")
def scorer(model: TopicModel) -> Scorer:
    return Scorer.load(model.to_bytes())


def slow_theta(model: TopicModel, words: list[int]) -> np.ndarray:
    """Spark's algorithm without any shortcut."""
    matrix = model.topics_matrix.T
    weights = np.exp(digamma(matrix) - digamma(matrix.sum(axis=0)))[words]
    gamma, change = spark_start_vector(model.k), 1.0
    while change > 1e-3:
        theta = np.exp(digamma(gamma) - digamma(gamma.sum()))
        last = gamma
        gamma = theta * (weights.T @ (1 / (weights @ theta + 1e-100))) + model.alpha
        change = np.abs(gamma - last).mean()
    return gamma / gamma.sum()


@pytest.mark.parametrize("x", [1e-3, 0.02, 0.3, 1.0, 7.5, 120.0])
def test_exp_digamma_is_exact(x: float) -> None:
    assert exp_digamma(x) == pytest.approx(math.exp(digamma(x)), rel=1e-9)


def test_scores_equal_the_algorithm_written_out(scorer: Scorer) -> None:
    draw = np.random.default_rng(3)
    for _ in range(200):
        words = draw.integers(0, len(scorer.model.vocabulary), draw.integers(1, 12)).tolist()
        text = " ".join(scorer.model.vocabulary[word] for word in words)
        np.testing.assert_allclose(scorer.score([text]).theta[0], slow_theta(scorer.model, words), atol=1e-6)


def test_known_words_and_texts_without_any(scorer: Scorer) -> None:
    scores = scorer.score(TEXTS)
    assert scores.theta.dtype == np.float32
    assert scores.theta.shape == (len(TEXTS), scorer.model.k)
    assert scores.known_words.tolist() == [5, 3, 4, 0, 0, 1]
    np.testing.assert_allclose(scores.theta.sum(axis=1), [1, 1, 1, 0, 0, 1], atol=1e-6)
    assert scorer.dominant(scores.theta)[3] == NO_TOPIC
    assert scorer.score_batch(TEXTS)[3:5] == [[(NO_TOPIC, 1.0)]] * 2
    assert scorer.labels[NO_TOPIC] == NO_TOPIC_LABEL


def test_topics_are_ordered_scaled_and_without_tiny_shares(scorer: Scorer) -> None:
    scores = scorer.score(TEXTS)
    for theta, topics in zip(scores.theta, scorer.score_batch(TEXTS), strict=True):
        shares = [share for _, share in topics]
        assert shares == sorted(shares, reverse=True)
        assert math.isclose(sum(shares), 1.0)
        assert min(shares) >= MIN_PROBABILITY
        assert topics == scorer.topics(theta)
        assert topics[0][0] == scorer.dominant(theta.reshape(1, -1))[0]
        assert {topic for topic, _ in topics} <= set(scorer.labels)
    storm, goal = scorer.score_batch(TEXTS)[:2]
    assert storm[0][0] != goal[0][0]
    assert set(scorer.labels[storm[0][0]].split(" · ")) <= set(THEMES["storm"])


def test_small_shares_are_dropped_and_the_rest_scaled(scorer: Scorer) -> None:
    theta = np.zeros(scorer.model.k, dtype=np.float32)
    theta[:4] = (0.2, 0.785, 0.0101, 0.0049)
    ids = scorer.model.topic_ids.tolist()
    topics = scorer.topics(theta)
    assert [topic for topic, _ in topics] == [ids[1], ids[0]]
    assert topics[1][1] == pytest.approx(0.2 / 0.985, rel=1e-6)


def test_the_largest_share_counts_however_small_it_is(scorer: Scorer) -> None:
    theta = np.full(scorer.model.k, 0.03, dtype=np.float32)
    theta[2] = 0.04
    assert scorer.topics(theta) == [(int(scorer.model.topic_ids[2]), 1.0)], "of many topics, none may reach the limit"


def test_a_text_below_the_smallest_share_has_no_clear_topic(model: TopicModel) -> None:
    plain = Scorer(model)
    theta = plain.score(TEXTS).theta
    at = float(np.sort(theta.max(axis=1))[3])  # of the four texts with a known word, two have a smaller one
    careful = Scorer.load(replace(model, min_shares=np.full(model.k, at)).to_bytes())
    assert np.array_equal(careful.score(TEXTS).theta, theta), "shares stay as Spark's pipeline computes them"
    clear = [bool(share >= at) for share in theta.max(axis=1)]
    assert sum(clear) == 3
    for served, before, is_clear in zip(careful.score_batch(TEXTS), plain.score_batch(TEXTS), clear, strict=True):
        assert served == (before if is_clear else [(NO_TOPIC, 1.0)])
    assert careful.dominant(theta).tolist() == [topics[0][0] for topics in careful.score_batch(TEXTS)]
    assert careful.largest(theta).tolist() == plain.dominant(theta).tolist()


@pytest.mark.parametrize("at", [0.1, 0.3, 1 / 3, 0.7])
def test_a_share_on_the_limit_is_clear_in_both_precisions(model: TopicModel, at: float) -> None:
    careful = Scorer(replace(model, min_shares=np.full(model.k, at)))
    around = [np.nextafter(np.float32(at), np.float32(to)) for to in (0, 1)]
    theta = np.zeros((5, model.k), dtype=np.float64)
    theta[:, 1] = [at, np.float32(at), at - 1e-12, *around]
    single = theta.astype(np.float32)
    assert careful.dominant(theta).tolist() == careful.dominant(single).tolist()
    assert careful.dominant(single).tolist() == [topics[0][0] for topics in careful.topics_of(single)]
    assert (careful.dominant(theta) == NO_TOPIC).tolist() == [False, False, False, True, False]


def test_a_model_that_was_not_calibrated_reads_as_before(model: TopicModel) -> None:
    with np.load(io.BytesIO(model.to_bytes())) as arrays:
        assert "min_shares" not in arrays
        written_in = int(arrays["format"])
    assert TopicModel.from_bytes(model.to_bytes()).min_shares is None
    calibrated = replace(model, min_shares=np.full(model.k, 0.25)).to_bytes()
    with np.load(io.BytesIO(calibrated)) as arrays:
        assert int(arrays["format"]) == written_in, "an older version reads it, and serves every topic"
    read = TopicModel.from_bytes(calibrated).min_shares
    assert read is not None
    assert read.tolist() == [0.25] * model.k
    for wrong in ([-0.1], [1.5], [float("nan")], []):
        min_shares = np.array([0.25] * (model.k - 1) + wrong)
        with pytest.raises(IntegrityError, match="min_shares"):
            TopicModel.from_bytes(replace(model, min_shares=min_shares).to_bytes())


def test_each_language_has_a_smallest_share_of_its_own(model: TopicModel) -> None:
    spoken = model_of_languages({"en": model, "de": model})
    spoken = replace(
        spoken, topic_ids=np.arange(spoken.k), min_shares=np.where(spoken.language_of_topic == 0, 1.0, 0.0)
    )
    served = Scorer.load(spoken.to_bytes()).score_batch(["storm flood"] * 2, ["en", "de"])
    assert [topics[0][0] == NO_TOPIC for topics in served] == [True, False]
    (own,) = set(spoken.part("de").min_shares.tolist())  # type: ignore[union-attr]
    assert own == 0.0


def test_batch_and_single_scores_are_equal(scorer: Scorer) -> None:
    together = scorer.score(TEXTS).theta
    alone = np.concatenate([scorer.score([text]).theta for text in TEXTS])
    assert np.array_equal(together, alone)
    assert scorer.score([]).theta.shape == (0, scorer.model.k)
    assert scorer.score_batch([]) == []


def test_scorer_returns_stable_ids(model: TopicModel) -> None:
    ids = np.arange(100, 100 + model.k)
    renamed = Scorer(model.with_identity(ids, model.labels))
    plain = Scorer(model)
    for mine, theirs in zip(renamed.score_batch(TEXTS[:3]), plain.score_batch(TEXTS[:3]), strict=True):
        assert [(topic - 100, share) for topic, share in mine] == theirs


def test_damaged_arrays_are_rejected(model: TopicModel) -> None:
    data = model.to_bytes()
    for damaged in (b"", b"nonsense", data[:-200]):
        with pytest.raises(IntegrityError):
            Scorer.load(damaged)
    twice = model.with_identity(np.zeros(model.k, dtype=np.int64), model.labels)
    with pytest.raises(IntegrityError, match="topic_ids"):
        Scorer.load(twice.to_bytes())


def test_arrays_survive_a_round_trip(model: TopicModel) -> None:
    back = TopicModel.from_bytes(model.to_bytes())
    assert back.vocabulary == model.vocabulary
    assert (back.labels, back.text_rules) == (model.labels, NEWEST.number)
    for name in ("topics_matrix", "alpha", "documents", "word_counts", "topic_ids"):
        assert np.array_equal(getattr(back, name), getattr(model, name)), name


def test_a_model_scores_by_its_own_text_rules(model: TopicModel) -> None:
    wide = ["ｓｔｏｒｍ ｆｌｏｏｄ"]
    old = Scorer.load(replace(model, text_rules=1).to_bytes())
    assert old.score_batch(wide) == [[(NO_TOPIC, 1.0)]]
    new = Scorer.load(model.to_bytes())
    assert new.score_batch(wide) == new.score_batch(["storm flood"]) == old.score_batch(["storm flood"])


def test_arrays_without_text_rules_have_rules_1(model: TopicModel) -> None:
    assert TopicModel.from_bytes(in_format_1(model)).text_rules == 1
    assert np.array_equal(TopicModel.from_bytes(in_format_1(model)).topics_matrix, model.topics_matrix)


def test_unknown_text_rules_are_named(model: TopicModel) -> None:
    with pytest.raises(IntegrityError, match="needs text rules 99; this version has 1, 2"):
        Scorer.load(replace(model, text_rules=99).to_bytes())


def test_a_stop_word_of_one_language_has_a_topic_in_another() -> None:
    model = planted_model(("die", "storm", "flood", "goal", "match", "team"), ("weather", "football"))
    scorer = Scorer.load(model.to_bytes())
    texts = ["die", "die goal", "die"]
    assert scorer.score(texts, ["en", "en", "de"]).known_words.tolist() == [1, 2, 0]
    assert scorer.score_batch(texts, ["en", "de", "de"])[1:] == [*scorer.score_batch(["goal"]), [(NO_TOPIC, 1.0)]]
    old = Scorer(replace(model, text_rules=1))
    assert old.score(texts, ["en", "en", "de"]).known_words.tolist() == [1, 2, 1]
