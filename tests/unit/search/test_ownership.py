"""What a record does to a document that exists."""

from __future__ import annotations

from typing import Any

from twitter_topics.search.ownership import Outcome, Written, resolve


def record(offset: int, model: str = "v1", partition: int = 0) -> dict[str, Any]:
    counted = {"model_version": model, "raw_offset": offset}
    return {"raw_partition": partition, "raw_offset": offset, "text": model, "counted": counted}


def test_a_repeat_changes_nothing_and_gets_back_what_was_counted() -> None:
    held = record(5)
    assert resolve(record(5, "v2"), held) == (Written(Outcome.OWNED, counted=held["counted"]), None)


def test_another_record_is_a_duplicate() -> None:
    assert resolve(record(6), record(5)) == (Written(Outcome.DUPLICATE), None)
    assert resolve(record(5, partition=1), record(5)) == (Written(Outcome.DUPLICATE), None)


def test_a_document_of_version_1_is_written_again_by_its_owner_alone() -> None:
    held = {"raw_partition": 0, "raw_offset": 5}
    mine = record(5, "v2")
    assert resolve(mine, held) == (Written(Outcome.OWNED, counted=mine["counted"]), mine)
    assert resolve(record(6), held) == (Written(Outcome.DUPLICATE), None)
