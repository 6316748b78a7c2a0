"""The page about fresh machines is generated from its records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tools.fresh_machines.page import render
from tools.fresh_machines.record import UNREACHABLE, Audit, Record, Step, Typed, load_all

DOCS = Path(__file__).resolve().parents[3] / "docs"
FULL = Record(
    suite="trixie",
    user="ordinary",
    commit="0123456789ab",
    date="2026-11-25",
    cores=2,
    preinstalled=("ca-certificates", "git", "make"),
    tests_args="tests/unit",
    system="Debian GNU/Linux 13 (trixie)",
    base_seconds=61,
    python="3.13.5",
    java="21.0.9",
    steps=(Step("installation", 205, 0), Step("demo", 277, 6144), Step("audit", 6, 900), Step("make test", 1421, 7168)),
    typed=(Typed("sudo apt-get update", 4),),
    audit=Audit("ok", 46_115),
    tests="1852 passed",
    disk_mib=4300,
    load=2.5,
    result="passed",
)
AWAY = Record(
    suite="noble",
    user="root",
    commit="0123456789ab",
    date="2026-11-25",
    cores=2,
    preinstalled=("git",),
    tests_args=None,
    result=UNREACHABLE,
)


def test_a_row_has_every_measurement() -> None:
    row = next(line for line in render([FULL]).splitlines() if line.startswith("| Debian"))
    assert row == (
        "| Debian GNU/Linux 13 (trixie) | ordinary, without sudo | 3.13.5 | 21.0.9 | 1:01 | 3:25 | 4:37 | 0:06 | 23:41 "
        "| 7.0 GiB | 4.2 GiB | passed |"
    )


def test_details_list_what_was_tested_and_typed() -> None:
    page = render([FULL])
    assert '`make test ARGS="tests/unit"`: 1852 passed.' in page
    assert "sudo apt-get update  # 0:04" in page
    assert "2026-11-25, commit `0123456789ab`, host's load average 2.5 at the end." in page
    assert "Audit: ok, 46,115 tweets." in page


def test_a_failure_shows_the_end_of_its_output() -> None:
    failed = replace(FULL, result="failed: make demo: exit code 2", output=("bootstrap: no Python", "make: Error 1"))
    assert "```\nbootstrap: no Python\nmake: Error 1\n```\n" in render([failed])


def test_a_run_that_did_not_happen_has_dashes() -> None:
    page = render([AWAY, FULL])
    assert "| noble | root | – | – | – | – | – | – | – | – | – | archive not reachable |" in page
    assert "Tests were not run." in page
    assert page.index("| Debian GNU/Linux 13") < page.index("| noble")


def test_the_page_is_rendered_from_the_records() -> None:
    assert (DOCS / "fresh-machines.md").read_text() == render(load_all(DOCS / "fresh-machines"))
