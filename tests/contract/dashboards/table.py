"""The page docs/dashboards-values.md: each committed query, what the store answers, and what it must be.

`python -m tests.contract.dashboards.table` starts the stores and writes it, and the pictures of docs/dashboards.md; a
test compares the page with a new run.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.contract.dashboards import alerting
from tests.contract.dashboards.expected import Found
from tests.contract.dashboards.panels import EXPECTED, PROMOTIONS, ZOOMS, asked, found
from tests.contract.dashboards.publish import into_elasticsearch, into_influxdb
from tests.contract.dashboards.saved import PANELS, SPANS, languages
from tools.dashboards.files import read_dashboards, read_rules, read_saved_objects
from tools.dashboards.grafana.expand import Target, search_body, targets
from tools.dashboards.kibana.aggregations import Row, rows
from tools.dashboards.pictures import Ask, Line, draw
from twitter_topics.backends.influx import InfluxStore
from twitter_topics.search.store import SearchStore
from twitter_topics.settings import Settings
from twitter_topics.testing.services import running_services

PAGE = Path(__file__).resolve().parents[3] / "docs" / "dashboards-values.md"
PICTURES = PAGE.parent / "images"
SHOWN, ZOOM, SPAN = 3, "6 h", "6 h"

HEAD = """# Values of the dashboards

Every query of the dashboards and alert rules, as committed, was run on a real InfluxDB or Elasticsearch that holds one
seeded day ([seeds](../tests/contract/dashboards/seeds.py)): three revisions of one window end, a promotion within the
hour, a topic that falls to zero, a gap, and a language without sentiment. The seeds went through the project's own
writers; the expected values are [computed from the seeds alone](../tests/contract/dashboards/expected.py).

The tests compare every point at three zoom levels. This page shows six hours, and of each answer up to three series at
the moment when most have a value. It is written by `python -m tests.contract.dashboards.table`; a test compares it with
a new run.
"""


def page(influx: InfluxStore, documents: SearchStore) -> str:
    """Return the page."""
    grafana = [
        f"{HEAD}\n## Grafana\n\n",
        _head("dashboard", "panel", "query as committed", "from the store", "expected"),
    ]
    for name, board in read_dashboards().items():
        for target in targets(board):
            if target.query["datasource"]["type"] == "influxdb":
                wanted = EXPECTED.get((name, target.panel), PROMOTIONS)(asked(target, ZOOMS[ZOOM]))
                shown, query = found(influx, target, ZOOMS[ZOOM]), target.query["query"]
                cells = _of_series(shown), _of_series(wanted)
            else:
                body = search_body(target.query, ZOOMS[ZOOM])
                buckets = documents.search(**body)["aggregations"]["3"]["buckets"]
                query, cells = (
                    "terms(lang) → count, extended_stats(sentiment.compound)",
                    (
                        _of_rows([_language(one) for one in buckets]),
                        _of_rows(languages(ZOOMS[ZOOM])),
                    ),
                )
            grafana.append(_row(name, target.panel, f"`{query}`", *cells))
    return "".join([*grafana, *_alerts(influx), *_kibana(documents)])


def _language(bucket: Mapping[str, Any]) -> Row:
    stats = bucket["2"]
    return {"lang": bucket["key"], "tweets": bucket["doc_count"], "n": stats["count"], "mean": stats["avg"]}


def _alerts(influx: InfluxStore) -> Iterator[str]:
    yield "\n## Alert rules\n\nEach rule while all is well, and while it is not. `no data`: no series.\n\n"
    yield _head("rule", "query as committed", "at", "from the store", "expected", "fires")
    for rule in read_rules():
        query = rule["data"][0]["model"]["query"]
        for case in alerting.CASES[rule["title"]]:
            shown = alerting.judged(influx, rule, case.at_ms)
            firing = ", ".join(sorted(alerting.firing(influx, rule, case.at_ms))) or "no"
            values = (_of_values(shown), _of_values(dict(case.values or {})))
            yield _row(rule["title"], f"`{query}`", _time(case.at_ms), *values, firing)


def _kibana(documents: SearchStore) -> Iterator[str]:
    yield "\n## Kibana\n\n" + _head("panel", "aggregations of the saved state", "from the store", "expected")
    for one in read_saved_objects():
        if one["type"] == "lens":
            title = one["attributes"]["title"]
            shown, wanted = rows(one, documents.search, SPANS[SPAN]), PANELS[title](SPANS[SPAN])
            yield _row(title, f"`{_aggregations(one)}`", _of_rows(shown), _of_rows(wanted))


def _aggregations(lens: Mapping[str, Any]) -> str:
    (layer,) = lens["attributes"]["state"]["datasourceStates"]["formBased"]["layers"].values()
    columns = [layer["columns"][key] for key in layer["columnOrder"]]
    return " → ".join(f"{one['operationType']}({one['sourceField']})" for one in columns)


# --- text of values


def _of_series(answer: Found) -> str:
    frequency = Counter(at for held in answer.values() for at in held)
    at = max(frequency, key=lambda one: (frequency[one], one), default=0)
    shown = [(tags, held[at]) for tags, held in sorted(answer.items()) if at in held][:SHOWN]
    named = [(", ".join(value for key, value in tags if key != "topic_id"), row) for tags, row in shown]
    when = f" at {_time(at)}" if at else ""
    values = [f"{name}: {_columns(row)}" if name else _columns(row) for name, row in named]
    return f"{len(answer)} series, {frequency.total()} points{when}: " + "; ".join(values)


def _of_rows(answer: Sequence[Row]) -> str:
    ordered = sorted(answer, key=lambda row: [str(value) for value in row.values() if isinstance(value, str)])
    newest = [row for row in ordered if row.get("time") == max((one.get("time", 0) for one in ordered), default=0)]
    shown = [{**row, "time": _time(row["time"])} if "time" in row else row for row in newest or ordered]
    return "; ".join([f"{len(answer)} rows", *(_columns(row) for row in shown[:SHOWN])])


def _of_values(values: Mapping[Any, float]) -> str:
    named = {", ".join(value for _, value in tags): value for tags, value in sorted(values.items())}
    return ", ".join(f"{name} {_text(value)}".strip() for name, value in named.items()) or "no data"


def _columns(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_text(value)}" for name, value in sorted(row.items()))


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int | float):
        return f"{round(value, 5) + 0:,.10g}"
    return str(value) or "“”"


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%m-%d %H:%M:%S}"


def _head(*names: str) -> str:
    return _row(*names) + "|" + "---|" * len(names) + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def main() -> int:
    """Start the stores, fill them, and write the page and the pictures of docs/dashboards.md."""
    logging.basicConfig(level=logging.INFO)
    with tempfile.TemporaryDirectory() as folder, running_services(Path(folder)) as variables:
        settings = Settings(variables | {"INFLUXDB_DATABASE": "values", "ELASTICSEARCH_INDEX_PREFIX": "values"})
        influx = InfluxStore(settings.influx)
        influx.ensure_database()
        into_influxdb(settings, Path(folder))
        documents = into_elasticsearch(settings)
        PAGE.write_text(page(influx, documents), encoding="utf-8")
        for name, board in read_dashboards().items():
            draw(board, _answers(influx, documents), ZOOMS[ZOOM], PICTURES / f"dashboard-{name}.png")
    return 0


def _answers(influx: InfluxStore, documents: SearchStore) -> Ask:
    def ask(panel: Mapping[str, Any], target: Mapping[str, Any]) -> list[Line]:
        if target["datasource"]["type"] == "elasticsearch":
            buckets = documents.search(**search_body(target, ZOOMS[ZOOM]))["aggregations"]["3"]["buckets"]
            return [Line({}, {0: _language(one)}) for one in buckets]
        asked_for = Target(panel["title"], "", panel.get("interval", "1s"), dict(target))
        return [Line(dict(tags), held) for tags, held in found(influx, asked_for, ZOOMS[ZOOM]).items()]

    return ask


if __name__ == "__main__":
    sys.exit(main())
