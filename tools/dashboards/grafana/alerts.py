"""Alert rules, in the form of Grafana's file provisioning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from grafana_foundation_sdk.builders import alerting, expr
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.alerting import RelativeTimeRange
from grafana_foundation_sdk.models.common import DataSourceRef

from tools.dashboards.grafana.influxql import last, select
from tools.dashboards.grafana.operations import MAX_CHAMPION_SECONDS, MAX_VIEW_SECONDS, QUERIES
from tools.dashboards.grafana.queries import INFLUXDB, Influx
from twitter_topics.health.problems import WatchLimits
from twitter_topics.records import measurements as m

LIMITS = WatchLimits()
MAX_LAG = 20_000
"""Fewer than a full batch of the classifier. The rule takes the least of a period, so batches that come and go do not
count."""

FOLDER, GROUP, EVERY = "twitter-topics", "twitter-topics", "1m"
_FROM_API = ("annotations", "condition", "data", "execErrState", "for", "labels", "noDataState", "title", "uid")
"""What a rule in a file shares with a rule of the API; the group names its folder."""

NoData = Literal["OK", "Alerting", "NoData"]


@dataclass(frozen=True)
class Alert:
    """A rule fires if the last value of a series of `query` over the last `seconds` is above (or below) the limit for
    `hold`.

    `no_data`: what it means that the query has no series.
    """

    uid: str
    title: str
    summary: str
    query: str
    seconds: int
    limit: float
    hold: str
    no_data: NoData
    above: bool = True


def _silence(part: str, log: str) -> Alert:
    """A rule of its own for each query: a series without a point in the range is not in the answer of one query for
    all, so the alert would end an hour later, while the part is still silent. Without any series, no data fires."""
    return Alert(
        f"silence-{part}",
        f"The {part} is silent",
        f"The {part} has reported nothing for two minutes; see `twitter-topics logs {log}`",
        select('count("ok") AS "reports"', m.PIPELINE_HEALTH, where=f"\"part\" = '{part}'", step="1m", fill="0"),
        3600,
        1,
        "2m",
        "Alerting",
        above=False,
    )


ALERTS = (
    Alert(
        "lag",
        "A streaming query is behind",
        "{{ $labels.part }} has been more than 20,000 records behind for ten minutes; see `twitter-topics status`",
        select('min("lag") AS "lag"', m.PIPELINE_HEALTH, where=QUERIES, by=("part",)),
        600,
        MAX_LAG,
        "0s",
        "OK",
    ),
    _silence("archiver", "classify-tweets"),
    _silence("classifier", "classify-tweets"),
    _silence("aggregator", "aggregate-topics"),
    Alert(
        "dead-letters",
        "Too many dead letters",
        "More than 5 % of the last hour's records were rejected; `twitter-topics dead-letters` shows the reasons",
        select(last("share"), m.DEAD_LETTER_SHARE, where=f'"dead_letters" >= {LIMITS.min_dead_letters}'),
        600,
        LIMITS.max_dead_letter_share,
        "0s",
        "OK",
    ),
    Alert(
        "audit",
        "The audit is broken",
        "Records are lost, duplicated or stuck; the DAG stores_audit and `twitter-topics audit` name the hop",
        select(last("broken"), m.AUDIT_RESULT),
        13 * 3600,
        0,
        "0s",
        "NoData",
    ),
    Alert(
        "champion",
        "The champion is old",
        "No model has been promoted for seven days; the tasks of model_promotion give the reasons",
        select(last("age_seconds"), m.MODEL_CHAMPION),
        3600,
        MAX_CHAMPION_SECONDS,
        "0s",
        "OK",
    ),
    Alert(
        "view",
        "InfluxDB is behind the counts",
        "What is shown is more than two minutes old; nothing is lost. `twitter-topics counts status` gives the reason",
        select(last("seconds"), m.VIEW_BEHIND),
        900,
        MAX_VIEW_SECONDS,
        "0s",
        "NoData",
    ),
)


def provisioning() -> dict[str, Any]:
    """Return the content of the rules' file."""
    rules = [_file_rule(one) for one in ALERTS]
    return {
        "apiVersion": 1,
        "groups": [{"orgId": 1, "name": GROUP, "folder": FOLDER, "interval": EVERY, "rules": rules}],
    }


def _file_rule(alert: Alert) -> dict[str, Any]:
    rule = (
        alerting.Rule(alert.title)
        .uid(f"twitter-topics-{alert.uid}")
        .condition("C")
        .with_query(_query("A", Influx("A", alert.query), alert.seconds, str(INFLUXDB.uid)))
        .with_query(_query("B", _newest(), 0, "__expr__"))
        .with_query(_query("C", _threshold(alert), 0, "__expr__"))
        .no_data_state(alert.no_data)
        .exec_err_state("Error")
        .for_val(alert.hold)
        .annotations({"summary": alert.summary})
        .labels({"service": "twitter-topics"})
    )
    fields = rule.build().to_json()
    return {name: fields[name] for name in _FROM_API}


def _query(ref_id: str, model: Builder[Dataquery], seconds: int, data_source: str) -> alerting.Query:
    span = RelativeTimeRange(from_val=seconds, to=0)
    return alerting.Query(ref_id).datasource_uid(data_source).model(model).relative_time_range(span)


def _newest() -> expr.TypeReduce:
    drop = expr.ExprTypeReduceSettings().mode("dropNN")
    return expr.TypeReduce().ref_id("B").expression("A").reducer("last").settings(drop).datasource(_SERVER)


def _threshold(alert: Alert) -> expr.TypeThreshold:
    evaluator = expr.ExprTypeThresholdConditionsEvaluator().type("gt" if alert.above else "lt").params([alert.limit])
    condition = expr.ExprTypeThresholdConditions().evaluator(evaluator)
    return expr.TypeThreshold().ref_id("C").expression("B").conditions([condition]).datasource(_SERVER)


_SERVER = DataSourceRef(type_val="__expr__", uid="__expr__")
