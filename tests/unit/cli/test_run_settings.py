"""Options of one run: `--whole-history` raises the limits on age to the oldest tweet, `--languages` chooses."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from producer.tweets import created_at
from twitter_topics.cli.run_settings import run_settings
from twitter_topics.errors import ConfigurationError
from twitter_topics.local import followed
from twitter_topics.local.layout import Layout
from twitter_topics.settings import Settings

DAY_MS = 86_400_000


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of a tweet of now and one of 400 days ago, chosen for the replay."""
    now_ms = int(time.time() * 1000)
    file = tmp_path / "tweets.jsonl"
    tweets = [
        {"id_str": str(number), "text": "a", "created_at": created_at(now_ms - age * DAY_MS)}
        for number, age in enumerate((0, 400, 3), 1)
    ]
    file.write_text("".join(json.dumps(tweet) + "\n" for tweet in tweets))
    monkeypatch.setenv("PRODUCER_SOURCE", "replay")
    monkeypatch.setenv("PRODUCER_REPLAY_FILE", str(file))
    monkeypatch.setenv("LOCAL_STATE_DIR", str(tmp_path / "state"))
    return file


@pytest.mark.parametrize("times", ["keep", "shift"])
def test_the_limits_reach_the_oldest_tweet(
    chosen: Path, times: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PRODUCER_REPLAY_TIMES", times)
    settings = run_settings(whole_history=True)
    assert (settings.speed.max_age_days, settings.elasticsearch.retention_days) == (402, 402)
    assert "SPEED_MAX_AGE_DAYS=402 and ELASTICSEARCH_RETENTION_DAYS=402" in " ".join(capsys.readouterr().out.split())


def test_wider_limits_stay(chosen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEED_MAX_AGE_DAYS", "900")
    settings = run_settings(whole_history=True)
    assert (settings.speed.max_age_days, settings.elasticsearch.retention_days) == (900, 402)


def test_without_it_nothing_changes(chosen: Path) -> None:
    settings = run_settings(whole_history=False)
    assert (settings.speed.max_age_days, settings.elasticsearch.retention_days) == (30, 14)


def test_a_live_source_has_no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRODUCER_SOURCE", "bluesky")
    with pytest.raises(ConfigurationError, match="--whole-history is about PRODUCER_SOURCE=replay"):
        run_settings(whole_history=True)


def test_the_options_are_about_the_source_that_the_stack_keeps(chosen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout.of(Settings().local)
    layout.make()
    followed.remember(layout, Settings(), {"PRODUCER_REPLAY_FILE": str(chosen)})
    monkeypatch.delenv("PRODUCER_SOURCE")
    monkeypatch.delenv("PRODUCER_REPLAY_FILE")
    with pytest.raises(ConfigurationError, match="--languages is about PRODUCER_SOURCE=synthetic"):
        run_settings(whole_history=False, languages="en")
    settings = run_settings(whole_history=True)
    assert settings.speed.max_age_days == 402
    assert "source" not in settings.producer.model_fields_set, "the stack says that it keeps it"


def test_languages_are_those_of_the_synthetic_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRODUCER_SYNTHETIC_LANGUAGES", "fr")
    assert run_settings(whole_history=False).producer.synthetic_languages == "fr"
    assert run_settings(whole_history=False, languages="ja, en").producer.synthetic_languages == "en,ja"
    with pytest.raises(ConfigurationError, match=r"PRODUCER_SYNTHETIC_LANGUAGES.*'xx'"):
        run_settings(whole_history=False, languages="en,xx")
    monkeypatch.setenv("PRODUCER_SOURCE", "bluesky")
    with pytest.raises(ConfigurationError, match="--languages is about PRODUCER_SOURCE=synthetic"):
        run_settings(whole_history=False, languages="en")
