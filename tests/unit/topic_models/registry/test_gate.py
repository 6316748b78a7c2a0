from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from twitter_topics.topic_models.registry.gate import (
    Comparison,
    Interval,
    LanguageComparison,
    LanguageMetrics,
    Metrics,
    judge,
)

GOOD = Metrics(
    topics=20, vocabulary=9000, documents=80_000, held_out=4_000, perplexity=790.0, unigram_perplexity=1200.0,
    coherence=0.02, diversity=0.55, coverage=0.99,
)  # fmt: skip
SAME = Comparison(
    challenger_perplexity=790.0, champion_perplexity=787.1, common_words_share=0.95, share_kept=0.7, champion=GOOD,
    ratio=Interval(0.99, 1.02),
)  # fmt: skip


def test_a_good_first_model_is_promoted() -> None:
    verdict = judge(GOOD, None)
    assert verdict.promote
    assert verdict.reasons == [
        "20 topics from 80,000 tweets; perplexity 790.0 is 34.2% below that of a model without topics",
        "there is no champion yet, so it serves provisionally",
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"documents": 499}, "trained on 499 tweets; at least 500 are required"),
        ({"held_out": 12}, "only 12 held-out tweets to evaluate on"),
        ({"topics": 2}, "2 topics; at least 3 are required"),
        ({"perplexity": 1200.0}, "perplexity 1200.0 is not below 1200.0"),
        ({"perplexity": float("nan")}, "perplexity nan is not below 1200.0"),
        ({"coverage": 0.3}, "knows a word of only 30.0% of the tweets"),
        ({"diversity": 0.05}, "topics overlap: only 5% of their top words are distinct"),
    ],
)
def test_absolute_limits_hold_for_every_model(change: dict[str, Any], reason: str) -> None:
    for comparison in (None, SAME):
        verdict = judge(replace(GOOD, **change), comparison)
        assert verdict.state == "refuse"
        assert any(text.startswith(reason) for text in verdict.reasons), verdict.reasons


@pytest.mark.parametrize(
    ("metrics", "comparison", "reason"),
    [
        (
            {},
            {"challenger_perplexity": 812.4, "ratio": Interval(1.004, 1.06)},
            "perplexity 812.4 is 3.2% above the champion's 787.1 on the same tweets "
            "(95 % interval: +0.4% to +6.0%): certainly worse",
        ),
        ({"coherence": -0.04}, {}, "coherence -0.040 is 0.060 below the champion's 0.020"),
        ({"diversity": 0.49}, {}, "diversity 0.49 is below the champion's 0.55"),
        ({"coverage": 0.96}, {}, "knows a word of 96.0% of the tweets, the champion of 99.0%"),
        ({}, {"share_kept": 0.19}, "only 19% of the tweets keep their topic"),
    ],
)
def test_a_challenger_must_not_be_worse(metrics: dict[str, Any], comparison: dict[str, Any], reason: str) -> None:
    verdict = judge(replace(GOOD, **metrics), replace(SAME, **comparison))
    assert verdict.state == "refuse"
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith(reason)


def test_coherence_that_was_not_measured_is_not_compared() -> None:
    unknown = replace(GOOD, coherence=None)
    assert judge(unknown, SAME).promote
    assert judge(GOOD, replace(SAME, champion=unknown)).promote


def test_a_challenger_that_was_asked_for_another_number_of_topics_is_judged_by_perplexity() -> None:
    """More topics are less coherent and less diverse, and ids go to as many as the champion has."""
    finer = replace(GOOD, topics=50, coherence=-0.04, diversity=0.45)
    comparison = replace(SAME, share_kept=0.15, asked=(50, 20))
    verdict = judge(finer, comparison)
    assert verdict.state == "promote", verdict.reasons
    assert verdict.reasons[-1] == (
        "50 topics were asked for, for the champion 20, so coherence, diversity and kept topics do not count"
    )
    assert judge(finer, replace(comparison, ratio=Interval(1.1, 1.2))).state == "refuse"
    assert judge(replace(finer, diversity=0.1), comparison).state == "refuse"
    assert len(judge(finer, replace(comparison, asked=(20, 20))).reasons) == 3


EN = LanguageMetrics(
    "en", topics=20, documents=70_000, held_out=3_500, perplexity=790.0, unigram_perplexity=1200.0, coherence=0.02,
    diversity=0.55, coverage=0.99, without_topic=0.1,
)  # fmt: skip
JA = replace(EN, language="ja", held_out=500, coherence=None, diversity=0.3, coverage=0.8, without_topic=0.9)
ENGLISH = replace(GOOD, languages=(EN,), without_topic=0.1)
BOTH = replace(GOOD, languages=(EN, JA), coverage=0.966, diversity=0.45, coherence=-0.04, without_topic=0.31)
IN_ENGLISH = replace(SAME, champion=ENGLISH, languages=(LanguageComparison("en", SAME.ratio),))


def test_a_language_more_is_no_drop() -> None:
    """Each model is measured on the tweets of its own languages: those of the new one are not a champion's."""
    verdict = judge(BOTH, IN_ENGLISH)
    assert verdict.state == "promote", verdict.reasons
    assert len(verdict.reasons) == 2, "no word of tweets without a topic either"
    fewer = judge(replace(GOOD, languages=(JA,)), replace(IN_ENGLISH, champion=replace(BOTH, languages=(EN, JA))))
    assert fewer.promote, fewer.reasons


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"coverage": 0.96}, "knows a word of 96.0% of the tweets in en, the champion of 99.0%"),
        ({"diversity": 0.49}, "diversity 0.49 in en is below the champion's 0.55"),
        ({"coherence": -0.04}, "coherence -0.040 in en is 0.060 below the champion's 0.020"),
    ],
)
def test_a_new_language_does_not_hide_what_another_one_has_lost(change: dict[str, Any], reason: str) -> None:
    verdict = judge(replace(GOOD, languages=(replace(EN, **change), JA)), IN_ENGLISH)
    assert verdict.state == "refuse"
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith(reason)


def test_languages_count_by_their_tweets() -> None:
    champion = replace(BOTH, languages=(EN, JA))
    comparison = replace(SAME, champion=champion)
    ja = replace(JA, coverage=0.7, diversity=0.0)
    assert judge(replace(GOOD, languages=(EN, ja)), comparison).promote, "1.25 and 3.75 points lost"
    many = judge(replace(GOOD, languages=(EN, replace(ja, held_out=3_500))), comparison)
    assert [reason.split(" ")[0] for reason in many.reasons] == ["knows", "diversity"]
    assert "in en" not in " ".join(many.reasons), "both have the same languages"


def test_evaluations_that_did_not_measure_languages_are_judged_by_all_of_them() -> None:
    bare: dict[str, Any] = {"coherence": None, "diversity": None, "coverage": None, "without_topic": None}
    champion = replace(ENGLISH, languages=(replace(EN, **bare),))
    verdict = judge(replace(BOTH, languages=(EN, replace(JA, **bare))), replace(IN_ENGLISH, champion=champion))
    assert verdict.state == "refuse"
    assert verdict.reasons[0].startswith("knows a word of 96.6% of the tweets, the champion of 99.0%")


def test_nothing_to_compare_is_a_sentence() -> None:
    verdict = judge(GOOD, replace(SAME, challenger_perplexity=0.0, champion_perplexity=0.0, ratio=None))
    assert verdict.state == "cannot_tell"
    assert "too few held-out tweets have two words that both models know" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [
        (0.90, 0.95, "promote"),
        (0.97, 1.0499, "promote"),
        (1.01, 1.0499, "promote"),  # certainly worse, and certainly by less than 5 %
        (0.97, 1.05, "cannot_tell"),
        (0.76, 1.24, "cannot_tell"),
        (1.0, 1.30, "cannot_tell"),
        (1.001, 1.05, "refuse"),
        (1.2, 1.4, "refuse"),
    ],
)
def test_the_interval_decides(low: float, high: float, state: str) -> None:
    verdict = judge(GOOD, replace(SAME, ratio=Interval(low, high)))
    assert verdict.state == state
    assert verdict.promote is (state == "promote")
    assert f"(95 % interval: {low - 1:+.1%} to {high - 1:+.1%})" in " ".join(verdict.reasons)


def test_sentences_of_a_promotion_and_of_doubt() -> None:
    compared = "perplexity 790.0 is 0.4% above the champion's 787.1 on the same tweets (95 % interval: -1.0% to "
    assert judge(GOOD, SAME).reasons[-1] == f"{compared}+2.0%); 70% of them keep their topic"
    clear = judge(GOOD, replace(SAME, share_kept_confident=0.96))
    assert clear.reasons[-1] == f"{compared}+2.0%); 70% of them keep their topic, 96% of those that had a clear one"
    doubt = judge(GOOD, replace(SAME, ratio=Interval(0.99, 1.08)))
    assert doubt.reasons == [
        f"{compared}+8.0%)",
        "4,000 held-out tweets are too few to tell whether it is less than 5% worse",
    ]


def test_many_more_tweets_without_a_topic_are_reported_and_decide_nothing() -> None:
    unclear = replace(GOOD, without_topic=0.4)
    for champion, reasons in ((0.1, 3), (0.3, 2), (None, 2)):
        verdict = judge(unclear, replace(SAME, champion=replace(GOOD, without_topic=champion)))
        assert verdict.promote
        assert len(verdict.reasons) == reasons
    verdict = judge(unclear, replace(SAME, champion=replace(GOOD, without_topic=0.1)))
    assert verdict.reasons[-1] == "40% of them have no topic or no clear one, 10% with the champion"


def test_all_failures_are_reported_at_once() -> None:
    worse = replace(SAME, challenger_perplexity=900.0, ratio=Interval(1.1, 1.2))
    assert len(judge(replace(GOOD, topics=1, documents=5), worse).reasons) == 3


def test_a_champion_of_other_tweets_is_not_a_yardstick() -> None:
    stale = replace(
        SAME, common_words_share=0.1, champion_perplexity=0.0, share_kept=0.0, champion=replace(GOOD, coverage=0.2)
    )
    verdict = judge(GOOD, stale)
    assert verdict.state == "person"
    assert not verdict.promote
    assert verdict.reasons[-1] == (
        "the champion knows only 10% of their words, so the two cannot be compared: "
        "a person decides, with force and a reason"
    )


def test_a_challenger_of_other_tweets_is_not_promoted_whatever_its_perplexity() -> None:
    made_up = replace(SAME, common_words_share=0.4, challenger_perplexity=5000.0, champion_perplexity=100.0)
    assert judge(GOOD, made_up).state == "person"
