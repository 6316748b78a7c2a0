from __future__ import annotations

from datetime import timedelta

import pytest

from twitter_topics.topic_models.training.when_to_retrain import TrainingNeed, decide_retraining

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("need", "train", "reason"),
    [
        (TrainingNeed(1_999, None), False, "1,999 tweets in the window; 2,000 are required"),
        (TrainingNeed(2_000, None), True, "no model yet"),
        (TrainingNeed(100_000, 19_999), False, "19,999 new tweets since the newest model; 20,000 required"),
        (TrainingNeed(100_000, 20_000), True, "20,000 new tweets"),
        (TrainingNeed(1_000, 50_000), False, "1,000 tweets in the window"),
        (
            TrainingNeed(3_100, 1_100, undecided_tweets=2_001),
            True,
            "3,100 tweets; the newest model had 2,001",
        ),
        (TrainingNeed(3_001, 1_000, undecided_tweets=2_001), False, "or 3,002 in all (3,001 now)"),
        (TrainingNeed(14_000, 13_999, age=DAY), False, "20,000 required, or all 14,000 of the window a day after it"),
        (
            TrainingNeed(14_000, 14_000, age=DAY),
            True,
            "all 14,000 tweets of the window are newer than the newest model",
        ),
        (TrainingNeed(14_000, 14_000, age=timedelta(hours=23)), False, "14,000 new tweets"),
        (TrainingNeed(1_999, 1_999, age=DAY), False, "2,000 are required"),
        (TrainingNeed(90_000, 20_000, undecided_tweets=70_000), True, "20,000 new tweets"),
    ],
)
def test_decision(need: TrainingNeed, train: bool, reason: str) -> None:
    decision = decide_retraining(need, min_documents=2_000, min_new_tweets=20_000)
    assert decision.train is train
    assert reason in decision.reason
