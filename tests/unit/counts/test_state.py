"""State and view against brute force: any log, any cut into batches, any number of kills at any write."""

from __future__ import annotations

import logging
import threading
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import URL

from tests.waiting import until
from twitter_topics.counts import publication
from twitter_topics.counts.aggregation import Aggregation
from twitter_topics.counts.batch import BatchCounts, Lane, TopicPane
from twitter_topics.counts.pane_rows import starts_by_series
from twitter_topics.counts.panes import PANE_MS, WINDOW_MS, HourPoint, Series, Sums, changed_ends
from twitter_topics.counts.publication import Publisher
from twitter_topics.counts.state import CHUNK_ENDS, CountsState
from twitter_topics.counts.tables import UNPUBLISHED
from twitter_topics.errors import (
    ConfigurationError,
    ConflictError,
    IntegrityError,
    RetryableError,
    SupersededError,
    WedgedError,
)
from twitter_topics.settings import Settings
from twitter_topics.testing.aggregation import (
    RAW,
    TOPIC,
    NoPublication,
    Tweet,
    follow,
    minutes,
    opened,
    processed_logs,
    read_batch,
    shown,
    true_hours,
    true_panes,
)
from twitter_topics.testing.counts import BreakingDatabase, Fuse, MemoryView

T0 = 1_790_000_000_000
LANE = Lane(RAW, 0, 0)


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(processed_logs(), st.lists(st.integers(0, 60), max_size=5), st.data())
def test_state_and_view_equal_brute_force_through_any_kills(
    fresh: Callable[[], URL], log: dict[int, list[Tweet]], fuses: list[int], data: st.DataObject
) -> None:
    view, url = MemoryView(), fresh()
    state = follow(log, url, view, lambda most: data.draw(st.integers(0, most)), fuses)
    tweets = {tweet for rows in log.values() for tweet in rows}
    expected = true_panes(tweets)
    panes = state.panes(0, 2**62)
    assert {(pane.start_ms, pane.series): pane.sums for pane in panes} == expected
    assert len(panes) == len(expected)
    assert shown(view) == true_hours(expected)
    found = state.counted()
    assert found
    assert found[1].tweets == found[0].tweets == len(tweets)


def test_a_kill_at_each_single_write(fresh: Callable[[], URL]) -> None:
    log = {0: minutes(3, LANE)}
    fuse = Fuse()
    whole = MemoryView()
    follow(log, fresh(), whole, lambda _most: 2, [], fuse)
    assert fuse.burnt > 40
    for kill_at in range(fuse.burnt):
        view = MemoryView()
        state = follow(log, fresh(), view, lambda _most: 2, [kill_at])
        assert shown(view) == shown(whole), kill_at
        position = state.position()
        assert position
        assert position.tweets == len(set(log[0])) == 3


def state_of(url: URL, now: float = 1_790_000_000.0) -> CountsState:
    return CountsState(BreakingDatabase("COUNTS_DATABASE_URI", url, Fuse()), TOPIC, lambda: now)


def test_a_second_owner_takes_over_and_the_first_one_ends(fresh: Callable[[], URL]) -> None:
    url, log = fresh(), {0: minutes(4, LANE)}
    first = opened(state_of(url))
    first.count(read_batch(log, {}, {0: 2}, {}))
    second = opened(state_of(url))
    with pytest.raises(ConflictError, match="another aggregator"):
        first.count(read_batch(log, {0: 2}, {0: 2}, first.position.lanes))
    with pytest.raises(SupersededError, match="this one ends"):
        first.open("processed-1", RAW)
    with pytest.raises(SupersededError, match="this one ends"):
        _ = first.stale
    second.count(read_batch(log, second.position.offsets, {0: 2}, second.position.lanes))
    assert second.position.tweets == 4


def test_a_raw_topic_made_anew_counts_in_its_own_lanes_and_is_said(
    fresh: Callable[[], URL], caplog: pytest.LogCaptureFixture
) -> None:
    url = fresh()
    before = opened(state_of(url))
    log = {0: [*minutes(5, LANE), *minutes(3, Lane("raw-2", 0, 0))]}
    before.count(read_batch(log, {}, {0: 5}, {}))
    assert before.notice == ""
    again = opened(state_of(url), raw_id="raw-2")
    again.count(read_batch(log, again.position.offsets, {0: 3}, again.position.lanes))
    assert again.position.tweets == 8
    assert "created again" in again.notice
    assert "created again" in caplog.text


def test_a_processed_topic_made_anew_is_read_from_its_beginning_and_nothing_counts_twice(
    fresh: Callable[[], URL],
) -> None:
    url, tweets = fresh(), minutes(6, LANE)
    opened(state_of(url)).count(read_batch({0: tweets[:4]}, {}, {0: 4}, {}))
    again = opened(state_of(url), processed_id="processed-2")
    assert again.position.offsets == {}
    again.count(read_batch({0: tweets[2:]}, {}, {0: 4}, again.position.lanes))
    assert again.position.tweets == len(set(tweets)) == 6


def test_a_batch_that_begins_before_the_state_is_not_added(fresh: Callable[[], URL]) -> None:
    aggregation = opened(state_of(fresh()))
    batch = read_batch({0: minutes(3, LANE)}, {}, {0: 3}, {})
    aggregation.count(batch)
    with pytest.raises(RetryableError, match="counted up to 3"):
        aggregation.count(batch)
    assert aggregation.position.tweets == 3


def test_publishing_does_not_hold_up_the_counting(fresh: Callable[[], URL]) -> None:
    url, log = fresh(), {0: minutes(4, LANE)}
    aggregation = opened(state_of(url))
    aggregation.count(read_batch(log, {}, {0: 2}, {}))
    reader = state_of(url)
    with reader._database.snapshot() as connection:
        before = reader._position(connection).tweets
        aggregation.count(read_batch(log, {0: 2}, {0: 2}, aggregation.position.lanes))
        assert reader._position(connection).tweets == before == 2
    position = reader.position()
    assert position
    assert position.tweets == 4


def test_labels_come_with_the_records_and_a_second_one_is_a_second_series(fresh: Callable[[], URL]) -> None:
    state = state_of(fresh())
    aggregation = opened(state)
    for label in ("a,b =c\\\n", "another", None):
        aggregation.count(BatchCounts(sums={TopicPane(T0, 1, label, "m1"): Sums(1)}))
    aggregation.count(BatchCounts(sums={TopicPane(T0, 8, None, "m1"): Sums(1), TopicPane(T0, -1, None, "m0"): Sums(1)}))
    labels = {(pane.series.topic_id, pane.series.label): pane.sums.tweets for pane in state.panes(0, 2**62)}
    assert labels == {(1, "a,b =c/"): 2, (1, "another"): 1, (8, "topic 8"): 1, (-1, "no topic"): 1}


def test_old_records_take_the_label_that_newer_ones_of_their_batch_carry(fresh: Callable[[], URL]) -> None:
    state = state_of(fresh())
    old, new = Tweet(LANE, 1, T0, labelled=False), Tweet(LANE, 2, T0, topic_id=2)
    opened(state).count(read_batch({0: [old, new]}, {}, {0: 2}, {}))
    assert {pane.series.label for pane in state.panes(0, 2**62)} == {"storm", "football"}


def test_a_model_that_nobody_knows_any_more_counts_all_the_same(fresh: Callable[[], URL]) -> None:
    aggregation = opened(state_of(fresh()))
    aggregation.count(read_batch({0: [Tweet(LANE, 1, T0, model_version="deleted")]}, {}, {0: 1}, {}))
    assert aggregation.position.tweets == 1


def test_a_reset_state_is_claimed_again_and_its_view_begins_anew(fresh: Callable[[], URL]) -> None:
    url, view, log = fresh(), MemoryView(), {0: minutes(4, LANE)}
    state = state_of(url)
    aggregation = opened(state)
    aggregation.count(read_batch(log, {}, {0: 4}, {}))
    publisher = Publisher(state, view)
    publisher.publish()
    revision = aggregation.position.revision
    state.reset()
    with pytest.raises(RetryableError, match="reset"):
        aggregation.count(read_batch(log, {0: 4}, {0: 0}, {}))
    position = aggregation.open("processed-1", RAW)
    assert (position.offsets, position.tweets) == ({}, 0)
    assert position.revision > revision
    aggregation.count(read_batch(log, {}, {0: 3}, {}))
    publisher.publish()
    assert shown(view) == true_hours(true_panes(log[0][:3]))


def test_a_state_that_was_restored_from_a_copy_is_shown_again(fresh: Callable[[], URL]) -> None:
    """The view has later revisions than the copy, of hours that are now counted in other batches."""
    url, view, log = fresh(), MemoryView(), {0: minutes(9, LANE)}

    def follow_to_the_end(state: CountsState, size: int) -> None:
        aggregation, publisher = opened(state), Publisher(state, view)
        while (position := aggregation.position).tweets < 9:
            aggregation.count(read_batch(log, position.offsets, {0: size}, position.lanes))
            publisher.publish()

    opened(state_of(url)).count(read_batch(log, {}, {0: 3}, {}))
    copy = Path(url.database or "").read_bytes()
    follow_to_the_end(state_of(url), 2)
    Path(url.database or "").write_bytes(copy)
    follow_to_the_end(state_of(url, now=1_790_000_060.0), 1)
    assert shown(view) == true_hours(true_panes(log[0]))
    hour = view.last_hour()
    assert hour is not None
    assert hour.end_ms == max(end for end, _ in shown(view))


def test_publish_all_shows_everything_at_a_new_revision(fresh: Callable[[], URL]) -> None:
    state, view = state_of(fresh()), MemoryView()
    tweets = minutes(5, LANE)
    opened(state).count(read_batch({0: tweets}, {}, {0: 5}, {}))
    publisher = Publisher(state, view)
    publisher.publish()
    before = max(revision for *_, revision in view.points)
    assert publisher.publish() == 0
    wrong = {key: sums.plus(Sums(1)) for key, sums in view.points.items()}
    view.points = dict(wrong)  # whatever InfluxDB gives back of old
    assert state.publish_all() > before
    assert publisher.publish() > 0
    assert shown(view) == true_hours(true_panes(tweets))


@given(minutes_of=st.lists(st.integers(0, 600), min_size=1, unique=True))
@settings(max_examples=100)
def test_first_and_last_pane_of_each_hour_change_what_all_of_them_change(minutes_of: list[int]) -> None:
    starts = [1_790_000_000_000 // WINDOW_MS * WINDOW_MS + number * 6 * PANE_MS for number in minutes_of]
    ends_of_hours: list[int] = []
    for hour in {start // WINDOW_MS for start in starts}:
        of_hour = [start for start in starts if start // WINDOW_MS == hour]
        ends_of_hours += [min(of_hour), max(of_hour)]
    newest = max(starts)
    assert changed_ends({1: ends_of_hours}, (), None, newest) == changed_ends({1: starts}, (), None, newest)


def test_publishing_all_reads_few_rows_of_many_panes(fresh: Callable[[], URL]) -> None:
    url = fresh()
    state = state_of(url)
    newest = 1_790_000_000_000
    keys = [TopicPane(newest + at * PANE_MS, 1, "storm", "m") for at in range(2_000)]
    panes = dict.fromkeys(keys, Sums(1, 0, 1_000_000, 0))
    opened(state).count(BatchCounts(sums=panes, records=2_000, shares=2_000))
    with state._database.snapshot() as connection:
        assert len(starts_by_series(connection)[1]) <= 2 * 7
    state.publish_all()
    assert state.unpublished_since() is not None


@pytest.mark.parametrize("restarted", [False, True])
def test_an_influxdb_that_comes_back_empty_is_filled_again(fresh: Callable[[], URL], restarted: bool) -> None:
    """With the next tweet, or at once when the aggregator starts."""
    state, view, log = state_of(fresh()), MemoryView(), {0: minutes(5, LANE)}
    aggregation, publisher = opened(state), Publisher(state, view)
    aggregation.count(read_batch(log, {}, {0: 4 + restarted}, {}))
    publisher.publish()
    view.points, view.published, view.shown_state = {}, {}, None
    if restarted:
        publisher = Publisher(state, view)
    else:
        aggregation.count(read_batch(log, {0: 4}, {0: 1}, aggregation.position.lanes))
    view.begin = lambda *_: _raise(RuntimeError("killed"))  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        publisher.publish()
    del view.begin
    assert publisher.publish() > 0
    assert shown(view) == true_hours(true_panes(log[0]))
    assert view.last_hour() is not None


def test_a_database_that_was_dropped_is_made_again(fresh: Callable[[], URL]) -> None:
    state, view, log = state_of(fresh()), MemoryView(), {0: minutes(3, LANE)}
    aggregation, publisher = opened(state), Publisher(state, view)
    aggregation.count(read_batch(log, {}, {0: 2}, {}))
    publisher.publish()
    aggregation.count(read_batch(log, {0: 2}, {0: 1}, aggregation.position.lanes))
    view.state_id = lambda: _raise(RetryableError("InfluxDB has no database"))  # type: ignore[method-assign]
    with pytest.raises(RetryableError):
        publisher.publish()
    del view.state_id
    publisher.publish()
    assert view.databases == 2
    assert shown(view) == true_hours(true_panes(log[0]))


def test_a_long_history_is_published_in_parts_of_six_hours(fresh: Callable[[], URL]) -> None:
    state, view = state_of(fresh()), MemoryView()
    tweets = [Tweet(LANE, at, T0 + at * 3_600_000) for at in range(30)]
    opened(state).count(read_batch({0: tweets}, {}, {0: 30}, {}))
    part = state.unpublished()
    assert part
    assert part.points
    assert max(point.end_ms for point in part.points) - min(point.end_ms for point in part.points) <= 6 * 3_600_000
    Publisher(state, view).publish()
    assert shown(view) == true_hours(true_panes(tweets))


def test_days_without_the_view_take_no_more_memory_than_hours(fresh: Callable[[], URL]) -> None:
    def peak(rows: int) -> int:
        state = state_of(fresh())
        opened(state).count(read_batch({0: minutes(3, LANE)}, {}, {0: 3}, {}))
        first = {"series_id": 1, "noted_at": 0.0}
        ends = [{"first_end_ms": T0 + at * PANE_MS, "last_end_ms": T0 + at * PANE_MS} for at in range(rows)]
        with state._database.transaction() as connection:
            connection.execute(sa.insert(UNPUBLISHED), [first | one for one in ends])
        tracemalloc.start()
        assert state.unpublished()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(4 * 8_640) < 1.5 * peak(CHUNK_ENDS)


class Stubborn(MemoryView):
    """Takes nothing until it is told."""

    refuses = True

    def write_hours(self, points: object, revision: int) -> None:
        if self.refuses:
            raise RetryableError("InfluxDB at nowhere did not write: refused")
        super().write_hours(points, revision)  # type: ignore[arg-type]


def test_a_view_that_takes_nothing_never_stops_the_counting_and_catches_up(fresh: Callable[[], URL]) -> None:
    state, view = state_of(fresh()), Stubborn()
    publisher = Publisher(state, view)
    aggregation = Aggregation(state, publisher)
    aggregation.open("processed-1", RAW)
    tweets = minutes(6, LANE)
    for _ in range(3):
        position = aggregation.position
        aggregation.count(read_batch({0: tweets}, position.offsets, {0: 2}, position.lanes))
        with pytest.raises(RetryableError):
            publisher.publish()
    assert aggregation.position.tweets == 6
    assert state.unpublished_since()
    view.refuses = False
    publisher.publish()
    assert shown(view) == true_hours(true_panes(tweets))
    assert state.unpublished_since() is None


def test_the_thread_publishes_and_names_what_is_in_its_way(fresh: Callable[[], URL]) -> None:
    state, view = state_of(fresh()), Stubborn()
    publisher = Publisher(state, view)
    aggregation = Aggregation(state, publisher)
    aggregation.open("processed-1", RAW)
    publisher.start()
    try:
        aggregation.count(read_batch({0: minutes(3, LANE)}, {}, {0: 3}, {}))
        until(lambda: "did not write" in publisher.problem and "the counting goes on" in publisher.problem)
        view.refuses = False
        until(lambda: not publisher.problem and state.unpublished_since() is None)
    finally:
        publisher.close()
    assert shown(view) == true_hours(true_panes(minutes(3, LANE)))


def test_the_thread_survives_an_error_that_nobody_expects(fresh: Callable[[], URL]) -> None:
    state, view = state_of(fresh()), MemoryView()
    broken = [RuntimeError("a surprise")]
    view.ensure_database = lambda: broken and _raise(broken.pop())  # type: ignore[method-assign,assignment]
    publisher = Publisher(state, view)
    aggregation = Aggregation(state, publisher)
    aggregation.open("processed-1", RAW)
    aggregation.count(read_batch({0: minutes(3, LANE)}, {}, {0: 3}, {}))
    publisher.start()
    try:
        until(lambda: "a surprise" in publisher.problem, what="health names the error")
        until(lambda: not publisher.problem and state.unpublished_since() is None, what="the publisher tries again")
    finally:
        publisher.close()
    assert shown(view) == true_hours(true_panes(minutes(3, LANE)))


class Hanging(MemoryView):
    """Takes what it is given, and then does not come back until it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.released = threading.Event(), threading.Event()

    def write_hours(self, points: Iterable[HourPoint], revision: int) -> None:
        super().write_hours(points, revision)
        self.reached.set()
        self.released.wait(30)


def test_a_publication_that_hangs_is_told_and_found(fresh: Callable[[], URL]) -> None:
    state, view, clock = state_of(fresh()), Hanging(), [0.0]
    opened(state).count(read_batch({0: minutes(3, LANE)}, {}, {0: 3}, {}))
    publisher = Publisher(state, view, wedged_seconds=200, clock=lambda: clock[0])
    publisher.start()
    try:
        assert view.reached.wait(10)
        clock[0] = 99.0
        publisher.check()
        assert publisher.problem == ""
        clock[0] = 101.0
        publisher.check()
        assert publisher.problem.endswith("s behind, the counting goes on: no progress for 101 s")
        clock[0] = 201.0
        with pytest.raises(WedgedError, match="no progress for 201 s"):
            publisher.check()
        view.released.set()
        until(lambda: not publisher.problem and state.unpublished_since() is None, what="it goes on")
        publisher.check()
    finally:
        view.released.set()
        publisher.close()


def _raise(error: Exception) -> None:
    raise error


def test_the_newest_hour_is_shown_although_the_publisher_was_killed_before_it_said_so(fresh: Callable[[], URL]) -> None:
    url, view = fresh(), MemoryView()
    opened(state_of(url)).count(read_batch({0: minutes(3, LANE)}, {}, {0: 3}, {}))
    view.end = lambda *_: _raise(RuntimeError("killed"))  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        Publisher(state_of(url), view).publish()
    assert state_of(url).unpublished_since() is None
    del view.end
    Publisher(state_of(url), view).publish()
    hour = view.last_hour()
    assert hour is not None
    assert hour.end_ms == T0 + 120_000 - T0 % PANE_MS + PANE_MS


def test_the_thread_publishes_changes_that_nobody_announced(
    fresh: Callable[[], URL], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "IDLE_SECONDS", 0.02)
    url, view = fresh(), MemoryView()
    opened(state_of(url)).count(read_batch({0: minutes(3, LANE)}, {}, {0: 3}, {}))
    publisher = Publisher(state_of(url), view)
    publisher.start()
    try:
        until(lambda: view.shown_state is not None and state_of(url).unpublished_since() is None)
        state_of(url).publish_all()
        until(lambda: state_of(url).unpublished_since() is None)
    finally:
        publisher.close()
    assert shown(view) == true_hours(true_panes(minutes(3, LANE)))


def test_the_memory_view_catches_a_point_with_two_values() -> None:
    view, series = MemoryView(), Series(1, "storm", "m1")
    view.write_hours([HourPoint(T0, series, Sums(1))], 7)
    view.write_hours([HourPoint(T0, series, Sums(1))], 7)
    with pytest.raises(AssertionError):
        view.write_hours([HourPoint(T0, series, Sums(2))], 7)


def test_a_state_of_another_topic_is_a_configuration_error(fresh: Callable[[], URL]) -> None:
    url = fresh()
    opened(state_of(url))
    other = CountsState(BreakingDatabase("COUNTS_DATABASE_URI", url, Fuse()), "other")
    with pytest.raises(ConfigurationError, match=r"KAFKA_PROCESSED_TOPIC is other.*COUNTS_DATABASE_URI"):
        opened(other)


def test_a_newer_schema_is_a_configuration_error(fresh: Callable[[], URL]) -> None:
    url = fresh()
    state = state_of(url)
    opened(state)
    with state._database.transaction() as connection:
        connection.exec_driver_sql("UPDATE counts_meta SET schema_version = 99")
    with pytest.raises(ConfigurationError, match=r"newer version.*schema 99"):
        opened(state)


def test_a_flood_of_foreign_records_stops_the_batch_and_a_few_do_not(
    fresh: Callable[[], URL], caplog: pytest.LogCaptureFixture
) -> None:
    aggregation = opened(state_of(fresh()))
    with caplog.at_level(logging.WARNING):
        aggregation.count(BatchCounts(offsets={0: 2000}, records=2000, rejected=900))
    assert "900 records" in caplog.text
    assert aggregation.position.rejected == 900
    with pytest.raises(IntegrityError, match="1600 of 2000"):
        aggregation.count(BatchCounts(starts={0: 2000}, offsets={0: 4000}, records=2000, rejected=1600))
    assert aggregation.position.offsets == {0: 2000}


def test_nothing_is_counted_before_it_is_opened(fresh: Callable[[], URL]) -> None:
    with pytest.raises(RuntimeError, match="open"):
        _ = Aggregation(state_of(fresh()), NoPublication()).position


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("mysql://db/counts", "mysql:// is not supported"),
        ("sqlite:///s3://bucket/counts.db", "local file"),
        ("s3://bucket/counts.db", "s3:// is not supported"),
        ("postgresql://db:port/x", "not a database address"),
        ("counts.db", "is not supported"),
    ],
)
def test_a_wrong_address_names_the_setting_and_the_fix(uri: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"COUNTS_DATABASE_URI.*{reason}"):
        CountsState.of(Settings({"COUNTS_DATABASE_URI": uri}))


def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    state = CountsState.of(Settings({"COUNTS_DATABASE_URI": f"sqlite:///{tmp_path}/file/counts.db"}))
    with pytest.raises(ConfigurationError, match=r"COUNTS_DATABASE_URI.*cannot be made"):
        state.position()


def test_a_file_that_is_not_a_database_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "counts.db").write_text("something else entirely, long enough to be looked at " * 40)
    state = CountsState.of(Settings({"COUNTS_DATABASE_URI": f"sqlite:///{tmp_path}/counts.db"}))
    with pytest.raises(ConfigurationError, match=r"COUNTS_DATABASE_URI.*not a database"):
        state.position()


def test_pane_arithmetic_of_the_view_is_that_of_the_state(fresh: Callable[[], URL]) -> None:
    state = state_of(fresh())
    opened(state).count(read_batch({0: minutes(90, LANE)}, {}, {0: 90}, {}))
    assert state.tweets_by_hour() == {1_789_999_200_000: 47, 1_790_002_800_000: 43}
    assert state.topics(1_789_999_200_000, 1_790_002_800_000) == {(1, "m1"): 47, (2, "m1"): 0}
    assert T0 % PANE_MS == 0
