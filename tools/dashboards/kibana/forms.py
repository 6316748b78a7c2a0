"""Saved objects in the form that Kibana 8.19 exports.

Sources: `server/saved_objects` of data_views, saved_search, lens and dashboard in elastic/kibana. Versions are ones
that every Kibana 8.19 knows; it brings an older form up to date at import and rejects a newer one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KIBANA = "8.19.21"
CORE_VERSION = "8.8.0"
TYPE_VERSIONS = {"index-pattern": "8.0.0", "search": "10.2.0", "lens": "8.9.0", "dashboard": "10.2.0"}

DATA_VIEW = "twitter-topics-tweets"
TIME_FIELD = "created_at"
RECORDS = "___records___"
"""What Lens counts when it counts documents."""

GRID_WIDTH = 48
LAYER = "layer"
_NO_QUERY = {"query": "", "language": "kuery"}

Object = dict[str, Any]
Column = dict[str, Any]


def saved_object(
    kind: str, name: str, attributes: Mapping[str, Any], references: Sequence[Mapping[str, str]]
) -> Object:
    """Return an object with a fixed id."""
    return {
        "type": kind,
        "id": f"twitter-topics-{name}",
        "attributes": dict(attributes),
        "references": list(references),
        "coreMigrationVersion": CORE_VERSION,
        "typeMigrationVersion": TYPE_VERSIONS[kind],
        "managed": False,
    }


def data_view(pattern: str) -> Object:
    """Return the data view over the daily indices."""
    attributes = {
        "title": pattern,
        "name": "Tweets",
        "timeFieldName": TIME_FIELD,
        "fields": "[]",
        "fieldAttrs": "{}",
        "fieldFormatMap": "{}",
        "runtimeFieldMap": "{}",
        "sourceFilters": "[]",
        "typeMeta": "{}",
    }
    return saved_object("index-pattern", "tweets", attributes, [])


def session(name: str, title: str, answers: str, columns: Sequence[str], query: str = "") -> Object:
    """Return a Discover session: the newest tweets that match a KQL query."""
    source = {
        "query": {"query": query, "language": "kuery"},
        "filter": [],
        "indexRefName": "kibanaSavedObjectMeta.searchSourceJSON.index",
    }
    attributes = {
        "title": title,
        "description": answers,
        "columns": list(columns),
        "sort": [[TIME_FIELD, "desc"]],
        "grid": {},
        "hideChart": False,
        "isTextBasedQuery": False,
        "timeRestore": False,
        "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps(source)},
    }
    reference = {"type": "index-pattern", "id": DATA_VIEW, "name": source["indexRefName"]}
    return saved_object("search", name, attributes, [{key: str(value) for key, value in reference.items()}])


# --- columns of Lens


def records(label: str = "Tweets") -> Column:
    """Count documents."""
    return _metric("count", label, RECORDS) | {"params": {"emptyAsNull": False}}


def number_of(field: str, label: str) -> Column:
    """Count documents that have a value."""
    return _metric("count", label, field) | {"params": {"emptyAsNull": False}}


def mean(field: str, label: str) -> Column:
    """Average a number."""
    return _metric("average", label, field) | {"params": {"emptyAsNull": True}}


def distinct(field: str, label: str) -> Column:
    """Count distinct values, approximately above some thousands."""
    return _metric("unique_count", label, field) | {"params": {"emptyAsNull": False}}


def over_time() -> Column:
    """Cut the time range into steps."""
    return {
        "label": TIME_FIELD,
        "dataType": "date",
        "operationType": "date_histogram",
        "sourceField": TIME_FIELD,
        "isBucketed": True,
        "scale": "interval",
        "params": {"interval": "auto", "includeEmptyRows": True, "dropPartials": False},
    }


def top(field: str, label: str, size: int, *, by: str = "tweets", other: bool = False) -> Column:
    """Return the most frequent values of a field, by another column; `other` adds all the rest."""
    return {
        "label": label,
        "dataType": "string",
        "operationType": "terms",
        "sourceField": field,
        "isBucketed": True,
        "scale": "ordinal",
        "params": {
            "size": size,
            "orderBy": {"type": "column", "columnId": by},
            "orderDirection": "desc",
            "otherBucket": other,
            "missingBucket": False,
            "parentFormat": {"id": "terms"},
        },
    }


def _metric(operation: str, label: str, field: str) -> Column:
    return {
        "label": label,
        "customLabel": True,
        "dataType": "number",
        "operationType": operation,
        "sourceField": field,
        "isBucketed": False,
        "scale": "ratio",
    }


# --- panels of Lens


def bars(name: str, title: str, answers: str, columns: Mapping[str, Column]) -> Object:
    """Return stacked bars over time; `columns` are `time`, the value, and optionally `split`."""
    values = [key for key, column in columns.items() if not column["isBucketed"]]
    layer = {
        "layerId": LAYER,
        "layerType": "data",
        "seriesType": "bar_stacked",
        "xAccessor": "time",
        "accessors": values,
    }
    if "split" in columns:
        layer["splitAccessor"] = "split"
    visualization = {
        "layers": [layer],
        "preferredSeriesType": "bar_stacked",
        "legend": {"isVisible": True, "position": "right"},
        "valueLabels": "hide",
    }
    return _lens(name, title, answers, "lnsXY", visualization, columns)


def table(name: str, title: str, answers: str, columns: Mapping[str, Column]) -> Object:
    """Return a table with one row per bucket."""
    visualization = {"layerId": LAYER, "layerType": "data", "columns": [{"columnId": key} for key in columns]}
    return _lens(name, title, answers, "lnsDatatable", visualization, columns)


def number(name: str, title: str, answers: str, column: Column) -> Object:
    """Return a single number."""
    visualization = {"layerId": LAYER, "layerType": "data", "metricAccessor": "value"}
    return _lens(name, title, answers, "lnsMetric", visualization, {"value": column})


def _lens(
    name: str, title: str, answers: str, kind: str, visualization: Mapping[str, Any], columns: Mapping[str, Column]
) -> Object:
    buckets = [key for key, column in columns.items() if column["isBucketed"]]
    # the split is outside, so that its values are the top ones of the whole range
    buckets.sort(key=lambda key: columns[key]["operationType"] == "date_histogram")
    order = [*buckets, *(key for key in columns if key not in buckets)]
    layer = {"columns": dict(columns), "columnOrder": order, "incompleteColumns": {}, "sampling": 1}
    state = {
        "datasourceStates": {"formBased": {"layers": {LAYER: layer}}},
        "visualization": dict(visualization),
        "query": _NO_QUERY,
        "filters": [],
        "internalReferences": [],
        "adHocDataViews": {},
    }
    attributes = {"title": title, "description": answers, "visualizationType": kind, "state": state}
    reference = {"type": "index-pattern", "id": DATA_VIEW, "name": f"indexpattern-datasource-layer-{LAYER}"}
    return saved_object("lens", name, attributes, [reference])


# --- dashboards


@dataclass(frozen=True, slots=True)
class Place:
    """A panel of a dashboard: an object, and its size in columns (of 48) and rows."""

    content: Object
    width: int
    height: int = 14


def dashboard(name: str, title: str, description: str, places: Sequence[Place]) -> Object:
    """Return a dashboard; panels fill rows from left to right."""
    panels, references = [], []
    x = y = row_height = 0
    for number, place in enumerate(places, start=1):
        if x + place.width > GRID_WIDTH:
            x, y, row_height = 0, y + row_height, 0
        index = f"panel-{number}"
        kind = place.content["type"]
        panels.append(
            {
                "type": kind,
                "panelIndex": index,
                "gridData": {"x": x, "y": y, "w": place.width, "h": place.height, "i": index},
                "embeddableConfig": {"enhancements": {}},
                "panelRefName": f"panel_{index}",
            }
        )
        references.append({"type": kind, "id": place.content["id"], "name": f"{index}:panel_{index}"})
        x, row_height = x + place.width, max(row_height, place.height)
    options = {
        "useMargins": True,
        "syncColors": True,
        "syncCursor": True,
        "syncTooltips": False,
        "hidePanelTitles": False,
    }
    attributes = {
        "title": title,
        "description": description,
        "panelsJSON": json.dumps(panels),
        "optionsJSON": json.dumps(options),
        "timeRestore": True,
        "timeFrom": "now-24h",
        "timeTo": "now",
        "refreshInterval": {"pause": False, "value": 60_000},
        "version": 1,
        "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps({"query": _NO_QUERY, "filter": []})},
    }
    return saved_object("dashboard", name, attributes, references)
