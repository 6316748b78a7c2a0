"""`python -m producer`: which source it follows, where it resumes, and how it reports wrong settings (exit code 78)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from producer.__main__ import chosen
from producer.testing import settings_of
from twitter_topics.errors import EXIT_CONFIGURATION, ConfigurationError


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"PRODUCER_SOURCE": "replay"}, ["PRODUCER_REPLAY_FILE"]),
        ({"PRODUCER_SOURCE": "twitter_v1"}, ["TWITTER_CONSUMER_KEY", "TWITTER_ACCESS_TOKEN_SECRET"]),
        ({"PRODUCER_SOURCE": "carrier pigeon"}, ["PRODUCER_SOURCE"]),
        ({"PRODUCER_SYNTHETIC_RATE": "-1"}, ["PRODUCER_SYNTHETIC_RATE"]),
        ({"PRODUCER_SOURCE": "synthetic,replay"}, ["name the source", "PRODUCER_SOURCE: synthetic, replay"]),
    ],
)
def test_wrong_settings_are_reported(tmp_path: Path, variables: dict[str, str], named: list[str]) -> None:
    environment = {**os.environ, **variables, "PRODUCER_STATE_DIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", "producer"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == EXIT_CONFIGURATION
    assert all(name in ended.stderr for name in named), ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_the_source_is_named_when_there_are_several() -> None:
    one, two = settings_of(source="replay").producer, settings_of(source="synthetic,replay").producer
    assert chosen(one, []) == chosen(one, ["replay"]) == chosen(two, ["replay"]) == "replay"
    for settings, arguments in ((two, []), (one, ["synthetic"]), (two, ["bluesky"]), (two, ["synthetic", "replay"])):
        with pytest.raises(ConfigurationError, match="PRODUCER_SOURCE"):
            chosen(settings, arguments)


def test_only_the_chosen_source_is_imported(tmp_path: Path) -> None:
    program = (
        "import sys, producer.__main__; from producer.sources import source_class; source_class('synthetic'); "
        "print([name for name in ('websockets', 'pyiceberg', 'twython') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "[]\n"
