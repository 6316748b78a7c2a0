"""Ids and labels of topics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from twitter_topics.testing.corpora import THEMES, as_lists, planted_documents
from twitter_topics.testing.models import model_of_languages
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training import alignment
from twitter_topics.topic_models.training.alignment import Predecessor, align, first_identities
from twitter_topics.topic_models.training.corpus import build_corpus
from twitter_topics.topic_models.training.labels import top_words, topic_labels
from twitter_topics.topic_models.training.trainers import GsdmmTrainer
from twitter_topics.topic_models.training.tweets import TrainingTweets


def shuffled(model: TopicModel, order: np.ndarray) -> TopicModel:
    return replace(
        model, topics_matrix=model.topics_matrix[order], alpha=model.alpha[order], documents=model.documents[order]
    )


def small_model(words: list[str], shares: list[list[float]], documents: list[int]) -> TopicModel:
    matrix = np.array(shares) * 1e6
    weights = np.array(documents) / sum(documents)
    counts = np.maximum((weights @ np.array(shares)) * 1000, 1).astype(np.int64)
    ids = np.arange(len(documents), dtype=np.int64)
    return TopicModel(tuple(words), matrix, np.full(len(ids), 0.1), 0.1, np.array(documents), counts, ids)


def test_first_model_counts_from_zero(model: TopicModel) -> None:
    identities = first_identities(model)
    assert identities.topic_ids.tolist() == list(range(model.k))
    assert identities.next_topic_id == model.k
    assert not any(identities.kept)


def test_the_same_topics_in_another_order_keep_their_ids(model: TopicModel) -> None:
    order = np.random.default_rng(1).permutation(model.k)
    identities = align(shuffled(model, order), Predecessor(model, next_topic_id=40))
    assert identities.topic_ids.tolist() == model.topic_ids[order].tolist()
    assert all(identities.kept)
    assert identities.next_topic_id == 40


def test_new_topics_get_ids_that_were_never_used() -> None:
    names = list(THEMES)
    champion = _fitted(names[:3], seed=1)
    challenger = _fitted(names[1:], seed=2)
    identities = align(challenger, Predecessor(champion, next_topic_id=7))
    tops = [set(words) for words in top_words(challenger, 8)]
    old_tops = [set(words) for words in top_words(champion, 8)]
    for topic, topic_id, kept in zip(tops, identities.topic_ids.tolist(), identities.kept, strict=True):
        if topic <= set(THEMES[names[3]]):
            assert (topic_id, kept) == (7, False)
        else:
            assert kept
            assert len(old_tops[topic_id] & topic) >= 4
    assert len(set(identities.topic_ids.tolist())) == challenger.k
    assert identities.next_topic_id == 8


def test_models_without_a_common_word_share_no_topic(model: TopicModel) -> None:
    other = replace(model, vocabulary=tuple(f"x{word}" for word in model.vocabulary))
    identities = align(other, Predecessor(model, next_topic_id=8))
    assert identities.topic_ids.tolist() == list(range(8, 8 + model.k))


def test_a_match_is_not_given_up_for_a_pair_that_is_not_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = small_model(["storm", "goal"], [[0.9, 0.1], [0.1, 0.9]], [10, 10])
    monkeypatch.setattr(alignment, "similarity", lambda *_: np.array([[0.90, 0.29], [0.85, 0.0]]))
    identities = align(pair, Predecessor(pair, next_topic_id=2))
    assert identities.topic_ids.tolist() == [0, 2]
    assert identities.kept == (True, False)


def test_labels_are_distinctive_and_distinct(model: TopicModel) -> None:
    labels = topic_labels(model)
    assert len(set(labels)) == model.k
    for label, words in list(zip(labels, top_words(model), strict=True))[: len(THEMES)]:
        parts = label.split(" · ")
        assert len(parts) == 3
        assert any(set(parts) <= set(theme) and set(parts) & set(words) for theme in THEMES.values()), label


def test_labels_skip_repeats_and_emoji_and_put_a_second_hashtag_last() -> None:
    words = ["⚽", "goal", "#goal", "goals", "#final", "#derby", "match", "coach", "love"]
    first = [0.3, 0.2, 0.12, 0.1, 0.09, 0.08, 0.06, 0.0499, 0.0001]
    second = [0.0001] * 8 + [0.9992]
    labels = topic_labels(small_model(words, [first, second], [50, 50]))
    assert labels == ("goal · #final · match", "love")


@pytest.mark.parametrize("longer", ["train", "ukraine", "#train"])
def test_a_word_inside_another_one_is_not_a_form_of_it(longer: str) -> None:
    words = [longer, "rain", "rains", "#rain", "storm", "love"]
    first = [0.3, 0.25, 0.2, 0.13, 0.1199, 0.0001]
    second = [0.0001] * 5 + [0.9995]
    labels = topic_labels(small_model(words, [first, second], [50, 50]))
    assert labels == (f"{longer} · rain · storm", "love")


def test_a_hashtag_of_chosen_words_is_skipped() -> None:
    words = ["san", "#sanfrancisco", "francisco", "bay", "love"]
    first = [0.35, 0.1, 0.3, 0.2499, 0.0001]
    labels = topic_labels(small_model(words, [first, [0.0001] * 4 + [0.9996]], [50, 50]))
    assert labels[0] == "san · francisco · bay"


def test_equal_labels_are_made_distinct() -> None:
    words = ["storm", "wind", "rain", "flood", "love"]
    one = [0.3, 0.29, 0.25, 0.159, 0.001]
    two = [0.3, 0.29, 0.25, 0.159, 0.001]
    rest = [0.001, 0.001, 0.001, 0.001, 0.996]
    labels = topic_labels(small_model(words, [one, two, rest], [40, 30, 30]))
    assert labels[0] == "storm · wind · rain"
    assert labels[1] == "storm · wind · rain · flood"


def test_a_label_stays_while_its_words_are_distinctive() -> None:
    words = ["storm", "wind", "rain", "flood", "love"]
    first, rest = [0.4, 0.3, 0.2, 0.0999, 0.0001], [0.0001] * 4 + [0.9996]
    model = small_model(words, [first, rest], [50, 50])
    assert topic_labels(model)[0] == "storm · wind · rain"
    assert topic_labels(model, {0: "flood · storm · wind"})[0] == "flood · storm · wind"
    assert topic_labels(model, {7: "flood · storm · wind"})[0] == "storm · wind · rain", "of another topic"
    assert topic_labels(model, {0: "flood · hail · wind"})[0] == "storm · wind · rain", "a word that is gone"
    assert topic_labels(model, {0: "love · storm · wind"})[0] == "storm · wind · rain", "a word of another topic"


def test_a_label_is_given_up_when_a_word_is_not_among_the_forty_most_distinctive() -> None:
    words = [f"w{i:02}" for i in range(60)] + ["love"]
    shares = np.linspace(2, 1, 60)
    model = small_model(words, [[*(shares / shares.sum() * 0.9999), 0.0001], [1e-6] * 60 + [1 - 6e-5]], [50, 50])
    model = replace(model, word_counts=(model.word_shares.sum(axis=0) * 1e6).astype(np.int64))
    assert topic_labels(model, {0: "w00 · w39 · w10"})[0] == "w00 · w39 · w10"
    assert topic_labels(model, {0: "w00 · w40 · w10"})[0] == "w00 · w01 · w02"


def test_labels_that_stay_and_new_ones_are_distinct() -> None:
    words = ["storm", "wind", "rain", "flood", "love"]
    alike, rest = [0.3, 0.29, 0.25, 0.159, 0.001], [0.001] * 4 + [0.996]
    model = small_model(words, [alike, alike, rest], [40, 30, 30])
    labels = topic_labels(model, {1: "storm · wind · rain"})
    assert labels[:2] == ("storm · wind · rain · flood", "storm · wind · rain")
    both = topic_labels(model, dict.fromkeys((0, 1), "storm · wind · rain"))
    assert both[:2] == ("storm · wind · rain", "storm · wind · rain · flood")


def _fitted(names: list[str], seed: int) -> TopicModel:
    documents, _ = planted_documents(1500, seed=seed, themes=names)
    return GsdmmTrainer().fit(build_corpus(as_lists(documents)), k=len(names), iterations=15, seed=seed).model


JAPANESE = [
    ["サッ", "ッカ", "カー"],
    ["サッ", "ッカ", "カー", "東京", "京都"],
    ["東京", "京都"],
    ["都庁"],
    ["れた"],
] * 5


def japanese() -> TopicModel:
    words = ["サッ", "れた", "東京", "カー", "京都", "都庁", "決勝", "love"]
    first = [0.2, 0.19, 0.15, 0.21, 0.149, 0.05, 0.0509, 0.0001]
    return small_model(words, [first, [0.0001] * 7 + [0.9993]], [50, 50])


def test_pairs_of_characters_in_a_label_become_words_that_occur() -> None:
    tweets = TrainingTweets(as_lists(JAPANESE), np.zeros(len(JAPANESE)), [], pa.array(["ja"] * len(JAPANESE)))
    assert topic_labels(japanese(), tweets=tweets) == ("サッカー · 東京都 · 決勝", "love")
    assert topic_labels(japanese())[0] == "カー · サッ · 京都", "without tweets; grammar last"
    spoken = replace(model_of_languages({"ja": japanese(), "en": japanese()}), topic_ids=np.arange(4))
    labels = topic_labels(spoken, tweets=tweets)
    assert (labels[0], labels[2]) == ("サッカー · 東京都 · 決勝", "カー · サッ · 京都"), "of each language's own tweets"


@pytest.mark.parametrize("label", ["サッカ · 決勝", "東京都 · カー", "決勝 · サッカーボ"])
def test_a_label_of_pairs_stays_while_half_of_the_pairs_of_each_word_are_distinctive(label: str) -> None:
    tweets = TrainingTweets(as_lists(JAPANESE), np.zeros(len(JAPANESE)), [], pa.array(["ja"] * len(JAPANESE)))
    assert topic_labels(japanese(), {0: label}, tweets)[0] == label
    gone = label.replace(label.split(" · ")[0], "台風東京")
    assert topic_labels(japanese(), {0: gone}, tweets)[0] == "サッカー · 東京都 · 決勝"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["vote", "voting", "#votes"]),
        ("es", ["inundado", "inundadas", "inundados"]),
        ("de", ["sturm", "stürme", "stürmen"]),
        ("pt", ["tempestade", "tempestades", "#tempestade"]),
        ("", ["flood", "flooding", "floods"]),
    ],
)
def test_forms_of_a_word_have_one_place_in_a_label(language: str, words: list[str]) -> None:
    part = small_model(
        [*words, "rain", "train", "love"], [[0.3, 0.2, 0.18, 0.17, 0.1499, 0.0001], [1e-4] * 5 + [0.9995]], [50, 50]
    )
    model = replace(model_of_languages({language: part}), topic_ids=np.arange(2)) if language else part
    assert topic_labels(model)[0] == f"{words[0]} · rain · train"


def test_a_language_without_stems_has_labels() -> None:
    part = small_model(
        ["rains", "rain", "storm", "love"], [[0.4, 0.3, 0.2999, 0.0001], [1e-4] * 3 + [0.9997]], [50, 50]
    )
    model = replace(model_of_languages({"tr": part}), topic_ids=np.arange(2))
    assert topic_labels(model)[0] == "rains · rain · storm"


def test_a_word_of_another_language_is_in_no_label() -> None:
    english = small_model(
        ["storm", "bolsa", "wind", "helga", "love"], [[0.3, 0.3, 0.2, 0.1999, 0.0001], [1e-4] * 4 + [0.9996]], [50, 50]
    )
    english = replace(english, word_counts=np.array([150, 20, 150, 150, 530]))
    spanish = small_model(
        ["bolsa", "helga", "ciento", "amor"], [[0.5, 0.3, 0.1999, 0.0001], [1e-4] * 3 + [0.9997]], [50, 50]
    )
    spanish = replace(spanish, word_counts=np.array([300, 100, 100, 500]))
    labels = topic_labels(replace(model_of_languages({"en": english, "es": spanish}), topic_ids=np.arange(4)))
    assert labels[0] == "storm · wind · helga"
    assert labels[2] == "helga · bolsa · ciento"


def test_labels_of_a_language_are_what_tells_its_topics_apart() -> None:
    english = small_model(["storm", "goal", "love"], [[0.6, 0.1, 0.3], [0.1, 0.6, 0.3]], [60, 40])
    spanish = small_model(["love", "lluvia", "gol"], [[0.5, 0.4, 0.1], [0.1, 0.1, 0.8]], [30, 20])
    alone = topic_labels(english), topic_labels(spanish)
    model = model_of_languages({"en": english, "es": spanish})
    assert topic_labels(replace(model, topic_ids=np.arange(4))) == (*alone[0], *alone[1])
    twice = model_of_languages({"en": english, "es": english})
    labels = topic_labels(replace(twice, topic_ids=np.arange(4)))
    assert len(set(labels)) == 4
