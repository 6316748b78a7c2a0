"""Collect the facts of a balance from the stores, exact at any time while the stream runs.

The stores are read one after the other while the stream moves on. Two things make their numbers comparable:

* A cut. The end offsets of the raw topic are read first; only records before them are compared. Archive rows and
  documents contain partition and offset of their record, so the cut is exact in both.
* The aggregator's own offsets. Counts contain no offsets, but their state has the high-water mark of each
  lane, and a tweet's lane is known: Kafka's partitioner applied to its id. So the archive shows how many tweets must be
  counted by now. Tweets are indexed before they are counted: each counted one must be in the index, however far the
  rest lags.

A deleted tweet stays in the archive's ledger and in the counts, but its document must not exist.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from twitter_topics.archive.reader import ArchiveRecords, day_number, tweets_per_day
from twitter_topics.audit.balance import Day, Facts
from twitter_topics.audit.stores import Documents
from twitter_topics.backends.dead_letters import DeadLetters
from twitter_topics.backends.kafka_offsets import Range
from twitter_topics.backends.kafka_partitioner import partitions_of

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from twitter_topics.audit.shown import Mismatch
    from twitter_topics.audit.stores import Counted, Kept, Stores

Cut = Mapping[int, Range]
Pairs = set[tuple[int, int]]


_BATCH_SECONDS, _PAUSE_SECONDS = 12.0, 2.0
"""A batch of the archiver starts every ten seconds."""


def collect(
    stores: Stores,
    cut: Cut,
    *,
    today: date,
    retention_days: int,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Facts:
    """Read all stores and compare them up to the cut.

    Args:
        cut: offsets of the raw topic when the audit began.
        today: UTC day; indices of days more than `retention_days` before it may have been deleted.

    Raises:
        RetryableError: a store is unavailable.
    """
    oldest = today - timedelta(days=retention_days)
    hours = stores.indexed_hours(oldest + timedelta(days=1))  # the retention may be deleting the oldest day just now
    counted = stores.counted()
    shown = stores.shown()  # after the counts: whoever reads that they are complete must see them
    records = _archive_behind(stores, counted, clock, sleep)
    letters = stores.dead_letters()
    archive = _Archive.of(records, cut, stores.raw_ranges())
    indexable, partitions = _without(records, letters.pairs.get("index", set())), stores.processed_partitions()
    unique, owners = indexable.distinct(), indexable.owners()
    is_counted = _counted_by(counted, indexable.tweet_ids, partitions)
    done = is_counted(owners)
    inside = _before(owners, archive.limits)
    settled = _settled(owners, done, archive.limits)
    deleted = unique.of_deleted_tweets()
    kept_of_expired_days = unique.select(
        (unique.tweet >= 0) & ~unique.tweet_deleted() & (unique.day < day_number(oldest))
    )
    documents = stores.documents(archive.limits, settled)
    kept = stores.documents_of(sorted(set(deleted.ids())))
    _take_out(documents, kept, archive.limits, settled)
    is_reject = _before(records, archive.limits) & (records.tweet < 0)
    rejects, letters_since = _pairs(records.select(is_reject)), _day_of(letters.complete_since_ms)
    since = -1 if letters_since is None else day_number(letters_since)
    of_letters = is_reject & (records.day > since)  # a reject's day is that of its arrival
    parse_letters = {pair for pair in letters.pairs.get("parse", set()) if pair[1] < archive.limits.get(pair[0], 0)}
    distinct = int(_before(records.owners(), archive.limits).sum())
    return Facts(
        produced=archive.produced,
        expired_in_kafka=archive.expired,
        never_archived=archive.never_archived,
        archived=archive.rows,
        archived_records=archive.distinct,
        archive_holes=archive.holes,
        archive_unknown=archive.unknown,
        archive_rejects=len(rejects),
        archived_distinct=distinct,
        rejected_by_index=max(0, distinct - int(inside.sum())),
        dead_letters=_by_stage(letters),
        rejects_without_letter=len(_pairs(records.select(of_letters)) - parse_letters),
        letters_expired=letters.expired,
        letters_since=letters_since,
        letters_without_reject=len(parse_letters - rejects),
        deleted=int((owners.deleted & inside).sum()),
        deleted_in_index=len(kept),
        days=_days(owners.select(inside & ~owners.deleted), settled, documents, oldest),
        counted=counted.tweets,
        counted_expected=int(done.sum()),
        counted_ahead=int((done & ~inside).sum()),
        uncounted=int((~done & inside).sum()),
        uncounted_old=int((~done & inside & (owners.day <= since)).sum()),
        repeated_after_deletion=int(is_counted(deleted).sum() - (done & owners.deleted).sum()),
        repeated_after_expiry=int(
            is_counted(kept_of_expired_days).sum() - (done & ~owners.deleted & (owners.day < day_number(oldest))).sum()
        ),
        count_known=_reaches(records, counted),
        counted_mass=counted.mass,
        counted_shares=counted.shares,
        shown=shown.compared,
        shown_wrong=tuple(_wrong_hour(one) for one in shown.wrong),
        view_behind_seconds=shown.behind_seconds,
        restoring=counted.restoring,
        hours_compared=hours.compared,
        hours_different=hours.different,
    )


def _archive_behind(
    stores: Stores, counted: Counted, clock: Callable[[], float], sleep: Callable[[float], None]
) -> ArchiveRecords:
    """Return the archive as soon as it has everything that is counted, or as it is after one batch more: the counts are
    usually ahead of it by one, and then they cannot be compared. A large archive is read no more often for it."""
    until = clock() + _BATCH_SECONDS
    records = stores.archive()
    while not _reaches(records, counted) and clock() < until:
        sleep(_PAUSE_SECONDS)
        records = stores.archive()
    return records


@dataclass(frozen=True)
class _Archive:
    """The archive against the raw topic. `limits`: per partition, the first offset not archived or after the cut."""

    produced: int
    expired: int
    never_archived: int
    rows: int
    distinct: int
    holes: int
    unknown: int
    limits: dict[int, int]

    @staticmethod
    def of(records: ArchiveRecords, cut: Cut, now: Cut) -> _Archive:
        unique = records.distinct()
        limits, produced, expired, never, holes = {}, 0, 0, 0, 0
        for number, (begin, end) in cut.items():
            offsets = unique.offset[(unique.partition == number) & (unique.offset < end)]
            first = min(begin, int(offsets.min())) if len(offsets) else begin
            limits[number] = int(offsets.max()) + 1 if len(offsets) else first
            produced += end - first
            expired += begin - first
            never += first
            holes += limits[number] - first - len(offsets)
        ends = {number: offsets.end for number, offsets in now.items()}
        unknown = int((~_before(unique, ends)).sum())
        cut_ends = {number: offsets.end for number, offsets in cut.items()}
        rows, distinct = int(_before(records, cut_ends).sum()), int(_before(unique, cut_ends).sum())
        return _Archive(produced, expired, never, rows + unknown, distinct + unknown, holes, unknown, limits)


def _before(records: ArchiveRecords, limits: Mapping[int, int]) -> NDArray[np.bool_]:
    """Mask of the records before the limit of their partition; False in partitions without a limit."""
    mask = np.zeros(len(records), dtype=bool)
    for number, limit in limits.items():
        mask |= (records.partition == number) & (records.offset < limit)
    return mask


def _without(records: ArchiveRecords, pairs: Pairs) -> ArchiveRecords:
    """Return the records without those at some (partition, offset) pairs."""
    mask = np.ones(len(records), dtype=bool)
    for number in {pair[0] for pair in pairs}:
        offsets = [pair[1] for pair in pairs if pair[0] == number]
        mask &= ~((records.partition == number) & np.isin(records.offset, offsets))
    return records.select(mask)


def _counted_by(
    counted: Counted, tweet_ids: pa.Array, processed_partitions: int
) -> Callable[[ArchiveRecords], NDArray[np.bool_]]:
    """Return what masks the records that the aggregator has counted, by its high-water marks.

    Args:
        tweet_ids: of the records.
    """
    if not counted.lanes or not processed_partitions:
        return lambda records: np.zeros(len(records), dtype=bool)
    lane_of = partitions_of(tweet_ids, processed_partitions)

    def is_counted(records: ArchiveRecords) -> NDArray[np.bool_]:
        raw_partitions = 1 + max(int(records.partition.max(initial=0)), max(raw for raw, _ in counted.lanes))
        marks = np.full((raw_partitions, processed_partitions), -1, dtype=np.int64)
        for (raw, processed), mark in counted.lanes.items():
            marks[raw, processed] = mark
        return np.asarray(records.offset <= marks[records.partition, lane_of[records.tweet]])

    return is_counted


def _settled(owners: ArchiveRecords, done: NDArray[np.bool_], limits: Mapping[int, int]) -> dict[int, int]:
    """Return, per partition, the offset before which every tweet is counted."""
    settled = {}
    for number, limit in limits.items():
        waiting = owners.offset[(owners.partition == number) & ~done]
        settled[number] = int(waiting.min(initial=limit))
    return settled


def _reaches(records: ArchiveRecords, counted: Counted) -> bool:
    """Return whether the archive has everything that is counted."""
    tops = {raw: int(records.offset[records.partition == raw].max(initial=-1)) for raw, _ in counted.lanes}
    return all(mark <= tops[raw] for (raw, _), mark in counted.lanes.items())


def _take_out(
    documents: dict[date, Documents], kept: Sequence[Kept], limits: Mapping[int, int], settled: Mapping[int, int]
) -> None:
    """Subtract the documents that should not exist, so that they do not offset missing ones."""
    for one in kept:
        held = documents.get(one.day, Documents(0, 0))
        documents[one.day] = Documents(
            held.before_limit - (one.offset < limits.get(one.partition, one.offset + 1)),
            held.settled - (one.offset < settled.get(one.partition, -1)),
        )


def _days(
    owners: ArchiveRecords, settled: Mapping[int, int], documents: Mapping[date, Documents], oldest: date
) -> tuple[Day, ...]:
    expected = tweets_per_day(owners)
    expected_settled = tweets_per_day(owners.select(_before(owners, settled)))
    return tuple(
        Day(
            day=day,
            expected=expected.get(day, 0),
            indexed=documents[day].before_limit if day in documents else 0,
            settled=expected_settled.get(day, 0),
            settled_indexed=documents[day].settled if day in documents else 0,
            expired=day < oldest,
        )
        for day in sorted(expected.keys() | documents.keys())
    )


def _wrong_hour(one: Mismatch) -> str:
    end = datetime.fromtimestamp(one.end_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    read = "nothing" if one.read is None else f"{one.read.tweets:,}"
    topic = f"topic {one.series.topic_id} ({one.series.label}), hour until {end}"
    return f"{topic}: counted {one.expected.tweets:,}, read {read}"


def _pairs(records: ArchiveRecords) -> Pairs:
    return set(zip(records.partition.tolist(), records.offset.tolist(), strict=True))


def _day_of(unix_ms: int | None) -> date | None:
    return None if unix_ms is None else datetime.fromtimestamp(unix_ms / 1000, UTC).date()


def _by_stage(letters: DeadLetters) -> dict[str, int]:
    stages = {stage: len(pairs) for stage, pairs in letters.pairs.items()}
    for stage, count in letters.elsewhere.items():
        stages[stage] = stages.get(stage, 0) + count
    return dict(sorted(stages.items()))
