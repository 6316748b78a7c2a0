"""What a record does to a document that exists."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from twitter_topics.records.processed import processed_value
from twitter_topics.search.ownership import Outcome, Written, resolve


def record(offset: int, model: str = "v1", partition: int = 0) -> dict[str, Any]:
    counted = {"model_version": model, "raw_offset": offset}
    return {"raw_partition": partition, "raw_offset": offset, "text": model, "counted": counted}


def test_a_repeat_changes_nothing_and_gets_back_what_was_counted() -> None:
    held = record(5)
    assert resolve(record(5, "v2"), held) == (Written(Outcome.OWNED, counted=processed_value(held["counted"])), None)


def test_another_record_is_a_duplicate() -> None:
    assert resolve(record(6), record(5)) == (Written(Outcome.DUPLICATE), None)
    assert resolve(record(5, partition=1), record(5)) == (Written(Outcome.DUPLICATE), None)


def test_a_document_of_version_1_is_written_again_by_its_owner_alone() -> None:
    held = {"raw_partition": 0, "raw_offset": 5}
    mine = record(5, "v2")
    assert resolve(mine, held) == (Written(Outcome.OWNED, counted=processed_value(mine["counted"])), mine)
    assert resolve(record(6), held) == (Written(Outcome.DUPLICATE), None)


def edit(offset: int) -> dict[str, Any]:
    made = record(offset, f"text {offset}")
    return made | {"edited_at": 1_000 + offset, "edit_offset": offset, "counted_topic_id": offset}


def test_an_edit_changes_what_is_shown_and_nothing_that_was_counted() -> None:
    held = record(5) | {"counted_topic_id": 3}
    written, rewrite = resolve(edit(7), held)
    assert written.outcome is Outcome.EDITED
    assert rewrite == edit(7) | {"raw_offset": 5, "counted": held["counted"], "counted_topic_id": 3}


def test_an_edit_that_is_sent_again_keeps_its_place() -> None:
    """It was rejected at offset 6, and comes again at 30."""
    again = edit(30) | {"edit_offset": 6}
    assert resolve(again, edit(7) | {"raw_offset": 5}) == (Written(Outcome.DUPLICATE), None)
    for owner in (record(5), record(29)):  # the original was accepted at once, or sent again too
        written, rewrite = resolve(again, owner)
        assert written.outcome is Outcome.EDITED
        assert rewrite is not None
        assert (rewrite["text"], rewrite["raw_offset"]) == ("text 30", owner["raw_offset"])


def test_a_document_of_version_1_keeps_its_edit() -> None:
    held = {"raw_partition": 0, "raw_offset": 5, "topic_id": 3, "model_version": "v1"}
    _, edited = resolve(edit(7), held)
    assert edited is not None
    assert "counted" not in edited
    assert (edited["counted_topic_id"], edited["counted_model_version"]) == (3, "v1")
    assert resolve(record(5), edited) == (Written(Outcome.OWNED, counted=processed_value(record(5)["counted"])), None)


@given(
    st.permutations([record(1), edit(2), edit(3), edit(4)]).flatmap(
        lambda once: st.lists(st.sampled_from(once), max_size=8).map(lambda again: [*once, *again])
    )
)
def test_the_newest_edit_is_shown_in_any_order_and_however_often(records: list[dict[str, Any]]) -> None:
    owner, held = records[0], dict(records[0])
    for one in records[1:]:
        written, rewrite = resolve(one, held)
        assert (written.outcome is Outcome.OWNED) == (one["raw_offset"] == owner["raw_offset"])
        if written.outcome is Outcome.OWNED:
            assert written.counted == processed_value(owner["counted"])
        held = held if rewrite is None else rewrite
    assert (held["text"], held["edited_at"]) == ("text 4", 1_004)
    assert (held["raw_offset"], held["counted"]) == (owner["raw_offset"], owner["counted"])
