from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from twitter_topics.records.processed import NO_TOPIC
from twitter_topics.testing.corpora import COMMON, as_lists, planted_documents
from twitter_topics.topic_models.registry.gate import Interval, Limits
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training import evaluation
from twitter_topics.topic_models.training import topic_quality as quality
from twitter_topics.topic_models.training.corpus import build_corpus, count_known
from twitter_topics.topic_models.training.evaluation import compare, measure
from twitter_topics.topic_models.training.paired import Paired
from twitter_topics.topic_models.training.trainers import GsdmmTrainer


@pytest.fixture(scope="module")
def unseen() -> list[list[str]]:
    return planted_documents(500, seed=99)[0]


def collapsed(model: TopicModel) -> TopicModel:
    """Make every topic the mixture of all."""
    overall = model.topics_matrix.mean(axis=0)
    return replace(model, topics_matrix=np.tile(overall, (model.k, 1)))


def test_good_topics_beat_no_topics_and_collapsed_topics_do_not(model: TopicModel, unseen: list[list[str]]) -> None:
    counts = count_known(as_lists(unseen), model.vocabulary)
    good = quality.completion_perplexity(Scorer(model), counts)
    unigram = quality.unigram_perplexity(model, counts)
    assert good < 0.6 * unigram
    # 60 theme words and 7 common ones: even a perfect model cannot be below the theme's own size
    assert 10 < good < 30
    assert quality.completion_perplexity(Scorer(collapsed(model)), counts) == pytest.approx(unigram, rel=0.05)


def test_perplexity_of_a_coin() -> None:
    words = ("heads", "tails")
    coin = TopicModel(
        words,
        np.array([[5e5, 5e5], [5e5, 5e5]]),
        np.full(2, 0.1),
        0.1,
        np.array([1, 1]),
        np.array([5, 5]),
        np.arange(2),
    )
    counts = count_known(as_lists([["heads", "tails"], ["heads", "heads"]] * 10), words)
    assert quality.completion_perplexity(Scorer(coin), counts) == pytest.approx(2.0)
    assert quality.unigram_perplexity(coin, counts) == pytest.approx(2.0)
    assert np.isnan(quality.completion_perplexity(Scorer(coin), count_known(as_lists([["heads"]]), words)))


def test_coherence_and_diversity_fall_when_topics_are_scrambled(model: TopicModel, unseen: list[list[str]]) -> None:
    counts = count_known(as_lists(unseen), model.vocabulary)
    columns = np.random.default_rng(1).permutation(len(model.vocabulary))
    scrambled = replace(model, topics_matrix=np.ascontiguousarray(model.topics_matrix[:, columns]))
    top_four = replace_topics(model, 4)
    assert quality.coherence(top_four, counts) > quality.coherence(replace_topics(scrambled, 4), counts) + 0.1
    assert quality.diversity(collapsed(model)) == pytest.approx(1 / model.k)
    assert quality.diversity(top_four) > 0.5


def replace_topics(model: TopicModel, count: int) -> TopicModel:
    return replace(
        model,
        topics_matrix=model.topics_matrix[:count],
        alpha=model.alpha[:count],
        documents=model.documents[:count],
        topic_ids=model.topic_ids[:count],
        labels=model.labels[:count],
    )


def test_coherence_of_known_pairs() -> None:
    words = ("a", "b", "c")
    documents = count_known(as_lists([["a", "b"], ["a", "b"], ["c"], ["c"]]), words)
    pair = TopicModel(
        words, np.array([[5.0, 4.0, 1e-9]]), np.ones(1), 0.1, np.array([1]), np.array([2, 2, 2]), np.arange(1)
    )
    # a and b always together: 1; c never with either: -1 each
    assert quality.coherence(pair, documents) == pytest.approx((1 - 1 - 1) / 3)


def test_coherence_is_measured_on_enough_held_out_tweets_only(
    model: TopicModel, unseen: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = as_lists(unseen)
    assert measure(Scorer(model), words).coherence is None
    monkeypatch.setattr(evaluation, "MIN_REFERENCE", len(unseen))
    held_out = count_known(words, model.vocabulary)
    assert measure(Scorer(model), words).coherence == quality.coherence(model, held_out)


def test_share_kept_counts_only_documents_with_two_topics() -> None:
    first, second = np.array([1, 2, NO_TOPIC, 4]), np.array([1, 3, 3, NO_TOPIC])
    assert quality.share_kept(first, second, NO_TOPIC) == 0.5
    assert quality.share_kept(np.array([NO_TOPIC]), np.array([1]), NO_TOPIC) == 0.0


def test_a_model_compared_with_itself(model: TopicModel, unseen: list[list[str]]) -> None:
    words = as_lists(unseen)
    comparison = compare(Scorer(model), Scorer(model), words)
    assert comparison.challenger_perplexity == comparison.champion_perplexity
    assert comparison.share_kept == 1.0
    assert comparison.common_words_share == 1.0
    assert comparison.champion == measure(Scorer(model), words)
    assert comparison.ratio == Interval(1.0, 1.0)


def test_tweets_that_the_champion_is_sure_about_are_counted_on_their_own(
    model: TopicModel, unseen: list[list[str]]
) -> None:
    """The challenger has lost the ids of all tweets that only say what every topic says."""
    sure, unsure = [words for words in unseen if len(set(words) & set(COMMON)) <= 1], [["love", "good"]] * 50
    counts = count_known(as_lists([*sure, *unsure]), model.vocabulary)
    confidence = quality.confidence(model, counts)
    assert confidence[: len(sure)].min() >= 0.95
    assert 1 / model.k < confidence[len(sure) :].max() < 0.95
    lost = int(Scorer(model).dominant(Scorer(model).theta(counts.indptr, counts.indices, counts.data))[-1])
    renamed = replace(model, topic_ids=np.where(model.topic_ids == lost, 77, model.topic_ids))
    theme = [words for words, topic in zip(sure, _served(model, sure), strict=True) if topic != lost]
    comparison = compare(Scorer(renamed), Scorer(model), as_lists([*theme, *unsure]))
    assert comparison.share_kept == pytest.approx(len(theme) / (len(theme) + 50))
    assert comparison.share_kept_confident == 1.0
    assert compare(Scorer(model), Scorer(model), as_lists(unsure)).share_kept_confident is None


def test_topics_are_compared_before_unclear_ones_are_left_out(model: TopicModel, unseen: list[list[str]]) -> None:
    words = as_lists([*unseen, ["unheard", "words"]])
    careful = replace(model, min_shares=np.full(model.k, 0.8))
    before, after = measure(Scorer(model), words), measure(Scorer(careful), words)
    assert before.without_topic == pytest.approx(1 / (len(unseen) + 1))
    shares = Scorer(model).score([" ".join(one) for one in unseen]).theta.max(axis=1)
    assert after.without_topic == pytest.approx((np.sum(shares < np.float32(0.8)) + 1) / (len(unseen) + 1))
    assert after.without_topic is not None
    assert 0.1 < after.without_topic < 0.9
    assert replace(after, without_topic=before.without_topic) == before
    assert compare(Scorer(careful), Scorer(model), words).share_kept == 1.0
    assert compare(Scorer(careful), Scorer(model), words).champion.without_topic == before.without_topic


def _served(model: TopicModel, documents: list[list[str]]) -> list[int]:
    counts = count_known(as_lists(documents), model.vocabulary)
    found: list[int] = Scorer(model).dominant(Scorer(model).theta(counts.indptr, counts.indices, counts.data)).tolist()
    return found


def test_comparison_is_on_common_words_only(model: TopicModel, unseen: list[list[str]]) -> None:
    """A champion with half the vocabulary does not win because it has fewer words to choose from."""
    half = len(model.vocabulary) // 2
    smaller = replace(
        model,
        vocabulary=model.vocabulary[:half],
        topics_matrix=np.ascontiguousarray(model.topics_matrix[:, :half]),
        word_counts=model.word_counts[:half],
    )
    words = as_lists(unseen)
    comparison = compare(Scorer(model), Scorer(smaller), words)
    assert comparison.challenger_perplexity == pytest.approx(comparison.champion_perplexity, rel=1e-6)
    assert measure(Scorer(model), words).perplexity > 1.2 * comparison.challenger_perplexity
    assert comparison.common_words_share > 0.9, "it knows the frequent words, as a model of few tweets does"


def test_comparison_with_a_model_of_other_words(model: TopicModel, unseen: list[list[str]]) -> None:
    stranger = replace(model, vocabulary=tuple(f"x{word}" for word in model.vocabulary))
    comparison = compare(Scorer(model), Scorer(stranger), as_lists(unseen))
    assert comparison.common_words_share == 0.0
    assert comparison.champion.coverage == 0.0
    assert comparison.champion_perplexity == 0.0
    assert comparison.ratio is None


def test_tweets_in_another_language_are_words_that_the_champion_does_not_know(
    planted: tuple[list[list[str]], np.ndarray], model: TopicModel
) -> None:
    documents, limit = planted[0], Limits().min_common_words
    for foreign, comparable in ((900, True), (1800, False)):
        flood = [[f"x{word}" for word in words] for words in documents[:foreign]]
        window = as_lists(documents[foreign:] + flood)
        challenger = GsdmmTrainer().fit(build_corpus(window), k=8, iterations=10, seed=1).model
        comparison = compare(Scorer(challenger), Scorer(model), window)
        assert (comparison.common_words_share > limit) is comparable


def test_the_interval_of_the_ratio_covers_it_and_shrinks_with_more_tweets(model: TopicModel) -> None:
    documents = planted_documents(4000, seed=98)[0]
    undecided = Scorer(replace(model, alpha=model.alpha * 20))
    few, many = (compare(undecided, Scorer(model), as_lists(documents[:size])) for size in (200, 3200))
    widths = []
    for comparison in (few, many):
        assert comparison.ratio is not None
        ratio = comparison.challenger_perplexity / comparison.champion_perplexity
        assert comparison.ratio.low < ratio < comparison.ratio.high
        widths.append(comparison.ratio.high - comparison.ratio.low)
    assert 2.5 < widths[0] / widths[1] < 6.5  # four times narrower with sixteen times as many


def test_the_interval_covers_the_truth_in_nineteen_of_twenty_draws() -> None:
    draw = np.random.default_rng(1)
    truth, hits = 0.1, 0
    for _ in range(200):
        words = draw.integers(1, 6, 150).astype(float)
        hard = draw.normal(0, 3, 150) * words  # what both find hard cancels out
        lost = draw.normal(truth, 0.5, 150) * words
        interval = Paired(words, hard - lost, hard).ratio_interval()
        assert interval is not None
        hits += interval.low < np.exp(truth) < interval.high
    assert 180 <= hits <= 198


def test_too_few_tweets_have_no_interval() -> None:
    words = np.ones(29)
    assert Paired(words, -words, -words).ratio_interval() is None


def test_quality_measures_do_not_change_their_input(model: TopicModel, unseen: list[list[str]]) -> None:
    counts = count_known(as_lists(unseen), model.vocabulary)
    before = counts.copy()
    quality.completion_perplexity(Scorer(model), counts)
    compare(Scorer(model), Scorer(model), as_lists(unseen))
    assert (counts != before).nnz == 0
    assert build_corpus(as_lists(unseen)).documents > 0
