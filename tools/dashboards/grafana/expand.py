"""What Grafana makes of a committed panel before it asks a store: time range, step and variables are filled in.

As in Grafana: the step is the range divided by the points that a panel can show, rounded to a readable one, and not
below the panel's shortest. The public source of these rules is Grafana's documentation on `$__interval`, `$timeFilter`
and the formatting of variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

_SECOND = 1_000
_STEPS_S = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400)
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
MAX_POINTS = 1_000
ALL = ("$__all",)


class Zoom(NamedTuple):
    """A time range, both ends included, in Unix milliseconds."""

    from_ms: int
    to_ms: int


class Target(NamedTuple):
    """A query of a panel or a dashboard, as committed."""

    panel: str
    description: str
    shortest: str
    query: dict[str, Any]


def targets(dashboard: Mapping[str, Any]) -> Iterator[Target]:
    """Yield the queries of a committed dashboard: its panels', then its annotations'."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield Target(panel["title"], panel["description"], panel.get("interval", "1s"), target)
    for annotation in dashboard["annotations"]["list"]:
        yield Target(f"annotation {annotation['name']}", "", "1s", annotation["target"])


def step_ms(zoom: Zoom, shortest: str) -> int:
    """Return the step of `$__interval`."""
    wanted = (zoom.to_ms - zoom.from_ms) / MAX_POINTS / _SECOND
    readable = min(_STEPS_S, key=lambda one: abs(one - wanted))
    return max(readable, seconds_of(shortest)) * _SECOND


def seconds_of(text: str) -> int:
    """Return the seconds of `10s`, `5m`, `1h`."""
    return int(text[:-1]) * _UNITS[text[-1]]


def expand(query: str, zoom: Zoom, shortest: str, topics: Sequence[str] = ALL) -> str:
    """Fill in `$timeFilter`, `$__interval` and `$topic`."""
    chosen = ".*" if tuple(topics) == ALL else "|".join(re.escape(topic) for topic in topics)
    values = {
        "$timeFilter": f"time >= {zoom.from_ms}ms AND time <= {zoom.to_ms}ms",
        "$__interval": f"{step_ms(zoom, shortest) // _SECOND}s",
        "$topic": f"({chosen})" if len(topics) > 1 else chosen,
    }
    for name, value in values.items():
        query = query.replace(name, value)
    return query


def search_body(target: Mapping[str, Any], zoom: Zoom) -> dict[str, Any]:
    """Return the search request of an Elasticsearch target: nested buckets, then metrics."""
    aggs: dict[str, Any] = {}
    for metric in target["metrics"]:
        if metric["type"] != "count":
            aggs[metric["id"]] = {metric["type"]: {"field": metric["field"]}}
    for bucket in reversed(target["bucketAggs"]):
        settings = bucket["settings"]
        terms = {
            "field": bucket["field"],
            "size": int(settings["size"]),
            "order": {settings["orderBy"]: settings["order"]},
            "min_doc_count": int(settings["min_doc_count"]),
        }
        aggs = {bucket["id"]: {bucket["type"]: terms, **({"aggs": aggs} if aggs else {})}}
    in_range = {"range": {target["timeField"]: {"gte": zoom.from_ms, "lte": zoom.to_ms, "format": "epoch_millis"}}}
    return {"size": 0, "query": {"bool": {"filter": [in_range]}}, "aggs": aggs}
