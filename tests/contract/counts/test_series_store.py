"""The series store: one suite on the fake and on InfluxDB, and what only InfluxDB can get wrong."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as run_with
from hypothesis import strategies as st

from twitter_topics.backends import influx
from twitter_topics.backends.influx import POINTS_PER_REQUEST, tag_text
from twitter_topics.counts import store as store_module
from twitter_topics.counts.series import (
    PANE_MS,
    TOPIC_PANE,
    HourPoint,
    Intent,
    LedgerEntry,
    Pane,
    Position,
    Series,
    Sums,
    TopicCount,
)
from twitter_topics.counts.store import SeriesStore
from twitter_topics.errors import IntegrityError, RetryableError
from twitter_topics.settings import Settings
from twitter_topics.testing.series import MemorySeriesStore

if TYPE_CHECKING:
    from tests.conftest import Services

pytestmark = pytest.mark.contract

T0 = 1_790_000_000_000
STORM = Series(1, "storm, rain = wet", "m1")
STORM2 = Series(1, "storm wind", "m2")
NONE = Series(-1, "no topic", "m1")

AnyStore = SeriesStore | MemorySeriesStore


@pytest.fixture(scope="module")
def real(request: pytest.FixtureRequest) -> Iterator[SeriesStore]:
    """A database of its own, empty for each test that takes `store`."""
    services: Services = request.getfixturevalue("services")
    database = f"contract{uuid.uuid4().hex[:8]}"
    store = SeriesStore(services.settings(INFLUXDB_DATABASE=database).influx)
    store.ensure_database()
    yield store
    store._client.drop_database(database)
    store.close()


@pytest.fixture(params=["memory", "influxdb"])
def store(request: pytest.FixtureRequest) -> AnyStore:
    if request.param == "memory":
        return MemorySeriesStore()
    real: SeriesStore = request.getfixturevalue("real")
    real.reset_counts()
    return real


def pane(start: int, series: Series, tweets: int, base: int, sequence: int) -> Pane:
    return Pane(start, series, Sums(tweets, 1_000_001 * tweets, -333_333 * tweets), Sums(base, base, -base), sequence)


def test_panes_come_back_as_they_were_written(store: AnyStore) -> None:
    panes = [pane(T0 + at * PANE_MS, series, at + 1, at, 4) for at in range(5) for series in (STORM, STORM2, NONE)]
    store.write_panes(panes)
    assert sorted(store.panes(T0, T0 + 5 * PANE_MS)) == sorted(panes)
    assert sorted(store.panes(T0 + PANE_MS, T0 + 2 * PANE_MS)) == sorted(panes[3:6])
    assert store.panes(T0 + 5 * PANE_MS, T0 + 9 * PANE_MS) == []


def test_the_later_write_of_a_pane_wins_and_another_series_is_another_pane(store: AnyStore) -> None:
    store.write_panes([pane(T0, STORM, 5, 4, 1), pane(T0, STORM2, 1, 0, 1)])
    store.write_panes([pane(T0, STORM, 3, 2, 2)])
    assert sorted(store.panes(T0, T0 + 1)) == sorted([pane(T0, STORM, 3, 2, 2), pane(T0, STORM2, 1, 0, 1)])


def test_more_points_than_one_request_takes(store: AnyStore) -> None:
    count = 2 * POINTS_PER_REQUEST + 1
    store.write_panes(pane(T0 + at * PANE_MS, STORM, 1, 0, 1) for at in range(count))
    found = store.panes(T0, T0 + count * PANE_MS)
    assert len(found) == len({one.start_ms for one in found}) == count


def test_the_ledger_is_its_last_complete_batch(store: AnyStore) -> None:
    assert store.ledger() is None
    position = Position("processed", {0: 5, 10: 7}, {(0, 10): 3}, T0, 12, 1)
    store.write_intent(Intent(1, T0, T0 + PANE_MS))
    assert store.ledger() is None
    store.write_ledger(LedgerEntry(1, position))
    store.write_intent(Intent(2, T0 - PANE_MS, T0))
    assert store.ledger() == LedgerEntry(1, position)
    assert store.intents(1) == [Intent(2, T0 - PANE_MS, T0)]
    store.write_ledger(LedgerEntry(2, Position("processed", {0: 9})))
    assert store.ledger() == LedgerEntry(2, Position("processed", {0: 9}))
    assert store.intents(2) == []
    store.forget_ledger_before(2)
    assert store.intents(0) == [Intent(2, T0 - PANE_MS, T0)]


def test_counted_leaves_out_what_a_broken_batch_added(store: AnyStore) -> None:
    assert store.counted() == 0
    store.write_panes([pane(T0, STORM, 5, 2, 7), pane(T0, NONE, 4, 1, 8), pane(T0 + PANE_MS, STORM, 3, 0, 8)])
    assert store.counted() == 0
    store.write_ledger(LedgerEntry(7, Position("processed", newest_ms=T0)))
    store.write_intent(Intent(8, T0, T0 + PANE_MS))
    assert store.counted() == 5 + 1
    store.write_ledger(LedgerEntry(8, Position("processed", newest_ms=T0)))
    assert store.counted() == 5 + 4 + 3


def hour(end: int, series: Series, tweets: int, mass: int, sentiment: int) -> HourPoint:
    return HourPoint(end, series, Sums(tweets, mass, sentiment))


def test_last_hour_adds_model_versions_at_the_newest_complete_end(store: AnyStore) -> None:
    assert store.last_hour() is None
    end = T0 + PANE_MS
    store.write_hours(
        [
            hour(end, STORM, 3, 2_500_000, 600_000),
            hour(end, STORM2, 1, 2_750_000, 1_000_000),
            hour(end, NONE, 7, 7_000_000, 0),
            hour(end - PANE_MS, NONE, 6, 6_000_000, 0),
            hour(end + PANE_MS, NONE, 9, 9_000_000, 0),  # of a batch that is being written
        ]
    )
    assert store.last_hour() is None
    store.write_ledger(LedgerEntry(1, Position("processed", newest_ms=T0)))
    newest = store.last_hour()
    assert newest is not None
    assert newest.end_ms == end
    assert newest.topics == [
        TopicCount(-1, "no topic", 7, 7.0, 0.0),
        TopicCount(1, "storm wind", 4, 5.25, pytest.approx(0.4)),
    ]
    earlier = store.last_hour(end - 1)
    assert earlier is not None
    assert (earlier.end_ms, earlier.topics) == (end - PANE_MS, [TopicCount(-1, "no topic", 6, 6.0, 0.0)])
    assert store.last_hour(end + 3_600_000) == newest


def test_hours_come_back_as_they_were_written(store: AnyStore) -> None:
    points = [hour(T0 + at * PANE_MS, STORM, at, at * 123_457, -at * 99_999) for at in range(400)]
    store.write_hours(points)
    assert sorted(store.hours(T0, T0 + 400 * PANE_MS)) == points


def test_reset_leaves_nothing(store: AnyStore) -> None:
    store.write_panes([pane(T0, STORM, 5, 2, 7)])
    store.write_hours([hour(T0, STORM, 3, 2, 6)])
    store.write_intent(Intent(1, T0, T0))
    store.write_ledger(LedgerEntry(1, Position("processed", newest_ms=T0)))
    store.reset_counts()
    assert (store.panes(0, 2 * T0), store.hours(0, 2 * T0), store.intents(0), store.ledger()) == ([], [], [], None)


# --- InfluxDB alone


def test_a_partial_write_is_an_integrity_error_and_not_tried_again(real: SeriesStore) -> None:
    """InfluxDB stores the good points of such a request and says 400."""
    real.reset_counts()
    real.write_panes([pane(T0, STORM, 1, 0, 1)])
    good, bad = f"{TOPIC_PANE},topic_id=9 tweets=1i {T0}", f'{TOPIC_PANE},topic_id=8 tweets="one" {T0}'
    with pytest.raises(IntegrityError, match="partial write"):
        real._write([good, bad])
    with pytest.raises(IntegrityError, match="unable to parse"):
        real._write([f"{TOPIC_PANE} tweets=1i,x= {T0}"])


def test_a_server_away_or_without_the_database_is_retryable(services: Services) -> None:
    away = SeriesStore(services.settings(INFLUXDB_URL="http://127.0.0.1:9").influx)
    for call in (away.ledger, away.ensure_database, lambda: away.write_panes([pane(T0, STORM, 1, 0, 1)])):
        with pytest.raises(RetryableError, match=r"127\.0\.0\.1:9"):
            call()
    missing = SeriesStore(services.settings(INFLUXDB_DATABASE="never_made").influx)
    for call in (missing.ledger, lambda: missing.write_panes([pane(T0, STORM, 1, 0, 1)])):
        with pytest.raises(RetryableError, match="never_made"):
            call()


def test_a_password_never_shows(services: Services) -> None:
    settings: Settings = services.settings(
        INFLUXDB_URL="http://127.0.0.1:9", INFLUXDB_USERNAME="u", INFLUXDB_PASSWORD="Sesame-42"
    )
    with pytest.raises(RetryableError) as caught:
        SeriesStore(settings.influx).ledger()
    shown = f"{caught.value!s}{caught.value!r}{caught.value.__cause__!r}"
    assert "Sesame-42" not in shown


@run_with(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.text(st.characters(codec="utf-8"), max_size=20))
def test_any_label_survives_the_way_there_and_back(real: SeriesStore, label: str, version: str) -> None:
    real.reset_counts()
    series = Series(3, tag_text(label), tag_text(version))
    real.write_panes([pane(T0, series, 2, 1, 1)])
    assert real.panes(T0, T0 + 1) == [pane(T0, series, 2, 1, 1)]


def test_half_a_point_is_waited_for(real: SeriesStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real.reset_counts()
    whole = Pane(T0 - T0 % PANE_MS, STORM, Sums(3, 2_000_000, 500_000), Sums(1, 1_000_000, 0), 7)
    line = store_module._pane_line(whole)
    key, fields, time_ns = line.rsplit(" ", 2)
    first, _, rest = fields.partition(",")
    real._write([f"{key} {first} {time_ns}"])
    pauses: list[float] = []

    def write_the_rest(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            real._write([f"{key} {rest} {time_ns}"])

    monkeypatch.setattr(influx.time, "sleep", write_the_rest)
    assert real.panes(T0 - PANE_MS, T0 + PANE_MS) == [whole]
    assert len(pauses) == 3


def test_a_point_that_stays_half_is_no_count(real: SeriesStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real.reset_counts()
    real._write([f"topic_pane,topic_id=1,topic_label=a,model_version=m1 tweets=3i {T0 * 1_000_000}"])
    monkeypatch.setattr(influx.time, "sleep", lambda _: None)
    with pytest.raises(RetryableError, match="half written"):
        real.panes(T0, T0 + 1)
    real.reset_counts()
