"""Past hours are counted only when the archive has what arrived until they were closed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from twitter_topics.archive import completeness
from twitter_topics.archive.completeness import check_archived
from twitter_topics.archive.hours import HourRange
from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.backends.kafka_offsets import Range
from twitter_topics.errors import RetryableError
from twitter_topics.settings import Settings

HOURS = HourRange(datetime(2026, 11, 1, 10, tzinfo=UTC), datetime(2026, 11, 1, 12, tzinfo=UTC))
CLOSED_MS = 1_793_534_700_000
"""12:05 UTC, in Unix milliseconds."""

Stores = Callable[[dict[int, Range], dict[int, int]], None]


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> Stores:
    """What Kafka has of the time before the hours were closed, and the archive's next offsets."""

    def hold(arrived: dict[int, Range], archived: dict[int, int]) -> None:
        def ranges_before(_settings: object, topic: str, before_ms: int) -> dict[int, Range]:
            assert (topic, before_ms) == ("raw_tweets", CLOSED_MS)
            return arrived

        monkeypatch.setattr(completeness, "ranges_before", ranges_before)
        monkeypatch.setattr(ArchiveStore, "next_offsets", lambda _self: archived)

    return hold


@pytest.mark.parametrize(
    ("arrived", "archived"),
    [
        ({0: Range(0, 40), 1: Range(0, 30)}, {0: 40, 1: 90}),
        ({0: Range(70, 70)}, {0: 60}),  # Kafka has deleted what came then
        ({0: Range(0, 40)}, {0: 40, 7: 5}),  # the topic had more partitions once
        ({}, {0: 40}),
        ({}, {}),
    ],
)
def test_a_complete_archive_may_be_counted(stores: Stores, arrived: dict[int, Range], archived: dict[int, int]) -> None:
    stores(arrived, archived)
    check_archived(Settings({}), HOURS)


@pytest.mark.parametrize(
    ("arrived", "archived", "lacking"),
    [
        ({0: Range(0, 4_000), 1: Range(0, 30)}, {0: 1_000, 1: 30}, "3,000"),
        ({0: Range(0, 40), 1: Range(10, 30)}, {0: 90}, "20"),
        ({0: Range(70, 80)}, {0: 60}, "10"),
    ],
)
def test_an_archiver_that_is_behind_is_waited_for(
    stores: Stores, arrived: dict[int, Range], archived: dict[int, int], lacking: str
) -> None:
    stores(arrived, archived)
    expected = f"the archive lacks {lacking} records that arrived before 2026-11-01T12:05:00.*wait for the archiver"
    with pytest.raises(RetryableError, match=expected):
        check_archived(Settings({}), HOURS)
