"""The comparison with a start from scratch."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from twitter_topics.testing.corpora import as_lists, planted_documents
from twitter_topics.testing.models import model_of_languages
from twitter_topics.topic_models.registry.gate import Comparison, Interval, Metrics
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training import evaluation
from twitter_topics.topic_models.training.alignment import Predecessor
from twitter_topics.topic_models.training.corpus import build_corpus
from twitter_topics.topic_models.training.from_scratch import (
    _gains,
    from_scratch,
    is_due,
    trainings_since_scratch,
)
from twitter_topics.topic_models.training.languages import AUTO
from twitter_topics.topic_models.training.request import TrainingRequest
from twitter_topics.topic_models.training.trainers import GsdmmTrainer, Trainer
from twitter_topics.topic_models.training.tweets import TrainingTweets

REQUEST = TrainingRequest(
    version="20261102T000000Z-gsdmm", trainer="gsdmm", k=8, iterations=20, seed=5,
    start=datetime(2026, 11, 1, tzinfo=UTC), end=datetime(2026, 11, 2, tzinfo=UTC),
    max_documents=100_000, min_documents=1_000,
)  # fmt: skip


class OtherTrainer:
    def fit(self, *_arguments: object, **_options: object) -> Any:
        raise NotImplementedError


def test_trainings_are_counted_from_a_start_from_scratch(model: TopicModel) -> None:
    champion, anchored = Predecessor(model, 100), GsdmmTrainer()
    posts = {"en": 900}  # too few for topics of their own

    def count(trainer: Trainer, champion: Predecessor | None, posts: dict[str, int], before: int = 3) -> int:
        return trainings_since_scratch(trainer, champion, posts, replace(REQUEST, languages=AUTO), before)

    assert count(anchored, champion, posts) == 4
    assert count(anchored, None, posts, before=0) == 0
    assert count(GsdmmTrainer(anchored=False), champion, posts) == 0
    assert count(OtherTrainer(), champion, posts) == 0
    spoken = Predecessor(model_of_languages({"en": model}), 100)
    assert count(anchored, spoken, {"en": 3000}) == 4
    assert count(anchored, champion, {"en": 3000, "de": 300}) == 4, "one set goes on as the topics of its language"
    assert count(anchored, champion, {"en": 3000, "de": 900}) == 0, "the set mixed languages"
    assert count(anchored, spoken, {"de": 900, "en": 400}) == 0, "and there is one set again"


def test_every_seventh_is_due() -> None:
    due = [count for count in range(22) if is_due({"trainings_since_scratch": count})]
    assert due == [7, 14, 21]
    assert not is_due({})


@pytest.fixture(scope="module")
def tweets() -> TrainingTweets:
    documents, _ = planted_documents(3000, seed=12)
    return TrainingTweets(as_lists(documents), np.arange(3000) % 20, [], pa.array(["en"] * 3000))


def compared(challenger: TopicModel, champion: TopicModel, tweets: TrainingTweets) -> dict[str, Any]:
    judged = (tweets.to_judge(5), tweets.languages_to_judge(5))
    before = Predecessor(champion, 100)
    found = from_scratch(Scorer(challenger), before, tweets, REQUEST, trained_without=5, judged=judged)
    assert found is not None
    return found


def test_topics_that_fit_go_on(model: TopicModel, tweets: TrainingTweets, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    continued = GsdmmTrainer().fit(
        build_corpus(tweets.to_train(5)), k=8, iterations=20, seed=1, champion=Predecessor(model, 100)
    )
    found = compared(continued.model, model, tweets)
    assert not found["better"]
    assert 1 < found["ratio"]["high"] < 1.05
    assert found["share_kept"] > 0.9
    assert found["advice"].startswith("Topics from scratch would not fit better (perplexity ")
    assert [record.levelname for record in caplog.records if record.message == found["advice"]] == ["INFO"]


def test_topics_that_do_not_fit_any_more_are_named(
    model: TopicModel, tweets: TrainingTweets, caplog: pytest.LogCaptureFixture
) -> None:
    coarse = GsdmmTrainer().fit(build_corpus(tweets.to_train(5)), k=2, iterations=20, seed=1).model
    found = compared(coarse, model, tweets)
    assert found["better"]
    assert found["ratio"]["high"] < 0.9
    assert found["perplexity"][0] < 0.9 * found["perplexity"][1]
    assert found["coherence"] == [None, None]
    expected = "run topic_retraining with start=scratch; topic ids then change"
    assert found["advice"].startswith("Topics from scratch would fit better (perplexity -")
    assert found["advice"].endswith(expected)
    assert [record.levelname for record in caplog.records if record.message == found["advice"]] == ["WARNING"]


def test_deleted_tweets_do_not_stop_an_evaluation(
    model: TopicModel, tweets: TrainingTweets, caplog: pytest.LogCaptureFixture
) -> None:
    left, before = tweets.in_languages(("ja",)), Predecessor(model, 100)
    judged = (tweets.to_judge(5), tweets.languages_to_judge(5))
    assert from_scratch(Scorer(model), before, left, REQUEST, trained_without=5, judged=judged) is None
    assert "not compared with a start from scratch: only 0 of 0 tweets share" in caplog.text


def test_topics_that_are_more_coherent_are_better(
    model: TopicModel, tweets: TrainingTweets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "MIN_REFERENCE", 500)
    coarse = GsdmmTrainer().fit(build_corpus(tweets.to_train(5)), k=2, iterations=20, seed=1).model
    found = compared(coarse, model, tweets)
    scratch, continued = found["coherence"]
    assert scratch - continued > 0.05
    assert f"coherence {scratch - continued:.3f} higher" in found["advice"]


@pytest.mark.parametrize(
    ("ratio", "coherence", "gains"),
    [
        (Interval(0.9, 0.999), (0.1, 0.1), ["perplexity -10.0% to -0.1%"]),
        (Interval(0.9, 1.001), (0.1, 0.06), []),
        (None, (0.1, 0.04), ["coherence 0.060 higher"]),
        (Interval(1.1, 1.2), (0.1, None), []),
        (Interval(0.8, 0.9), (0.1, 0.0), ["perplexity -20.0% to -10.0%", "coherence 0.100 higher"]),
    ],
)
def test_what_counts_as_better(
    ratio: Interval | None, coherence: tuple[float | None, float | None], gains: list[str]
) -> None:
    metrics = Metrics(
        topics=8, vocabulary=100, documents=1000, held_out=500, perplexity=50.0, unigram_perplexity=100.0,
        coherence=coherence[0], diversity=0.5, coverage=1.0,
    )  # fmt: skip
    champion = replace(metrics, coherence=coherence[1])
    comparison = Comparison(50.0, 50.0, common_words_share=1.0, share_kept=0.5, champion=champion, ratio=ratio)
    assert _gains(metrics, comparison) == gains
