"""docs/benchmarks.md is generated from the benchmarks' results."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks import report

Results = list[dict[str, Any]]


@pytest.fixture
def results() -> Results:
    """Producer, sentiment, speed, replay, gate, identity, themes, stages, confidence, classifier."""
    return [json.loads(path.read_text()) for path in report.ALL]


def test_the_page_is_that_of_the_results(results: Results) -> None:
    assert report.PAGE.read_text() == report.page(*results), "run `make docs`"


def test_the_page_names_machine_versions_and_load(results: Results) -> None:
    producer, _, speed, *_ = results
    producer["machine"] |= {"processor": "Abacus 9000", "cores": 3}
    producer["versions"]["Kafka"] = "99.1"
    producer["load"] = {"begin": 1.25, "end": 7.5}
    speed["machine"]["processor"] = "Babbage"
    shown = report.page(*results)
    assert "Abacus 9000, 3 cores" in shown
    assert "Kafka 99.1" in shown
    assert "1.2 at the start, 7.5 at the end" in shown
    assert "Babbage" in shown


def test_a_run_without_an_outage_has_no_chapter_about_it(results: Results) -> None:
    del results[0]["outage"]
    assert "Memory without the broker" not in report.page(*results)


def test_the_whole_stack_has_its_worst_process_first_and_its_latencies(results: Results) -> None:
    speed = results[2]
    run = speed["backlog"][0]
    run |= {"per_second": 12_345, "cpu_us": {"a": 1.5, "b": 99.5}, "cpu_us_total": 101, "memory_mb": {"a": 7}}
    searchable, rolling = {"p50_s": 1.1, "p95_s": 2.2}, {"p50_s": 3.3, "p95_s": 4.4}
    speed["live"] = [{"rate": 7, "cpu_total": 31.4, "searchable": searchable, "rolling": rolling}]
    speed["record_second"] = {
        "tweets": 9, "sent_after": 8.4, "seconds": {"archived": 17.0, "indexed": 18.6, "counted": 20.0},
    }  # fmt: skip
    speed["idle"] = {"seconds": 60, "percent_of_a_core": {"a": 0.0, "b": 5.5, "c": 20.1}, "cpu_total": 25.6}
    store, memory = {"median": 5, "max": 6_000, "last": 7}, {"third": 1, "end": 2_000, "max": 3}
    speed["sustained"] = {
        "rate": 5_700, "tweets": 42, "sent_after": 600.0, "drained_after": 8.2, "cpu_us": {"a": 1.4, "b": 2.0},
        "behind": {"indexed": store}, "memory_mb": {"kafka": memory},
        "audit": {"state": "ok", "produced": 4_200, "archived_distinct": 4_199},
    }  # fmt: skip
    shown = report.page(*results)
    assert "5,700 tweets/s for 10 minutes, 42 tweets; 8 s after the last was sent" in shown
    assert "`audit` then: **ok** (produced 4,200, archived distinct 4,199)" in shown
    assert "| indexed | 5 | 6,000 | 7 |" in shown
    assert "| kafka | 1 MB | 2,000 MB | 3 MB |" in shown
    assert "**12,345 tweets/s**" in shown
    assert "| b | 99.5 µs |  |\n| a | 1.5 µs | 7 MB |\n| **sum** | 101 µs | 7 MB |" in shown
    assert "sent after 8 s, archived after 17 s, indexed after 19 s and counted after 20 s" in shown
    assert "for 60 s and nobody reading: **26 % of a core**. c 20.1, b 5.5." in shown
    assert "| 7 | 1.1 | 2.2 | 3.3 | 4.4 | 31 % |" in shown


def test_what_one_would_build_instead_is_compared_with_the_last_backlog(results: Results) -> None:
    speed = results[2]
    speed["backlog"] = [speed["backlog"][0] | {"per_second": 4_000, "cpu_us_total": 300}]
    run = {"tweets": 50, "cpu_us": {"a": 100.4, "elasticsearch": 50.2}}
    speed["alternatives"] = [run | {"way": "a donkey", "per_second": 6_000}]
    shown = report.page(*results)
    assert "the newest 50 of the same tweets" in shown
    assert "| twitter-topics, everything included | 4,000 | 1.00 | 300 µs |" in shown
    assert "| a donkey | 6,000 | 1.50 | 151 µs | 50 µs |" in shown


def test_recovery_is_shown_by_victim_with_what_each_store_holds(results: Results) -> None:
    results[2]["kills"] = {
        "rate": 200, "median": 7.0, "max": 12.5, "produced": 1_234, "held": {"archived": 1_233, "indexed": 1_234},
        "seconds": {"a JVM": [7.0, 12.5, 6.0], "a server": [2.0]},
    }  # fmt: skip
    shown = report.page(*results)
    assert "4 times kill -9" in shown
    assert "maximum **12 s**. At the end: produced 1,234, archived 1,233, indexed 1,234." in shown
    assert "| a JVM | 3 | 7.0 s | 12.5 s |" in shown


def test_stages_are_compared_by_cpu_and_differences_are_named(results: Results) -> None:
    stages = results[7]
    ways = {"theirs": {"per_second": 1_000, "cpu_us": 60.0}, "ours": {"per_second": 9_000, "cpu_us": 5.0}}
    stages["topics"] = {"difference": 3e-8, "ways": ways}
    stages["windows"] = {"events": 70, "seconds": 7, "equal": False, "ways": ways}
    shown = report.page(*results)
    assert "the shares differ by at most 3e-08" in shown
    assert "| ours | 9,000 | 5.0 µs | 12.0 |" in shown
    assert "70 events of 7 s" in shown
    assert "**different counts**" in shown


def test_formats_are_compared_with_plain_lines(results: Results) -> None:
    rows = results[3]["formats"]
    rows[0] |= {"per_second": 20_000}
    rows[1] |= {"per_second": 5_000, "least": 4_000, "most": 6_000, "cpu_us": 77.2, "peak_mb": 123.4}
    shown = report.page(*results)
    assert "| 5,000 (4,000 to 6,000) | 0.25 | 77 µs | 123 MB |" in shown


def test_the_gate_shows_each_verdict_and_the_share_of_the_bad(results: Results) -> None:
    gate = results[4]
    row = {"tweets": 7_000, "kind": "a flood", "good": False, "ratio": 1.5, "half_width": 0.25}
    gate |= {"bad_promoted": [3, 99], "kinds": [row | {"states": {"promote": 3, "person": 9}}]}
    gate["kinds"].append(row | {"kind": "strangers", "states": {"person": 12}, "ratio": 0.0, "half_width": None})
    shown = report.page(*results)
    assert "Promoted: 3 of 99 bad challengers" in shown
    assert "| 7,000 | a flood | bad | 3 |  |  | 9 | 1.500 ± 0.250 |" in shown
    assert "| 7,000 | strangers | bad |  |  |  | 12 |  |" in shown


def test_identity_shows_the_means_the_least_and_the_planted_topics(results: Results) -> None:
    row = {
        "k": 7, "method": "anchored by hand", "kept": 0.8123, "least_kept": 0.7, "kept_confident": 0.95,
        "labels_kept": 0.9, "perplexity": 1234.5, "coherence": -0.0123, "diversity": 0.567, "new_recall": 0.98,
        "new_purity": 0.99, "returned": [2, 3],
    }  # fmt: skip
    results[5]["methods"] = [row]
    expected = "| 7 | anchored by hand | 81.2% (70.0%) | 95.0% | 90% | 1,234 | -0.012 | 0.57 | 0.98, 0.99 | 2 of 3 |"
    assert expected in report.page(*results)


def test_themes_are_shown_with_mean_and_range_and_by_language(results: Results) -> None:
    themes = results[6]
    runs = []
    for nmi in (0.5, 0.7):
        level = {"nmi": nmi, "purity": 0.9, "nmi_within": 0.8, "nmi_by_language": {"ja": nmi}}
        shared = {"final in storm": nmi / 10}
        runs.append({"topics": 20, "clusters": level, "served": level, "own_language": nmi, "mixed": shared})
    themes["rows"] = [{"stream": "a day", "kind": "one set", "ideal_nmi": [0.76], "runs": runs}]
    shown = report.page(*results)
    assert "because it splits the themes: a day 0.76" in shown
    assert "| a day | one set | 20 | 0.60 (0.50 to 0.70) | 0.90 (0.90 to 0.90) |" in shown
    assert "| 0.80 (0.80 to 0.80) | 60.0% |" in shown
    assert "| stream | | ja |\n|---|---|--:|\n| a day | one set | 0.60 |" in shown
    assert "| a day | one set | final in storm 6.0% |" in shown


def test_confidence_shows_prediction_and_observation(results: Results) -> None:
    row = {
        "stream": "real", "tweets": 7_000, "k": 9, "kind": "continued", "error": 0.0123, "agree": 0.5,
        "agree_clear": 0.625,
        "agree_unclear": 0.375, "without_before": 0.01, "without": 0.25, "seconds": {"train": 1.24, "calibrate": 0.36},
        "reliability": [
            {"predicted": 0.42, "observed": 0.5, "tweets": 300}, {"predicted": 0.46, "observed": 0.4, "tweets": 100},
        ],
        "by_share": {"by hand": [0.1, 0.2, 0.9]}, "nmi": [], "nmi_clear": [],
    }  # fmt: skip
    clear = row | {"stream": "generated", "agree_unclear": None, "nmi": [0.75, 0.77], "nmi_clear": [0.78, 0.8]}
    results[8]["rows"] = [row, clear]
    shown = report.page(*results)
    assert "| real | 7,000 | 9 | continued | 0.012 | 50.0% | 62.5% | 37.5% | 1.0% | 25.0% | 1.2 s | 0.4 s |" in shown
    assert "| generated | 7,000 | 9 | continued | 0.012 | 50.0% | 62.5% |  | 1.0% |" in shown
    assert "| .4 to .5 | 0.430 | 0.475 | 400 |\n\nAll models of real tweets" in shown
    assert "| real | 7,000 | 9 | by hand | 10.0% | 90.0% |" in shown
    assert "0.760 of all, 0.790 of those with a clear topic" in shown
