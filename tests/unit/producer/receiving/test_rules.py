"""The waits: exact where the network documents a table, and invariants for any sequence of failures."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.receiving.rules import MASTODON, Backoff, WaitRules, X

Outcome = Literal["network", "http", "rate_limit", "healthy"]
OUTCOMES = st.lists(st.sampled_from(["network", "http", "rate_limit", "healthy"]), max_size=120)
LARGEST = {"network": "network_max_s", "http": "http_max_s", "rate_limit": "rate_limit_max_s"}
FIRST = {"network": "network_step_s", "http": "http_first_s", "rate_limit": "rate_limit_first_s"}


def test_the_table_for_x() -> None:
    backoff = Backoff(X, random.Random(1))
    network = [backoff.network() for _ in range(70)]
    assert network[:3] == [0.25, 0.5, 0.75]
    assert network[63:] == [16.0] * 7
    assert [backoff.http() for _ in range(8)] == [5, 10, 20, 40, 80, 160, 320, 320]
    assert [backoff.rate_limit() for _ in range(6)] == [60, 120, 240, 480, 960, 960]
    backoff.reset()
    assert (backoff.network(), backoff.http(), backoff.rate_limit()) == (0.25, 5.0, 60.0)


def test_a_reset_time_is_waited_for_and_after_another_rejection_the_table_is_the_minimum() -> None:
    backoff = Backoff(X, random.Random(1))
    assert backoff.rate_limit(300.0) == 300.0
    assert backoff.rate_limit(2.0) == 120.0
    assert backoff.rate_limit(900.0) == 900.0
    assert backoff.rate_limit() == 480.0
    backoff.reset()
    assert backoff.rate_limit(2.0) == 2.0
    assert Backoff(X, random.Random(1)).rate_limit(-5.0) == 60.0


@pytest.mark.parametrize("rules", [X, MASTODON])
@given(outcomes=OUTCOMES, seed=st.integers(0, 2**32))
@settings(max_examples=100)
def test_waits_of_a_kind_never_shrink_and_never_exceed_their_maximum(
    rules: WaitRules, outcomes: list[Outcome], seed: int
) -> None:
    backoff = Backoff(rules, random.Random(seed))
    since_healthy: dict[str, list[float]] = {kind: [] for kind in FIRST}
    for outcome in outcomes:
        if outcome == "healthy":
            backoff.reset()
            since_healthy = {kind: [] for kind in FIRST}
            continue
        wait = getattr(backoff, outcome)()
        since_healthy[outcome].append(wait)
        assert wait <= getattr(rules, LARGEST[outcome]) * (1 + rules.jitter)
    for kind, waits in since_healthy.items():
        first = getattr(rules, FIRST[kind])
        assert all(first <= wait <= first * (1 + rules.jitter) for wait in waits[:1])
        # jitter may increase a wait, but never below the previous one without it
        assert all(later * (1 + rules.jitter) >= earlier for earlier, later in pairwise(waits))
        assert all(later >= earlier for earlier, later in pairwise(waits)) or rules.jitter


@given(seed=st.integers(0, 2**32))
@settings(max_examples=50)
def test_jitter_only_adds(seed: int) -> None:
    rules = WaitRules(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, jitter=0.2)
    backoff = Backoff(rules, random.Random(seed))
    waits = [backoff.network() for _ in range(50)]
    assert all(1.0 <= wait <= 1.2 for wait in waits)
    assert len(set(waits)) > 1
