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
WELL, JUST_SILENT = LAG_AT[0] + 40 * s.SECOND, HALF_PAST + 40 * s.SECOND
LONG_SILENT = s.SILENT_FROM + 90 * s.MINUTE + 40 * s.SECOND
"""The classifier has been silent for longer than the rule looks back; the others still report."""


def _least_lag(at_ms: int) -> dict[Tags, float]:
    """The lowest lag of each query in ten minutes."""
    found: dict[Tags, float] = {}
    for one in s.health():
        if not one.part.startswith("producer") and at_ms - 600 * s.SECOND <= one.at_ms <= at_ms:
            tags = part(one.part)
            found[tags] = min(found.get(tags, one.lag), one.lag)
    return found


def _reports(name: str, at_ms: int) -> dict[Tags, float] | None:
    """Reports of a query in the minute that has begun; None if it has not reported within an hour."""
    recent = [one.at_ms for one in s.health() if one.part == name and at_ms - s.HOUR <= one.at_ms <= at_ms]
    return {(): float(sum(one // s.MINUTE == at_ms // s.MINUTE for one in recent))} if recent else None


def _silence(name: str, *moments: tuple[int, str]) -> tuple[Case, ...]:
    """The rule of a query at these moments, and what fires."""
    return tuple(Case(at_ms, _reports(name, at_ms), (fires,) if fires else ()) for at_ms, fires in moments)


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
    "The archiver is silent": _silence("archiver", (WELL, ""), (LONG_SILENT, ""), (NIGHT, "no data")),
    "The classifier is silent": _silence("classifier", (WELL, ""), (JUST_SILENT, "-"), (LONG_SILENT, "no data")),
    "The aggregator is silent": _silence("aggregator", (WELL, ""), (LONG_SILENT, ""), (NIGHT, "no data")),
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
