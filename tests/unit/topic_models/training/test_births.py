from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from twitter_topics.errors import IntegrityError
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training.births import after, as_json, births_of, from_json, likeness


def test_new_topics_are_born_known_ones_stay_and_missing_ones_are_retired(model: TopicModel) -> None:
    first = births_of(model, "v1")
    assert [birth.topic_id for birth in first] == list(range(model.k))
    assert {(birth.version, birth.retired) for birth in first} == {("v1", None)}
    assert first[0].label == model.labels[0]
    top = np.argsort(-model.word_shares[0], kind="stable")
    assert first[0].words[:3] == tuple(model.vocabulary[word] for word in top[:3])
    assert first[0].shares[0] == pytest.approx(model.word_shares[0].max(), abs=1e-6)

    ids = model.topic_ids.copy()
    ids[0] = 50
    renamed = replace(model, topic_ids=ids, labels=tuple(f"new {label}" for label in model.labels))
    second = {birth.topic_id: birth for birth in after(first, renamed, "v2")}
    assert (second[50].version, second[50].label, second[50].retired) == ("v2", renamed.labels[0], None)
    assert second[1] == first[1], "what it was at birth, whatever it is called now"
    assert (second[0].version, second[0].retired) == ("v1", "v2")
    third = {birth.topic_id: birth for birth in after(second.values(), model, "v3")}
    assert third[0].retired is None, "it is back"
    assert third[50].retired == "v3"
    fourth = {birth.topic_id: birth for birth in after(third.values(), model, "v4")}
    assert fourth[50].retired == "v3", "when it was retired first"


def test_trainings_in_a_row_with_few_documents_are_counted(model: TopicModel) -> None:
    births = births_of(model, "v1")
    counts = []
    for documents in (0, 5, 0, 5_000, 1):
        sizes = np.full(model.k, 5_000)
        sizes[2] = documents
        births = after(births, replace(model, documents=sizes), "v2")
        counts.append(births[2].small_trainings)
    assert counts == [1, 2, 3, 0, 1]


def test_topics_retired_long_ago_are_forgotten(model: TopicModel) -> None:
    (old, *_) = births_of(model, "v1")
    retired = [replace(old, topic_id=100 + i, retired=f"v{2000 - i}") for i in range(600)]
    births = after([*births_of(model, "v1"), *retired], model, "v2")
    assert [birth.topic_id for birth in births] == [*range(model.k), *range(100, 600)]


def test_a_topic_is_like_its_own_birth_alone(model: TopicModel) -> None:
    alike = likeness(model.word_shares, model.vocabulary, births_of(model, "v1"))
    assert alike.diagonal() == pytest.approx(np.ones(model.k), abs=1e-4)
    large = model.documents > 300
    others = alike[np.ix_(large, large)] - np.eye(large.sum())
    assert others.max() < 0.4
    strange = tuple(f"x{word}" for word in model.vocabulary)
    assert likeness(model.word_shares, strange, births_of(model, "v1")).max() == 0.0


def test_words_that_are_gone_make_a_topic_less_like_its_birth(model: TopicModel) -> None:
    top = int(np.argmax(model.word_shares[0]))
    rest = np.delete(np.arange(len(model.vocabulary)), top)
    vocabulary = tuple(model.vocabulary[word] for word in rest)
    alike = likeness(model.word_shares[:, rest], vocabulary, births_of(model, "v1"))
    assert alike[0, 0] < 0.99


def test_births_survive_their_file_and_a_damaged_one_is_an_error(model: TopicModel) -> None:
    births = after(births_of(model, "v1"), replace(model, topic_ids=model.topic_ids + 1), "v2")
    assert from_json(json.loads(json.dumps(as_json(births)))) == births
    for damaged in (
        {},
        {"births": [{"topic_id": 1}]},
        {"births": None},
        {"births": [{**as_json(births)["births"][0], "x": 1}]},
    ):
        with pytest.raises(IntegrityError, match=r"births\.json is damaged"):
            from_json(damaged)
