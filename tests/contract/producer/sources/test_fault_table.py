"""The networks' part of docs/faults.md matches a new run."""

from __future__ import annotations

import pytest

from tests.fault_table import NETWORKS, cells
from tests.faults.page import parts


def documented(network: str) -> dict[str, str]:
    rows = [row.strip("| ").split(" | ") for row in parts()[0].splitlines() if row.startswith("|")]
    column = rows[0].index(f"`{network}`")
    return {row[0]: row[column] for row in rows[2:] if row[column] != "–"}


@pytest.mark.parametrize("network", NETWORKS)
def test_each_cell_matches_a_new_run(network: str) -> None:
    assert cells(network) == documented(network)
