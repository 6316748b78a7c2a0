"""A model in which each language has topics of its own."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import digamma

from twitter_topics.errors import IntegrityError
from twitter_topics.records.processed import NO_TOPIC
from twitter_topics.testing.models import model_of_languages, planted_model
from twitter_topics.topic_models.scoring import memo
from twitter_topics.topic_models.scoring.inference import infer
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.start_vector import spark_start_vector
from twitter_topics.topic_models.scoring.topic_model import TopicModel

ENGLISH = planted_model(("storm", "flood", "sol", "goal", "match", "team"), ("weather", "football"), (7, 3))
SPANISH = planted_model(("lluvia", "sol", "viento", "gol", "team", "die"), ("tiempo", "futbol"), (1, 9))
GERMAN = planted_model(("regen", "sturm", "flut", "tor", "spiel", "mannschaft"), ("wetter", "sport"), (4, 5))


@pytest.fixture(scope="module")
def model() -> TopicModel:
    return model_of_languages({"en": ENGLISH, "es": SPANISH, "de": GERMAN})


def slow_gamma(model: TopicModel, words: list[int]) -> np.ndarray:
    """Spark's algorithm over all topics, without any shortcut."""
    matrix = model.topics_matrix.T
    weights = np.exp(digamma(matrix) - digamma(matrix.sum(axis=0)))[words]
    gamma, change = spark_start_vector(model.k), 1.0
    while change > 1e-3:
        theta = np.exp(digamma(gamma))
        last = gamma
        gamma = theta * (weights.T @ (1 / (weights @ theta + 1e-100))) + model.alpha
        change = np.abs(gamma - last).mean()
    return gamma


def test_arrays_survive_a_round_trip_in_a_format_of_their_own(model: TopicModel) -> None:
    back = TopicModel.from_bytes(model.to_bytes())
    assert back.topic_languages == model.topic_languages == ("en", "en", "es", "es", "de", "de")
    assert back.vocabulary == model.vocabulary
    assert np.array_equal(back.topics_matrix, model.topics_matrix)
    formats = [int(np.load(io.BytesIO(one.to_bytes()))["format"]) for one in (model, ENGLISH)]
    assert formats == [3, 2], "an earlier version can still read a model for all languages"


@pytest.mark.parametrize(
    "languages",
    [
        ("en", "es", "en", "es", "de", "de"),
        ("en", "en", "es", "es"),
        ("en", "en", "es", "es", "xx", "xx"),
        ("e'", "e'", "es", "es", "de", "de"),
    ],
    ids=["scattered", "too few", "words of another language", "no code"],
)
def test_languages_that_do_not_fit_are_rejected(model: TopicModel, languages: tuple[str, ...]) -> None:
    with pytest.raises(IntegrityError, match="topic_languages"):
        TopicModel.from_bytes(replace(model, topic_languages=languages).to_bytes())


def test_a_part_is_the_model_of_its_language(model: TopicModel) -> None:
    part = model.part("es")
    assert (part.vocabulary, part.labels, part.languages) == (SPANISH.vocabulary, SPANISH.labels, ())
    for name in ("topics_matrix", "alpha", "documents", "word_counts", "topic_ids"):
        assert np.array_equal(getattr(part, name), getattr(SPANISH, name)), name
    assert SPANISH.part("es") is SPANISH, "one set of topics is that of every language"


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("storm goal regen", "en", {"en": 2}),
        ("storm goal regen", "de", {"de": 1}),
        ("storm goal regen", "fr", {}),
        ("storm goal regen", "EN", {}),
        ("storm goal regen", "", {}),
        ("storm goal regen", "und", {"en": 2, "de": 1}),
        ("storm goal regen", None, {"en": 2, "de": 1}),
        ("sol team", "und", {"en": 2, "es": 2}),
        ("sol team", "es", {"es": 2}),
        ("die", "es", {"es": 1}),
    ],
)
def test_a_text_is_read_in_its_language(model: TopicModel, text: str, language: str, found: dict[str, int]) -> None:
    scorer = Scorer.load(model.to_bytes())
    scores = scorer.score([text], [language])
    assert scores.known_words.tolist() == [sum(found.values())]
    assert scores.theta[0].sum() == pytest.approx(1.0 if found else 0.0)
    assert {code for code, share in zip(model.topic_languages, scores.theta[0], strict=True) if share} == set(found)
    topics = scorer.topics(scores.theta[0])
    assert {topic_id for topic_id, _ in topics} <= ({*model.topic_ids.tolist()} if found else {NO_TOPIC})


def test_a_stop_word_of_one_language_is_a_word_of_another() -> None:
    german = planted_model(("die", "regen", "flut", "tor", "spiel", "mannschaft"), ("wetter", "sport"), (4, 5))
    scorer = Scorer(model_of_languages({"es": SPANISH, "de": german}))
    assert scorer.score(["die"] * 3, ["es", "de", "und"]).known_words.tolist() == [1, 0, 1]


def blurred(words: int, topics: int, seed: int) -> TopicModel:
    draw = np.random.default_rng(seed)
    ones = np.ones(topics, dtype=np.int64)
    vocabulary = tuple(f"w{number}" for number in range(words))
    matrix = draw.dirichlet(np.full(words, 5.0), topics) * 1e6 + 1e-3
    counts = np.ones(words, dtype=np.int64)
    return TopicModel(vocabulary, matrix, draw.random(topics) * 0.02 + 0.01, 0.1, ones, counts, np.arange(topics))


@pytest.mark.parametrize("others", [4, 400])
def test_inference_equals_the_algorithm_over_all_topics(others: int) -> None:
    """Many topics of other languages make Spark stop early: its limit is on the mean change of all topics."""
    parts = {"en": blurred(40, 5, 1), "es": blurred(40, others, 2), "de": blurred(40, 3, 3)}
    model = model_of_languages({language: parts[language] for language in ("en", "es", "de")})
    scorer, draw = Scorer(model), np.random.default_rng(4)
    gamma = np.empty((1, model.k))
    for number in range(200):
        spoken = [number % 3] if number % 4 else [0, 2]
        words = draw.choice(np.flatnonzero(np.isin(model.language_of_word, spoken)), draw.integers(1, 12)).tolist()
        starts, indices, counts = np.array([0, len(words)]), np.array(words, dtype=np.int32), np.ones(len(words))
        found = scorer.theta(starts, indices, counts)[0]
        infer(
            starts, indices, counts, scorer._word_weights, scorer._first_topic, scorer._end_topic, model.alpha,
            scorer._start, gamma,
        )  # fmt: skip
        expected = slow_gamma(model, words)
        np.testing.assert_allclose(gamma[0], expected, rtol=1e-7)
        own = {model.vocabulary[word].split(":")[0] for word in words}
        expected[[code not in own for code in model.topic_languages]] = 0.0
        np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-9)


def test_words_of_one_language_leave_the_other_topics_alone(model: TopicModel) -> None:
    with_german, without = Scorer(model), Scorer(model_of_languages({"en": ENGLISH, "es": SPANISH}))
    texts = ["storm flood goal", "team match", "storm goal"]
    np.testing.assert_allclose(
        with_german.score(texts, ["en"] * 3).theta[:, :2], without.score(texts, ["en"] * 3).theta[:, :2], atol=2e-3
    )


def test_a_memo_that_forgets_changes_nothing(model: TopicModel, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["storm, flood!", "sol sol die", "die flut", "team match", "lluvia/viento sol."] * 3
    languages = ["en", "es", "de", "und", "fr", "und", "en"] * 2 + ["es"]
    expected = Scorer(model).score_batch(texts, languages)
    monkeypatch.setattr(memo, "LIMIT", 2)
    assert Scorer(model).score_batch(texts, languages) == expected
    assert {topic for (topic, _), *_ in expected} > {NO_TOPIC}
