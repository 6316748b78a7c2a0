"""From processed tweets to sums: each record once, in integers, without a shuffle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twitter_topics.counts.series import MILLION, PANE_MS, Lane

RECORD_COLUMNS = (
    "partition",
    "offset",
    "event_time",
    "model_version",
    "topics",
    "compound",
    "raw_partition",
    "raw_offset",
)
"""What `partial_sums` reads of each record: its place in the processed topic and the fields of PROCESSED_SCHEMA."""

PARTIAL_SCHEMA = (
    "kind string, pane long, topic_id int, model_version string, tweets long, mass long, sentiment long, "
    "raw_partition int, partition int, high long, records long, refused long"
)
"""Spark DDL of a row of `partial_sums`. kind `sums`: pane (ms) to sentiment; kind `lane`: raw_partition, partition and
the highest raw offset there; kind `partition`: partition, its next offset, records read and, of these, refused."""

_SUMS_KEYS = ["pane", "topic_id", "model_version"]
_SUMS = pa.schema(
    [
        ("pane", pa.int64()),
        ("topic_id", pa.int32()),
        ("model_version", pa.string()),
        ("tweets", pa.int64()),
        ("mass", pa.int64()),
        ("sentiment", pa.int64()),
    ]
)
_PARTIAL = pa.schema(
    [
        ("kind", pa.string()),
        *_SUMS,
        ("raw_partition", pa.int32()),
        ("partition", pa.int32()),
        ("high", pa.int64()),
        ("records", pa.int64()),
        ("refused", pa.int64()),
    ]
)
_SHARE_SLACK = 1e-5


class _Progress(NamedTuple):
    """What a task has read of a processed partition."""

    next_offset: int = 0
    records: int = 0
    refused: int = 0


def partial_sums(batches: Iterable[pa.RecordBatch], marks: Mapping[Lane, int]) -> Iterator[pa.RecordBatch]:
    """Count the records of one task of a batch.

    A record counts when its raw offset is higher than all before it in its lane: the classifier writes a lane in the
    order of raw offsets and repeats it from an earlier point after a failure, so what is not higher was counted before.

    Args:
        batches: records with RECORD_COLUMNS, those of a processed partition in the order of their offsets.
        marks: highest raw offset counted in each lane so far.

    Yields:
        Rows of PARTIAL_SCHEMA. Sums of different tasks are to be added up.
    """
    lanes = dict(marks)
    touched: set[Lane] = set()
    progress: dict[int, _Progress] = {}
    parts: list[pa.Table] = []
    for batch in batches:
        if not batch.num_rows:
            continue
        readable = _readable(batch)
        _note_progress(batch, readable, progress)
        records = batch.filter(pa.array(readable))
        fresh = _fresh(records, lanes, touched)
        parts.append(_sums(records.filter(pa.array(fresh))))
    yield from _sums_rows(parts)
    yield _lane_rows(touched, lanes)
    yield _partition_rows(progress)


def add_up(table: pa.Table) -> pa.Table:
    """One row for each pane, topic and model of a table of `sums` rows."""
    sums = table.select(_SUMS.names).group_by(_SUMS_KEYS)
    totals = sums.aggregate([("tweets", "sum"), ("mass", "sum"), ("sentiment", "sum")])
    return totals.rename_columns({f"{name}_sum": name for name in ("tweets", "mass", "sentiment")}).select(_SUMS.names)


def _note_progress(batch: pa.RecordBatch, readable: np.ndarray, progress: dict[int, _Progress]) -> None:
    partitions, offsets = _numbers(batch, "partition"), _numbers(batch, "offset")
    for partition in np.unique(partitions).tolist():
        mine = partitions == partition
        before = progress.get(partition, _Progress())
        progress[partition] = _Progress(
            next_offset=int(offsets[mine].max()) + 1,
            records=before.records + int(mine.sum()),
            refused=before.refused + int((mine & ~readable).sum()),
        )


def _numbers(batch: pa.RecordBatch, name: str) -> np.ndarray:
    numbers: np.ndarray = batch.column(name).to_numpy(zero_copy_only=False)
    return numbers


def _readable(batch: pa.RecordBatch) -> np.ndarray:
    """Records with all fields, at least one topic, shares in [0, 1] and a compound in [-1, 1]."""
    good = np.ones(batch.num_rows, dtype=bool)
    for name in RECORD_COLUMNS:
        good &= batch.column(name).is_valid().to_numpy(zero_copy_only=False)
    good &= pc.fill_null(pc.list_value_length(batch.column("topics")), 0).to_numpy(zero_copy_only=False) > 0
    compound = pc.fill_null(batch.column("compound"), 0.0).to_numpy(zero_copy_only=False)
    good &= np.abs(compound) <= 1.0  # NaN compares as false, here and below
    owners, topic_ids, shares = _topics(batch)
    share = pc.fill_null(shares, -1.0).to_numpy(zero_copy_only=False)
    topic_there = topic_ids.is_valid().to_numpy(zero_copy_only=False)
    share_good = (share >= 0.0) & (share <= 1.0 + _SHARE_SLACK)
    good[owners[~(topic_there & share_good)]] = False
    return good


def _topics(batch: pa.RecordBatch) -> tuple[np.ndarray, pa.Array, pa.Array]:
    """All topics of all records: index of the record, topic id, share."""
    topics = batch.column("topics")
    flat = pc.list_flatten(topics)
    owners: np.ndarray = pc.list_parent_indices(topics).to_numpy(zero_copy_only=False)
    return owners, pc.struct_field(flat, "topic_id"), pc.struct_field(flat, "probability")


def _fresh(records: pa.RecordBatch, lanes: dict[Lane, int], touched: set[Lane]) -> np.ndarray:
    """Which records are the first of their raw offset in their lane. Raises the marks in `lanes`."""
    fresh = np.zeros(records.num_rows, dtype=bool)
    raw, processed = _numbers(records, "raw_partition"), _numbers(records, "partition")
    raw_offsets = _numbers(records, "raw_offset")
    for raw_partition, partition in sorted(set(zip(raw.tolist(), processed.tolist(), strict=True))):
        lane = (raw_partition, partition)
        rows = np.flatnonzero((raw == raw_partition) & (processed == partition))
        offsets = raw_offsets[rows]
        highest = np.maximum.accumulate(np.concatenate(([lanes.get(lane, -1)], offsets)))
        fresh[rows] = offsets > highest[:-1]
        lanes[lane] = int(highest[-1])
        touched.add(lane)
    return fresh


def _sums(records: pa.RecordBatch) -> pa.Table:
    """Tweets and sentiment go to the dominant topic, mass to every topic of the tweet."""
    panes = _numbers(records, "event_time")
    panes = panes - panes % PANE_MS
    versions = records.column("model_version")
    owners, topic_ids, shares = _topics(records)
    first = np.flatnonzero(np.diff(owners, prepend=-1))
    dominant = topic_ids.take(pa.array(first))
    ones, zeros = np.ones(records.num_rows, dtype=np.int64), np.zeros(records.num_rows, dtype=np.int64)
    tweets = _table(panes, dominant, versions, ones, zeros, _millionths(_numbers(records, "compound")))
    none = np.zeros(len(owners), dtype=np.int64)
    mass = _millionths(shares.to_numpy(zero_copy_only=False))
    masses = _table(panes[owners], topic_ids, versions.take(pa.array(owners)), none, mass, none)
    return add_up(pa.concat_tables([tweets, masses]))


def _millionths(values: np.ndarray) -> np.ndarray:
    millionths: np.ndarray = np.rint(values * MILLION).astype(np.int64)
    return millionths


def _table(*columns: np.ndarray | pa.Array) -> pa.Table:
    arrays = [pa.array(column) if isinstance(column, np.ndarray) else column for column in columns]
    return pa.table(arrays, schema=_SUMS)


def _sums_rows(parts: list[pa.Table]) -> Iterator[pa.RecordBatch]:
    if not parts:
        return
    totals = add_up(pa.concat_tables(parts))
    for batch in totals.to_batches():
        yield _padded("sums", {name: batch.column(name) for name in _SUMS.names}, batch.num_rows)


def _lane_rows(touched: set[Lane], lanes: Mapping[Lane, int]) -> pa.RecordBatch:
    rows = sorted(touched)
    columns = {
        "raw_partition": pa.array([lane[0] for lane in rows], pa.int32()),
        "partition": pa.array([lane[1] for lane in rows], pa.int32()),
        "high": pa.array([lanes[lane] for lane in rows], pa.int64()),
    }
    return _padded("lane", columns, len(rows))


def _partition_rows(progress: Mapping[int, _Progress]) -> pa.RecordBatch:
    partitions = sorted(progress)
    rows = [progress[partition] for partition in partitions]
    columns = {
        "partition": pa.array(partitions, pa.int32()),
        "high": pa.array([row.next_offset for row in rows], pa.int64()),
        "records": pa.array([row.records for row in rows], pa.int64()),
        "refused": pa.array([row.refused for row in rows], pa.int64()),
    }
    return _padded("partition", columns, len(rows))


def _padded(kind: str, columns: Mapping[str, pa.Array], rows: int) -> pa.RecordBatch:
    filled = {"kind": pa.array([kind] * rows, pa.string()), **columns}
    arrays = [filled.get(column.name, pa.nulls(rows, column.type)) for column in _PARTIAL]
    return pa.RecordBatch.from_arrays(arrays, schema=_PARTIAL)
