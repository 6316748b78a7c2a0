"""The page of values is what the stores answer now, and shows no difference."""

from __future__ import annotations

import pytest

from tests.contract.dashboards.alerting import CASES
from tests.contract.dashboards.saved import PANELS
from tests.contract.dashboards.table import PAGE, page
from tools.dashboards.files import read_dashboards
from tools.dashboards.grafana.expand import targets
from twitter_topics.backends.influx import InfluxStore
from twitter_topics.search.store import SearchStore

pytestmark = pytest.mark.contract


def test_the_page_is_current_and_every_value_is_the_expected_one(influx: InfluxStore, documents: SearchStore) -> None:
    text = page(influx, documents)
    assert text == PAGE.read_text("utf-8"), "write it again: python -m tests.contract.dashboards.table"
    rows = [line.strip("| \n").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    compared = [cells for cells in rows if cells[-1] != "expected" and cells[-2] != "expected"]
    queries = sum(len(list(targets(board))) for board in read_dashboards().values())
    assert len(compared) == queries + sum(map(len, CASES.values())) + len(PANELS)
    for cells in compared:
        shown, expected = (cells[-3], cells[-2]) if len(cells) == 6 else (cells[-2], cells[-1])
        assert shown == expected
