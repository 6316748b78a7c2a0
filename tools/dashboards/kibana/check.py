"""What the saved objects must keep to: the form of Kibana's objects, references that resolve, fields that exist, and
aggregations of the basic licence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools.dashboards.fields import aggregatable, fields
from tools.dashboards.kibana.aggregations import BASIC
from tools.dashboards.kibana.forms import CORE_VERSION, RECORDS

KNOWN_VERSIONS = {"index-pattern": "8.0.0", "search": "10.5.0", "lens": "8.9.0", "dashboard": "10.3.0"}
"""What Kibana 8.19 writes into its own exports. It migrates older forms at import, and rejects newer ones."""

SHAPES = {
    "index-pattern": {
        "title",
        "name",
        "timeFieldName",
        "fields",
        "fieldAttrs",
        "fieldFormatMap",
        "runtimeFieldMap",
        "sourceFilters",
        "typeMeta",
        "type",
        "allowNoIndex",
        "allowHidden",
    },
    "search": {
        "title",
        "description",
        "columns",
        "sort",
        "grid",
        "rowHeight",
        "headerRowHeight",
        "hideChart",
        "viewMode",
        "isTextBasedQuery",
        "usesAdHocDataView",
        "hideAggregatedPreview",
        "timeRestore",
        "timeRange",
        "refreshInterval",
        "rowsPerPage",
        "sampleSize",
        "density",
        "breakdownField",
        "visContext",
        "kibanaSavedObjectMeta",
    },
    "lens": {"title", "description", "visualizationType", "state", "expression"},
    "dashboard": {
        "title",
        "description",
        "panelsJSON",
        "optionsJSON",
        "timeRestore",
        "timeFrom",
        "timeTo",
        "refreshInterval",
        "controlGroupInput",
        "hits",
        "version",
        "kibanaSavedObjectMeta",
    },
}
"""Attributes of each type in Kibana 8.19: its schemas reject others."""

Object = Mapping[str, Any]


def problems(objects: Sequence[Object]) -> list[str]:
    """Return a sentence for each thing that is wrong with the objects of one import."""
    held = {(one["type"], one["id"]) for one in objects}
    found = [f"{one['type']} {one['id']}: {text}" for one in objects for text in _of_object(one, held)]
    if len(held) < len(objects):
        found.append("an id is used twice")
    return found


def _of_object(one: Object, held: set[tuple[str, str]]) -> Iterator[str]:
    kind = one["type"]
    if one["coreMigrationVersion"] != CORE_VERSION:
        yield f"coreMigrationVersion {one['coreMigrationVersion']} is not {CORE_VERSION}"
    if _parts(one["typeMigrationVersion"]) > _parts(KNOWN_VERSIONS[kind]):
        yield f"Kibana 8.19 knows {kind} up to {KNOWN_VERSIONS[kind]}, not {one['typeMigrationVersion']}"
    if unknown := one["attributes"].keys() - SHAPES[kind]:
        yield f"{sorted(unknown)} are not attributes of {kind}"
    for reference in one["references"]:
        if (reference["type"], reference["id"]) not in held:
            yield f"reference {reference['name']} to {reference['id']} does not resolve"
    names = [reference["name"] for reference in one["references"]]
    needed = list(_needed(one))
    if sorted(names) != sorted(needed):
        yield f"references {sorted(set(names) ^ set(needed))} are missing or unused"
    if kind == "lens":
        yield from _of_lens(one)
    if kind == "search":
        for field in (*one["attributes"]["columns"], *(name for name, _ in one["attributes"]["sort"])):
            if field not in fields():
                yield f"field {field} does not exist"


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _needed(one: Object) -> Iterator[str]:
    """Names of the references that the attributes use."""
    attributes = one["attributes"]
    if one["type"] == "lens":
        for layer in attributes["state"]["datasourceStates"]["formBased"]["layers"]:
            yield f"indexpattern-datasource-layer-{layer}"
    elif one["type"] == "search":
        yield json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])["indexRefName"]
    elif one["type"] == "dashboard":
        for panel in json.loads(attributes["panelsJSON"]):
            yield f"{panel['panelIndex']}:{panel['panelRefName']}"


def _of_lens(one: Object) -> Iterator[str]:
    state = one["attributes"]["state"]
    for name, layer in state["datasourceStates"]["formBased"]["layers"].items():
        columns = layer["columns"]
        if sorted(layer["columnOrder"]) != sorted(columns):
            yield "columnOrder does not name each column once"
        for key, column in columns.items():
            if column["operationType"] not in BASIC:
                yield f"operation {column['operationType']} of {key} is not one of {', '.join(sorted(BASIC))}"
            if column["sourceField"] != RECORDS and column["sourceField"] not in aggregatable():
                yield f"field {column['sourceField']} of {key} cannot be aggregated"
            order_by = column.get("params", {}).get("orderBy", {}).get("columnId", key)
            if order_by not in columns:
                yield f"{key} is ordered by {order_by}, which does not exist"
        if missing := set(_shown(state["visualization"])) - columns.keys():
            yield f"{sorted(missing)} of layer {name} are shown and do not exist"


def _shown(visualization: Mapping[str, Any]) -> Iterator[str]:
    """Ids of the columns that a visualization shows."""
    for layer in visualization.get("layers", [visualization]):
        yield from layer.get("accessors", [])
        yield from (layer[key] for key in ("xAccessor", "splitAccessor", "metricAccessor") if key in layer)
        yield from (column["columnId"] for column in layer.get("columns", []))
