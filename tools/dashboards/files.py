"""The generated files of dashboards/, and how to read them back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from tools.dashboards.grafana import alerts, operations, topics
from tools.dashboards.kibana.forms import Object
from tools.dashboards.kibana.objects import saved_objects

FOLDER = Path(__file__).resolve().parents[2] / "dashboards"
RULES = "grafana/provisioning/alerting/rules.yaml"


def generated() -> dict[str, str]:
    """Return the text of each generated file by its path in dashboards/."""
    boards = {
        "topics": topics.topics(),
        "sentiment": topics.sentiment(),
        "pipeline": operations.pipeline(),
        "models": operations.models(),
    }
    return {
        **{f"grafana/dashboards/{name}.json": _dashboard(board) for name, board in boards.items()},
        RULES: _rules(),
        **{f"kibana/{name}.ndjson": "".join(map(_line, objects)) for name, objects in saved_objects().items()},
    }


def read_dashboards(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Return the committed dashboards of Grafana by name."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("grafana/dashboards/*.json"))}


def read_rules(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Return the committed alert rules."""
    content = yaml.safe_load((folder / RULES).read_text("utf-8"))
    return [rule for group in content["groups"] for rule in group["rules"]]


def read_saved_objects(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Return the committed saved objects of Kibana."""
    paths = sorted(folder.glob("kibana/*.ndjson"))
    return [json.loads(line) for path in paths for line in path.read_text("utf-8").splitlines()]


def _dashboard(builder: Dashboard) -> str:
    board = builder.build()
    for number, panel in enumerate(board.panels or [], start=1):
        panel.id_val = number
    return json.dumps(board, cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _line(saved_object: Object) -> str:
    return json.dumps(saved_object, ensure_ascii=False, sort_keys=True) + "\n"


def _rules() -> str:
    plain = json.loads(json.dumps(alerts.provisioning(), cls=JSONEncoder))
    head = "# written by `make dashboards`\n"
    return head + yaml.safe_dump(plain, sort_keys=False, width=120, allow_unicode=True)
