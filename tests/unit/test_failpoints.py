"""Failpoints: inert without a folder; armed, each file acts once, in one process."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.waiting import until
from twitter_topics import failpoints
from twitter_topics.errors import RetryableError
from twitter_topics.failpoints import Action, reach
from twitter_topics.settings import PROJECT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(failpoints, "_FOLDER", str(tmp_path))
    return tmp_path


def test_without_a_folder_nothing_acts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").write_text(Action.RAISE)
    monkeypatch.chdir(tmp_path)
    reach("here")
    assert (tmp_path / "here").exists()


@pytest.mark.parametrize(
    ("action", "error"), [(Action.RAISE, RuntimeError), (Action.REPLY_LOST, RetryableError)], ids=str
)
def test_an_armed_point_raises_once(folder: Path, action: Action, error: type[Exception]) -> None:
    (folder / "here").write_text(action)
    reach("elsewhere")
    with pytest.raises(error, match="here"):
        reach("here")
    reach("here")


def test_of_many_threads_one_takes_the_file(folder: Path) -> None:
    (folder / "here").write_text(Action.RAISE)
    start = threading.Barrier(8)

    def hit(_: int) -> bool:
        start.wait()
        try:
            reach("here")
        except RuntimeError:
            return True
        return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(hit, range(8))) == 1


def test_a_hang_ends_when_it_is_released(folder: Path) -> None:
    (folder / "here").write_text(Action.HANG)
    thread = threading.Thread(target=reach, args=("here",))
    thread.start()
    until((folder / "here.reached").exists, what="the point was reached")
    thread.join(0.2)
    assert thread.is_alive()
    (folder / "here.reached").unlink()
    thread.join(5)
    assert not thread.is_alive()


def test_kill_is_kill_9_and_the_variable_arms_a_new_process(tmp_path: Path) -> None:
    (tmp_path / "here").write_text(Action.KILL)
    code = "from twitter_topics.failpoints import reach; reach('elsewhere'); reach('here')"
    environment = {failpoints.VARIABLE: str(tmp_path), "PYTHONPATH": str(PROJECT)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert (tmp_path / "here.reached").exists()


def test_an_unknown_action_is_an_error(folder: Path) -> None:
    (folder / "here").write_text("explode")
    with pytest.raises(ValueError, match="explode"):
        reach("here")


def test_no_setting_arms_failpoints() -> None:
    """A setting would be passed on by the local stack, and read from `.env` and secrets files."""
    pages = [PROJECT / "docs" / "settings.md", PROJECT / ".env.example"]
    assert not [page for page in pages if failpoints.VARIABLE in page.read_text(encoding="utf-8")]
