from __future__ import annotations

from dataclasses import replace

import pytest

from twitter_topics.backends.kafka_offsets import Stamps
from twitter_topics.health.problems import (
    STREAMING_PARTS,
    WatchLimits,
    clock_problems,
    dead_letter_problem,
    find_problems,
)
from twitter_topics.health.report import Health

NOW = 1_000_000.0
LIMITS = WatchLimits()
PARTS = ("producer-bluesky", "producer", *STREAMING_PARTS)
WELL = {part: Health(part, ok=True, state="running", at=NOW - 5) for part in PARTS}


def problems(previous: dict[str, int] | None = None, **changes: Health) -> list[str]:
    return find_problems(WELL | changes, previous or {}, now=NOW, limits=LIMITS, parts=PARTS)


def test_no_problems() -> None:
    assert problems() == []


def test_a_part_that_never_reported() -> None:
    reports = {part: report for part, report in WELL.items() if part != "archiver"}
    (problem,) = find_problems(reports, {}, now=NOW, limits=LIMITS, parts=PARTS)
    assert problem.startswith("archiver has never reported")


def test_a_silent_part_is_named_once_with_its_last_state() -> None:
    silent = replace(WELL["classifier"], at=NOW - 301, ok=False, state="failed")
    assert problems(classifier=silent) == ["classifier has been silent for 5 minutes; its last state was 'failed'"]
    failed = replace(silent, error="Kafka is down")
    assert problems(classifier=failed) == [
        "classifier has been silent for 5 minutes; its last state was 'failed': Kafka is down"
    ]
    assert problems(classifier=replace(silent, at=NOW - 120, ok=True, state="running")) == []


@pytest.mark.parametrize("state", ["finished", "stopped"])
def test_a_part_that_ended_on_purpose_may_be_silent(state: str) -> None:
    assert problems(producer=replace(WELL["producer"], at=0, state=state)) == []


def test_a_part_that_is_not_ok_reports_why() -> None:
    broken = replace(WELL["aggregator"], ok=False, state="restarting", error="InfluxDB is down")
    assert problems(aggregator=broken) == ["aggregator reports 'restarting': InfluxDB is down"]


@pytest.mark.parametrize(
    ("before", "lag", "called"),
    [(5000, 9000, True), (5000, 6000, False), (9000, 5000, False), (0, 999, False), (None, 10**6, False)],
)
def test_a_growing_lag(before: int | None, lag: int, called: bool) -> None:
    previous = {} if before is None else {"classifier": before}
    found = problems(previous, classifier=replace(WELL["classifier"], lag=lag))
    assert [("is falling behind" in problem) for problem in found] == [True] * called


def test_a_lag_that_grows_while_the_first_model_is_awaited_is_no_problem() -> None:
    waiting = replace(WELL["classifier"], state="waiting: the first model has not been promoted yet", lag=9000)
    assert problems({"classifier": 5000}, classifier=waiting) == []


def test_a_part_that_waits_too_long_reports_why() -> None:
    waiting = replace(WELL["producer"], state="waiting", error="Kafka is down", lag=9000)
    assert problems({"producer": 5000}, producer=waiting) == []
    assert problems({"producer": 5000}, producer=replace(waiting, ok=False)) == [
        "producer reports 'waiting': Kafka is down"
    ]


def test_every_configured_producer_is_checked() -> None:
    reports = {part: report for part, report in WELL.items() if part != "producer-bluesky"}
    (problem,) = find_problems(reports, {}, now=NOW, limits=LIMITS, parts=PARTS)
    assert problem.startswith("producer-bluesky has never reported")
    others = [part for part in PARTS if part != "producer-bluesky"]
    assert find_problems(reports, {}, now=NOW, limits=LIMITS, parts=others) == []


@pytest.mark.parametrize(
    ("dead", "raw", "called"),
    [(0, 0, False), (19, 19, False), (20, 400, False), (20, 399, True), (50_000, 1_000_000, False), (20, 0, True)],
)
def test_dead_letters_of_the_last_hour(dead: int, raw: int, called: bool) -> None:
    assert bool(dead_letter_problem(dead, raw, LIMITS)) is called


def stamps(broker_s: float, producer_s: float | None = None) -> Stamps:
    """Stamps of a record, in seconds from now."""
    producer = None if producer_s is None else int((NOW + producer_s) * 1000)
    return Stamps(int((NOW + broker_s) * 1000), producer)


@pytest.mark.parametrize(
    "newest",
    [
        [],
        [stamps(-5)],
        [stamps(-5, -6), stamps(-4, -4)],
        [stamps(30, 50)],
        [stamps(-5, -86_400)],  # from the producer's spool
        [stamps(-86_400, -86_400)],  # a quiet source
    ],
)
def test_clocks_that_agree(newest: list[Stamps]) -> None:
    assert clock_problems(newest, now=NOW, limits=LIMITS) == []


def test_a_broker_whose_clock_is_behind_is_named() -> None:
    (problem,) = clock_problems([stamps(-5, -5), stamps(-600, -1)], now=NOW, limits=LIMITS)
    assert "10 minutes behind the producer's" in problem
    assert "SPEED_MAX_FUTURE_MINUTES" in problem


def test_a_broker_whose_clock_is_ahead_is_named() -> None:
    (problem,) = clock_problems([stamps(420, -1)], now=NOW, limits=LIMITS)
    assert "7 minutes ahead of this machine's" in problem
