"""Where the folders of a stack are."""

from __future__ import annotations

import pwd
from typing import TYPE_CHECKING, Any

import pytest

from twitter_topics.errors import ConfigurationError
from twitter_topics.local.layout import Layout
from twitter_topics.settings import PROJECT, Settings
from twitter_topics.settings.env_file import ENV_FILE_VARIABLE
from twitter_topics.settings.reference import page

if TYPE_CHECKING:
    from pathlib import Path


def test_a_relative_state_folder_starts_at_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Layout.of(Settings({"LOCAL_STATE_DIR": "elsewhere"}).local).state == PROJECT / "elsewhere"


def test_a_relative_state_folder_of_an_env_file_starts_at_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.env").write_text("LOCAL_STATE_DIR=state\n")
    monkeypatch.setenv(ENV_FILE_VARIABLE, str(tmp_path / "other.env"))
    assert Layout.of(Settings().local).state == tmp_path / "state"
    assert "unless it comes from such a file" in page()


@pytest.mark.parametrize("character", [",", "?"])
def test_a_path_that_a_server_would_split_is_named(tmp_path: Path, character: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"LOCAL_STATE_DIR=\S+ contains \{character};"):
        Layout.of(Settings({"LOCAL_STATE_DIR": f"{tmp_path}/a{character}b"}).local)


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_only_the_stacks_files_are_deleted(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "state")
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "kept").touch()
    layout.make()
    (layout.state / "notes.txt").touch()
    for name in ("data/kafka/0.log", "log/kafka.log", "jars/spark/one.jar", "secrets.json"):
        (layout.state / name).parent.mkdir(parents=True, exist_ok=True)
        (layout.state / name).touch()
    layout.work.rmdir()
    layout.work.symlink_to(tmp_path / "disk")
    assert {"data", "log", "run", "work", "secrets.json"} < set(layout.delete())
    assert files_in(tmp_path) == {"disk/kept", "state/notes.txt", "state/jars/spark/one.jar"}
    assert layout.delete() == []


@pytest.mark.parametrize("name", ["data/mine.csv", "secrets.json"])
def test_nothing_is_deleted_from_a_folder_without_a_stack(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert Layout(tmp_path).delete() == []
    assert files_in(tmp_path) == {name}


def test_a_folder_with_other_files_does_not_become_a_stacks(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.csv").touch()
    with pytest.raises(ConfigurationError, match=r"LOCAL_STATE_DIR=\S+ has other files in data; use another folder"):
        Layout(tmp_path).make()
    assert files_in(tmp_path) == {"data/mine.csv"}
    (tmp_path / "data" / "mine.csv").unlink()
    Layout(tmp_path).make()
    Layout(tmp_path).make()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        ConfigurationError, match=r"LOCAL_STATE_DIR=\S+/file/state cannot be used \(.*; use another one"
    ):
        Layout(tmp_path / "file" / "state").make()


@pytest.mark.parametrize("name", ["run", "secrets.json"])
def test_another_users_stack_is_left_alone_except_by_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settings = Settings({"LOCAL_STATE_DIR": str(tmp_path)}).local
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr("os.getuid", lambda: owner + 4321)
    assert Layout.of(settings).state == tmp_path, "no stack yet"
    (tmp_path / name).mkdir()
    user = pwd.getpwuid(owner).pw_name
    with pytest.raises(ConfigurationError, match=rf"LOCAL_STATE_DIR={tmp_path} belongs to user {user}; run this as"):
        Layout.of(settings)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    with pytest.raises(ConfigurationError, match=rf" belongs to user {owner}; run this as {owner}, or"):
        Layout.of(settings)
    monkeypatch.setattr("os.getuid", lambda: owner)
    assert Layout.of(settings).state == tmp_path


def test_a_folder_that_may_not_be_looked_into_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.exists", denied)
    with pytest.raises(ConfigurationError, match=r"may not look into LOCAL_STATE_DIR="):
        Layout(tmp_path).require_own()
