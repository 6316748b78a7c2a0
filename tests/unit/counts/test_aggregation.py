"""The aggregation against brute force: any log, any cut into batches, any number of kills at any write."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twitter_topics.counts.aggregation import KEEP_MS, Aggregation, BatchCounts
from twitter_topics.counts.series import Lane, LedgerEntry, Pane, Position, Series, Sums
from twitter_topics.errors import ConfigurationError, IntegrityError
from twitter_topics.testing.aggregation import (
    TOPIC,
    BreakingStore,
    Killed,
    Tweet,
    opened,
    read_batch,
    true_hours,
    true_panes,
)
from twitter_topics.testing.series import MemorySeriesStore

T0 = 1_790_000_000_000
PARTITIONS = 2
LANES: list[Lane] = [(raw, processed) for raw in range(2) for processed in range(PARTITIONS)]


@st.composite
def logs(draw: st.DrawFn) -> dict[int, list[Tweet]]:
    """Processed partitions: each lane in order of raw offsets, with replays that start again from an earlier point."""
    far = st.sampled_from([0, 0, 0, -3 * 24 * 3_600_000, 5 * 3_600_000])
    near = st.integers(-4_000_000, 4_000_000)
    log: dict[int, list[Tweet]] = {partition: [] for partition in range(PARTITIONS)}
    for lane in LANES:
        raw_offsets = sorted(draw(st.sets(st.integers(0, 300), max_size=8)))
        own = [
            Tweet(
                lane,
                offset,
                T0 + draw(far) + draw(near),
                draw(st.sampled_from([1, 2])),
                draw(st.sampled_from(["m1", "m2"])),
            )
            for offset in raw_offsets
        ]
        if own and draw(st.booleans()):
            end = draw(st.integers(1, len(own)))
            start = draw(st.integers(0, end - 1))
            own = own[:end] + own[start:]
        log[lane[1]] += own
    return log


def follow(
    log: dict[int, list[Tweet]], store: BreakingStore, cuts: st.DataObject, fuses: list[int], most: int = 12
) -> None:
    """Read the log to its end, dying when a fuse has burnt down and starting again each time."""
    fuses = list(fuses)
    while True:
        store.fuse = fuses.pop() if fuses else -1
        try:
            aggregation = opened(store)
            while any(aggregation.position.offsets.get(p, 0) < len(rows) for p, rows in log.items()):
                sizes = {p: cuts.draw(st.integers(0, most)) for p in log}
                if not any(sizes.values()):
                    sizes = dict.fromkeys(log, 1)
                position = aggregation.position
                aggregation.count(read_batch(log, position.offsets, sizes, position.lanes))
        except Killed:
            continue
        return


def stored(store: MemorySeriesStore) -> tuple[dict, dict]:
    panes = {key: pane.total for key, pane in store.stored_panes.items()}
    hours = {key: point.sums for key, point in store.stored_hours.items()}
    return panes, hours


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(logs(), st.lists(st.integers(0, 40), max_size=5), st.data())
def test_counts_equal_brute_force_through_any_kills(
    log: dict[int, list[Tweet]], fuses: list[int], data: st.DataObject
) -> None:
    store = BreakingStore()
    follow(log, store, data, fuses)
    tweets = {tweet for rows in log.values() for tweet in rows}
    expected = true_panes(tweets)
    panes, hours = stored(store)
    assert panes == expected
    assert hours == true_hours(expected)
    entry = store.ledger()
    assert store.counted() == len(tweets) == (entry.position.tweets if entry else 0)


def minutes(count: int, lane: Lane = (0, 0)) -> list[Tweet]:
    return [Tweet(lane, at, T0 + at * 60_000) for at in range(count)]


def test_a_kill_at_each_single_write() -> None:
    log = {0: minutes(5)}
    whole = BreakingStore()
    _read_by_twos(log, whole, kill_at=-1)
    assert whole.written > 15
    for kill_at in range(whole.written):
        store = BreakingStore()
        _read_by_twos(log, store, kill_at)
        assert stored(store) == stored(whole), kill_at
        assert store.counted() == len(set(log[0])) == 5


def _read_by_twos(log: dict[int, list[Tweet]], store: BreakingStore, kill_at: int) -> None:
    """After the kill, batches are cut differently."""
    store.fuse, size = kill_at, 2
    while True:
        try:
            aggregation = opened(store)
            while aggregation.position.offsets.get(0, 0) < len(log[0]):
                position = aggregation.position
                aggregation.count(read_batch(log, position.offsets, {0: size}, position.lanes))
        except Killed:
            store.fuse, size = -1, 1
            continue
        return


def test_a_kill_while_a_broken_batch_is_taken_back() -> None:
    log = {0: minutes(6)}
    expected = true_panes(log[0])
    for kill_again_at in range(12):
        store = BreakingStore()
        aggregation = opened(store)
        aggregation.count(read_batch(log, {}, {0: 2}, {}))
        store.fuse = 6  # all panes of the next batch, before its ledger entry
        with pytest.raises(Killed):
            aggregation.count(read_batch(log, {0: 2}, {0: 4}, aggregation.position.lanes))
        store.fuse = kill_again_at
        try:
            opened(store)
        except Killed:
            store.fuse = -1
        aggregation = opened(store)
        assert store.counted() == 2
        _read_by_twos(log, store, kill_at=-1)
        assert stored(store) == (expected, true_hours(expected)), kill_again_at


def test_what_is_taken_back_is_gone_from_the_hours_too() -> None:
    store = BreakingStore()
    log = {0: minutes(4)}
    opened(store).count(read_batch(log, {}, {0: 2}, {}))
    before = {key: point.sums for key, point in store.stored_hours.items()}
    aggregation = opened(store)
    store.write_ledger = _die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        aggregation.count(read_batch(log, {0: 2}, {0: 2}, aggregation.position.lanes))
    assert {key: point.sums for key, point in store.stored_hours.items()} != before
    opened(store)
    now = {key: point.sums for key, point in store.stored_hours.items()}
    newest_end = T0 // 10_000 * 10_000 + 70_000
    assert {key: sums for key, sums in now.items() if key[0] <= newest_end} == before
    assert {point.sums.tweets for point in store.stored_hours.values()} == {0, 1, 2}
    assert store.counted() == 2


def _die(_entry: LedgerEntry) -> None:
    raise Killed


def test_without_a_ledger_everything_is_counted_again() -> None:
    log = {0: minutes(5)}
    store = BreakingStore()
    _read_by_twos(log, store, kill_at=-1)
    first = stored(store)
    store.entries.clear()
    aggregation = opened(store)
    assert aggregation.position == Position(TOPIC)
    assert store.stored_panes == {}
    _read_by_twos(log, store, kill_at=-1)
    assert stored(store) == first
    assert store.counted() == 5


def test_a_new_model_repeating_old_tweets_counts_them_once() -> None:
    own = minutes(4)
    again = [Tweet(t.lane, t.raw_offset, t.event_time, 2, "m2") for t in own[1:]]
    new = Tweet((0, 0), 9, T0, 2, "m2")
    store = BreakingStore()
    log = {0: [*own, *again, new]}
    _read_by_twos(log, store, kill_at=-1)
    assert stored(store)[0] == true_panes([*own, new])


def test_only_two_hours_of_panes_stay_in_memory() -> None:
    log = {0: [Tweet((0, 0), at, T0 + at * 600_000) for at in range(60)]}
    store = BreakingStore()
    aggregation = opened(store)
    aggregation.count(read_batch(log, {}, {0: 60}, {}))
    kept = {start for start, _ in aggregation._panes}
    assert kept
    assert min(kept) >= max(kept) - KEEP_MS
    assert aggregation.position.newest_ms == max(kept)


def test_live_data_beside_old_data_never_reads_the_store() -> None:
    store = BreakingStore()
    aggregation = opened(store)
    aggregation.count(read_batch({0: minutes(5)}, {}, {0: 5}, {}))
    store.panes = _die  # type: ignore[assignment, method-assign]
    aggregation.count(read_batch({0: minutes(9)}, {0: 5}, {0: 4}, aggregation.position.lanes))
    assert store.counted() == 9


def test_after_a_broken_batch_nothing_more_is_counted_until_it_is_opened_again() -> None:
    store = BreakingStore()
    aggregation = opened(store)
    store.fuse = 1
    with pytest.raises(Killed):
        aggregation.count(read_batch({0: minutes(2)}, {}, {0: 2}, {}))
    store.fuse = -1
    with pytest.raises(IntegrityError, match="open the aggregation again"):
        aggregation.count(BatchCounts())
    aggregation.open()
    aggregation.count(read_batch({0: minutes(2)}, {}, {0: 2}, {}))
    assert store.counted() == 2


def test_a_ledger_of_another_topic_is_a_configuration_error() -> None:
    store = MemorySeriesStore()
    store.write_ledger(LedgerEntry(1, Position("other")))
    with pytest.raises(ConfigurationError, match="KAFKA_PROCESSED_TOPIC"):
        opened(store)


def test_a_flood_of_foreign_records_stops_the_batch_and_a_few_do_not(caplog: pytest.LogCaptureFixture) -> None:
    aggregation = opened(MemorySeriesStore())
    with caplog.at_level(logging.WARNING):
        aggregation.count(BatchCounts(offsets={0: 2000}, records=2000, refused=900))
    assert "900 records" in caplog.text
    assert aggregation.position.refused == 900
    with pytest.raises(IntegrityError, match="1600 of 2000"):
        aggregation.count(BatchCounts(offsets={0: 4000}, records=2000, refused=1600))
    assert aggregation.position.offsets == {0: 2000}


def test_labels_are_asked_once_a_version_and_no_topic_needs_none() -> None:
    asked = []

    def labels(version: str) -> dict[int, str]:
        asked.append(version)
        return {1: "a,b =c\\\n"}

    store = MemorySeriesStore()
    aggregation = Aggregation(store, TOPIC, labels)
    aggregation.open()
    sums = {(T0, 1, "m1"): Sums(1), (T0, 8, "m1"): Sums(1), (T0, -1, "m0"): Sums(1)}
    for _ in range(2):
        aggregation.count(BatchCounts(sums=dict(sums)))
    assert asked == ["m1"]
    assert {series.label for _, series in store.stored_panes} == {"a,b =c/", "topic 8", "no topic"}


def test_the_ledger_is_kept_short() -> None:
    store = MemorySeriesStore()
    series = Series(1, "storm", "m1")
    store.write_panes([Pane(T0, series, Sums(5000), Sums(4999), 5000)])
    for number in range(1, 5001):
        store.write_ledger(LedgerEntry(number, Position(TOPIC, newest_ms=T0, tweets=number)))
    opened(store)
    assert len(store.entries) == 1001
    assert max(store.entries) == 5000


def test_a_position_survives_its_json() -> None:
    position = Position(TOPIC, {0: 5, 11: 7}, {(0, 11): 3, (2, 0): 9}, T0, 12, 1)
    assert Position.from_json(position.to_json()) == position
    assert Position.from_json(Position(TOPIC).to_json()) == Position(TOPIC)
