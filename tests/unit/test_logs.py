"""Log lines: UTC, level and logger, as text or as JSON."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from twitter_topics.errors import EXIT_CONFIGURATION
from twitter_topics.logs import read_line
from twitter_topics.settings import PROJECT

PROGRAM = """
import logging
from twitter_topics.logs import configure_logging
configure_logging()
logging.getLogger("producer").warning("Kafka is down:\\n%d posts kept", 7)
logging.getLogger("kafka").info("a request")
raise ValueError("too few tweets")
"""
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def run(program: str = PROGRAM, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program of this project in a timezone far from UTC."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "TZ": "Asia/Kathmandu"} | variables
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_line_of_text_has_utc_with_zone_level_and_logger() -> None:
    first, *rest = run().stderr.splitlines()
    assert re.fullmatch(rf"{STAMP} WARNING producer: Kafka is down:", first)
    assert "a request" not in "".join(rest)
    assert rest[-1] == "ValueError: too few tweets"


def test_the_time_is_utc() -> None:
    program = """
import logging
from twitter_topics.logs import start_logging
start_logging("text")
logging.getLogger().handle(logging.makeLogRecord({"levelno": logging.INFO, "created": 1764104901.5}))
"""
    assert run(program).stderr.startswith("2025-11-25T21:08:21.500Z ")


def test_every_line_is_json_on_demand_the_last_exception_too() -> None:
    ended = run(TWITTER_TOPICS_LOG_FORMAT="json")
    first, last = (json.loads(line) for line in ended.stderr.splitlines())
    assert re.fullmatch(STAMP, first.pop("time"))
    assert first == {"level": "WARNING", "logger": "producer", "message": "Kafka is down:\n7 posts kept"}
    assert last["level"] == "CRITICAL"
    assert last["exception"].splitlines()[-1] == "ValueError: too few tweets"
    assert ended.returncode == 1


def test_an_unknown_form_stops_the_program_in_a_sentence() -> None:
    ended = run(TWITTER_TOPICS_LOG_FORMAT="xml")
    assert ended.returncode == EXIT_CONFIGURATION
    assert "TWITTER_TOPICS_LOG_FORMAT" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("line", "logger", "message"),
    [
        ("2026-11-25T21:08:21.123Z ERROR producer.service: it broke: twice", "producer.service", "it broke: twice"),
        ('{"time": "", "level": "ERROR", "logger": "producer", "message": "it broke"}', "producer", "it broke"),
        ('{"logger": "a", "message": "bad", "exception": "Traceback\\nValueError: x"}', "a", "bad: ValueError: x"),
        ("ValueError: x", "", "ValueError: x"),
        ("[1, 2]", "", "[1, 2]"),
        ("", "", ""),
    ],
)
def test_lines_are_read_in_either_form(line: str, logger: str, message: str) -> None:
    assert read_line(line) == (logger, message)
