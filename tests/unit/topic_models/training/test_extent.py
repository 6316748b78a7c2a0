"""What a training has read, as it is kept in its files."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from twitter_topics.errors import ConflictError
from twitter_topics.topic_models.training.extent import Extent, Offsets

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
READ = Extent(START, END, {11: Offsets(3, 90, 40), 2: Offsets(0, 20, 21)})


def test_it_survives_json() -> None:
    assert Extent.from_json(json.loads(json.dumps(READ.as_json()))) == READ
    assert list(READ.as_json()["offsets"]) == ["2", "11"]
    assert READ.tweets == 61


def test_what_is_missing_was_deleted() -> None:
    assert READ.deleted_until(READ) == 0
    assert READ.deleted_until(Extent(START, END, {11: Offsets(5, 80, 38)})) == 23


def test_a_topic_that_was_created_again_cannot_be_read_again() -> None:
    with pytest.raises(ConflictError, match="partition 2 has 22 tweets up to offset 20, the training read 21"):
        READ.deleted_until(Extent(START, END, {2: Offsets(0, 20, 22)}))
