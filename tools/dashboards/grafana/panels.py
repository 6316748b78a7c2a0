"""Panels in the house's style. A panel's description is the question it answers; docs/dashboards.md lists them."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import common as commons
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.builders import stat as stats
from grafana_foundation_sdk.builders import statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    Panel,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from tools.dashboards.grafana.influxql import select
from tools.dashboards.grafana.queries import INFLUXDB, Influx
from twitter_topics.records import measurements as m

HALF, FULL = 12, 24
SHORTEST_STEP = "10s"
"""Window ends are ten seconds apart, and parts report every five."""

Queries = Sequence[Builder[Dataquery]]


def lines(
    title: str,
    answers: str,
    queries: Queries,
    *,
    unit: str = "short",
    stacked: bool = False,
    bars: bool = False,
    points: bool = False,
    right: str = "",
    span: int = HALF,
    low: float | None = 0,
) -> Builder[Panel]:
    """Return a panel of values over time.

    Args:
        points: marks each value, for what is seldom measured.
        right: regular expression of the series that have an axis of their own, on the right, and are dashed.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .description(answers)
        .datasource(INFLUXDB)
        .targets(list(queries))
        .interval(SHORTEST_STEP)
        .unit(unit)
        .span(span)
        .height(9)
        .draw_style(common.GraphDrawStyle.BARS if bars else common.GraphDrawStyle.LINE)
        .fill_opacity(60 if bars else 30 if stacked else 5)
        .show_points(common.VisibilityMode.ALWAYS if points else common.VisibilityMode.NEVER)
        .tooltip(commons.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
        .legend(
            commons.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.RIGHT)
            .show_legend(True)
            .calcs(["lastNotNull"])
        )
    )
    if right:
        dashes: object = {"fill": "dash", "dash": [6, 6]}
        own_axis = [DynamicConfigValue("custom.axisPlacement", "right"), DynamicConfigValue("custom.lineStyle", dashes)]
        panel = panel.override_by_regexp(f"/{right}/", own_axis)
    if stacked:
        panel = panel.stacking(commons.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    return panel if low is None else panel.min(low)


def rows(
    title: str, answers: str, queries: Queries, *, sort_by: str = "", span: int = HALF, data_source: str = ""
) -> Builder[Panel]:
    """Return a table.

    Args:
        sort_by: the column to sort by, highest first.
    """
    panel = table.Panel().title(title).description(answers).targets(list(queries)).span(span).height(9)
    panel = panel.datasource(INFLUXDB if not data_source else common.DataSourceRef(uid=data_source))
    if not data_source:  # InfluxDB gives a time to rows that have none
        hide_time = {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {}}
        panel = panel.with_transformation(DataTransformerConfig(id_val="organize", options=hide_time))
    if sort_by:
        panel = panel.sort_by([commons.TableSortByFieldState().display_name(sort_by).desc(True)])
    return panel


def events(title: str, answers: str, queries: Queries, *, span: int = HALF) -> Builder[Panel]:
    """Return a table of moments, newest first."""
    panel = table.Panel().title(title).description(answers).targets(list(queries)).span(span).height(6)
    newest_first = commons.TableSortByFieldState().display_name("Time").desc(True)
    return panel.datasource(INFLUXDB).sort_by([newest_first])


def number(title: str, answers: str, query: Builder[Dataquery], *, unit: str, warn_at: float) -> Builder[Panel]:
    """Return the newest value as a number, red from `warn_at` on."""
    steps = [Threshold(value=None, color="green"), Threshold(value=warn_at, color="red")]
    return (
        stats.Panel()
        .title(title)
        .description(answers)
        .datasource(INFLUXDB)
        .with_target(query)
        .unit(unit)
        .span(6)
        .height(9)
        .thresholds(dashboards.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .reduce_options(commons.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    )


def states(title: str, answers: str, query: Builder[Dataquery], *, span: int = HALF) -> Builder[Panel]:
    """Return words over time."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(answers)
        .datasource(INFLUXDB)
        .with_target(query)
        .interval("1m")
        .span(span)
        .height(9)
    )


def dashboard(uid: str, title: str, description: str, panels: Sequence[Builder[Panel]]) -> dashboards.Dashboard:
    """Return a dashboard of these panels, with a mark at each promotion of a model."""
    promotions = Influx(
        "Promotions",
        select('"version", "reason"', m.MODEL_PROMOTION),
        as_table=True,
        extra={"fromAnnotations": True, "queryType": "tags", "textColumn": "reason", "titleColumn": "version"},
    )
    built = (
        dashboards.Dashboard(title)
        .uid(f"twitter-topics-{uid}")
        .description(description)
        .tags(["twitter-topics"])
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("utc")
        .readonly()
        .annotation(
            dashboards.AnnotationQuery()
            .name("Promotions")
            .datasource(INFLUXDB)
            .enable(True)
            .icon_color("purple")
            .target(promotions)
        )
    )
    for panel in panels:
        built = built.with_panel(panel)
    return built


def topic_variable() -> dashboards.QueryVariable:
    """Return the variable `topic`: one or several labels, at first all."""
    return (
        dashboards.QueryVariable("topic")
        .label("Topic")
        .datasource(INFLUXDB)
        .query(f'SHOW TAG VALUES FROM "{m.TOPIC_LAST_HOUR.name}" WITH KEY = "topic_label"')
        .refresh(VariableRefresh.ON_DASHBOARD_LOAD)
        .sort(VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )
