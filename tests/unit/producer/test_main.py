"""`python -m producer` says what is wrong with its settings and exits with 78."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from twitter_topics.errors import EXIT_CONFIGURATION


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"PRODUCER_SOURCE": "replay"}, ["PRODUCER_REPLAY_FILE"]),
        ({"PRODUCER_SOURCE": "twitter_v1"}, ["TWITTER_CONSUMER_KEY", "TWITTER_ACCESS_TOKEN_SECRET"]),
        ({"PRODUCER_SOURCE": "carrier pigeon"}, ["PRODUCER_SOURCE"]),
        ({"PRODUCER_SYNTHETIC_RATE": "-1"}, ["PRODUCER_SYNTHETIC_RATE"]),
    ],
)
def test_wrong_settings(tmp_path: Path, variables: dict[str, str], named: list[str]) -> None:
    environment = {**os.environ, **variables, "PRODUCER_STATE_DIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", "producer"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == EXIT_CONFIGURATION
    assert all(name in ended.stderr for name in named), ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
