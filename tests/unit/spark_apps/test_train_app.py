"""Parameters of the training job."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from spark_apps.batch.train_topics import read_request
from twitter_topics.errors import ConfigurationError
from twitter_topics.settings import Settings

VERSION = "20261104T120000Z-gsdmm"


def test_defaults_come_from_the_settings_and_the_window_ends_at_the_versions_time() -> None:
    topics = Settings(
        {"TOPICS_K": "7", "TOPICS_WINDOW_HOURS": "48", "TOPICS_LANGUAGES": "en", "TOPICS_MIN_CONFIDENCE": "0.7"}
    ).topics
    request = read_request(["--version", VERSION], topics)
    assert (request.k, request.trainer, request.languages, request.min_confidence) == (7, topics.trainer, "en", 0.7)
    assert request.end == datetime(2026, 11, 4, 12, tzinfo=UTC)
    assert request.start == datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_times_are_utc_whatever_their_zone() -> None:
    arguments = ["--version", VERSION, "--from", "2026-11-01T00:00", "--to", "2026-11-02T02:00:00+02:00"]
    request = read_request(arguments, Settings({}).topics)
    assert request.start == datetime(2026, 11, 1, tzinfo=UTC)
    assert request.end == datetime(2026, 11, 2, tzinfo=UTC)


def test_languages_are_checked_as_in_the_settings() -> None:
    topics = Settings({}).topics
    assert read_request(["--version", VERSION], topics).languages == "auto"
    assert read_request(["--version", VERSION, "--languages", "en, JA"], topics).languages == "en,ja"
    with pytest.raises(ConfigurationError, match="--languages: use auto, all, or codes"):
        read_request(["--version", VERSION, "--languages", "english"], topics)


def test_topics_continue_the_champions_unless_a_person_wants_a_start_from_scratch() -> None:
    topics = Settings({}).topics
    assert read_request(["--version", VERSION], topics).start_from == "champion"
    assert read_request(["--version", VERSION, "--start", "scratch"], topics).start_from == "scratch"
    with pytest.raises(ConfigurationError, match="--start: invalid choice: 'nothing'"):
        read_request(["--version", VERSION, "--start", "nothing"], topics)


def test_a_whole_number_may_look_like_a_decimal_as_in_a_form() -> None:
    topics = Settings({}).topics
    assert read_request(["--version", VERSION, "--k", "7.0", "--seed", "3.0"], topics).k == 7
    with pytest.raises(ConfigurationError, match=r"--k: invalid whole number value: '7\.5'"):
        read_request(["--version", VERSION, "--k", "7.5"], topics)
    with pytest.raises(ConfigurationError, match="--k: 2 is not between 3 and 200"):  # the gate would refuse so few
        read_request(["--version", VERSION, "--k", "2"], topics)
    with pytest.raises(ConfigurationError, match="--seed: -1 is not between 0 and"):
        read_request(["--version", VERSION, "--seed", "-1"], topics)
