"""Every query of the committed dashboards, asked of a real InfluxDB and Elasticsearch as Grafana asks it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.dashboards import seeds as s
from tests.contract.dashboards.expected import Found, hours
from tests.contract.dashboards.panels import EXPECTED, PROMOTIONS, ZOOMS, asked, found, rows
from tests.contract.dashboards.saved import languages
from tools.dashboards.files import read_dashboards
from tools.dashboards.grafana.expand import Target, Zoom, expand, search_body, step_ms, targets
from twitter_topics.backends.influx import InfluxStore
from twitter_topics.records.measurements import MEASUREMENTS
from twitter_topics.search.store import SearchStore

pytestmark = pytest.mark.contract

BOARDS = read_dashboards()
ALL_TARGETS = [(name, target) for name, board in BOARDS.items() for target in targets(board)]
PANELS = {(name, target.panel): target for name, target in ALL_TARGETS}
IN_INFLUXDB = {
    key: target for key, target in PANELS.items() if "query" in target.query and "metrics" not in target.query
}
TYPES = {"i": "integer", "f": "float", "s": "string", "b": "boolean"}


def approximately(one: Found) -> Any:
    """For comparison: floats are sums of millionths."""
    return {
        tags: {
            at: pytest.approx(columns, rel=1e-9, abs=1e-9) if _numeric(columns) else columns
            for at, columns in points.items()
        }
        for tags, points in one.items()
    }


def _numeric(columns: dict[str, Any]) -> bool:
    return all(isinstance(value, int | float) for value in columns.values())


def test_every_panel_has_an_expectation() -> None:
    without = {key for key in IN_INFLUXDB if not key[1].startswith("annotation")}
    assert without == set(EXPECTED)
    assert len(PANELS) == len(ALL_TARGETS) > 30


@pytest.mark.parametrize("zoom", ZOOMS)
@pytest.mark.parametrize("key", IN_INFLUXDB, ids=": ".join)
def test_a_panel_shows_what_was_seeded(influx: InfluxStore, key: tuple[str, str], zoom: str) -> None:
    target = IN_INFLUXDB[key]
    wanted = EXPECTED.get(key, PROMOTIONS)(asked(target, ZOOMS[zoom]))
    shown = found(influx, target, ZOOMS[zoom])
    assert shown == approximately(wanted)


@pytest.mark.parametrize("topics", [("storm · rain",), ("football · goal", "storm · wind"), ("no topic",)])
@pytest.mark.parametrize("key", [key for key, target in IN_INFLUXDB.items() if "$topic" in target.query["query"]])
def test_chosen_topics_filter_a_panel(influx: InfluxStore, key: tuple[str, str], topics: tuple[str, ...]) -> None:
    target, zoom = IN_INFLUXDB[key], ZOOMS["6 h"]
    assert found(influx, target, zoom, topics) == approximately(EXPECTED[key](asked(target, zoom, topics)))


def test_the_variable_lists_the_topics(influx: InfluxStore) -> None:
    (variable,) = BOARDS["topics"]["templating"]["list"]
    labels = {row["value"] for _, row in influx.rows(variable["query"])}
    assert labels == {label for model in s.LABELS.values() for label in model.values()}


def test_the_seeds_have_what_is_hard_to_show(influx: InfluxStore) -> None:
    """Three revisions of one end, two models within an hour, a topic at zero, a gap, and tweets without sentiment."""
    end = s.DAY + 8 * s.HOUR + 30 * s.MINUTE
    at_end = f"time >= {end}ms AND time < {end + 9_999}ms"
    revisions = f"SELECT tweets FROM topic_last_hour WHERE topic_id = '1' AND {at_end}"  # noqa: S608 - constants
    values = [row["tweets"] for _, row in influx.rows(revisions)]
    assert len(values) == 3
    assert len(set(values)) == 3
    after = s.PROMOTED[s.M2] + 10 * s.MINUTE
    assert {key.model for key, points in hours().items() if points.get(after) and points[after].tweets} == {s.M1, s.M2}
    football = next(points for key, points in hours().items() if key.topic == 2)
    assert football[max(football)].tweets == 0
    assert any(key.topic == 3 and points[max(points)].scored == 0 for key, points in hours().items())


def test_sentiment_by_language_comes_from_the_documents(documents: SearchStore) -> None:
    target = PANELS["sentiment", "Sentiment by language"]
    for zoom in ZOOMS.values():
        answer = documents.search(**search_body(target.query, zoom))
        buckets = answer["aggregations"]["3"]["buckets"]
        shown = {one["key"]: (one["doc_count"], one["2"]["count"], one["2"]["avg"]) for one in buckets}
        assert shown == {
            row["lang"]: (row["tweets"], row["n"], row["mean"] and pytest.approx(row["mean"], abs=1e-6))
            for row in languages(zoom)
        }
        assert shown["ja"][1:] == (0, None)


def test_what_is_written_is_what_the_contract_says(influx: InfluxStore) -> None:
    written = {row["name"] for _, row in influx.rows("SHOW MEASUREMENTS")}
    assert written == set(MEASUREMENTS)
    for name, measurement in MEASUREMENTS.items():
        fields = {row["fieldKey"]: row["fieldType"] for _, row in influx.rows(f'SHOW FIELD KEYS FROM "{name}"')}
        tags = {row["tagKey"] for _, row in influx.rows(f'SHOW TAG KEYS FROM "{name}"')}
        assert (fields, tags) == ({key: TYPES[kind] for key, kind in measurement.fields.items()}, set(measurement.tags))


# --- wrong queries show wrong values


WRONG = {
    "sum over rolling values": ('last("tweets")', 'sum("tweets")'),
    "mean over rolling values": ('last("tweets")', 'mean("tweets")'),
    "last without a tag": (', "model_version" fill', " fill"),
    "another field": ('last("tweets") AS "tweets"', 'last("scored") AS "tweets"'),
    "another measurement": ('"topic_last_hour"', '"topic_hour_final"'),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_query_shows_other_values(influx: InfluxStore, wrong: str) -> None:
    before, after = WRONG[wrong]
    target = PANELS["topics", "Topics, last hour"]
    query = target.query["query"]
    assert before in query
    zoom = Zoom(s.DAY + 8 * s.HOUR, s.DAY + 13 * s.HOUR)
    wanted = EXPECTED["topics", target.panel](asked(target, zoom))
    assert rows(influx, expand(query, zoom, target.shortest)) == approximately(wanted)
    assert rows(influx, expand(query.replace(before, after), zoom, target.shortest)) != approximately(wanted)


@pytest.mark.parametrize(
    ("hours_shown", "shortest", "seconds"),
    [(1, "10s", 10), (6, "10s", 20), (24, "10s", 60), (7 * 24, "10s", 600), (1, "1m", 60), (0.1, "1s", 1)],
)
def test_the_step_follows_the_range(hours_shown: float, shortest: str, seconds: int) -> None:
    assert step_ms(Zoom(0, int(hours_shown * s.HOUR)), shortest) == seconds * 1_000


def test_a_target_is_expanded() -> None:
    target = Target("", "", "10s", {"query": 'WHERE $timeFilter AND "t" =~ /^$topic$/ GROUP BY time($__interval)'})
    wanted = 'WHERE time >= 0ms AND time <= 3600000ms AND "t" =~ /^%s$/ GROUP BY time(10s)'
    for topics, regex in ((("$__all",), ".*"), (("a.b",), r"a\.b"), (("a", "b"), "(a|b)")):
        assert expand(target.query["query"], Zoom(0, s.HOUR), "10s", topics) == wanted % regex
