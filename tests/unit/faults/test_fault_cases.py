"""The fault kit knows every failpoint, and docs/faults.md shows what was measured."""

from __future__ import annotations

import re

from tests.faults.kit import Twins, point_cases
from tests.faults.outages import OUTAGES
from tests.faults.page import measured, parts, section
from tests.faults.points import POINTS, Way
from tests.faults.stack import APPS
from twitter_topics.settings import PROJECT


def test_the_kit_has_every_failpoint_of_the_code() -> None:
    found = [
        name
        for path in (PROJECT / "twitter_topics").rglob("*.py")
        for name in re.findall(r"failpoints\.reach\(\"([^\"]+)\"\)", path.read_text(encoding="utf-8"))
    ]
    assert sorted(found) == sorted(point.name for point in POINTS if point.request is None)


def test_every_point_is_killed_and_raises() -> None:
    cases = point_cases()
    assert len(cases) == len(set(cases))
    assert {(point.name, way) for point in POINTS for way in (Way.KILL, Way.RAISE)} <= {
        (point.name, way) for point, way in cases
    }


def test_the_page_shows_what_was_measured() -> None:
    assert parts()[1] == section(measured())


def test_every_measured_case_exists_and_nothing_was_lost_or_doubled() -> None:
    points, outages = {(point.name, str(way)) for point, way in point_cases()}, {one.name for one in OUTAGES}
    twins = {(f"two drivers of {app}", str(one)) for app in APPS.values() for one in Twins}
    rows = measured()
    assert {(row["fault"], row["way"]) for row in rows if row["fault"] not in outages} <= points | twins
    assert [row for row in rows if not row["ok"]] == []
