"""docs/benchmarks.md is generated from the benchmark's results."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks import report


@pytest.fixture
def result() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(report.RESULTS.read_text())
    return found


def test_the_page_is_that_of_the_results(result: dict[str, Any]) -> None:
    assert report.PAGE.read_text() == report.page(result), "run `make docs`"


def test_the_page_names_machine_versions_and_load(result: dict[str, Any]) -> None:
    result["machine"] |= {"processor": "Abacus 9000", "cores": 3}
    result["versions"]["Kafka"] = "99.1"
    result["load"] = {"begin": 1.25, "end": 7.5}
    shown = report.page(result)
    assert "Abacus 9000, 3 cores" in shown
    assert "Kafka 99.1" in shown
    assert "1.2 at the start, 7.5 at the end" in shown


def test_a_run_without_an_outage_has_no_chapter_about_it(result: dict[str, Any]) -> None:
    del result["outage"]
    assert "Memory without the broker" not in report.page(result)
