"""bootstrap.sh names the same versions as the code, and its helpers print a fix."""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from twitter_topics.local import java
from twitter_topics.local.layout import RECIPES
from twitter_topics.settings import PROJECT

BOOTSTRAP = RECIPES / "bootstrap.sh"


def shell(script: str, *, folder: Path) -> subprocess.CompletedProcess[str]:
    """A script that has the functions of steps.sh."""
    script = f". '{RECIPES / 'steps.sh'}'\n{script}"
    return subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_the_javas_are_those_of_the_code() -> None:
    cases = re.findall(r"\*'\"(\d+)'\*", BOOTSTRAP.read_text())
    assert tuple(int(major) for major in cases) == java.SUPPORTED


def test_the_pythons_come_from_the_project_file() -> None:
    first, end = re.search(
        r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (PROJECT / "pyproject.toml").read_text()
    ).groups()  # type: ignore[union-attr]
    head = BOOTSTRAP.read_text().split("# -- what is missing")[0]
    lines = head[head.index("minors=") :]
    shown = subprocess.run(
        ["sh", "-c", f'{lines}\necho "$minors/$pythons"'], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    minors, sentence = shown.stdout.strip().split("/")
    assert [int(minor) for minor in minors.split()] == list(range(int(first), int(end)))
    assert sentence == f"Python 3.{first} to 3.{int(end) - 1}"


@pytest.mark.parametrize("name", ["a:b", "a,b", "a?b"])
def test_a_path_that_the_servers_cannot_read_stops_it(tmp_path: Path, name: str) -> None:
    recipes = tmp_path / name / "deploy" / "local"
    shutil.copytree(RECIPES, recipes)
    stopped = subprocess.run(["sh", str(recipes / BOOTSTRAP.name)], capture_output=True, text=True, check=False)
    assert stopped.returncode == 1
    assert re.fullmatch(r"bootstrap: the path .* contains one of : , \? .*; move the checkout\n", stopped.stderr)


def test_a_virtual_environment_without_its_pip_is_made_again(tmp_path: Path) -> None:
    text = BOOTSTRAP.read_text()
    functions = text[text.index("stamp=$venv") : text.index("# -- disk and memory")]
    fake = """
    venv=.venv lock=requirements.txt; : >$lock
    python_is_right() { [ -x "$1" ]; }
    a_python() { printf '#!/bin/sh\n%s\n' "$2" >"$1"; chmod +x "$1"; }
    a_python python 'rm -rf "$4"; mkdir -p "$4/bin" && cp of-the-venv "$4/bin/python"'
    python=./python
    """
    script = """
    a_python of-the-venv 'exit 1'  # no network
    make_venv || echo failed
    venv_is_right || echo again
    a_python of-the-venv 'exit 0'
    make_venv && venv_is_right && echo right
    rm .venv/.made; : >.venv/.installed-requirements-dev
    venv_is_right && echo "one of before is kept"
    """
    done = shell(fake + functions + script, folder=tmp_path)
    assert done.stdout.splitlines() == ["failed", "again", "right", "one of before is kept"], done.stderr


def test_a_folder_that_is_not_writable_is_named(tmp_path: Path) -> None:
    text = BOOTSTRAP.read_text()
    functions = text[text.index("check_room() {") : text.index("# -- main")]
    (tmp_path / ".local" / ".writable").mkdir(parents=True)  # root may write everywhere else
    stopped = shell(f"{functions}\ncheck_room 1", folder=tmp_path)
    assert "is not writable; clone the project into a folder of your own" in stopped.stderr


@pytest.mark.skipif(shutil.which("flock") is None, reason="macOS has none")
def test_a_second_bootstrap_waits_for_the_first_and_looks_again(tmp_path: Path) -> None:
    text = BOOTSTRAP.read_text()
    before_any_change = text[text.index("# -- main") : text.index("\n    install_what_is_missing")]
    assert '\none_at_a_time "$@"\n' in before_any_change
    functions = text[text.index("one_at_a_time() {") : text.index("# -- main")]
    alone = shell(f"{functions}\none_at_a_time dev; echo first", folder=tmp_path)
    assert alone.stdout == "first\n", "there is no folder for the lock"
    recipes = tmp_path / "deploy" / "local"
    recipes.mkdir(parents=True)
    (recipes / BOOTSTRAP.name).write_text('echo "again with $*"')
    script = f". '{RECIPES / 'steps.sh'}'\n{functions}\none_at_a_time dev; echo first"
    (tmp_path / ".local").mkdir()
    lock = (tmp_path / ".local" / ".bootstrap.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    command: Any = {"args": ["sh", "-c", script], "cwd": tmp_path, "text": True}
    with subprocess.Popen(**command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as second, lock:
        assert second.stdout is not None
        assert second.stderr is not None
        said = second.stderr.readline()
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert (said, second.stdout.read()) == ("bootstrap: waiting for another bootstrap\n", "again with dev\n")
    for path in ("$PATH", ""):
        alone = shell(f"{functions}\nPATH={path}; one_at_a_time dev; echo first", folder=tmp_path)
        assert alone.stdout == "first\n"


def test_a_step_that_works_is_one_line(tmp_path: Path) -> None:
    done = shell("step fetch it -- sh -c 'echo noise'", folder=tmp_path)
    assert done.returncode == 0
    assert re.fullmatch(r" +\d+ s  fetch it\n", done.stderr)


def test_a_step_that_fails_shows_its_last_lines_and_ends(tmp_path: Path) -> None:
    failed = shell("step fetch it -- sh -c 'seq 100; exit 3'; echo after", folder=tmp_path)
    assert failed.returncode == 1
    assert failed.stdout == ""
    lines = failed.stderr.splitlines()
    assert lines[:20] == [str(number) for number in range(81, 101)]
    assert lines[20] == "bootstrap: failed: fetch it"
    assert "run the same command again" in lines[21]


@pytest.mark.parametrize(
    ("output", "fix"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("Failed to resolve 'index.example.org' ([Errno -3] Temporary failure in name resolution)", "network"),
        ("urllib3.exceptions.NewConnectionError: [Errno 101] Network is unreachable", "network"),
        ("ERROR: No matching distribution found for pip==26.3", "network or the package index"),
        ("ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403'))", "HTTPS_PROXY"),
        ("SSLCertVerificationError: certificate verify failed: self-signed certificate", "PIP_CERT"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "mirror"),
        ("https://example.org/a.jar is not the locked file: its sha256 differs", "mirror"),
        ("E: Could not get lock /var/lib/dpkg/lock-frontend", "another package manager"),
        ("mkdir: cannot create directory: Read-only file system", "is not writable"),
        ("something else", "run the same command again"),
    ],
)
def test_the_way_out_fits_the_failure(tmp_path: Path, output: str, fix: str) -> None:
    (tmp_path / "output").write_text(output + "\n")
    failed = shell("step fetch it -- sh -c 'cat output; exit 1'", folder=tmp_path)
    assert fix in failed.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (
            "Downloading pyspark-4.1.3.tar.gz (489.5 MB)\nProgress 97900000 of 489500000",
            "pyspark-4.1.3.tar.gz 97 of 489 MB",
        ),
        ("Downloading numpy-2.4.6.whl (16.1 MB)", "numpy-2.4.6.whl 16.1 MB"),
        ("Downloading pyspark (466.9MiB)", "pyspark 466.9MiB"),
        ("  Building wheel for pyspark (pyproject.toml): started", "Building wheel for pyspark, a minute"),
        ("Installing collected packages: one, two", "installing"),
        ("12 of 293 MB\n13 of 293 MB", "13 of 293 MB"),
        ("nothing of interest", ""),
    ],
)
def test_progress_is_the_newest_meaningful_line(tmp_path: Path, output: str, shown: str) -> None:
    (tmp_path / "output").write_text(output + "\n")
    seen = shell('cat output >"$report"; progress', folder=tmp_path)
    assert seen.stdout.strip().removeprefix("· ") == shown
