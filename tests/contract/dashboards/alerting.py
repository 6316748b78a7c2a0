"""Evaluate a committed alert rule as Grafana does: query, reduction, threshold, and how long it must hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.contract.dashboards import seeds as s
from tests.contract.dashboards.expected import Tags
from tools.dashboards.grafana.expand import Zoom, expand, seconds_of
from twitter_topics.backends.influx import InfluxStore

EVERY_MS = s.MINUTE
"""The interval of the rules' group."""


class Case(NamedTuple):
    """A moment, and what a rule says then: the value that it judges by series, and which of them fire.

    Values are computed from the seeds; None: there is no series, and the rule's `noDataState` decides.
    """

    at_ms: int
    values: Mapping[Tags, float] | None
    fires: tuple[str, ...]


def judged(store: InfluxStore, rule: Mapping[str, Any], now_ms: int) -> dict[Tags, float]:
    """Return the number that a rule compares with its limit, by series."""
    query, reduction, _ = (one["model"] for one in rule["data"])
    span = rule["data"][0]["relativeTimeRange"]
    zoom = Zoom(now_ms - span["from"] * s.SECOND, now_ms - span["to"] * s.SECOND)
    series: dict[Tags, list[float]] = {}
    for tags, row in store.rows(expand(query["query"], zoom, "1s")):
        (value,) = (value for name, value in row.items() if name != "time")
        if value is not None:
            series.setdefault(tuple(sorted(tags.items())), []).append(float(value))
    assert reduction["reducer"] == "last"
    return {tags: values[-1] for tags, values in series.items()}


def firing(store: InfluxStore, rule: Mapping[str, Any], now_ms: int) -> set[str]:
    """Return the series that fire now, by their tags' values; `no data` if there is none and that fires."""
    (condition,) = rule["data"][2]["model"]["conditions"]
    kind, (limit,) = condition["evaluator"]["type"], condition["evaluator"]["params"]
    held: set[str] | None = None
    for back in range(0, 1_000 * seconds_of(rule["for"]) + 1, EVERY_MS):
        values = judged(store, rule, now_ms - back)
        breached = {_name(tags) for tags, value in values.items() if (value > limit if kind == "gt" else value < limit)}
        if not values and rule["noDataState"] == "Alerting":
            breached = {"no data"}
        held = breached if held is None else held & breached
    return held or set()


def _name(tags: Tags) -> str:
    return ", ".join(value for _, value in tags) or "-"


def part(name: str) -> Tags:
    return (("part", name),)


NIGHT = s.DAY + 20 * s.HOUR
HALF_PAST = s.DAY + 12 * s.HOUR + 35 * s.MINUTE
LAG_AT = (s.DAY + 9 * s.HOUR, HALF_PAST)


def _least_lag(at_ms: int) -> dict[Tags, float]:
    """The lowest lag of each query in ten minutes."""
    found: dict[Tags, float] = {}
    for one in s.health():
        if not one.part.startswith("producer") and at_ms - 600 * s.SECOND <= one.at_ms <= at_ms:
            tags = part(one.part)
            found[tags] = min(found.get(tags, one.lag), one.lag)
    return found


def _reports(at_ms: int) -> dict[Tags, float]:
    """Reports of each query in the minute that has begun, of those that reported within an hour."""
    found: dict[Tags, float] = {}
    for one in s.health():
        if not one.part.startswith("producer") and at_ms - s.HOUR <= one.at_ms <= at_ms:
            found.setdefault(part(one.part), 0)
            found[part(one.part)] += one.at_ms // s.MINUTE == at_ms // s.MINUTE
    return found


def _share(at_ms: int) -> dict[Tags, float] | None:
    """The newest share of dead letters in ten minutes, where there are twenty or more."""
    recent = [
        sum(reasons.values()) / raw
        for when, raw, reasons in s.DEAD_LETTERS
        if at_ms - 600 * s.SECOND <= when <= at_ms and sum(reasons.values()) >= 20
    ]
    return {(): recent[-1]} if recent else None


CASES: Mapping[str, tuple[Case, ...]] = {
    "A streaming query is behind": (
        Case(LAG_AT[0], _least_lag(LAG_AT[0]), ()),
        Case(LAG_AT[1], _least_lag(LAG_AT[1]), ("aggregator",)),
    ),
    "A streaming query is silent": (
        Case(LAG_AT[0] + 40 * s.SECOND, _reports(LAG_AT[0] + 40 * s.SECOND), ()),
        Case(HALF_PAST + 40 * s.SECOND, _reports(HALF_PAST + 40 * s.SECOND), ("classifier",)),
        Case(NIGHT, None, ("no data",)),
    ),
    "Too many dead letters": (
        Case(s.DAY + 9 * s.HOUR + s.MINUTE, None, ()),
        Case(s.DAY + 12 * s.HOUR + 31 * s.MINUTE, _share(s.DAY + 12 * s.HOUR + 31 * s.MINUTE), ("-",)),
        Case(NIGHT, None, ()),
    ),
    "The audit is broken": (
        Case(s.DAY + 9 * s.HOUR, {(): 0.0}, ()),
        Case(s.DAY + 13 * s.HOUR, {(): 1.0}, ("-",)),
    ),
    "The champion is old": (
        Case(s.DAY + 9 * s.HOUR, {(): 28 * 3_600.0}, ()),
        Case(s.CHAMPION_SEEN[-1], {(): (s.CHAMPION_SEEN[-1] - s.PROMOTED[s.M2]) / 1_000}, ("-",)),
        Case(s.DAY - 20 * s.HOUR, None, ()),
    ),
    "InfluxDB is behind the counts": (
        Case(s.DAY + 10 * s.HOUR + s.MINUTE, {(): 12.5}, ()),
        Case(s.DAY + 12 * s.HOUR + 45 * s.MINUTE, {(): 312.0}, ("-",)),
    ),
}
"""Each rule quiet, then firing; some also without any data."""
