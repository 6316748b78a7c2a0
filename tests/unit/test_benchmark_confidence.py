"""The benchmark of confidence: what it calls calibrated."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.confidence import ANCHORED, FREE, RANDOM, calibration_error, generated, reliability, samples, summary


def test_a_true_prediction_has_no_error_and_a_boast_has() -> None:
    draw = np.random.default_rng(1)
    truth = draw.uniform(0.2, 1, 50_000)
    agrees = draw.random(50_000) < truth
    assert calibration_error(truth, agrees) < 0.01
    assert calibration_error(np.minimum(truth + 0.2, 1), agrees) == pytest.approx(0.18, abs=0.01)
    bins = reliability(truth, agrees)
    assert [one["tweets"] for one in bins] == pytest.approx([6_250] * 8, rel=0.05)
    assert all(one["observed"] == pytest.approx(one["predicted"], abs=0.03) for one in bins)
    assert reliability(np.array([1.0]), np.array([True])) == [{"predicted": 1.0, "observed": 1.0, "tweets": 1}]


def test_the_third_seed_is_asked_about_tweets_that_nothing_has_seen() -> None:
    tweets, names = generated(1, 6_000)
    found = samples(tweets, names, 10)
    assert [list(one.agrees) for one in found.values()] == [[FREE, RANDOM], [FREE, RANDOM, ANCHORED]]
    for one in found.values():
        assert 700 < len(one.topics) == len(one.confidence) == len(one.agrees[FREE]) < 900  # one in five of 4,000
        assert one.themes is not None
        assert len(one.themes) == len(one.topics)
    row = summary("generated", 4_000, 10, "first", [found["first"]] * 2)
    assert row["agree"] > 0.8
    assert row["without"] >= row["without_before"]
    assert len(row["nmi"]) == 2
    assert sum(one["tweets"] for one in row["reliability"]) == 2 * len(found["first"].topics)
