"""Health files: replaced atomically, read by part."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import until
from twitter_topics.errors import RetryableError
from twitter_topics.health.report import Health, Reporter, read_health, write_health


def test_what_is_written_is_read_by_part(tmp_path: Path) -> None:
    folder = tmp_path / "health"
    assert read_health(folder) == {}
    write_health(folder, "producer", ok=True, state="running", rate=2.5, lag=3, at=10.0)
    write_health(folder, "archiver", ok=False, state="failed", error="Kafka is down", restarts=4, at=11.0)
    write_health(folder, "producer", ok=True, state="stopped", at=12.0)
    assert read_health(folder) == {
        "producer": Health("producer", ok=True, state="stopped", at=12.0),
        "archiver": Health("archiver", ok=False, state="failed", restarts=4, error="Kafka is down", at=11.0),
    }
    assert sorted(path.name for path in folder.iterdir()) == ["archiver.json", "producer.json"]


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_behind(tmp_path: Path) -> None:
    write_health(tmp_path, "producer", ok=True, state="running", at=1.0)
    with pytest.raises(TypeError):
        write_health(tmp_path, "producer", ok=True, state="running", speed=1)
    with pytest.raises(TypeError):
        write_health(tmp_path, "producer", ok=True, state={"a", "set"})
    assert [path.name for path in tmp_path.iterdir()] == ["producer.json"]
    assert read_health(tmp_path)["producer"].at == 1.0


def test_fields_of_a_newer_version_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"part":"x","ok":true,"state":"running","colour":"green"}')
    assert read_health(tmp_path)["x"].ok


@pytest.mark.parametrize("content", [b"", b"\0\0", b"{", b"\xff", b"5", b"[]", b'{"part":"x"}'])
def test_a_file_that_is_no_report_is_a_part_that_is_not_ok(tmp_path: Path, content: bytes) -> None:
    write_health(tmp_path, "archiver", ok=True, state="running")
    path = tmp_path / "producer.json"
    path.write_bytes(content)
    reports = read_health(tmp_path)
    assert reports["archiver"].ok
    shown = reports["producer"]
    assert (shown.part, shown.ok, shown.state) == ("producer", False, "unreadable")
    assert shown.error.startswith(f"{path} is not a health report: ")
    assert shown.at == path.stat().st_mtime


def test_a_report_is_in_the_file_at_once_and_in_influxdb_when_that_answers(tmp_path: Path) -> None:
    answers, points = threading.Event(), []

    def write_point(part: str, **fields: Any) -> None:
        answers.wait(20)
        points.append((part, fields["lag"], fields["at"]))

    report = Reporter(tmp_path, write_point)
    for lag in range(5):
        report("archiver", ok=True, state="running", lag=lag, at=float(lag))
    assert read_health(tmp_path)["archiver"].lag == 4
    assert points == []
    answers.set()
    report.close()
    assert points[-1] == ("archiver", 4, 4.0), "the newest"
    assert len(points) <= 2, "what was not written in time is superseded"


def test_an_influxdb_that_fails_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def write_point(_part: str, **_fields: Any) -> None:
        raise RetryableError("InfluxDB is down")

    report = Reporter(tmp_path, write_point)
    for lag in range(3):
        report("archiver", ok=True, state="running", lag=lag)
        until(lambda: not report._newest)
    report.close()
    assert caplog.text.count("InfluxDB is down") == 1


def test_a_point_that_cannot_be_written_costs_no_later_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    points: list[int] = []

    def write_point(_part: str, **fields: Any) -> None:
        if fields["lag"] == 0:
            raise ValueError("a lone surrogate")
        points.append(fields["lag"])

    report = Reporter(tmp_path, write_point)
    for lag in range(2):
        report("archiver", ok=True, state="running", lag=lag)
        until(lambda: not report._newest)
    report.close()
    assert points == [1]
    assert "a lone surrogate" in caplog.text


def test_a_folder_that_cannot_be_written_costs_no_point(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    points: list[str] = []
    report = Reporter(tmp_path / "file", lambda part, **_fields: points.append(part))
    with pytest.raises(OSError, match="file"):
        report("archiver", ok=True, state="running")
    report.close()
    assert points == ["archiver"]
