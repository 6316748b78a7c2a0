"""Evaluation of models in which each language has its own topics, and the gate's verdict about them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pyarrow as pa
import pytest

from twitter_topics.testing.corpora import as_lists, in_language, planted_documents
from twitter_topics.topic_models.registry.files import evaluated
from twitter_topics.topic_models.registry.gate import Comparison, Interval, LanguageComparison, Metrics, judge
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training import evaluation
from twitter_topics.topic_models.training import topic_quality as quality
from twitter_topics.topic_models.training.alignment import Predecessor
from twitter_topics.topic_models.training.corpus import build_corpus, count_known, spoken
from twitter_topics.topic_models.training.evaluation import compare, measure
from twitter_topics.topic_models.training.languages import joined
from twitter_topics.topic_models.training.trainers import GsdmmTrainer

SIZES = {"en": 2000, "ja": 1400}


def documents(language: str, count: int, seed: int) -> list[list[str]]:
    made = planted_documents(count, seed=seed)[0]
    return made if language == "en" else in_language(made, language)


def trained(languages: tuple[str, ...], seed: int = 1, *, iterations: int = 15) -> TopicModel:
    corpora = {one: build_corpus(as_lists(documents(one, SIZES[one], seed))) for one in languages}
    fit = GsdmmTrainer().fit
    return joined({one: fit(corpus, k=8, iterations=iterations, seed=seed) for one, corpus in corpora.items()}).model


@pytest.fixture(scope="module")
def model() -> TopicModel:
    made = trained(("en", "ja"))
    return replace(made, topic_ids=np.arange(made.k))


@pytest.fixture(scope="module")
def one_set() -> TopicModel:
    words = as_lists([words for language, size in SIZES.items() for words in documents(language, size, 3)])
    return GsdmmTrainer().fit(build_corpus(words), k=12, iterations=15, seed=1).model


def judged(languages: dict[str, int], seed: int = 7) -> tuple[pa.ListArray, pa.Array]:
    words = as_lists([words for language, size in languages.items() for words in documents(language, size, seed)])
    return words, pa.array([language for language, size in languages.items() for _ in range(size)])


def test_only_tweets_of_the_models_languages_are_measured(model: TopicModel) -> None:
    words, languages = judged({"en": 400, "und": 300, "ja": 200, "de": 100})
    metrics = measure(Scorer(model), words, languages)
    assert metrics.held_out == 600
    assert metrics.coverage > 0.99
    assert [(one.language, one.held_out) for one in metrics.languages] == [("en", 400), ("ja", 200)]
    assert sum(one.topics for one in metrics.languages) == model.k
    assert sum(one.documents for one in metrics.languages) == metrics.documents
    alone = measure(Scorer(model.part("ja")), words.filter(pa.compute.equal(languages, "ja")))
    ja = metrics.languages[1]
    same = ("perplexity", "unigram_perplexity", "coherence", "diversity", "coverage", "without_topic")
    assert [getattr(ja, name) for name in same] == [getattr(alone, name) for name in same]
    assert ja.perplexity < 0.6 * ja.unigram_perplexity
    assert min(one.perplexity for one in metrics.languages) < metrics.perplexity
    assert metrics.perplexity < max(one.perplexity for one in metrics.languages)


def test_the_baseline_knows_the_language_too(model: TopicModel) -> None:
    """Topics that say nothing but the language are no better than the word frequencies of each language."""
    parts = {}
    for language in model.languages:
        part = model.part(language)
        overall = part.word_counts / part.word_counts.sum() * 1e6 + 1e-3
        parts[language] = replace(part, topics_matrix=np.tile(overall, (part.k, 1)))
    matrix = model.topics_matrix.copy()
    for number, part in enumerate(parts.values()):
        here = np.ix_(model.language_of_topic == number, model.language_of_word == number)
        matrix[here] = part.topics_matrix
    metrics = measure(Scorer(replace(model, topics_matrix=matrix)), *judged({"en": 500, "ja": 500}))
    assert metrics.perplexity == pytest.approx(metrics.unigram_perplexity, rel=0.01)
    assert not judge(replace(metrics, perplexity=metrics.unigram_perplexity), None).promote


def test_coherence_is_that_within_each_language(model: TopicModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "MIN_REFERENCE", 300)
    words, languages = judged({"en": 400, "ja": 200})
    en = count_known(words.filter(pa.compute.equal(languages, "en")), model.part("en").vocabulary)
    assert measure(Scorer(model), words, languages).coherence == quality.coherence(model.part("en"), en)
    monkeypatch.setattr(evaluation, "MIN_REFERENCE", 500)
    assert measure(Scorer(model), words, languages).coherence is None


def test_a_model_compared_with_itself(model: TopicModel) -> None:
    words, languages = judged({"en": 400, "ja": 200, "und": 100})
    comparison = compare(Scorer(model), Scorer(model), words, languages=languages)
    assert (comparison.share_kept, comparison.common_words_share) == (1.0, 1.0)
    assert comparison.ratio == Interval(1.0, 1.0)
    assert comparison.languages == tuple(LanguageComparison(one, Interval(1.0, 1.0)) for one in ("en", "ja"))
    assert comparison.champion == measure(Scorer(model), words, languages)


@pytest.mark.parametrize("upgrade", [True, False], ids=["to topics per language", "back to one set"])
def test_one_set_of_topics_and_topics_per_language_are_compared_within_each_language(
    model: TopicModel, one_set: TopicModel, *, upgrade: bool
) -> None:
    challenger, champion = (model, one_set) if upgrade else (one_set, model)
    words, languages = judged({"en": 400, "ja": 300})
    comparison = compare(Scorer(challenger), Scorer(champion), words, languages=languages)
    assert comparison.common_words_share > 0.95
    assert comparison.ratio is not None
    assert 0.8 < comparison.ratio.low < comparison.ratio.high < 1.2
    assert [one.language for one in comparison.languages] == ["en", "ja"]
    assert comparison.champion == measure(Scorer(champion), words, languages)
    verdict = judge(measure(Scorer(challenger), words, languages), comparison)
    assert verdict.state in ("promote", "cannot_tell"), verdict.reasons


def test_a_champion_for_all_languages_is_replaced_by_the_topics_of_its_only_language() -> None:
    fit = GsdmmTrainer().fit
    champion = fit(build_corpus(as_lists(documents("en", 2400, 5))), k=8, iterations=15, seed=1)
    corpus = build_corpus(as_lists(documents("en", 2000, 6)))
    predecessor = Predecessor(champion.model, champion.identities.next_topic_id)
    challenger = joined({"en": fit(corpus, k=8, iterations=15, seed=2, champion=predecessor)})
    words, languages = judged({"en": 2500})
    comparison = compare(Scorer(challenger.model), Scorer(champion.model), words, languages=languages)
    assert comparison.common_words_share == 1.0
    assert comparison.share_kept > 0.9
    verdict = judge(measure(Scorer(challenger.model), words, languages), comparison)
    assert verdict.state == "promote", verdict.reasons
    assert "only one of the two has topics per language" in verdict.reasons[-1]


def test_a_new_language_does_not_make_the_others_incomparable(model: TopicModel) -> None:
    words, languages = judged({"en": 300, "ja": 900})
    english = joined_part(model, "en")
    comparison = compare(Scorer(model), Scorer(english), words, languages=languages)
    assert comparison.common_words_share == 1.0
    assert [one.language for one in comparison.languages] == ["en"]
    assert judge(measure(Scorer(model), words, languages), comparison).promote
    unknown = (
        pa.concat_arrays([words, as_lists([["unknown"]] * 200)]),
        pa.concat_arrays([languages, pa.array(["ja"] * 200)]),
    )
    metrics = measure(Scorer(model), *unknown)
    assert metrics.coverage < 0.9
    verdict = judge(metrics, compare(Scorer(model), Scorer(english), unknown[0], languages=unknown[1]))
    assert verdict.promote, verdict.reasons
    stranger = compare(Scorer(joined_part(model, "ja")), Scorer(english), words, languages=languages)
    assert (stranger.common_words_share, stranger.ratio, stranger.share_kept) == (0.0, None, 0.0)


def test_words_that_the_champion_lacks_are_counted_in_all_languages(model: TopicModel) -> None:
    words, languages = judged({"en": 300, "ja": 300})
    half = tuple(word + "x" * (number % 2) for number, word in enumerate(model.vocabulary))
    champion = Scorer(replace(model, vocabulary=half))
    comparison = compare(Scorer(model), champion, words, languages=languages)
    known = count_known(spoken(words, languages), model.vocabulary)
    share = known[:, ::2].sum() / known.sum()
    assert 0.2 < share < 0.8
    assert comparison.common_words_share == pytest.approx(share)


def joined_part(model: TopicModel, language: str) -> TopicModel:
    part = model.part(language)
    vocabulary = tuple(f"{language}:{word}" for word in part.vocabulary)
    return replace(part, vocabulary=vocabulary, topic_languages=(language,) * part.k)


def test_one_language_that_is_certainly_worse_is_not_hidden_by_the_others(model: TopicModel) -> None:
    matrix = model.topics_matrix.copy()
    ja = np.ix_(model.language_of_topic == 1, model.language_of_word == 1)
    matrix[ja] = matrix[ja].mean(axis=0)
    words, languages = judged({"en": 4000, "ja": 100})
    challenger = Scorer(replace(model, topics_matrix=matrix))
    comparison = compare(challenger, Scorer(model), words, languages=languages)
    assert comparison.ratio is not None
    assert comparison.ratio.high < 1.05
    verdict = judge(measure(challenger, words, languages), comparison)
    assert verdict.state == "refuse"
    assert any(reason.startswith("perplexity in ja is certainly more than 5%") for reason in verdict.reasons)


def test_a_lost_language_is_a_reason_to_refuse(model: TopicModel) -> None:
    words, languages = judged({"en": 400, "ja": 200})
    comparison = compare(Scorer(model), Scorer(model), words, languages=languages)
    metrics = measure(Scorer(model), words, languages)
    assert judge(metrics, comparison).promote
    verdict = judge(metrics, replace(comparison, lost=("ja",)))
    assert verdict.state == "refuse"
    assert verdict.reasons[0].startswith("has no topics in ja any more")


def test_evaluations_are_read_again_old_ones_too(model: TopicModel) -> None:
    words, languages = judged({"en": 400, "ja": 20})
    metrics = measure(Scorer(model), words, languages)
    comparison = compare(Scorer(model), Scorer(model), words, languages=languages)
    comparison = replace(comparison, lost=("de",), asked=(50, 20))
    assert comparison.languages[1] == LanguageComparison("ja", None)
    stored = json.loads(json.dumps({"metrics": asdict(metrics), "comparison": asdict(comparison)}))
    assert evaluated(stored) == (metrics, comparison)
    for part in (stored["metrics"], stored["comparison"]["champion"]):
        for one in part["languages"]:
            del one["coherence"], one["diversity"], one["coverage"], one["without_topic"]
    assert evaluated(stored)[0].languages[1].coverage is None
    for part in (stored["metrics"], stored["comparison"]["champion"], stored["comparison"]):
        del part["languages"]
    del stored["comparison"]["lost"], stored["comparison"]["asked"]
    older: tuple[Metrics, Comparison | None] = evaluated(stored)
    assert older[0] == replace(metrics, languages=())
    assert older[1] == replace(comparison, languages=(), lost=(), asked=None, champion=older[0])
