"""`twitter-topics dead-letters`, with letters and records in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from twitter_topics.archive import rejected
from twitter_topics.archive.rejected import RawRecord
from twitter_topics.backends import dead_letters
from twitter_topics.backends.dead_letters import Letter
from twitter_topics.cli.main import app
from twitter_topics.errors import EXIT_CONFIGURATION
from twitter_topics.settings import Settings


def letter(offset: int, reason: str, stage: str = "parse") -> Letter:
    return Letter(stage, reason, "raw", 0, offset, 9, "", b"head", 1_794_999_600_000 + offset)


LETTERS = [letter(1, "time: late"), letter(2, "time: \x1b[2Jearly"), letter(3, "unknown: HTTP 400: odd", "index")]
RECORD = RawRecord(b"1", b'{"text":"\x1b[31mred"}', (("source", b"bluesky"),))


class Rejected:
    """Has every record but one; notes what is sent."""

    sent: list[RawRecord]

    def __init__(self, _settings: Any) -> None:
        type(self).sent = []

    def find(self, letters: Iterable[Letter]) -> list[tuple[Letter, RawRecord | None]]:
        return [(one, None if one.offset == 2 else RECORD) for one in letters]

    def retry(self, records: list[RawRecord]) -> int:
        type(self).sent += records
        return len(records)


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "twitter_topics.cli.dead_letters.stack_settings", lambda: Settings({})
    )  # not a developer's stack
    monkeypatch.setattr(dead_letters, "read_letters", lambda _settings: LETTERS)
    monkeypatch.setattr(rejected, "RejectedRecords", Rejected)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["dead-letters", *arguments])


def test_the_summary_counts_by_stage_and_reason() -> None:
    assert json.loads(run("--json").output) == [
        {"stage": "index", "reason": "unknown", "records": 1, "newest": "raw-0-3", "at_ms": 1_794_999_600_003},
        {"stage": "parse", "reason": "time", "records": 2, "newest": "raw-0-2", "at_ms": 1_794_999_600_002},
    ]
    assert [row["reason"] for row in json.loads(run("--reason", "unknown", "--json").output)] == ["unknown"]
    shown = run()
    assert shown.exit_code == 0
    assert "raw-0-3" in shown.output


def test_brackets_of_a_reason_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = letter(4, "unknown [/x] [red]: odd", "[/] parse")
    monkeypatch.setattr(dead_letters, "read_letters", lambda _settings: [odd])
    shown = run()
    assert (shown.exit_code, shown.exception) == (0, None)
    assert "[/] parse" in shown.output
    assert "unknown [/x] [red]" in shown.output


def test_one_letter_is_shown_without_its_control_characters() -> None:
    shown = run("show", "raw-0-3")
    assert shown.exit_code == 0
    assert "unknown: HTTP 400: odd" in shown.output
    assert "source: bluesky" in shown.output
    assert "\x1b" not in shown.output + run("show", "raw-0-2").output
    assert "neither in Kafka nor in the archive" in run("show", "raw-0-2").output


def test_retry_sends_what_is_named_and_reports_what_is_lost() -> None:
    assert (run("retry", "--reason", "unknown").exit_code, Rejected.sent) == (0, [RECORD])
    lost = run("retry", "--reason", "time")
    assert (lost.exit_code, Rejected.sent) == (1, [RECORD])
    assert "1 records sent" in lost.output
    assert (run("retry", "raw-0-1", "raw-0-3").exit_code, Rejected.sent) == (0, [RECORD, RECORD])


def test_a_dry_run_sends_nothing() -> None:
    shown = run("retry", "--reason", "unknown", "--dry-run")
    assert (shown.exit_code, Rejected.sent) == (0, [])
    assert "1 records would be sent" in shown.output


@pytest.mark.parametrize("arguments", [["retry"], ["retry", "raw-0-9"], ["show", "nonsense"]])
def test_everything_at_once_or_an_unknown_record_is_a_mistake(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == EXIT_CONFIGURATION
