"""Records to sums: lanes, rejects, integers."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from twitter_topics.counts.batch import Lane
from twitter_topics.counts.partial_sums import partial_sums

TOPICS = pa.list_(pa.struct([("topic_id", pa.int32()), ("label", pa.string()), ("probability", pa.float64())]))
SCHEMA = pa.schema(
    [
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("event_time", pa.int64()),
        ("model_version", pa.string()),
        ("topics", TOPICS),
        ("topic_label", pa.string()),
        ("compound", pa.float64()),
        ("raw_topic_id", pa.string()),
        ("raw_partition", pa.int32()),
        ("raw_offset", pa.int64()),
    ]
)


def record(offset: int, raw_offset: int, **changes: Any) -> dict[str, Any]:
    base = {
        "partition": 2,
        "offset": offset,
        "event_time": 1_790_000_003_000,
        "model_version": "m1",
        "topics": [
            {"topic_id": 4, "label": "storm", "probability": 0.75},
            {"topic_id": 5, "label": "final", "probability": 0.25},
        ],
        "topic_label": "storm",
        "compound": 0.5,
        "raw_topic_id": "raw",
        "raw_partition": 1,
        "raw_offset": raw_offset,
    }
    return base | changes


def run(rows: list[dict[str, Any]], marks: dict[Lane, int] | None = None, size: int = 3) -> list[dict[str, Any]]:
    batches = [pa.RecordBatch.from_pylist(rows[at : at + size], schema=SCHEMA) for at in range(0, len(rows), size)]
    return [row for batch in partial_sums(batches, marks or {}) for row in batch.to_pylist()]


def of_kind(rows: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if value is not None} for row in rows if row["kind"] == kind]


def tweets(rows: list[dict[str, Any]]) -> int:
    return sum(row["tweets"] for row in of_kind(rows, "sums"))


def test_the_dominant_topic_gets_the_tweet_and_every_topic_its_share() -> None:
    rows = of_kind(run([record(0, 10), record(1, 11)]), "sums")
    base = {"kind": "sums", "pane": 1_790_000_000_000, "model_version": "m1"}
    assert sorted(rows, key=lambda row: row["topic_id"]) == [
        base | {"topic_id": 4, "label": "storm", "tweets": 2, "scored": 2, "mass": 1_500_000, "sentiment": 1_000_000},
        base | {"topic_id": 5, "label": "final", "tweets": 0, "scored": 0, "mass": 500_000, "sentiment": 0},
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_replayed_prefix_counts_once_however_it_is_cut(size: int) -> None:
    raw_offsets = [10, 11, 14, 10, 11, 14, 15, 18, 15, 18, 19]
    rows = run([record(at, raw) for at, raw in enumerate(raw_offsets)], size=size)
    assert tweets(rows) == len({10, 11, 14, 15, 18, 19})
    lane = {"kind": "lane", "raw_topic_id": "raw", "raw_partition": 1, "partition": 2}
    assert of_kind(rows, "lane") == [lane | {"low": 10, "high": 19}]
    assert of_kind(rows, "partition") == [
        {"kind": "partition", "partition": 2, "low": 0, "high": 11, "records": 11, "rejected": 0}
    ]
    assert of_kind(rows, "shares") == [{"kind": "shares", "shares": 12}]


def test_marks_hold_back_what_was_counted_before_and_lanes_do_not_mix() -> None:
    rows = [record(0, 5), record(1, 5, raw_partition=0), record(2, 7), record(3, 3, raw_partition=0)]
    counted = run(rows, {Lane("raw", 1, 2): 5, Lane("raw", 1, 3): 99, Lane("raw", 0, 2): 2, Lane("other", 1, 2): 99})
    assert tweets(counted) == 2  # raw 1/7 and 0/5; 0/3 comes after 0/5
    assert [(row["raw_partition"], row["high"]) for row in of_kind(counted, "lane")] == [(0, 5), (1, 7)]


def test_a_batch_of_repeats_alone_still_moves_the_offset() -> None:
    rows = run([record(7, 1), record(8, 2)], {Lane("raw", 1, 2): 2})
    assert of_kind(rows, "sums") == []
    assert of_kind(rows, "lane") == []
    assert of_kind(rows, "partition")[0]["high"] == 9


@pytest.mark.parametrize(
    "broken",
    [
        {"event_time": None},
        {"model_version": None},
        {"topics": None},
        {"topics": []},
        {"topics": [None]},
        {"topics": [{"topic_id": None, "probability": 0.5}]},
        {"topics": [{"topic_id": 1, "probability": None}]},
        {"topics": [{"topic_id": 1, "probability": float("nan")}]},
        {"topics": [{"topic_id": 1, "probability": 1.5}]},
        {"compound": float("inf")},
        {"compound": -1.1},
        {"raw_topic_id": None},
        {"raw_partition": None},
        {"raw_offset": None},
    ],
    ids=str,
)
def test_a_record_that_is_not_a_processed_tweet_is_rejected_and_counted(broken: dict[str, Any]) -> None:
    rows = run([record(0, 1), record(1, 2) | broken, record(2, 3)])
    assert tweets(rows) == 2
    assert of_kind(rows, "partition")[0] == {
        "kind": "partition",
        "partition": 2,
        "low": 0,
        "high": 3,
        "records": 3,
        "rejected": 1,
    }


def test_a_tweet_without_a_sentiment_counts_and_is_left_out_of_the_mean() -> None:
    rows = of_kind(run([record(0, 1), record(1, 2, compound=None)]), "sums")
    storm = next(row for row in rows if row["topic_id"] == 4)
    assert (storm["tweets"], storm["scored"], storm["sentiment"]) == (2, 1, 500_000)


def test_an_old_record_has_the_label_of_its_dominant_topic() -> None:
    topics = [{"topic_id": 4, "probability": 0.75}, {"topic_id": 5, "probability": 0.25}]
    rows = run([record(0, 1, topics=topics)])
    labels = {row["topic_id"]: row["label"] for row in rows if row["kind"] == "sums"}
    assert labels == {4: "storm", 5: None}


def test_a_raw_topic_made_anew_has_lanes_of_its_own() -> None:
    rows = run([record(0, 1, raw_topic_id="new"), record(1, 2, raw_topic_id="new")], {Lane("raw", 1, 2): 5_000})
    assert tweets(rows) == 2
    assert [row["raw_topic_id"] for row in of_kind(rows, "lane")] == ["new"]


def test_nothing_in_nothing_counted() -> None:
    assert run([]) == [dict.fromkeys(run([])[0]) | {"kind": "shares", "shares": 0}]


def test_sums_do_not_depend_on_the_order() -> None:
    shares = [[{"topic_id": 1, "probability": n / 7}, {"topic_id": 2, "probability": 1 - n / 7}] for n in range(4, 7)]
    forward = run([record(n, n, topics=share) for n, share in enumerate(shares)], size=1)
    backward = run([record(n, n, topics=share) for n, share in enumerate(reversed(shares))], size=3)
    key = lambda row: row["topic_id"]  # noqa: E731
    assert sorted(of_kind(forward, "sums"), key=key) == sorted(of_kind(backward, "sums"), key=key)
