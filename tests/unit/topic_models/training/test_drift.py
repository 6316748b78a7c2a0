"""What a day's tweets say about a champion: nothing while chance explains them, much when there is a new theme."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.spatial.distance import jensenshannon

from twitter_topics.testing.corpora import THEMES, as_lists, planted_documents
from twitter_topics.testing.models import model_of_languages, planted_model
from twitter_topics.topic_models.registry.metrics import Metric
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.training.corpus import build_corpus
from twitter_topics.topic_models.training.drift import Reference, day_metrics, divergence, drift
from twitter_topics.topic_models.training.metrics import serve
from twitter_topics.topic_models.training.trainers import GsdmmTrainer
from twitter_topics.topic_models.training.tweets import TrainingTweets

OLD = ["storm", "football", "kitchen"]
VERSION = "20261101T000000Z-gsdmm"


def tweets(documents: list[list[str]], languages: list[str] | None = None) -> TrainingTweets:
    count = len(documents)
    return TrainingTweets(as_lists(documents), np.zeros(count, dtype=int), [], pa.array(languages or ["en"] * count))


def measured(scorer: Scorer, day: TrainingTweets, before: Reference) -> dict[tuple[str, str], Metric]:
    found = list(day_metrics(VERSION, scorer, day, before, 1.5))
    assert {(one.version, one.role) for one in found} == {(VERSION, "champion")}
    by_name = {(one.language, one.metric): one for one in found}
    assert len(by_name) == len(found)
    return by_name


@pytest.fixture(scope="module")
def champion() -> tuple[Scorer, Reference]:
    """Topics of three themes, and what other tweets about them look like."""
    corpus = build_corpus(as_lists(planted_documents(3000, seed=1, themes=OLD)[0]))
    scorer = Scorer(GsdmmTrainer().fit(corpus, k=6, iterations=15, seed=1).model)
    held_out = tweets(planted_documents(1000, seed=2, themes=OLD)[0])
    return scorer, Reference(serve(scorer, held_out.words, held_out.languages).documents, {"all": 1.0})


def test_the_divergence_is_that_of_scipy() -> None:
    draw = np.random.default_rng(1)
    for _ in range(20):
        first, second = draw.poisson(2.0, (2, 50))
        expected = jensenshannon(first / first.sum(), second / second.sum(), base=2) ** 2
        assert divergence(first, second) == pytest.approx(expected, abs=1e-12)
    same, other = np.array([3, 1, 0, 0]), np.array([0, 0, 5, 2])
    assert divergence(same, 7 * same) == pytest.approx(0, abs=1e-12)
    assert divergence(same, other) == pytest.approx(1)


def test_a_day_is_scored_once(champion: tuple[Scorer, Reference], monkeypatch: pytest.MonkeyPatch) -> None:
    scorer, before = champion
    scored, dominant = [], Scorer.dominant
    monkeypatch.setattr(Scorer, "dominant", lambda self, theta: (scored.append(len(theta)), dominant(self, theta))[1])
    measured(scorer, tweets(planted_documents(200, seed=3, themes=OLD)[0]), before)
    assert scored == [200]


@pytest.mark.parametrize("size", [2_000, 20_000, 200_000])
def test_two_samples_of_one_source_do_not_drift_whatever_their_size(size: int) -> None:
    draw = np.random.default_rng(size)
    source = draw.dirichlet(np.full(5_000, 0.3))
    first, second = draw.multinomial(size, source), draw.multinomial(300_000, source)
    assert drift(first, second) < 0.015
    assert size > 2_000 or divergence(first, second) > 0.2, "which a limit would take for a new theme"
    moved = draw.multinomial(size, 0.8 * source + 0.2 * np.roll(source, 2_500))
    assert drift(moved, second) > 0.04
    assert drift(moved, second) == drift(moved, second), "the same counts give the same number"


def test_a_day_like_the_training_has_not_drifted(champion: tuple[Scorer, Reference]) -> None:
    day = measured(champion[0], tweets(planted_documents(1000, seed=3, themes=OLD)[0]), champion[1])
    assert (day["all", "tweets"].value, day["all", "age_days"].value) == (1000, 1.5)
    assert day["all", "word_drift"].value < 0.005
    assert day["all", "topic_drift"].value < 0.005
    assert day["all", "known_words"].value > 0.99
    assert day["all", "share_without_topic"].value < 0.01
    ratio = day["all", "perplexity_to_unigram"]
    assert ratio.low is not None
    assert ratio.high is not None
    assert 0.3 < ratio.low < ratio.value < ratio.high < 0.9


def test_a_new_theme_shows_in_every_number(champion: tuple[Scorer, Reference]) -> None:
    before = measured(champion[0], tweets(planted_documents(1000, seed=3, themes=OLD)[0]), champion[1])
    fresh = [
        words for words in planted_documents(3000, seed=4, themes=["space"])[0] if set(words) & set(THEMES["space"])
    ]
    mixed = planted_documents(700, seed=5, themes=OLD[:1])[0] + fresh[:300]
    after = measured(champion[0], tweets(mixed), champion[1])
    assert after["all", "word_drift"].value > 0.1
    assert after["all", "topic_drift"].value > 0.1
    assert after["all", "known_words"].value < before["all", "known_words"].value - 0.2
    assert after["all", "share_of_largest_topic"].value > before["all", "share_of_largest_topic"].value


def test_languages_are_measured_apart_and_others_only_lack_a_topic() -> None:
    english = planted_model(("storm", "flood", "rain", "goal", "match", "coach"), ("weather", "sport"))
    german = planted_model(("sturm", "flut", "regen", "tor", "spiel", "trainer"), ("wetter", "sport"), (2, 3))
    scorer = Scorer(model_of_languages({"en": english, "de": german}))
    in_english, in_german = ["storm", "flood", "mud"] * 2, ["tor", "spiel"] * 2
    day = tweets([in_english] * 60 + [in_german] * 40 + [["chuva"]] * 100, ["en"] * 60 + ["de"] * 40 + ["pt"] * 100)
    found = measured(scorer, day, Reference(np.array([60, 0, 0, 40]), {}))
    assert found["all", "share_without_topic"].value == 0.5
    assert found["en", "share_without_topic"].value == found["de", "share_without_topic"].value == 0
    assert found["en", "known_words"].value == pytest.approx(2 / 3)
    assert found["all", "known_words"].value == pytest.approx((60 * 4 + 40 * 4) / (60 * 6 + 40 * 4))
    assert (found["en", "word_drift"].documents, found["de", "word_drift"].documents) == (60, 40)
    assert found["all", "topic_drift"].value == 0
    assert {language for language, _ in found} == {"all", "en", "de"}


def test_a_tweet_of_unknown_language_is_read_in_all_of_them_as_the_scorer_does() -> None:
    english = planted_model(("storm", "flood", "rain", "goal", "match", "coach"), ("weather", "sport"))
    german = planted_model(("sturm", "flut", "regen", "tor", "spiel", "trainer"), ("wetter", "sport"), (2, 3))
    documents = [["storm", "flood"], ["sturm", "regen"], ["rain"], ["nothing"]]
    scorer = Scorer(model_of_languages({"en": english, "de": german}))
    languages = ["und", "und", "pt", "und"]
    served = serve(scorer, as_lists(documents), pa.array(languages))
    found: list[Any] = served.topics.tolist()
    scores = scorer.score([" ".join(words) for words in documents], languages)
    assert found == scorer.dominant(scores.theta).tolist() == [0, 2, -1, -1]
    assert np.asarray(served.counts.sum(axis=1)).ravel().tolist() == scores.known_words.tolist()


@pytest.mark.parametrize(("spellings", "least", "without_reference"), [(20, 0.04, 0.04), (10_000, 0.02, 0.0)])
def test_a_subject_whose_words_are_new_shows(
    champion: tuple[Scorer, Reference], spellings: int, least: float, without_reference: float
) -> None:
    """Those that training would have known are compared one by one, the rest together if its share was measured."""
    scorer, before = champion
    unheard = [[f"new{(number * 3 + place) % spellings}" for place in range(3)] + ["love"] for number in range(200)]
    day = tweets([*planted_documents(800, seed=3, themes=OLD)[0], *unheard])
    assert measured(scorer, day, before)["all", "word_drift"].value > least
    found = measured(scorer, day, Reference(before.topic_documents, {}))["all", "word_drift"].value
    assert without_reference <= found < without_reference + 0.03


def test_a_word_that_most_tweets_have_is_not_new(champion: tuple[Scorer, Reference]) -> None:
    """Training leaves a word out of the vocabulary that does not tell tweets apart."""
    documents = [[*words, "everywhere"] for words in planted_documents(1000, seed=3, themes=OLD)[0]]
    assert (
        measured(champion[0], tweets(documents), Reference(champion[1].topic_documents, {}))["all", "word_drift"].value
        < 0.005
    )


def test_a_day_without_a_known_word_has_nothing_in_common(champion: tuple[Scorer, Reference]) -> None:
    found = measured(champion[0], tweets([["unheard", "of"]] * 50), champion[1])
    assert found["all", "share_without_topic"].value == 1
    assert found["all", "word_divergence"].value == pytest.approx(1)
    assert not {"topic_drift", "perplexity_to_unigram"} & {metric for _, metric in found}
