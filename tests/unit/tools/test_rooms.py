"""tools/rooms on a small package: which imports count, and what a function reaches."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[3] / "tools" / "rooms"
FILES = {
    "__init__.py": "",
    "errors.py": "class Bad(Exception): ...",
    "low/__init__.py": "",
    "low/client.py": "from twitter_topics.errors import Bad\n\nclass Client:\n    def get(self): raise Bad",
    "low/cache.py": "from twitter_topics.low.client import Client\n\ndef cached(client: Client): ...",
    "high/__init__.py": "",
    "high/work.py": (
        "from typing import TYPE_CHECKING\n"
        "from twitter_topics.low import cache\n"
        "if TYPE_CHECKING:\n    from twitter_topics.low.client import Client\n"
        "def work(client: Client): return _helped()\n"
        "def _helped(): return cache.cached(None)\n"
        "def alone(): return 1\n"
    ),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "twitter_topics" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text + "\n")
    return tmp_path


def rooms(root: Path, *entries: str) -> list[str]:
    command = [sys.executable, str(TOOL), "--root", str(root), *entries]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8")
    return ran.stdout.splitlines()


def test_imports_count_once_for_two_files_and_the_ground_does_not_count(root: Path) -> None:
    assert rooms(root) == [
        "1 of 3 imports between files stay in their room: 33 %",
        "  high: 0 inside",
        "      2 → low",
        "  low: 1 inside",
    ]


def test_a_function_reaches_what_it_mentions_and_what_that_mentions(root: Path) -> None:
    assert rooms(root, "twitter_topics/high/work.py::work") == [
        "twitter_topics/high/work.py::work reaches high, low",
        "  high",
        "    twitter_topics/high/work.py::work",
        "    twitter_topics/high/work.py::_helped",
        "  low",
        "    twitter_topics/low/client.py::Client",
        "    twitter_topics/low/cache.py::cached",
    ]
    assert rooms(root, "twitter_topics/high/work.py::alone")[0].endswith("::alone reaches high")


def test_an_unknown_entry_is_an_error(root: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        rooms(root, "twitter_topics/high/work.py::nobody")
