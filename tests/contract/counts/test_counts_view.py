"""The view: one suite on the fake and on InfluxDB, and what only InfluxDB can get wrong."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from hypothesis import given
from hypothesis import settings as run_with
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.own_influxdb import own_influxdb
from tests.waiting import until
from twitter_topics.backends.database import Database, database_url
from twitter_topics.backends.influx import NS_PER_MS, POINTS_PER_REQUEST, InfluxStore, tag_text
from twitter_topics.counts.aggregation import Aggregation
from twitter_topics.counts.batch import BatchCounts, TopicPane
from twitter_topics.counts.panes import PANE_MS, WINDOW_MS, Ends, HourPoint, Series, Sums
from twitter_topics.counts.publication import Publisher
from twitter_topics.counts.revision import revision_at
from twitter_topics.counts.state import CountsState
from twitter_topics.counts.view import OLD_MEASUREMENTS, CountsView, TopicCount
from twitter_topics.errors import IntegrityError, RetryableError
from twitter_topics.settings import Settings
from twitter_topics.testing.aggregation import NoPublication
from twitter_topics.testing.counts import MemoryView

if TYPE_CHECKING:
    from tests.conftest import Services

pytestmark = pytest.mark.contract

T0 = 1_790_000_000_000
STORM = Series(1, "storm, rain = wet", "m1")
STORM2 = Series(1, "storm wind", "m2")
NONE = Series(-1, "no topic", "m1")

AnyView = CountsView | MemoryView


@pytest.fixture(scope="module")
def real(request: pytest.FixtureRequest) -> Iterator[CountsView]:
    """A database of its own, empty for each test that takes `view`."""
    services: Services = request.getfixturevalue("services")
    database = f"contract{uuid.uuid4().hex[:8]}"
    view = CountsView(services.settings(INFLUXDB_DATABASE=database).influx)
    view.ensure_database()
    yield view
    view._influx.execute(f"DROP DATABASE {database}")
    view.close()


def emptied(view: CountsView) -> CountsView:
    """It shows another state from now on, and had no final hours."""
    view.begin(uuid.uuid4().hex, 1)
    view._influx.execute("DROP MEASUREMENT topic_hour_final")
    return view


@pytest.fixture(params=["memory", "influxdb"])
def view(request: pytest.FixtureRequest) -> AnyView:
    return MemoryView() if request.param == "memory" else emptied(request.getfixturevalue("real"))


def hour(end: int, series: Series, tweets: int, mass: int, sentiment: int, scored: int | None = None) -> HourPoint:
    return HourPoint(end, series, Sums(tweets, tweets if scored is None else scored, mass, sentiment))


def test_hours_come_back_as_they_were_written(view: AnyView) -> None:
    points = [hour(T0 + at * PANE_MS, STORM, at, at * 123_457, -at * 99_999) for at in range(400)]
    view.write_hours(points, 7)
    assert sorted(view.hours(T0, T0 + 400 * PANE_MS)) == points
    assert sorted(view.hours(T0 + PANE_MS, T0 + 2 * PANE_MS)) == points[1:2]
    assert view.hours(T0 + 400 * PANE_MS, T0 + 900 * PANE_MS) == []


def test_the_newest_revision_counts_within_all_tags_whatever_the_order_of_writing(view: AnyView) -> None:
    view.write_hours([hour(T0, STORM, 5, 5, 0), hour(T0, STORM2, 1, 1, 0)], 9)
    view.write_hours([hour(T0, STORM, 9, 9, 0)], 8)
    view.write_hours([hour(T0, STORM2, 2, 2, 0)], 10)
    assert set(view.hours(T0, T0 + PANE_MS)) == {hour(T0, STORM, 5, 5, 0), hour(T0, STORM2, 2, 2, 0)}


def test_a_mean_leaves_out_what_has_no_sentiment_and_may_be_missing(view: AnyView) -> None:
    view.write_hours([hour(T0, STORM, 5, 5_000_000, 500_000, scored=2), hour(T0, NONE, 3, 3_000_000, 0, scored=0)], 1)
    assert sorted(view.hours(T0, T0 + PANE_MS)) == [
        hour(T0, NONE, 3, 3_000_000, 0, scored=0),
        hour(T0, STORM, 5, 5_000_000, 500_000, scored=2),
    ]


def test_more_points_than_one_request_takes(view: AnyView) -> None:
    count = 2 * POINTS_PER_REQUEST + 1
    view.write_hours((hour(T0 + at * PANE_MS, STORM, 1, 0, 1) for at in range(count)), 1)
    found = view.hours(T0, T0 + count * PANE_MS)
    assert len(found) == len({one.end_ms for one in found}) == count


def test_last_hour_adds_model_versions_at_the_newest_complete_end(view: AnyView) -> None:
    assert view.last_hour() is None
    end = T0 + PANE_MS
    view.write_hours(
        [
            hour(end, STORM, 3, 2_500_000, 600_000),
            hour(end, STORM2, 1, 2_750_000, 1_000_000),
            hour(end, NONE, 7, 7_000_000, 0, scored=0),
            hour(end - PANE_MS, NONE, 6, 6_000_000, 0),
            hour(end + PANE_MS, NONE, 9, 9_000_000, 0),  # of a publication that is on its way
        ],
        3,
    )
    assert view.last_hour() is None
    view.end(end, 3)
    newest = view.last_hour()
    assert newest is not None
    assert newest.end_ms == end
    assert newest.topics == [
        TopicCount(-1, "no topic", 7, 0, 7.0, None),
        TopicCount(1, "storm wind", 4, 4, 5.25, pytest.approx(0.4)),  # type: ignore[arg-type]
    ]
    earlier = view.last_hour(end - 1)
    assert earlier is not None
    assert (earlier.end_ms, earlier.topics) == (end - PANE_MS, [TopicCount(-1, "no topic", 6, 6, 6.0, 0.0)])
    assert view.last_hour(end + WINDOW_MS) == newest


def test_another_state_drops_what_was_shown_and_the_same_one_does_not(view: AnyView) -> None:
    view.begin("one", 1)
    view.write_hours([hour(T0, STORM, 3, 2, 6)], 1)
    view.end(T0, 1)
    view.begin("one", 5)
    assert view.state_id() == "one"
    assert view.hours(T0, T0 + PANE_MS) == [hour(T0, STORM, 3, 2, 6)]
    view.begin("two", 9)
    assert (view.state_id(), view.hours(T0, T0 + PANE_MS), view.last_hour()) == ("two", [], None)


def test_final_hours_of_a_second_recount_replace_those_of_the_first(view: AnyView) -> None:
    start = T0 - T0 % WINDOW_MS
    first = [hour(start + WINDOW_MS, STORM, 3, 3, 0), hour(start + 2 * WINDOW_MS, STORM, 8, 8, 0)]
    view.write_final_hours(first, start, start + 2 * WINDOW_MS, 100)
    again = [hour(start + WINDOW_MS, STORM2, 4, 4, 0)]
    view.write_final_hours(again, start, start + WINDOW_MS, 200)
    shown = {(one.end_ms, one.series): one.sums.tweets for one in view.final_hours(start, start + 2 * WINDOW_MS)}
    assert shown == {
        (start + WINDOW_MS, STORM): 0,
        (start + WINDOW_MS, STORM2): 4,
        (start + 2 * WINDOW_MS, STORM): 8,
    }


def test_a_recount_by_a_clock_that_was_set_back_is_shown_all_the_same(view: AnyView) -> None:
    start, now, ahead = T0 - T0 % WINDOW_MS, 1_790_000_000.0, 1_790_086_400.0
    hours, one_hour = (start, start + 2 * WINDOW_MS), (start, start + WINDOW_MS)
    assert view.next_final_revision(*hours, ahead) == revision_at(ahead)
    view.write_final_hours([hour(start + WINDOW_MS, STORM, 3, 3, 0)], *one_hour, revision_at(ahead))
    revision = view.next_final_revision(*hours, now)
    assert revision == revision_at(ahead) + 1
    view.write_final_hours([hour(start + WINDOW_MS, STORM, 4, 4, 0)], *hours, revision)
    assert view.final_hours(*hours) == [hour(start + WINDOW_MS, STORM, 4, 4, 0)]
    assert view.next_final_revision(start + WINDOW_MS, start + 2 * WINDOW_MS, now) == revision_at(now)


# --- InfluxDB alone


def test_the_error_of_the_speed_layer_is_written_where_both_have_counted(real: CountsView) -> None:
    """One hour has a rolling hour with one tweet less and one in another topic; the next one has none."""
    emptied(real)
    start = T0 - T0 % WINDOW_MS
    other = Series(2, "football", "m1")
    real.write_hours([hour(start + WINDOW_MS, STORM, 6, 0, 0), hour(start + WINDOW_MS, other, 3, 0, 0)], 1)
    exact = [hour(start + WINDOW_MS, STORM2, 5, 0, 0), hour(start + WINDOW_MS, other, 5, 0, 0)]
    real.write_final_hours([*exact, hour(start + 2 * WINDOW_MS, STORM2, 7, 0, 0)], start, start + 2 * WINDOW_MS, 5)
    real.write_speed_layer_error(start, start + 2 * WINDOW_MS, 5)
    rows = [row for _, row in real._influx.rows("SELECT * FROM speed_layer_error")]
    assert rows == [{"time": start * NS_PER_MS + 5, "exact": 10, "speed": 9, "moved": 1}]
    real._influx.execute("DROP MEASUREMENT speed_layer_error")


def test_old_measurements_go_when_the_first_state_is_shown(real: CountsView) -> None:
    emptied(real)
    real._influx.write([f"{name} tweets=1i {T0}" for name in OLD_MEASUREMENTS])
    real._influx.write([f"topic_last_hour,topic_id=1,topic_label=a,model_version=m tweets=9i {T0 * 1_000_000}"])
    real.begin(uuid.uuid4().hex, 1)
    left = {row["name"] for _, row in real._influx.rows("SHOW MEASUREMENTS")}
    assert left == {"counts_view"}


def test_a_partial_write_is_an_integrity_error_and_not_tried_again(real: CountsView) -> None:
    """InfluxDB stores the good points of such a request and says 400."""
    real._influx.write([f"typed,topic_id=9 tweets=1i {T0}"])
    good, bad = f"typed,topic_id=9 tweets=1i {T0}", f'typed,topic_id=8 tweets="one" {T0}'
    with pytest.raises(IntegrityError, match="partial write"):
        real._influx.write([good, bad])
    with pytest.raises(IntegrityError, match="unable to parse"):
        real._influx.write([f"typed tweets=1i,x= {T0}"])


def test_a_server_away_or_without_the_database_is_retryable(services: Services) -> None:
    away = CountsView(services.settings(INFLUXDB_URL="http://127.0.0.1:9").influx)
    for call in (away.last_hour, away.ensure_database, lambda: away.write_hours([hour(T0, STORM, 1, 0, 1)], 1)):
        with pytest.raises(RetryableError, match=r"127\.0\.0\.1:9"):
            call()
    missing = CountsView(services.settings(INFLUXDB_DATABASE="never_made").influx)
    for call in (missing.last_hour, lambda: missing.write_hours([hour(T0, STORM, 1, 0, 1)], 1)):
        with pytest.raises(RetryableError, match="never_made"):
            call()


@pytest.mark.parametrize("status", [408, 429])
def test_a_busy_server_is_retryable(services: Services, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    view = CountsView(services.settings().influx)
    answer = requests.Response()
    answer.status_code, answer._content = status, b"busy"
    monkeypatch.setattr(view._influx._client._session, "request", lambda **_: answer)
    with pytest.raises(RetryableError, match="did not query"):
        view.last_hour()


def test_a_password_never_shows(services: Services) -> None:
    settings: Settings = services.settings(
        INFLUXDB_URL="http://127.0.0.1:9", INFLUXDB_USERNAME="u", INFLUXDB_PASSWORD="Sesame-42"
    )
    with pytest.raises(RetryableError) as caught:
        CountsView(settings.influx).last_hour()
    shown = f"{caught.value!s}{caught.value!r}{caught.value.__cause__!r}"
    assert "Sesame-42" not in shown


@run_with(max_examples=60)
@given(st.text(max_size=40), st.text(st.characters(codec="utf-8"), max_size=20))
def test_any_label_survives_the_way_there_and_back(real: CountsView, label: str, version: str) -> None:
    series = Series(3, tag_text(label), tag_text(version))
    emptied(real).write_hours([hour(T0, series, 2, 1, 1)], 1)
    assert real.hours(T0, T0 + PANE_MS) == [hour(T0, series, 2, 1, 1)]


@pytest.fixture
def small_cache(tmp_path: Path) -> Iterator[str]:
    """The address of an InfluxDB that writes a snapshot of its cache every 2 MB, as a busy one does in days."""
    options = '  index-version = "tsi1"\n  query-log-enabled = false\n  cache-snapshot-memory-size = "2m"'
    with own_influxdb(tmp_path, data=options) as url:
        yield url


def test_sixty_corrections_of_the_same_hours_are_all_read_right(small_cache: str, tmp_path: Path) -> None:
    """Overwritten points come back with old values after a few batches; points of their own never do."""
    settings = Settings({"INFLUXDB_URL": small_cache, "INFLUXDB_DATABASE": "corrections"})
    database = Database("X", database_url("X", f"sqlite:///{tmp_path}/counts.db", "", SecretStr("")))
    state, view = CountsState(database, "processed"), CountsView(settings.influx)
    publisher = Publisher(state, view)
    aggregation = Aggregation(state, NoPublication())
    aggregation.open("p", "r")
    _wait_for(view._influx)
    chance, topics, panes = random.Random(5), 20, 8_640  # a day: each batch overwrites another eighth of its ends
    newest = T0 + (panes + 1) * PANE_MS
    for number in range(60):
        keys = {(chance.randrange(panes), chance.randrange(topics)) for _ in range(75)} | {(panes, 0)}
        sums = {TopicPane(T0 + at * PANE_MS, one, f"topic {one}", "m1"): Sums(1, 1, 10**6, 10**5) for at, one in keys}
        aggregation.count(BatchCounts(sums=sums))
        assert publisher.publish() >= 20_000
        first = T0 + chance.randrange(panes - 1_080) * PANE_MS
        _assert_shown(state, view, Ends(first, first + 1_080 * PANE_MS), f"batch {number}")
    for first in range(T0, newest, 1_080 * PANE_MS):
        _assert_shown(state, view, Ends(first, min(first + 1_079 * PANE_MS, newest)), "at the end")


def _assert_shown(state: CountsState, view: CountsView, ends: Ends, when: str) -> None:
    expected = {(one.end_ms, one.series): one.sums for one in state.hours(ends)}
    read = {(one.end_ms, one.series): one.sums for one in view.hours(ends.first_ms, ends.last_ms + PANE_MS)}
    wrong = {key for key in expected.keys() | read.keys() if read.get(key, Sums())[:2] != expected.get(key, Sums())[:2]}
    assert not wrong, f"{when}: {len(wrong)} of {len(expected)} are read wrong"


def _wait_for(influx: InfluxStore) -> None:
    def answers() -> bool:
        try:
            influx.ensure_database()
        except RetryableError:
            return False
        return True

    until(answers, 30, "InfluxDB answers", pause=0.05)
