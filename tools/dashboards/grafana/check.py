"""What a query of the dashboards must keep to: names of the contract, and the rules of revised and rolling points."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.dashboards.fields import aggregatable
from tools.dashboards.grafana.expand import targets
from twitter_topics.records.measurements import MEASUREMENTS, Measurement

OVER_TIME = {"last", "first", "min", "max"}
"""What may be made of a rolling value over time. A sum or a mean would count a tweet 360 times per hour."""

_ALIAS = re.compile(r' AS "(\w+)"')
_NAME = re.compile(r'"([^"]+)"')
_CALL = re.compile(r'(\w+)\("(\w+)"\)')


@dataclass(frozen=True)
class Select:
    """A parsed SELECT. `step` is empty without GROUP BY time."""

    columns: str
    source: Select | str
    where: str
    step: str
    tags: tuple[str, ...]

    @property
    def aliases(self) -> set[str]:
        """Names of the columns, as an outer SELECT sees them."""
        return set(_ALIAS.findall(self.columns))

    @property
    def used(self) -> set[str]:
        """Names that columns, condition and groups refer to."""
        return set(_NAME.findall(_ALIAS.sub("", self.columns))) | set(_NAME.findall(self.where)) | set(self.tags)

    @property
    def calls(self) -> list[tuple[str, str]]:
        """(function, column) of the columns."""
        return _CALL.findall(self.columns)


def parse(text: str) -> Select:
    """Parse the InfluxQL that the builder writes.

    Raises:
        ValueError: anything else.
    """
    head = re.match(r"SELECT (.+?) FROM ", text)
    if head is None:
        msg = f"not a SELECT: {text}"
        raise ValueError(msg)
    rest = text[head.end() :]
    source: Select | str
    if rest.startswith("("):
        end = _closing(rest)
        source, rest = parse(rest[1:end]), rest[end + 1 :]
    else:
        name = re.match(r'"(\w+)"', rest)
        if name is None:
            msg = f"no measurement: {text}"
            raise ValueError(msg)
        source, rest = name[1], rest[name.end() :]
    tail = re.fullmatch(r"(?: WHERE (?P<where>.+?))?(?: GROUP BY (?P<by>.+?))?(?: fill\(\w+\))?", rest)
    if tail is None:
        msg = f"cannot parse {rest!r}"
        raise ValueError(msg)
    groups = tail["by"] or ""
    step = re.search(r"time\(([^)]+)\)", groups)
    return Select(head[1], source, tail["where"] or "", step[1] if step else "", tuple(_NAME.findall(groups)))


def problems(dashboard: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each thing that is wrong with the queries of a dashboard."""
    found = []
    for target in targets(dashboard):
        query = target.query
        if query["datasource"]["type"] == "elasticsearch":
            wrong = list(_of_search(query))
        else:
            wrong = query_problems(query["query"])
        found += [f"{target.panel}: {one}" for one in wrong]
    return found


def query_problems(text: str) -> list[str]:
    """Return what is wrong with an InfluxQL query."""
    try:
        return list(_of_select(parse(text)))
    except ValueError as error:
        return [str(error)]


def _of_select(query: Select) -> Iterator[str]:
    if isinstance(query.source, str):
        measurement = MEASUREMENTS.get(query.source)
        if measurement is None:
            yield f"measurement {query.source} is not in the contract"
        else:
            yield from _of_measurement(query, measurement)
        return
    yield from _of_select(query.source)
    if unknown := query.used - query.source.aliases - set(query.source.tags):
        yield f"{sorted(unknown)} are not selected by the inner query"
    measurement = _measurement(query)
    if measurement is not None and measurement.rolling and query.step != query.source.step:
        for function, column in query.calls:
            if function not in OVER_TIME:
                yield f"{function} of {column} over time, which is a rolling value"


def _of_measurement(query: Select, measurement: Measurement) -> Iterator[str]:
    if unknown := query.used - measurement.fields.keys() - set(measurement.tags):
        yield f"{sorted(unknown)} are not in the contract of {measurement.name}"
    if measurement.revised or measurement.rolling:
        for function, column in query.calls:
            if function != "last":
                yield f"{function} of {column}, which {measurement.name} revises or rolls: take last"
        bare = set(_NAME.findall(_ALIAS.sub("", query.columns))) - {column for _, column in query.calls}
        if bare:
            yield f"{sorted(bare)} without last"
        if missing := set(measurement.tags) - set(query.tags):
            yield f"last without {sorted(missing)}: series of {measurement.name} are mixed"


def _measurement(query: Select) -> Measurement | None:
    source: Select | str = query
    while isinstance(source, Select):
        source = source.source
    return MEASUREMENTS.get(source)


def _of_search(query: Mapping[str, Any]) -> Iterator[str]:
    named = [one["field"] for one in (*query["bucketAggs"], *query["metrics"]) if "field" in one]
    for field in (*named, query["timeField"]):
        if field not in aggregatable():
            yield f"{field} cannot be aggregated in the search index"


def _closing(text: str) -> int:
    depth = 0
    for at, sign in enumerate(text):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth == 0:
            return at
    msg = f"no closing bracket: {text}"
    raise ValueError(msg)
