"""How the benchmark compares topics with themes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.themes import (
    Labelled,
    agreement,
    clusters,
    information,
    mixed,
    of_own_language,
    purity,
    read,
    served,
    train,
)
from twitter_topics.records.processed import NO_TOPIC

THEMES = np.array(["storm", "storm", "final", "final"])


def found(topics: list[int], languages: list[str], themes: list[str] | None = None) -> Labelled:
    return Labelled(THEMES if themes is None else np.array(themes), np.array(languages), np.array(topics))


def test_equal_labels_share_all_information_and_independent_ones_none() -> None:
    assert information(THEMES, np.array([7, 7, 3, 3])) == pytest.approx(1)
    assert information(THEMES, np.array([1, 2, 1, 2])) == pytest.approx(0)
    assert information(THEMES, THEMES) == information(np.array(["a"]), np.array([1])) == pytest.approx(1)


def test_information_is_a_share_of_the_mean_entropy() -> None:
    # H(theme) = ln 2, H(topic) = 1.5 ln 2, and the topic tells the theme
    assert information(THEMES, np.array([1, 1, 2, 3])) == pytest.approx(math.log(2) / (1.25 * math.log(2)))


def test_a_topic_is_as_pure_as_its_main_theme_is_large() -> None:
    assert purity(THEMES, np.array([1, 1, 1, 2])) == 0.75
    assert purity(THEMES, np.array([1, 2, 3, 4])) == 1


def test_languages_are_compared_for_themselves() -> None:
    measured = agreement(found([1, 2, 3, 3], ["en", "en", "ja", "ja"], ["storm", "final", "storm", "final"]))
    assert measured["nmi_by_language"] == {"en": pytest.approx(1), "ja": pytest.approx(0)}
    assert measured["nmi_within"] == pytest.approx(0.5)
    assert measured["purity"] == 0.75


def test_a_topic_has_the_language_of_most_of_its_tweets() -> None:
    assert of_own_language(found([1, 1, 1, 2], ["en", "en", "ja", "ja"])) == 0.75
    assert of_own_language(found([1, 1, NO_TOPIC, NO_TOPIC], ["en", "en", "ja", "ja"])) == 0.5


def test_themes_that_share_a_topic_are_named() -> None:
    shared = mixed(found([1, 1, 1, 2], ["en"] * 4, ["storm", "storm", "final", "final"]))
    assert shared == {"final in storm": 0.25}


def test_a_day_is_read_trained_and_measured() -> None:
    day = read("en,ja", 1, 3_000)
    assert set(day.languages) == {"en", "ja"}
    assert len(day.texts) == len(day.themes) == day.tweets.count == 3_000
    model = train(day.tweets, "all")
    stored, trained = served(model, day), clusters(model, day)
    assert len(stored.topics) == 3_000 > len(trained.topics) > 2_000
    assert agreement(stored)["nmi"] > 0.4
    assert abs(agreement(stored)["nmi"] - agreement(trained)["nmi"]) < 0.1
