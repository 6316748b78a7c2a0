"""What Kibana asks Elasticsearch for a Lens panel or a Discover session, and the rows that it makes of the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tools.dashboards.kibana.forms import RECORDS, TIME_FIELD

Search = Callable[..., Mapping[str, Any]]
"""Searches all daily indices; keywords as in Elasticsearch's search API."""

Row = dict[str, Any]
"""Value of each column of a panel by its id."""

BASIC = {
    "count": "value_count",
    "average": "avg",
    "unique_count": "cardinality",
    "terms": "terms",
    "date_histogram": "date_histogram",
}
"""Operations of Lens that the dashboards may use, and their aggregations; all are in Elasticsearch's basic licence."""

OTHER = "Other"

MAX_DOCUMENTS = 1_000


class Span(NamedTuple):
    """A time range, both ends included, in Unix milliseconds, and the step that Kibana chose for it."""

    from_ms: int
    to_ms: int
    step: str


def rows(lens: Mapping[str, Any], search: Search, span: Span) -> list[Row]:
    """Return the rows of a saved Lens panel."""
    state = lens["attributes"]["state"]
    (layer,) = state["datasourceStates"]["formBased"]["layers"].values()
    columns = layer["columns"]
    buckets = [key for key in layer["columnOrder"] if columns[key]["isBucketed"]]
    query = _query(state["query"]["query"], span)
    found = _ask(search, query, columns, buckets, span)
    first = columns[buckets[0]] if buckets else None
    if first is not None and first["params"].get("otherBucket"):
        keys = sorted({row[buckets[0]] for row in found})
        rest = {"bool": {**query["bool"], "must_not": [{"terms": {first["sourceField"]: keys}}]}}
        others = _ask(search, rest, columns, buckets[1:], span)
        found += [{buckets[0]: OTHER, **row} for row in others]
    return found


def documents(session: Mapping[str, Any], search: Search, span: Span) -> list[Row]:
    """Return the rows of a saved Discover session, newest first."""
    attributes = session["attributes"]
    source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    (sort_field, direction), *_ = attributes["sort"]
    answer = search(
        size=MAX_DOCUMENTS,
        query=_query(source["query"]["query"], span),
        sort=[{sort_field: {"order": direction}}],
        fields=attributes["columns"],
        source=False,
    )
    hits = answer["hits"]["hits"]
    return [{name: hit.get("fields", {}).get(name) for name in attributes["columns"]} for hit in hits]


def _ask(
    search: Search, query: Mapping[str, Any], columns: Mapping[str, Any], buckets: Sequence[str], span: Span
) -> list[Row]:
    metrics = {key: one for key, one in columns.items() if not one["isBucketed"]}
    answer = search(size=0, query=query, aggs=_aggregations(columns, buckets, metrics, span), track_total_hits=True)
    whole = {**answer.get("aggregations", {}), "doc_count": answer["hits"]["total"]["value"]}
    return _flatten(whole, buckets, metrics)


def _aggregations(
    columns: Mapping[str, Any], buckets: Sequence[str], metrics: Mapping[str, Any], span: Span
) -> dict[str, Any]:
    values = {key: _metric(one) for key, one in metrics.items() if one["sourceField"] != RECORDS}
    if not buckets:
        return values
    head, *rest = buckets
    deeper = _aggregations(columns, rest, metrics, span)
    bucket = _bucket(columns[head], metrics, span)
    return {head: {**bucket, "aggs": {**deeper, **values}}}


def _metric(column: Mapping[str, Any]) -> dict[str, Any]:
    return {BASIC[column["operationType"]]: {"field": column["sourceField"]}}


def _bucket(column: Mapping[str, Any], metrics: Mapping[str, Any], span: Span) -> dict[str, Any]:
    if column["operationType"] == "date_histogram":
        return {"date_histogram": {"field": column["sourceField"], "fixed_interval": span.step, "min_doc_count": 1}}
    params = column["params"]
    by = params["orderBy"]["columnId"]
    order = "_count" if metrics[by]["sourceField"] == RECORDS else by
    terms = {"field": column["sourceField"], "size": params["size"], "order": {order: params["orderDirection"]}}
    return {"terms": terms}


def _flatten(answer: Mapping[str, Any], buckets: Sequence[str], metrics: Mapping[str, Any]) -> list[Row]:
    if not buckets:
        return [{key: _value(answer, key, column) for key, column in metrics.items()}]
    head, *rest = buckets
    return [
        {head: bucket["key"], **row} for bucket in answer[head]["buckets"] for row in _flatten(bucket, rest, metrics)
    ]


def _value(answer: Mapping[str, Any], key: str, column: Mapping[str, Any]) -> Any:
    return answer["doc_count"] if column["sourceField"] == RECORDS else answer[key]["value"]


def _query(kql: str, span: Span) -> dict[str, Any]:
    """Translate the KQL that the objects use: nothing, `field: *` or `field: value`."""
    in_range = {"range": {TIME_FIELD: {"gte": span.from_ms, "lte": span.to_ms, "format": "epoch_millis"}}}
    filters: list[dict[str, Any]] = [in_range]
    if kql:
        field, _, value = kql.partition(": ")
        filters.append({"exists": {"field": field}} if value == "*" else {"term": {field: value}})
    return {"bool": {"filter": filters}}
