"""When the stack is healthy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twitter_topics.cli import local_stack
from twitter_topics.local import readiness, status
from twitter_topics.local.status import PartStatus, ServiceStatus, StackStatus

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_000_000.0
FINE = {"part": "archiver", "ok": True, "state": "running", "rate": 1.5, "lag": 3, "error": "", "at": NOW - 5}
SERVICE = ServiceStatus("kafka", "services", True, "running", 7, 0, None, "127.0.0.1:19092")
PART = PartStatus("archiver", True, "running", 1.5, 3, "", 5)


def judge(report: dict[str, object], *, finished: bool = False) -> PartStatus:
    return status._part_status("archiver", report, NOW, finished)


def test_a_fresh_report_is_shown_unchanged() -> None:
    assert judge(FINE) == PART


def test_a_part_that_fell_silent_is_not_healthy() -> None:
    old = judge(FINE | {"at": NOW - status.STALE_SECONDS - 1})
    assert not old.ok
    assert "has not reported for 91 s" in old.error


def test_a_part_that_never_spoke_is_not_healthy() -> None:
    assert not judge({}).ok


def test_a_part_that_is_done_may_be_silent() -> None:
    assert judge(FINE | {"at": NOW - 3600}, finished=True).ok


def test_its_own_problems_are_shown() -> None:
    assert judge(FINE | {"ok": False, "error": "no model"}).error == "no model"


def test_a_producers_reason_to_wait_and_its_backlog_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    report = {"ok": False, "state": "waiting", "error": "Kafka [is] down", "detail": "30,112 on the way (12.4 MiB)"}
    now = StackStatus(True, (SERVICE,), (judge(FINE | report),))
    assert not now.healthy
    local_stack._show(now)
    shown = " ".join(capsys.readouterr().out.split())
    assert "waiting" in shown
    assert "Kafka [is] down; 30,112 on the way (12.4 MiB)" in shown


@pytest.mark.parametrize(
    ("stack", "healthy"),
    [
        (StackStatus(True, (SERVICE,), (PART,)), True),
        (StackStatus(False, (), ()), False),
        (StackStatus(True, (SERVICE, ServiceStatus("s3", "services", False, "backoff", 0, 4, 1, "")), (PART,)), False),
        (StackStatus(True, (SERVICE,), (judge({}),)), False),
    ],
)
def test_one_part_in_trouble_is_trouble(stack: StackStatus, healthy: bool) -> None:
    assert stack.healthy is healthy


def test_an_old_heartbeat_of_airflow_does_not_count() -> None:
    page = {
        "metadatabase": {"status": "healthy"},
        "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": "2026-01-01T00:00:10+00:00"},
        "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
    }
    beat = 1_767_225_610.0
    assert readiness._healthy(page, "scheduler", since=beat - 1)
    assert not readiness._healthy(page, "scheduler", since=beat + 1)
    assert not readiness._healthy(page, "triggerer", since=0)
    assert readiness._healthy(page, "", since=beat + 1)
    assert not readiness._healthy(None, "", since=0)


def test_a_report_from_before_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "archiver.json"
    ready = readiness.reports(file)
    assert not ready(0)
    file.write_text('{"at": 100.0')  # torn
    assert not ready(0)
    file.write_text('{"at": 100.0}')
    assert ready(99)
    assert not ready(100)
