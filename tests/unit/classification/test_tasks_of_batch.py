"""How many tasks a batch of the classifier has."""

from __future__ import annotations

from twitter_topics.classification.classifier import FEW_RECORDS, tasks_of_batch


def test_one_slot_is_left_to_the_archiver() -> None:
    assert tasks_of_batch(3, FEW_RECORDS) == 2
    assert tasks_of_batch(8, None) == 7, "what waits at the start is unknown"
    assert tasks_of_batch(1, None) == 1


def test_a_slow_stream_has_one_task_a_batch() -> None:
    assert tasks_of_batch(8, FEW_RECORDS - 1) == 1
    assert tasks_of_batch(8, 0) == 1
