"""Parameters of the training job, checked before Spark starts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from spark_apps.batch.train_topics import main, read_request
from twitter_topics.errors import EXIT_CONFIGURATION
from twitter_topics.settings import Settings

VERSION = "20261104T120000Z-gsdmm"


def test_defaults_come_from_the_settings_and_the_window_ends_at_the_versions_time() -> None:
    topics = Settings({"TOPICS_K": "7", "TOPICS_WINDOW_HOURS": "48"}).topics
    request = read_request(["--version", VERSION], topics)
    assert (request.k, request.trainer) == (7, topics.trainer)
    assert request.end == datetime(2026, 11, 4, 12, tzinfo=UTC)
    assert request.start == datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_times_are_utc_whatever_their_zone() -> None:
    arguments = ["--version", VERSION, "--from", "2026-11-01T00:00", "--to", "2026-11-02T02:00:00+02:00"]
    request = read_request(arguments, Settings({}).topics)
    assert request.start == datetime(2026, 11, 1, tzinfo=UTC)
    assert request.end == datetime(2026, 11, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong", [["--k", "1"], ["--version", "../../x"], ["--from", "2027-01-01"], ["--min-documents", "3"]]
)
def test_wrong_parameters_end_the_job_before_spark(wrong: list[str], caplog: pytest.LogCaptureFixture) -> None:
    assert main(["--version", VERSION, *wrong]) == EXIT_CONFIGURATION
    assert caplog.records[-1].levelname == "ERROR"
