"""Parameters of the training job."""

from __future__ import annotations

from datetime import UTC, datetime

from spark_apps.batch.train_topics import read_request
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
