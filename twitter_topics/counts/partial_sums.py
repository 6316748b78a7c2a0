"""From processed tweets to sums: each record once, in integers, without a shuffle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twitter_topics.counts.batch import Lane, Marks
from twitter_topics.counts.panes import MILLION, pane_start

RECORD_SCHEMA = pa.schema(
    [
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("event_time", pa.int64()),
        ("model_version", pa.string()),
        (
            "topics",
            pa.list_(pa.struct([("topic_id", pa.int32()), ("label", pa.string()), ("probability", pa.float64())])),
        ),
        ("topic_label", pa.string()),
        ("compound", pa.float64()),
        ("raw_topic_id", pa.string()),
        ("raw_partition", pa.int32()),
        ("raw_offset", pa.int64()),
    ]
)
"""What `partial_sums` reads of each record: its place in the processed topic, and what `processed_fields` wrote."""

_OPTIONAL = {"topic_label", "compound"}
"""Records from before topics carried labels have only that of the dominant one; not every tweet has a sentiment."""

PARTIAL_SCHEMA = (
    "kind string, pane long, topic_id int, label string, model_version string, tweets long, scored long, mass long, "
    "sentiment long, raw_topic_id string, raw_partition int, partition int, low long, high long, records long, "
    "rejected long, shares long"
)
"""Spark DDL of a row of `partial_sums`. kind `sums`: pane (ms) to sentiment; kind `lane`: its key, and the lowest and
highest raw offset counted; kind `partition`: partition, its first offset and the next one to read, records read and, of
these, rejected; kind `shares`: topic shares in the counted records."""

_SUMS_KEYS = ["pane", "topic_id", "label", "model_version"]
_SUMS_VALUES = ["tweets", "scored", "mass", "sentiment"]
_SUMS = pa.schema(
    [
        ("pane", pa.int64()),
        ("topic_id", pa.int32()),
        ("label", pa.string()),
        ("model_version", pa.string()),
        *((name, pa.int64()) for name in _SUMS_VALUES),
    ]
)
_PARTIAL = pa.schema(
    [
        ("kind", pa.string()),
        *_SUMS,
        ("raw_topic_id", pa.string()),
        ("raw_partition", pa.int32()),
        ("partition", pa.int32()),
        *((name, pa.int64()) for name in ("low", "high", "records", "rejected", "shares")),
    ]
)
_SHARE_SLACK = 1e-5


class _Progress(NamedTuple):
    """What a task has read of a processed partition."""

    first_offset: int
    next_offset: int = 0
    records: int = 0
    rejected: int = 0


def partial_sums(batches: Iterable[pa.RecordBatch], high_water_marks: Mapping[Lane, int]) -> Iterator[pa.RecordBatch]:
    """Count the records of one task of a batch.

    A record counts when its raw offset is higher than all before it in its lane: the classifier writes a lane in the
    order of raw offsets and repeats it from an earlier point after a failure, so what is not higher was counted before.

    Args:
        batches: records (RECORD_SCHEMA), those of a processed partition in the order of their offsets.
        high_water_marks: highest raw offset counted in each lane so far.

    Yields:
        Rows of PARTIAL_SCHEMA. Sums of different tasks are to be added up.
    """
    lanes = dict(high_water_marks)
    counted: dict[Lane, Marks] = {}
    progress: dict[int, _Progress] = {}

    def new_records() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows:
                readable = _readable(batch)
                _note_progress(batch, readable, progress)
                records = batch.filter(pa.array(readable))
                yield records.filter(pa.array(_fresh(records, lanes, counted)))

    yield from sums_of_all(new_records())
    yield _lane_rows(counted)
    yield _partition_rows(progress)


def sums_of_all(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rows of kind `sums` and `shares` of records (RECORD_SCHEMA) that are all to be counted."""
    parts: list[pa.Table] = []
    shares = 0
    for records in batches:
        parts.append(_sums(records))
        shares += len(pc.list_flatten(records.column("topics")))
    yield from _sums_rows(parts)
    yield _padded("shares", {"shares": pa.array([shares], pa.int64())}, 1)


def add_up(table: pa.Table) -> pa.Table:
    """One row for each pane, topic, label and model of a table of `sums` rows."""
    sums = table.select(_SUMS.names).group_by(_SUMS_KEYS)
    totals = sums.aggregate([(name, "sum") for name in _SUMS_VALUES])
    return totals.rename_columns({f"{name}_sum": name for name in _SUMS_VALUES}).select(_SUMS.names)


def _note_progress(batch: pa.RecordBatch, readable: np.ndarray, progress: dict[int, _Progress]) -> None:
    partitions, offsets = _numbers(batch, "partition"), _numbers(batch, "offset")
    for partition in np.unique(partitions).tolist():
        mine = partitions == partition
        before = progress.get(partition, _Progress(int(offsets[mine].min())))
        progress[partition] = _Progress(
            first_offset=before.first_offset,
            next_offset=int(offsets[mine].max()) + 1,
            records=before.records + int(mine.sum()),
            rejected=before.rejected + int((mine & ~readable).sum()),
        )


def _numbers(batch: pa.RecordBatch, name: str) -> np.ndarray:
    numbers: np.ndarray = batch.column(name).to_numpy(zero_copy_only=False)
    return numbers


def _readable(batch: pa.RecordBatch) -> np.ndarray:
    """Records with all fields that must be there, at least one topic, shares in [0, 1], and a compound in [-1, 1] or
    none."""
    good = np.ones(batch.num_rows, dtype=bool)
    for name in set(RECORD_SCHEMA.names) - _OPTIONAL:
        good &= batch.column(name).is_valid().to_numpy(zero_copy_only=False)
    good &= pc.fill_null(pc.list_value_length(batch.column("topics")), 0).to_numpy(zero_copy_only=False) > 0
    compound = pc.fill_null(batch.column("compound"), 0.0).to_numpy(zero_copy_only=False)
    good &= np.abs(compound) <= 1.0  # NaN compares as false, here and below
    owners, topic_ids, _, shares = _topics(batch)
    share = pc.fill_null(shares, -1.0).to_numpy(zero_copy_only=False)
    topic_there = topic_ids.is_valid().to_numpy(zero_copy_only=False)
    share_good = (share >= 0.0) & (share <= 1.0 + _SHARE_SLACK)
    good[owners[~(topic_there & share_good)]] = False
    return good


def _topics(batch: pa.RecordBatch) -> tuple[np.ndarray, pa.Array, pa.Array, pa.Array]:
    """All topics of all records: index of the record, topic id, label, share."""
    topics = batch.column("topics")
    flat = pc.list_flatten(topics)
    owners: np.ndarray = pc.list_parent_indices(topics).to_numpy(zero_copy_only=False)
    return owners, *(pc.struct_field(flat, name) for name in ("topic_id", "label", "probability"))


def _fresh(records: pa.RecordBatch, lanes: dict[Lane, int], counted: dict[Lane, Marks]) -> np.ndarray:
    """Which records are the first of their raw offset in their lane. Raises the high-water marks in `lanes`."""
    fresh = np.zeros(records.num_rows, dtype=bool)
    topics = records.column("raw_topic_id").to_pylist()
    raw, processed = _numbers(records, "raw_partition"), _numbers(records, "partition")
    raw_offsets = _numbers(records, "raw_offset")
    rows_of: defaultdict[Lane, list[int]] = defaultdict(list)
    for row, key in enumerate(zip(topics, raw.tolist(), processed.tolist(), strict=True)):
        rows_of[Lane(*key)].append(row)
    for lane, places in rows_of.items():
        rows = np.array(places)
        offsets = raw_offsets[rows]
        highest = np.maximum.accumulate(np.concatenate(([lanes.get(lane, -1)], offsets)))
        new = offsets > highest[:-1]
        fresh[rows] = new
        if new.any():
            lanes[lane] = int(highest[-1])
            low = counted[lane].low if lane in counted else int(offsets[new].min())
            counted[lane] = Marks(low, lanes[lane])
    return fresh


def _sums(records: pa.RecordBatch) -> pa.Table:
    """Sums of records (RECORD_SCHEMA): tweets and sentiment by dominant topic, mass by every topic of the tweet."""
    panes = pane_start(_numbers(records, "event_time"))
    versions = records.column("model_version")
    owners, topic_ids, labels, shares = _topics(records)
    first = pa.array(np.flatnonzero(np.diff(owners, prepend=-1)))
    dominant_labels = pc.coalesce(labels.take(first), records.column("topic_label"))
    compound = records.column("compound")
    scored = compound.is_valid().to_numpy(zero_copy_only=False).astype(np.int64)
    ones, zeros = np.ones(records.num_rows, dtype=np.int64), np.zeros(records.num_rows, dtype=np.int64)
    sentiment = _millionths(pc.fill_null(compound, 0.0).to_numpy(zero_copy_only=False))
    tweets = _table(panes, topic_ids.take(first), dominant_labels, versions, ones, scored, zeros, sentiment)
    none = np.zeros(len(owners), dtype=np.int64)
    mass = _millionths(shares.to_numpy(zero_copy_only=False))
    of_owner = pa.array(owners)
    labels = pc.if_else(_is_first(owners), dominant_labels.take(of_owner), labels)
    masses = _table(panes[owners], topic_ids, labels, versions.take(of_owner), none, none, mass, none)
    return add_up(pa.concat_tables([tweets, masses]))


def _is_first(owners: np.ndarray) -> pa.Array:
    return pa.array(np.diff(owners, prepend=-1) != 0)


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


def _lane_rows(counted: Mapping[Lane, Marks]) -> pa.RecordBatch:
    rows = sorted(counted)
    columns = {
        "raw_topic_id": pa.array([lane.raw_topic_id for lane in rows], pa.string()),
        "raw_partition": pa.array([lane.raw_partition for lane in rows], pa.int32()),
        "partition": pa.array([lane.partition for lane in rows], pa.int32()),
        "low": pa.array([counted[lane].low for lane in rows], pa.int64()),
        "high": pa.array([counted[lane].high for lane in rows], pa.int64()),
    }
    return _padded("lane", columns, len(rows))


def _partition_rows(progress: Mapping[int, _Progress]) -> pa.RecordBatch:
    partitions = sorted(progress)
    rows = [progress[partition] for partition in partitions]
    columns = {
        "partition": pa.array(partitions, pa.int32()),
        "low": pa.array([row.first_offset for row in rows], pa.int64()),
        "high": pa.array([row.next_offset for row in rows], pa.int64()),
        "records": pa.array([row.records for row in rows], pa.int64()),
        "rejected": pa.array([row.rejected for row in rows], pa.int64()),
    }
    return _padded("partition", columns, len(rows))


def _padded(kind: str, columns: Mapping[str, pa.Array], rows: int) -> pa.RecordBatch:
    filled = {"kind": pa.array([kind] * rows, pa.string()), **columns}
    arrays = [filled.get(column.name, pa.nulls(rows, column.type)) for column in _PARTIAL]
    return pa.RecordBatch.from_arrays(arrays, schema=_PARTIAL)
