"""Pictures of the Grafana dashboards, drawn from their own queries. They are not Grafana's drawing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure

from tools.dashboards.grafana.expand import Zoom

mpl.use("agg")

DAY_MS = 86_400_000
GRID_WIDTH, CELL_INCHES = 24, (0.55, 0.32)
ROWS, CELL_CHARACTERS = 8, 40
COLORS = ("#3274d9", "#e0752d", "#37872d", "#8f3bb8", "#ca3c3c", "#b5a11e", "#1b9e9e", "#777777")


class Line(NamedTuple):
    """A series of an answer: its tags, and its rows by time (Unix ms; 0 without one)."""

    tags: Mapping[str, str]
    rows: Mapping[int, Mapping[str, Any]]


Ask = Callable[[Mapping[str, Any], Mapping[str, Any]], Sequence[Line]]
"""Answers a query (panel, target) of a dashboard."""


def draw(board: Mapping[str, Any], ask: Ask, zoom: Zoom, path: Path) -> None:
    """Write a PNG of a committed dashboard: every panel at its place in the grid, with the marks of its annotations."""
    panels = board["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    figure = Figure(figsize=(GRID_WIDTH * CELL_INCHES[0], height * CELL_INCHES[1] + 0.4), dpi=100, facecolor="white")
    for panel in panels:
        place = panel["gridPos"]
        left, width = (place["x"] + 1.0) / GRID_WIDTH, (place["w"] - 2.0) / GRID_WIDTH
        bottom, tall = 1 - (place["y"] + place["h"] - 1.2) / height, (place["h"] - 2.4) / height
        axes = figure.add_axes((left, bottom, width, tall))
        axes.set_title(panel["title"], fontsize=9, loc="left", fontweight="bold")
        _KINDS[panel["type"]](axes, panel, [line for target in panel["targets"] for line in ask(panel, target)])
        if panel["type"] in ("timeseries", "state-timeline"):
            axes.set_xlim(_moment(zoom.from_ms), _moment(zoom.to_ms))
            for annotation in board["annotations"]["list"]:
                for at in (at for line in ask(panel, annotation["target"]) for at in line.rows):
                    axes.axvline(_moment(at), color="#8f3bb8", linewidth=1, linestyle="--")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def _over_time(axes: Axes, panel: Mapping[str, Any], lines: Sequence[Line]) -> None:
    custom = panel["fieldConfig"]["defaults"]["custom"]
    stacked = custom.get("stacking", {}).get("mode") == "normal"
    named = [
        (_name(panel["targets"][0].get("alias", ""), line.tags, column), line, column)
        for line in lines
        for column in sorted({name for row in line.rows.values() for name in row})
    ]
    below: dict[int, float] = {}
    right, own_axis = _right(panel), axes.twinx() if _right(panel) else axes
    for number, (name, line, column) in enumerate(named):
        color = COLORS[number % len(COLORS)]
        points = {at: float(row[column]) for at, row in sorted(line.rows.items()) if column in row}
        times = [_moment(at) for at in points]
        floor = [below.get(at, 0.0) if stacked else 0.0 for at in points]
        tops = [value + low for value, low in zip(points.values(), floor, strict=True)]
        if custom["drawStyle"] == "bars":
            step = min((b - a for a, b in pairwise(points)), default=1_200_000)
            axes.bar(
                times,
                list(points.values()),
                0.8 * _moment(step),
                floor,
                color=color,
                label=name,
                align="edge",
                alpha=0.8,
            )
        else:
            marker = "o" if custom["showPoints"] == "always" else ""
            is_right = bool(right) and re.search(right, name) is not None
            style: Any = {"linestyle": "--" if is_right else "-", "marker": marker, "label": name}
            (own_axis if is_right else axes).plot(times, tops, color=color, linewidth=1, markersize=4, **style)
            if stacked:
                axes.fill_between(times, floor, tops, color=color, alpha=0.3, linewidth=0)
        below.update(dict(zip(points, tops, strict=True)))
    if panel["fieldConfig"]["defaults"].get("min") == 0:
        axes.set_ylim(bottom=0)
    _clock(axes)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    own_axis.tick_params(labelsize=7)
    handles = dict.fromkeys(line for one in (axes, own_axis) for line in one.get_legend_handles_labels()[0])
    if named:
        axes.legend(handles=list(handles), fontsize=6, loc="upper left", frameon=False)


def _right(panel: Mapping[str, Any]) -> str:
    """Regular expression of the series with an axis of their own; empty if there is none."""
    for override in panel["fieldConfig"].get("overrides", []):
        if any(one["id"] == "custom.axisPlacement" for one in override["properties"]):
            return str(override["matcher"]["options"]).strip("/")
    return ""


def _rows(axes: Axes, _panel: Mapping[str, Any], lines: Sequence[Line]) -> None:
    axes.axis("off")
    rows = []
    for line in lines:
        for at, row in line.rows.items():
            when = {"Time": f"{datetime.fromtimestamp(at / 1000, UTC):%m-%d %H:%M}"} if at else {}
            rows.append({**when, **{key: tag for key, tag in line.tags.items() if key != "topic_id"}, **row})
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name, "")) for name in columns] for row in rows[:ROWS]]
    if cells:
        table = axes.table(cells, colLabels=columns, loc="upper left", cellLoc="left", edges="horizontal")
        table.auto_set_font_size(False)
        table.set_fontsize(7)
        table.auto_set_column_width(list(range(len(columns))))


def _newest(axes: Axes, panel: Mapping[str, Any], lines: Sequence[Line]) -> None:
    axes.axis("off")
    values = [value for line in lines for row in line.rows.values() for value in row.values()]
    unit = panel["fieldConfig"]["defaults"].get("unit", "")
    axes.text(0.5, 0.5, f"{_cell(values[-1])} {unit}" if values else "no data", fontsize=18, ha="center", va="center")


def _states(axes: Axes, _panel: Mapping[str, Any], lines: Sequence[Line]) -> None:
    points = sorted((at, str(value)) for line in lines for at, row in line.rows.items() for value in row.values())
    colors = {state: COLORS[number % len(COLORS)] for number, state in enumerate(dict.fromkeys(s for _, s in points))}
    for (at, state), (end, _) in zip(points, [*points[1:], (points[-1][0] + 3_600_000, "")], strict=True):
        start = _moment(at)
        axes.axvspan(start, _moment(end), color=colors[state], alpha=0.6)
        axes.text(start, 0.5, f" {state}", fontsize=7, va="center")
    axes.set_yticks([])
    _clock(axes)


def _clock(axes: Axes) -> None:
    axes.xaxis.set_major_locator(AutoDateLocator())  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
    axes.tick_params(labelsize=7)


def _moment(at_ms: int) -> float:
    """The unit of matplotlib: days since 1970."""
    return at_ms / DAY_MS


_KINDS: Mapping[str, Callable[[Axes, Mapping[str, Any], Sequence[Line]], None]] = {
    "timeseries": _over_time,
    "table": _rows,
    "stat": _newest,
    "state-timeline": _states,
}


def _name(alias: str, tags: Mapping[str, str], column: str) -> str:
    """Return the name of a series, as Grafana forms it from an alias."""
    named = re.sub(r"\$tag_(\w+)", lambda match: tags.get(match[1], ""), alias)
    return named.replace("$col", column) or column


def _cell(value: Any) -> str:
    text = f"{value:,.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= CELL_CHARACTERS else text[: CELL_CHARACTERS - 1] + "…"
