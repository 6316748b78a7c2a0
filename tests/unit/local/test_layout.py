"""Where the folders of a stack are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twitter_topics.errors import ConfigurationError
from twitter_topics.local.layout import Layout
from twitter_topics.settings import PROJECT, Settings

if TYPE_CHECKING:
    from pathlib import Path


def test_a_relative_state_folder_starts_at_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Layout.of(Settings({"LOCAL_STATE_DIR": "elsewhere"}).local).state == PROJECT / "elsewhere"


@pytest.mark.parametrize("character", [",", "?"])
def test_a_path_that_a_server_would_split_is_named(tmp_path: Path, character: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"LOCAL_STATE_DIR=\S+ contains \{character};"):
        Layout.of(Settings({"LOCAL_STATE_DIR": f"{tmp_path}/a{character}b"}).local)
