"""The committed dashboards are current, have the forms of Grafana and Kibana, and name only what exists; each kind of
mistake is found."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tools.dashboards.__main__ import PAGE, main
from tools.dashboards.files import FOLDER, generated, read_dashboards, read_rules, read_saved_objects
from tools.dashboards.grafana import check as grafana
from tools.dashboards.grafana.check import Select, parse, query_problems
from tools.dashboards.kibana import check as kibana
from tools.dashboards.kibana.forms import KIBANA
from tools.dashboards.page import updated
from twitter_topics.records.measurements import MEASUREMENTS
from twitter_topics.settings import Settings

BOARDS = read_dashboards()
QUERIES = {rule["title"]: rule["data"][0]["model"]["query"] for rule in read_rules()}


def test_make_dashboards_leaves_no_difference(tmp_path: Any) -> None:
    committed = {name: (FOLDER / name).read_text("utf-8") for name in generated()}
    assert generated() == committed
    generated_folders = ("grafana/dashboards", "kibana")
    held = {str(path.relative_to(FOLDER)) for one in generated_folders for path in (FOLDER / one).iterdir()}
    assert held <= committed.keys()
    left_over = tmp_path / "grafana" / "dashboards" / "old.json"
    left_over.parent.mkdir(parents=True)
    left_over.write_text("{}")
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text("utf-8"))
    assert main(tmp_path, page) == 0
    assert page.read_text("utf-8") == PAGE.read_text("utf-8")
    assert not left_over.exists()
    assert {name: (tmp_path / name).read_text("utf-8") for name in committed} == committed


def test_the_page_changes_with_the_panels() -> None:
    board = copy.deepcopy(BOARDS)
    board["topics"]["panels"][0]["description"] = "Another question | with a bar?"
    text = updated(PAGE.read_text("utf-8"), board, read_rules(), read_saved_objects())
    assert "| Topics, last hour | Another question \\| with a bar? |" in text
    assert text.count("## Alert rules") == 1


def test_servers_are_pinned_and_listen_on_this_machine_only() -> None:
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))["services"]
    images = {name: one["image"].rpartition(":")[2] for name, one in services.items()}
    assert images == {"grafana": "12.4.0", "kibana": KIBANA, "elasticsearch": KIBANA}
    listening = ("GF_SERVER_HTTP_ADDR", "SERVER_HOST", "http.host")
    for one, name in zip(services.values(), listening, strict=True):
        assert one["environment"][name] == "127.0.0.1"
    for text in images.values():
        assert text in PAGE.read_text("utf-8")


def test_data_sources_are_those_of_the_panels_and_hold_no_password() -> None:
    sources = yaml.safe_load((FOLDER / "grafana/provisioning/datasources/twitter-topics.yaml").read_text("utf-8"))
    found = {(one["type"], one["uid"]) for one in sources["datasources"]}
    used = {
        (target["datasource"]["type"], target["datasource"]["uid"])
        for board in BOARDS.values()
        for panel in board["panels"]
        for target in panel["targets"]
    }
    assert used == found
    assert all(one["jsonData"] for one in sources["datasources"])
    secrets = [value for one in sources["datasources"] for value in one["secureJsonData"].values()]
    assert secrets == ["$INFLUXDB_READ_PASSWORD", "$ELASTICSEARCH_READ_PASSWORD"]
    variables = set(re.findall(r"\$([A-Z_]+)", json.dumps(sources)))
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))["services"]["grafana"]
    assert variables <= compose["environment"].keys()
    provider = yaml.safe_load((FOLDER / "grafana/provisioning/dashboards/twitter-topics.yaml").read_text("utf-8"))
    assert f"{provider['providers'][0]['options']['path']}:ro" in compose["volumes"][1]


# --- Grafana


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_has_only_what_grafana_knows(name: str) -> None:
    """The SDK's types drop what they do not know; its parser is generated from Grafana's schema."""
    register_default_plugins()
    again = json.loads(json.dumps(Dashboard.from_json(copy.deepcopy(BOARDS[name])), cls=JSONEncoder))
    assert again == BOARDS[name]
    wrong = copy.deepcopy(BOARDS[name])
    wrong["panels"][0]["fieldConfig"]["defaults"]["unti"] = "s"
    assert json.loads(json.dumps(Dashboard.from_json(copy.deepcopy(wrong)), cls=JSONEncoder)) != wrong


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_keeps_to_the_contract(name: str) -> None:
    assert grafana.problems(BOARDS[name]) == []


def test_ids_titles_and_descriptions() -> None:
    assert {board["uid"] for board in BOARDS.values()} == {f"twitter-topics-{name}" for name in BOARDS}
    for board in BOARDS.values():
        panels = board["panels"]
        assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
        assert len({panel["title"] for panel in panels}) == len(panels)
        assert all(panel["description"].endswith((".", "?", "(n)?")) for panel in panels)
        taken = [(x, y) for panel in panels for x, y in _cells(panel["gridPos"])]
        assert len(taken) == len(set(taken)), "panels overlap"


def _cells(place: dict[str, int]) -> list[tuple[int, int]]:
    assert place["x"] + place["w"] <= 24
    rows = range(place["y"], place["y"] + place["h"])
    return [(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in rows]


@pytest.mark.parametrize("title", QUERIES)
def test_an_alert_rule_keeps_to_the_contract(title: str) -> None:
    assert query_problems(QUERIES[title]) == []


def test_rules_have_what_the_file_format_needs() -> None:
    rules = read_rules()
    assert len({rule["uid"] for rule in rules}) == len(rules) == 8
    for rule in rules:
        assert len(rule["uid"]) <= 40
        assert [query["refId"] for query in rule["data"]] == ["A", "B", "C"]
        assert rule["condition"] == "C"
        assert (rule["data"][1]["model"]["expression"], rule["data"][2]["model"]["expression"]) == ("A", "B")
        assert rule["data"][0]["datasourceUid"] == BOARDS["topics"]["panels"][0]["datasource"]["uid"]


def test_the_lag_alert_fires_before_batches_are_full() -> None:
    (threshold,) = [rule["data"][2]["model"] for rule in read_rules() if rule["uid"] == "twitter-topics-lag"]
    (limit,) = threshold["conditions"][0]["evaluator"]["params"]
    assert 0 < limit < Settings().speed.max_tweets_per_batch


def test_the_contract_says_who_writes_what_and_when() -> None:
    for name, measurement in MEASUREMENTS.items():
        assert name == measurement.name
        assert all((measurement.writer, measurement.period, measurement.time, measurement.fields))
        assert not set(measurement.tags) & measurement.fields.keys()


def test_a_query_is_parsed() -> None:
    text = (
        'SELECT sum("tweets") / sum("n") AS "mean" FROM (SELECT last("tweets") AS "tweets" FROM "m" WHERE $timeFilter '
        'AND "part" =~ /^(a|b)$/ GROUP BY time($__interval), "x" fill(none)) WHERE $timeFilter '
        "GROUP BY time(1h) fill(0)"
    )
    inner = Select('last("tweets") AS "tweets"', "m", '$timeFilter AND "part" =~ /^(a|b)$/', "$__interval", ("x",))
    assert parse(text) == Select('sum("tweets") / sum("n") AS "mean"', inner, "$timeFilter", "1h", ())
    assert query_problems("DROP MEASUREMENT topic_last_hour") == ["not a SELECT: DROP MEASUREMENT topic_last_hour"]


ROLLING = next(panel["targets"][0]["query"] for panel in BOARDS["topics"]["panels"])
MEAN = next(panel["targets"][0]["query"] for panel in BOARDS["sentiment"]["panels"])
MOVERS = next(one["targets"][0]["query"] for one in BOARDS["topics"]["panels"] if one["title"] == "Top movers")
FINAL = next(one["targets"][0]["query"] for one in BOARDS["topics"]["panels"] if one["title"] == "Exact hours")
LETTERS = next(
    one["targets"][0]["query"] for one in BOARDS["pipeline"]["panels"] if one["title"].startswith("Dead letters")
)
OUTER = 'GROUP BY time($__interval), "topic_id", "topic_label" fill'
MISTAKES = {
    "wrong field": (ROLLING, 'last("tweets")', 'last("tweet_count")', "['tweet_count'] are not in the contract"),
    "wrong measurement": (ROLLING, '"topic_last_hour"', '"topic_pane"', "topic_pane is not in the contract"),
    "sum over rolling values": (ROLLING, 'last("tweets")', 'sum("tweets")', "sum of tweets"),
    "mean over rolling values": (MEAN, 'last("compound")', 'mean("compound")', "mean of compound"),
    "last without a tag": (ROLLING, ', "model_version" fill', " fill", "last without ['model_version']"),
    "no function": (ROLLING, 'last("tweets")', '"tweets"', "['tweets'] without last"),
    "sum over another step": (ROLLING, OUTER, "GROUP BY time(1h) fill", "sum of tweets over time"),
    "mean of the whole range": (MOVERS, 'last("tweets") AS "now"', 'mean("tweets") AS "now"', "mean of tweets over"),
    "not selected within": (ROLLING, 'SELECT sum("tweets")', 'SELECT sum("mass")', "['mass'] are not selected"),
    "first revision": (FINAL, 'last("tweets")', 'first("tweets")', "first of tweets"),
    "dead letters added up": (LETTERS, 'last("records")', 'sum("records")', "sum of records"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_query_is_found(mistake: str) -> None:
    query, before, after, expected = MISTAKES[mistake]
    assert query_problems(query) == []
    assert before in query
    assert expected in "; ".join(query_problems(query.replace(before, after, 1)))


def test_a_field_of_elasticsearch_that_does_not_exist_is_found() -> None:
    board = copy.deepcopy(BOARDS["sentiment"])
    (target,) = [one["targets"][0] for one in board["panels"] if one["title"] == "Sentiment by language"]
    target["metrics"][1]["field"] = "sentiment.vader"
    target["timeField"] = "text"
    assert grafana.problems(board) == [
        "Sentiment by language: sentiment.vader cannot be aggregated in the search index",
        "Sentiment by language: text cannot be aggregated in the search index",
    ]


# --- Kibana


def test_the_saved_objects_keep_to_their_forms() -> None:
    objects = read_saved_objects()
    assert kibana.problems(objects) == []
    kinds = [one["type"] for one in objects]
    assert Counter(kinds) == {
        "index-pattern": 1,
        "search": 4,
        "lens": 10,
        "dashboard": 3,
    }
    order = [("index-pattern", "search", "lens", "dashboard").index(kind) for kind in kinds]
    assert order[0] == 0
    assert order[-3:] == [3, 3, 3]


def test_the_steps_of_the_page_typed_in_one_shell_agree_and_keep_no_old_password(tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    told = """
    docker() { echo "$* $ELASTICSEARCH_URL $INFLUXDB_READ_USERNAME"; }
    make() { echo "make $1 $ELASTICSEARCH_URL$INFLUXDB_READ_USERNAME$INFLUXDB_READ_PASSWORD"; }
    """
    typed = subprocess.run(
        ["bash", "-c", told + "".join(blocks[:2])], cwd=tmp_path, env={}, capture_output=True, text=True, check=True
    )
    lines = typed.stdout.splitlines()
    assert "up -d grafana http://127.0.0.1:19200 reader" in lines[0]
    assert "up -d elasticsearch kibana http://127.0.0.1:9200" in lines[1]
    assert lines[2:] == [f"make {target} http://127.0.0.1:9200" for target in ("clean", "up", "kibana-import")]
    assert (tmp_path / ".env").read_text() == "ELASTICSEARCH_URL=http://127.0.0.1:9200\n"


def test_the_data_view_covers_the_daily_indices() -> None:
    (view,) = [one for one in read_saved_objects() if one["type"] == "index-pattern"]
    assert view["attributes"]["title"] == f"{Settings().elasticsearch.index_prefix}-*"


Change = Callable[[dict[str, Any]], None]


def _layer(lens: dict[str, Any]) -> dict[str, Any]:
    layer: dict[str, Any] = lens["attributes"]["state"]["datasourceStates"]["formBased"]["layers"]["layer"]
    return layer


def _set_field(field: str) -> Change:
    return lambda lens: _layer(lens)["columns"]["split"].update(sourceField=field)


KIBANA_MISTAKES: dict[str, tuple[str, Change, str]] = {
    "old field name": ("topics-time", _set_field("topics.label"), "field topics.label of split cannot be aggregated"),
    "text field": ("topics-time", _set_field("text"), "field text of split cannot be aggregated"),
    "missing reference id": (
        "topics-time",
        lambda lens: lens["references"][0].update(id="gone"),
        "to gone does not resolve",
    ),
    "no reference": ("topics-time", lambda lens: lens["references"].clear(), "are missing or unused"),
    "dashboard's panel": (
        "tweets-board",
        lambda board: board["references"][0].update(id="twitter-topics-gone"),
        "to twitter-topics-gone does not resolve",
    ),
    "operation of another licence": (
        "topics-time",
        lambda lens: _layer(lens)["columns"]["split"].update(operationType="significant_terms"),
        "operation significant_terms of split is not one of",
    ),
    "column that is not shown": (
        "topics-time",
        lambda lens: lens["attributes"]["state"]["visualization"]["layers"][0].update(accessors=["gone"]),
        "['gone'] of layer layer are shown and do not exist",
    ),
    "order by a missing column": (
        "topics-time",
        lambda lens: _layer(lens)["columns"]["split"]["params"]["orderBy"].update(columnId="gone"),
        "split is ordered by gone",
    ),
    "column order": ("topics-time", lambda lens: _layer(lens)["columnOrder"].pop(), "columnOrder does not name"),
    "newer version": (
        "topics-time",
        lambda lens: lens.update(typeMigrationVersion="10.1.0"),
        "knows lens up to 8.9.0, not 10.1.0",
    ),
    "another core version": (
        "topics-time",
        lambda lens: lens.update(coreMigrationVersion="9.0.0"),
        "coreMigrationVersion 9.0.0 is not 8.8.0",
    ),
    "unknown attribute": (
        "newest",
        lambda session: session["attributes"].update(tabs=[]),
        "['tabs'] are not attributes",
    ),
    "column of a session": (
        "newest",
        lambda session: session["attributes"]["columns"].append("topics.label"),
        "field topics.label does not exist",
    ),
    "id used twice": ("newest", lambda session: session.update(id="twitter-topics-edited"), "an id is used twice"),
}


@pytest.mark.parametrize("mistake", KIBANA_MISTAKES)
def test_a_mistake_in_a_saved_object_is_found(mistake: str) -> None:
    name, change, expected = KIBANA_MISTAKES[mistake]
    objects = read_saved_objects()
    (changed,) = [one for one in objects if one["id"] == f"twitter-topics-{name}"]
    change(changed)
    assert expected in "; ".join(kibana.problems(objects))
