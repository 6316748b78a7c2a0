"""Secrets of a stack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from twitter_topics.errors import ConfigurationError
from twitter_topics.local import secrets

if TYPE_CHECKING:
    from pathlib import Path


def test_they_are_created_once_and_readable_only_by_the_user(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    made, first = secrets.load_or_make(file)
    again, second = secrets.load_or_make(file)
    assert (first, second) == (True, False)
    assert made == again
    assert set(made) == set(secrets.NAMES)
    assert len(set(made.values())) == len(secrets.NAMES)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]


def test_two_stacks_share_none(tmp_path: Path) -> None:
    one, _ = secrets.load_or_make(tmp_path / "one.json")
    two, _ = secrets.load_or_make(tmp_path / "two.json")
    assert not set(one.values()) & set(two.values())


def test_a_secret_that_a_newer_version_needs_is_added(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    file.write_text(json.dumps({"AIRFLOW_ADMIN_PASSWORD": "kept as it is"}))
    known, first = secrets.load_or_make(file)
    assert not first
    assert known["AIRFLOW_ADMIN_PASSWORD"] == "kept as it is"
    assert set(known) == set(secrets.NAMES)


def test_an_open_file_is_closed(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    secrets.load_or_make(file)
    file.chmod(0o644)
    secrets.load(file)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_damaged_file_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    file.write_text("{")
    with pytest.raises(ConfigurationError, match="restore it"):
        secrets.load_or_make(file)
    assert file.read_text() == "{"
