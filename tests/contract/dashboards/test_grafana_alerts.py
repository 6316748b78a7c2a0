"""Every committed alert rule on a real InfluxDB: quiet when all is well, firing when it is not."""

from __future__ import annotations

import pytest

from tests.contract.dashboards.alerting import CASES, Case, firing, judged
from tools.dashboards.files import read_rules
from twitter_topics.backends.influx import InfluxStore

pytestmark = pytest.mark.contract

RULES = {rule["title"]: rule for rule in read_rules()}
ALL_CASES = [(title, case) for title, cases in CASES.items() for case in cases]


def test_every_rule_has_a_quiet_and_a_firing_case() -> None:
    assert RULES.keys() == CASES.keys()
    for cases in CASES.values():
        assert {bool(case.fires) for case in cases} == {False, True}


@pytest.mark.parametrize(("title", "case"), ALL_CASES)
def test_a_rule_judges_what_was_seeded(influx: InfluxStore, title: str, case: Case) -> None:
    rule = RULES[title]
    assert judged(influx, rule, case.at_ms) == pytest.approx(dict(case.values or {}))
    assert firing(influx, rule, case.at_ms) == set(case.fires)
