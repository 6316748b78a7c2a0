"""Offsets of a topic compared with how far it was read."""

from __future__ import annotations

import pytest

from twitter_topics.backends.kafka_offsets import Range, deleted, lag, require_reached
from twitter_topics.errors import IntegrityError

HELD = {0: Range(50, 70), 1: Range(0, 70)}


@pytest.mark.parametrize(
    ("covered", "lost"),
    [({}, {}), ({0: 50, 1: 0}, {}), ({0: 70, 1: 70}, {}), ({0: 40, 1: 40}, {0: Range(40, 50)}), ({7: 1}, {})],
)
def test_what_was_deleted_before_it_was_read_is_known(covered: dict[int, int], lost: dict[int, Range]) -> None:
    assert deleted(HELD, covered) == lost


def test_a_partition_that_ends_before_what_was_read_is_another_topics() -> None:
    require_reached("raw", HELD, {0: 70, 1: 0, 7: 100})
    with pytest.raises(IntegrityError, match=r"partition 1 of topic raw ends at offset 70 and was read up to 1,000"):
        require_reached("raw", HELD, {0: 70, 1: 1_000})


def test_what_was_deleted_is_not_behind() -> None:
    assert lag(HELD, {0: 40, 1: 60}) == 20 + 10
