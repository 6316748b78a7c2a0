"""`twitter-topics sources gaps` without an InfluxDB."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from twitter_topics.cli.main import app


def test_gaps_without_influxdb_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUXDB_URL", "http://127.0.0.1:9")
    shown = CliRunner().invoke(app, ["sources", "gaps"], env={"COLUMNS": "200"})
    assert shown.exit_code == 75
    assert "InfluxDB at 127.0.0.1:9 did not query" in shown.output
