"""Which topics are clear."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twitter_topics.records.processed import NO_TOPIC
from twitter_topics.testing.corpora import THEMES, as_lists, in_language, planted_documents
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.training import confidence
from twitter_topics.topic_models.training.confidence import calibrate, fitted, with_clear_topics
from twitter_topics.topic_models.training.languages import train_topics
from twitter_topics.topic_models.training.request import TrainingRequest
from twitter_topics.topic_models.training.trainers import GsdmmTrainer
from twitter_topics.topic_models.training.tweets import TrainingTweets

ONE_IN = 5
NOISE = 0.25
ANYTHING = [f"word{number}" for number in range(600)]


def request(**changes: Any) -> TrainingRequest:
    plain = TrainingRequest(
        version="20261102T000000Z-gsdmm", trainer="gsdmm", k=12, iterations=20, seed=1,
        start=datetime(2026, 11, 1, tzinfo=UTC), end=datetime(2026, 11, 2, tzinfo=UTC),
        max_documents=100_000, min_documents=1_000, min_confidence=0.8,
    )  # fmt: skip
    return replace(plain, **changes)


def window(count: int, seed: int, language: str = "en") -> TrainingTweets:
    """Return tweets about four themes; every fourth is about nothing: words at random."""
    documents, _ = planted_documents(count, seed=seed)
    draw = np.random.default_rng(seed)
    for number in range(0, count, round(1 / NOISE)):
        documents[number] = draw.choice(ANYTHING, 4).tolist()
    spoken = documents if language == "en" else in_language(documents, language)
    slices = draw.integers(0, 20, count)
    return TrainingTweets(as_lists(spoken), slices, [], pa.array([language] * count))


@pytest.fixture(scope="module")
def tweets() -> TrainingTweets:
    return window(5000, seed=31)


@pytest.fixture
def half_may_be_unclear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confidence, "MAX_UNCLEAR", 0.5)


@pytest.mark.usefixtures("half_may_be_unclear")
def test_a_tweet_about_nothing_has_no_clear_topic(tweets: TrainingTweets) -> None:
    trained, _ = train_topics(GsdmmTrainer(), tweets, ONE_IN, request(), None)
    model, found = with_clear_topics(trained.model, tweets, ONE_IN, request())
    assert list(found) == ["all"]
    found = found["all"]
    assert model.min_shares is not None
    assert set(model.min_shares.tolist()) == {found["min_share"]}
    assert found["tweets"] == pytest.approx(len(tweets.to_judge(ONE_IN)), rel=0.02)
    assert found["curve"][0][1] < 0.8 <= found["confidence"]
    about_a_theme = [" ".join(words[:4]) for words in THEMES.values()]
    assert NO_TOPIC not in Scorer(model).dominant(Scorer(model).score(about_a_theme).theta)
    assert Scorer(model).score_batch(["word1 word22 word103"]) == [[(NO_TOPIC, 1.0)]]
    unclear = sum(topics[0][0] == NO_TOPIC for topics in Scorer(model).score_batch(texts(window(1000, seed=8))))
    assert 0.8 * NOISE < unclear / 1000 < NOISE + 0.05


def texts(tweets: TrainingTweets) -> list[str]:
    return [" ".join(words) for words in tweets.words.to_pylist()]


def test_the_confidence_of_a_model_is_what_a_third_seed_confirms(tweets: TrainingTweets) -> None:
    trained, _ = train_topics(GsdmmTrainer(), tweets, ONE_IN, request(), None)
    words = tweets.to_train(ONE_IN), tweets.to_judge(ONE_IN)
    found, third = (calibrate(trained.model, *words, sweeps=20, seed=seed) for seed in (2, 3))
    assert found is not None
    assert third is not None
    assert found.agreement == pytest.approx(third.agreement, abs=0.05)
    assert np.mean(np.abs(found.of(third.shares) - third.chances)) < 0.05
    again = calibrate(trained.model, *words, sweeps=20, seed=2)
    assert again is not None
    assert again.as_dict() == found.as_dict()


@pytest.mark.usefixtures("half_may_be_unclear")
def test_each_language_is_calibrated_on_its_own(tweets: TrainingTweets) -> None:
    """German has fewer tweets, whose shares are smaller, and French too few to tell."""
    parts = [tweets, window(3000, seed=32, language="de"), window(1500, seed=33, language="fr")]
    together = TrainingTweets(
        pa.concat_arrays([one.words for one in parts]),
        np.concatenate([one.slices for one in parts]),
        [],
        pa.concat_arrays([one.languages for one in parts]),
    )
    asked = request(languages="auto")
    trained, _ = train_topics(GsdmmTrainer(), together, ONE_IN, asked, None)
    assert trained.model.languages == ("en", "de", "fr")
    model, found = with_clear_topics(trained.model, together, ONE_IN, asked)
    assert list(found) == ["en", "de"]
    for language, own in zip(found, parts, strict=False):
        assert found[language]["tweets"] == pytest.approx(len(own.to_judge(ONE_IN)), rel=0.05)
        assert 0.2 < found[language]["min_share"] < 0.8
        assert set(model.part(language).min_shares.tolist()) == {found[language]["min_share"]}  # type: ignore[union-attr]
    assert set(model.part("fr").min_shares.tolist()) == {0.0}  # type: ignore[union-attr]
    english = ["word1 word22 word103", "storm rain flood coast wind river thunder"]
    german = [" ".join(f"{word}de" for word in text.split()) for text in english]
    served = Scorer(model).score_batch([*english, *german], ["en", "en", "de", "de"])
    assert [topics[0][0] == NO_TOPIC for topics in served] == [True, False, True, False]


@pytest.mark.parametrize(
    ("changes", "size"), [({"min_confidence": 0.0}, 5000), ({"trainer": "spark-lda"}, 5000), ({}, 1500)]
)
def test_a_model_stays_as_it_is(tweets: TrainingTweets, changes: dict[str, Any], size: int) -> None:
    """Nobody asks for confidence, the trainer cannot start from given topics, or there are too few held-out tweets."""
    trained, _ = train_topics(GsdmmTrainer(), tweets, ONE_IN, request(), None)
    few = TrainingTweets(tweets.words[:size], tweets.slices[:size], [], tweets.languages[:size])
    assert with_clear_topics(trained.model, few, ONE_IN, request(**changes)) == (trained.model, {})


def test_the_confidence_is_the_share_of_tweets_that_agree() -> None:
    draw = np.random.default_rng(1)
    shares = draw.uniform(0.2, 1, 20_000)
    found = fitted(shares, draw.random(20_000) < shares**2)
    at = np.linspace(0.25, 0.95, 8)
    assert found.of(at) == pytest.approx(at**2, abs=0.06)
    assert found.of(np.array([0.0, 1.0])).tolist() == [found.chances[0], found.chances[-1]]
    assert found.min_share(0.1) == pytest.approx(0.316, abs=0.05)
    assert found.of(np.array([found.min_share(0.1)]))[0] >= 0.1
    assert found.min_share(0.01) == 0.0, "every tweet is clear enough"


def test_at_most_a_quarter_of_the_tweets_lose_their_topic(caplog: pytest.LogCaptureFixture) -> None:
    draw = np.random.default_rng(2)
    shares = draw.uniform(0.2, 1, 4_000)
    caplog.set_level(logging.WARNING)
    for agrees in (draw.random(4_000) < shares**2, np.zeros(4_000, dtype=bool)):
        caplog.clear()
        at = fitted(shares, agrees).min_share(0.9)
        assert np.mean(shares < at) == pytest.approx(0.25, abs=0.001)
        assert "the least clear quarter gets no topic" in caplog.text


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=200))
def test_the_confidence_never_falls_and_keeps_the_mean(tweets: list[tuple[float, bool]]) -> None:
    shares, agrees = np.array([share for share, _ in tweets]), np.array([agree for _, agree in tweets])
    found = fitted(shares, agrees)
    assert np.all(np.diff(found.chances) >= 0)
    assert 0 <= found.chances[0] <= found.chances[-1] <= 1
    assert np.all(np.diff(found.shares) >= 0)
    sizes = [len(part) for part in np.array_split(np.arange(len(shares)), 20) if len(part)]
    assert np.average(found.chances, weights=sizes) == pytest.approx(agrees.mean())
    for wanted in (0.3, 0.5, 0.9):
        assert np.mean(shares.astype(np.float32) < found.min_share(wanted)) <= 0.25
