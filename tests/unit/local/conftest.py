"""Fixtures for the tests of the local stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twitter_topics.local.layout import Layout
from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "state")
    made.make()
    return made


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The defaults, in an empty current folder."""
    monkeypatch.chdir(tmp_path)
    return Settings()
