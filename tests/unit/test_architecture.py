"""docs/architecture.md names only what exists, entry points stay thin, and the linter rejects forbidden imports."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
REFERENCES = sorted(set(re.findall(r"`([\w/]+\.py)::([\w.]+)`", PAGE)))
ENTRY_POINTS = dict(re.findall(r"^\| `((?:spark_apps|dags|plugins)/[\w/]+\.py)` \| (.+) \|$", PAGE, re.MULTILINE))
LIMITS = {"dags": 120, "spark_apps": 80, "plugins": 80}


def room_folders() -> set[str]:
    """Return the folders of `twitter_topics`, with those of `topic_models` listed separately."""
    packages = {path.parent for path in (ROOT / "twitter_topics").rglob("__init__.py")}
    return {
        str(path.relative_to(ROOT))
        for path in packages
        if path.name != "twitter_topics" and not any(other.parent == path for other in packages)
    }


def defined(path: str) -> set[str]:
    """Return the functions and classes of a file, methods as `Class.method`."""
    found = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
    return found


@pytest.mark.parametrize(("path", "name"), REFERENCES)
def test_a_function_that_the_page_names_exists(path: str, name: str) -> None:
    assert name in defined(path)


def test_files_and_folders_that_the_page_names_exist() -> None:
    named = re.findall(r"`((?:producer|twitter_topics|spark_apps|dags|plugins|include|tools)/[\w./]*)`", PAGE)
    assert len(named) > 40
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_page_has_a_row_for_each_room() -> None:
    assert set(re.findall(r"^\| `(twitter_topics/[\w/]+)/` \|", PAGE, re.MULTILINE)) == room_folders()


def test_each_entry_point_is_thin_and_uses_the_room_that_the_page_names() -> None:
    files = [path for top in LIMITS for path in (ROOT / top).rglob("*.py")]
    shared = ("__init__", "arguments", "job", "app")
    assert set(ENTRY_POINTS) == {str(path.relative_to(ROOT)) for path in files if path.stem not in shared}
    for path, rooms in ENTRY_POINTS.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        assert len(text.splitlines()) < LIMITS[path.split("/")[0]], path
        for room in re.findall(r"`(\w+)`", rooms):
            assert re.search(rf"^from twitter_topics\.{room}\b", text, re.MULTILINE), (path, room)


OFFENCES = {
    "twitter_topics/attic/__init__.py": "",
    "twitter_topics/topic_models/attic.py": "",
    "producer/attic.py": "",
    "twitter_topics/search/above.py": "from twitter_topics.counts.view import CountsView",
    "twitter_topics/archive/beside.py": "from twitter_topics.search.store import SearchStore",
    "twitter_topics/search/with_spark.py": "from pyspark.sql import SparkSession",
    "twitter_topics/counts/with_airflow.py": "from airflow.sdk import task",
    "twitter_topics/page/with_producer.py": "from producer.status import Status",
    "twitter_topics/health/with_app.py": "from spark_apps.arguments import hour",
    "producer/receiving/with_counts.py": "from twitter_topics.counts.view import CountsView",
}


def test_the_linter_names_each_offence(tmp_path: Path) -> None:
    for package in ("twitter_topics", "producer", "spark_apps"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path, line in OFFENCES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(f"{line}\n")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    names = [path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in OFFENCES]
    assert [name for name in names if not re.search(rf"- +{re.escape(name)}( ->|$)", ran.stdout, re.MULTILINE)] == []
