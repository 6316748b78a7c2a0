"""The data queries of panels. The SDK has no builder for InfluxDB, so this one is ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from grafana_foundation_sdk.builders import elasticsearch as es
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.elasticsearch import TermsOrder

INFLUXDB = DataSourceRef(type_val="influxdb", uid="twitter-topics-influxdb")
ELASTICSEARCH = DataSourceRef(type_val="elasticsearch", uid="twitter-topics-elasticsearch")


@dataclass(frozen=True)
class InfluxDataquery(Dataquery):
    """A query of Grafana's InfluxDB data source, as InfluxQL text."""

    ref_id: str
    query: str
    alias: str = ""
    as_table: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return the target in a dashboard's JSON."""
        target: dict[str, object] = {
            "refId": self.ref_id,
            "datasource": INFLUXDB,
            "rawQuery": True,
            "query": self.query,
            "resultFormat": "table" if self.as_table else "time_series",
        }
        if self.alias:
            target["alias"] = self.alias
        return target | self.extra


@dataclass(frozen=True)
class Influx(Builder[Dataquery]):
    """Builder of an `InfluxDataquery`. `alias` names the series; `$tag_x` is its tag x, `$col` its column."""

    ref_id: str
    query: str
    alias: str = ""
    as_table: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def build(self) -> Dataquery:
        """Return the query."""
        return InfluxDataquery(self.ref_id, self.query, self.alias, self.as_table, self.extra)


def per_language(ref_id: str, size: int) -> es.Dataquery:
    """Return a query of Elasticsearch: for each of the most frequent languages the tweets, and of those with a
    sentiment the number and the mean compound."""
    sentiment = es.ExtendedStats().id("2").field("sentiment.compound")
    wanted = {"avg": True, "count": True}
    frequent = es.ElasticsearchTermsSettings().size(str(size)).order(TermsOrder.DESC).order_by("_count")
    return (
        es.Dataquery()
        .ref_id(ref_id)
        .datasource(ELASTICSEARCH)
        .query("")
        .time_field("created_at")
        .bucket_aggs([es.Terms().id("3").field("lang").settings(frequent.min_doc_count("1"))])
        .metrics([es.Count().id("1"), sentiment.meta(wanted)])
    )
