"""A few faults on the real stack, other ones at each commit, of those with a row in docs/faults.md. `make faults` runs
all of them, and adds rows."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import page
from tests.faults.kit import Kit, point_cases
from tests.faults.outages import OUTAGES, Outage
from tests.faults.points import Point, Way
from tests.faults.stack import BrokenStack
from twitter_topics.settings import PROJECT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

OUTAGE_SECONDS = 20
PER_SECOND = 200


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "not a checkout"


_chance = random.Random(_commit())
_passed = {(row["fault"], row["way"]) for row in page.measured() if row["ok"]}
_points = [case for case in point_cases() if (case[0].name, case[1]) in _passed]
_hangs = [case for case in _points if case[1] is Way.HANG and not case[0].is_job]
_jobs = [case for case in _points if case[0].is_job]
_apps = [case for case in _points if case not in _hangs and case not in _jobs]
CASES = [*_chance.sample(_apps, 4), *_chance.sample(_hangs, 1), *_chance.sample(_jobs, 1)]  # these two take a minute
_outages = [one for one in OUTAGES if one.name in {fault for fault, _ in _passed} and not one.needs_root]
CHOSEN_OUTAGES = _chance.sample(_outages, 2)


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    patient = {"SPEED_WEDGED_SECONDS": "120"}
    with BrokenStack(Path(tmp_path_factory.mktemp("faults")), patient) as stack:
        kit = Kit(stack, lambda _: None)
        try:
            kit.warm_up()
            yield kit
        finally:
            kit.close()


@pytest.mark.parametrize(("point", "way"), CASES, ids=[f"{point.name}-{way}" for point, way in CASES])
def test_a_program_that_fails_loses_and_doubles_nothing(kit: Kit, point: Point, way: Way) -> None:
    row = kit.point(point, way)
    assert row.ok, row


@pytest.mark.parametrize("outage", CHOSEN_OUTAGES, ids=[outage.name for outage in CHOSEN_OUTAGES])
def test_a_store_that_fails_under_load_loses_and_doubles_nothing(kit: Kit, outage: Outage) -> None:
    row = kit.outage(outage, OUTAGE_SECONDS, PER_SECOND)
    assert row.ok, row
