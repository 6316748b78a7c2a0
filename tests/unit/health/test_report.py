"""Health files: replaced atomically, read by part."""

from __future__ import annotations

from pathlib import Path

import pytest

from twitter_topics.health.report import Health, read_health, write_health


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
