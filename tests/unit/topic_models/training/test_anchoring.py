"""Topics that continue a champion's."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from twitter_topics.testing.corpora import THEMES, as_lists, planted_documents
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training.alignment import Predecessor
from twitter_topics.topic_models.training.anchoring import anchor_of, starting_topics, survivors
from twitter_topics.topic_models.training.births import Birth, after
from twitter_topics.topic_models.training.corpus import Corpus, build_corpus, count_known
from twitter_topics.topic_models.training.gsdmm import Anchor, Clusters, sample_clusters
from twitter_topics.topic_models.training.labels import topic_labels
from twitter_topics.topic_models.training.topic_quality import share_kept
from twitter_topics.topic_models.training.trainers import GsdmmTrainer, Trained

NAMES = list(THEMES)


def window(shares: dict[str, int], seed: int) -> tuple[list[list[str]], np.ndarray]:
    """So many documents of each theme, mixed, and the number of each one's theme."""
    parts = [
        planted_documents(count, seed * 10 + i, themes=[name])[0] for i, (name, count) in enumerate(shares.items())
    ]
    truth = np.repeat([NAMES.index(name) for name in shares], list(shares.values()))
    order = np.random.default_rng(seed).permutation(len(truth))
    documents = [words for part in parts for words in part]
    return [documents[i] for i in order], truth[order]


def trained(documents: list[list[str]], k: int, champion: Predecessor | None = None, seed: int = 1) -> Trained:
    corpus = build_corpus(as_lists(documents), min_documents=1, max_share=1.0)
    return GsdmmTrainer().fit(corpus, k=k, iterations=20, seed=seed, champion=champion)


def successor(found: Trained, version: str = "v", champion: Predecessor | None = None) -> Predecessor:
    """The next training's champion."""
    model = found.model.with_identity(found.model.topic_ids, topic_labels(found.model))
    births = after(champion.births if champion else (), model, version)
    return Predecessor(model, found.identities.next_topic_id, births)


def served(model: TopicModel, documents: list[list[str]]) -> np.ndarray:
    scorer, counts = Scorer(model), count_known(as_lists(documents), model.vocabulary)
    return scorer.dominant(scorer.theta(counts.indptr, counts.indices, counts.data))


def topic_of_theme(
    model: TopicModel, documents: list[list[str]], truth: np.ndarray, theme: str
) -> tuple[int, float, float]:
    """The topic with most of a theme's documents: its id, recall and purity."""
    topics, mine = served(model, documents), truth == NAMES.index(theme)
    ids, counts = np.unique(topics[mine], return_counts=True)
    best = int(ids[counts.argmax()])
    return best, counts.max() / mine.sum(), (mine & (topics == best)).sum() / (topics == best).sum()


EQUAL = dict.fromkeys(NAMES, 700)


@pytest.fixture(scope="module")
def champion() -> Predecessor:
    """Four topics, one for each theme."""
    return successor(trained(window(EQUAL, 1)[0], k=4))


def test_documents_keep_their_topic(champion: Predecessor) -> None:
    documents, _ = window(EQUAL, 2)
    found = trained(documents, k=4, champion=champion, seed=7)
    assert sorted(found.model.topic_ids.tolist()) == sorted(champion.model.topic_ids.tolist())
    assert all(found.identities.kept)
    assert found.identities.next_topic_id == champion.next_topic_id
    assert share_kept(served(champion.model, documents), served(found.model, documents), -1) > 0.98


def test_new_documents_alone_are_counted(champion: Predecessor) -> None:
    documents, truth = window({NAMES[0]: 1500, NAMES[1]: 300, NAMES[2]: 200, NAMES[3]: 100}, 3)
    model = trained(documents, k=4, champion=champion).model
    assert model.documents.sum() == len(documents)
    assert model.documents == pytest.approx(np.bincount(truth)[np.bincount(truth).argsort()[::-1]], abs=40)
    assert model.word_counts.sum() == sum(map(len, documents))
    assert np.all(np.diff(model.documents) <= 0)


def test_the_champions_words_weigh_as_much_as_the_new_ones(champion: Predecessor) -> None:
    """The word `storm` is as frequent as ever, and nobody says `wind` any more."""
    documents, _ = window(EQUAL, 4)
    documents = [[word for word in words if word != "wind"] for words in documents]
    documents.append(["wind", "storm"])

    def ratio(model: TopicModel) -> float:
        storm = int(np.argmax(model.word_shares[:, model.vocabulary.index("storm")]))
        wind, other = (model.word_shares[storm, model.vocabulary.index(word)] for word in ("wind", "storm"))
        return float(wind / other)

    assert ratio(champion.model) == pytest.approx(1.0, abs=0.15)
    assert ratio(trained(documents, k=4, champion=champion).model) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(("generation", "seed"), [(1, 1), (3, 1), (1, 5)])
def test_a_new_topic_of_three_percent_is_found(generation: int, seed: int) -> None:
    """With seed 5 its documents start in two columns and stay there."""
    old = dict.fromkeys(NAMES[:3], 970)
    now = successor(trained(window(old, 5)[0], k=3))
    for earlier in range(1, generation):
        now = successor(trained(window(old, 5 + earlier)[0], k=8, champion=now), champion=now)
    documents, truth = window(old | {NAMES[3]: 90}, 20)
    found = trained(documents, k=8, champion=now, seed=seed)
    topic, recall, purity = topic_of_theme(found.model, documents, truth, NAMES[3])
    assert topic == now.next_topic_id
    assert recall >= 0.95
    assert purity >= 0.95


def test_a_new_topic_in_two_columns_is_as_large_as_both(champion: Predecessor) -> None:
    """Each half is smaller than every old topic; only three old ones and the new one stay."""
    model, vocabulary = champion.model, len(champion.model.vocabulary)
    corpus = Corpus(sparse.csr_matrix((1_000, vocabulary + 1), dtype=np.float32), (*model.vocabulary, "new"))
    word_counts = np.zeros((vocabulary + 1, 6))
    word_counts[:vocabulary, :4] = 1_000 * model.word_shares.T
    word_counts[vocabulary, 4:] = 900
    sizes = np.array([250.0, 240.0, 200.0, 150.0, 90.0, 70.0])
    sampled = Clusters(np.repeat(np.arange(6), sizes.astype(int)), sizes, word_counts)
    births = {birth.topic_id: birth for birth in champion.births}
    columns, topic_ids = survivors(corpus, champion, births, sampled, k=4)
    assert columns.tolist() == [0, 1, 2, 4]
    assert topic_ids.tolist() == [*model.topic_ids[:3].tolist(), -1]


def test_free_columns_that_nobody_uses_vanish(champion: Predecessor) -> None:
    found = trained(window(EQUAL, 6)[0], k=40, champion=champion)
    new = found.model.documents[~np.array(found.identities.kept)]
    assert found.model.k < 40
    assert new.min(initial=found.model.documents.sum()) >= 0.002 * found.model.documents.sum()


def test_there_are_never_more_topics_than_asked_for(champion: Predecessor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    documents, truth = window({NAMES[0]: 900, NAMES[1]: 900, NAMES[2]: 900, NAMES[3]: 30}, 7)
    invented = [[f"new{i % 12}", f"new{i % 7}", f"new{i % 5}", "love"] for i in range(200)]
    found = trained(documents + invented, k=4, champion=champion)
    smallest, *_ = topic_of_theme(champion.model, documents, truth, NAMES[3])
    assert found.model.k == 4
    assert smallest not in found.model.topic_ids
    assert found.model.topic_ids.max() == champion.next_topic_id
    assert found.model.documents.sum() == len(documents) + len(invented), "those of the dropped topic are elsewhere"
    assert f"topic {smallest} ({champion.labels[smallest]}) is given up: " in caplog.text


def test_fewer_topics_than_the_champion_has_are_its_largest(champion: Predecessor) -> None:
    documents, truth = window({NAMES[0]: 900, NAMES[1]: 600, NAMES[2]: 90, NAMES[3]: 60}, 8)
    found = trained(documents, k=2, champion=champion)
    large = [topic_of_theme(champion.model, documents, truth, name)[0] for name in NAMES[:2]]
    assert sorted(found.model.topic_ids.tolist()) == sorted(large)


def test_a_dead_topic_is_retired_after_three_trainings(champion: Predecessor) -> None:
    """Two of its tweets in a window keep its words known; they are less than .2 %."""
    now, dying = champion, None
    for training in (1, 2, 3):
        documents, truth = window(dict.fromkeys(NAMES[:3], 900), 10 + training)
        documents += [THEMES[NAMES[3]], THEMES[NAMES[3]]]
        truth = np.concatenate([truth, [3, 3]])
        dying = topic_of_theme(champion.model, documents, truth, NAMES[3])[0]
        found = trained(documents, k=4, champion=now)
        assert (dying in found.model.topic_ids) is (training < 3)
        now = successor(found, f"v{training}", now)
    (birth,) = [birth for birth in now.births if birth.topic_id == dying]
    assert (birth.version, birth.retired) == ("v", "v3")


def test_a_dead_topic_still_takes_its_documents_when_they_return(champion: Predecessor) -> None:
    documents = window(dict.fromkeys(NAMES[:3], 900), 11)[0] + [THEMES[NAMES[3]]] * 2
    now = successor(trained(documents, k=4, champion=champion), champion=champion)
    documents, truth = window(EQUAL, 14)
    found = trained(documents, k=4, champion=now)
    for name in NAMES:
        topic, recall, purity = topic_of_theme(found.model, documents, truth, name)
        assert topic == topic_of_theme(champion.model, documents, truth, name)[0]
        assert min(recall, purity) > 0.95


def test_a_topic_whose_words_nobody_uses_any_more_comes_back_with_its_id(champion: Predecessor) -> None:
    documents, truth = window(EQUAL, 15)
    old = topic_of_theme(champion.model, documents, truth, NAMES[3])[0]
    without = trained(window(dict.fromkeys(NAMES[:3], 900), 12)[0], k=4, champion=champion)
    assert old not in without.model.topic_ids
    now = successor(without, "without", champion)
    back = trained(documents, k=4, champion=now)
    assert topic_of_theme(back.model, documents, truth, NAMES[3])[0] == old
    assert back.identities.next_topic_id == now.next_topic_id
    assert {birth.retired for birth in successor(back, "back", now).births if birth.topic_id == old} == {None}


def test_a_topic_about_something_else_than_at_its_birth_gets_another_id(champion: Predecessor) -> None:
    documents, truth = window(EQUAL, 16)
    topic = topic_of_theme(champion.model, documents, truth, NAMES[0])[0]
    births = [
        replace(birth, words=tuple(f"x{word}" for word in birth.words)) if birth.topic_id == topic else birth
        for birth in champion.births
    ]
    found = trained(documents, k=4, champion=replace(champion, births=tuple(births)))
    assert topic_of_theme(found.model, documents, truth, NAMES[0])[0] == champion.next_topic_id
    assert topic not in found.model.topic_ids
    assert found.model.k == 4


def test_a_champion_of_older_code_has_no_births_and_is_continued(champion: Predecessor) -> None:
    found = trained(window(EQUAL, 17)[0], k=4, champion=Predecessor(champion.model, champion.next_topic_id))
    assert all(found.identities.kept)


def test_nothing_in_common_is_a_new_start(champion: Predecessor) -> None:
    documents = [[f"x{word}" for word in words] for words in window(EQUAL, 18)[0]]
    found = trained(documents, k=4, champion=champion)
    assert found.model.topic_ids.min() == champion.next_topic_id
    assert not any(found.identities.kept)


def test_without_an_anchor_training_starts_at_random_and_is_matched(champion: Predecessor) -> None:
    documents, _ = window(EQUAL, 23)
    corpus = build_corpus(as_lists(documents), min_documents=1, max_share=1.0)
    found, alone = (
        GsdmmTrainer(anchored=False).fit(corpus, k=4, iterations=20, seed=1, champion=before)
        for before in (champion, None)
    )
    assert np.array_equal(found.model.topics_matrix, alone.model.topics_matrix)
    assert sorted(found.model.topic_ids.tolist()) == sorted(champion.model.topic_ids.tolist())
    assert share_kept(served(champion.model, documents), served(found.model, documents), -1) > 0.95


def test_documents_start_in_their_topic_and_unknown_words_in_a_free_one(champion: Predecessor) -> None:
    documents, _ = window(EQUAL, 19)
    strange = [["love", "xa", "xb", "xc", "xd"]] * 60
    corpus = build_corpus(as_lists(documents + strange), min_documents=1, max_share=1.0)
    start = starting_topics(corpus, champion.model, 6, seed=1)
    assert np.array_equal(
        champion.model.topic_ids[start[start < 4]], served(champion.model, documents)[start[:2800] < 4]
    )
    assert set(start[2800:]) == {4, 5}
    free = (start >= 4).sum()
    assert free == corpus.documents * 2 // 6


def test_the_same_arguments_give_the_same_topics(champion: Predecessor) -> None:
    documents, _ = window(EQUAL, 21)
    first, again = (trained(documents, k=6, champion=champion, seed=3) for _ in range(2))
    assert first.model.to_bytes() == again.model.to_bytes()
    assert first.identities.topic_ids.tolist() == again.identities.topic_ids.tolist()


def test_an_anchor_is_the_champions_counts_scaled_to_the_corpus(champion: Predecessor) -> None:
    corpus = build_corpus(as_lists([["storm", "wind", "new"], ["storm", "new"]] * 50), min_documents=1, max_share=1.0)
    sizes = np.array([60, 30, 10, 0])
    model = replace(champion.model, documents=sizes)
    anchor = anchor_of(corpus, model, 6, weight=2.0)
    assert anchor.documents == pytest.approx([120, 60, 20, 2 * 0.002 * 100, 0, 0])
    storm = corpus.vocabulary.index("storm")
    shares = model.word_shares[:, model.vocabulary.index("storm")]
    assert anchor.word_counts[storm] == pytest.approx([*(2 * 250 * np.array([0.6, 0.3, 0.1, 0.002]) * shares), 0, 0])
    assert not anchor.word_counts[corpus.vocabulary.index("new")].any(), "the champion does not know it"


def test_an_anchor_stays_in_the_counts(corpus: Corpus) -> None:
    draw = np.random.default_rng(1)
    anchor = Anchor(draw.random(3) * 100, draw.random((len(corpus.vocabulary), 3)) * 100)
    before = anchor.word_counts.copy()
    found = sample_clusters(corpus.counts, 3, sweeps=2, greedy=1, seed=1, anchor=anchor)
    assert found.documents.sum() == corpus.documents
    for topic in range(3):
        mine = np.asarray(corpus.counts[found.topic_of == topic].sum(axis=0)).ravel()
        assert found.word_counts[:, topic] == pytest.approx(mine + anchor.word_counts[:, topic])
    assert np.array_equal(anchor.word_counts, before)


def test_a_greedy_sweep_takes_the_most_probable_topic() -> None:
    short = [words[:2] for words in window(EQUAL, 22)[0]]
    counts = build_corpus(as_lists(short), max_share=1.0).counts
    start = sample_clusters(counts, 4, sweeps=20, seed=1).topic_of
    greedy, other = (sample_clusters(counts, 4, sweeps=0, greedy=2, seed=seed, start=start) for seed in (2, 3))
    assert np.array_equal(greedy.topic_of, other.topic_of), "nothing is drawn"
    assert greedy.log_likelihood() > sample_clusters(counts, 4, sweeps=2, seed=2, start=start).log_likelihood()


WORDS = st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=5), min_size=8, max_size=60)


@settings(max_examples=60)
@given(before=WORDS, now=WORDS, k=st.integers(2, 6), shift=st.integers(0, 8), small=st.integers(0, 4))
def test_whatever_the_tweets_ids_are_unique_and_all_documents_have_a_topic(
    before: list[list[str]], now: list[list[str]], k: int, shift: int, small: int
) -> None:
    first = successor(trained(before, k=k))
    tired: list[Birth] = [replace(birth, small_trainings=small) for birth in first.births]
    first = replace(first, births=tuple(tired))
    moved = [[chr(ord(word) + shift) for word in words] for words in now]
    found = trained(moved, k=k, champion=first)
    ids = found.identities.topic_ids.tolist()
    assert found.model.topic_ids.tolist() == ids
    assert found.model.documents.sum() == len(now)
    assert len(set(ids)) == len(ids) == found.model.k <= k
    assert max([*ids, first.next_topic_id - 1]) < found.identities.next_topic_id
    for topic_id, kept in zip(ids, found.identities.kept, strict=True):
        assert kept is (topic_id in first.labels)
        assert kept or first.next_topic_id <= topic_id
    found.model.check()
