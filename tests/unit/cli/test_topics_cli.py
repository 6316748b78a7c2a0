"""`twitter-topics topics`: rows for people and programs, and names given at the terminal."""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from twitter_topics.cli.main import app
from twitter_topics.counts.view import CountsView, LastHour, TopicCount
from twitter_topics.settings import Settings
from twitter_topics.testing.models import register_planted_model
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.registry.topic_names import TOPIC_NAMES, read_names

VERSION = "20261101T000000Z-gsdmm"
HOUR = LastHour(
    1_800_000_000_000, [TopicCount(0, "weather", 40, 10, 9.0, 0.5), TopicCount(1, "music", 7, 0, 6.0, None)]
)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """A champion with the topics 0, weather, and 1, music."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCAL_STATE_DIR", str(tmp_path / "state"))
    objects = MemoryObjects()
    monkeypatch.setattr("twitter_topics.topic_models.registry.store.S3Objects", lambda *_, **__: objects)
    monkeypatch.setattr(CountsView, "last_hour", lambda _self: HOUR)
    store = ModelStore(Settings({}), objects=objects)
    register_planted_model(store, VERSION)
    store.use_topic_ids(2)
    store.promote(VERSION, None, "first", "a test")
    return store


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["topics", *arguments])


def rows() -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = json.loads(run("--json").output)["rows"]
    return shown


def test_a_topic_is_named_and_shown_with_another(models: ModelStore) -> None:
    assert "weather" in run().output
    named = run("name", "0", "Storm Eunice", "--reason", "it has a name")
    assert (named.exit_code, named.output) == (0, "topic 0 is shown by the name 'Storm Eunice', by itself\n")
    naming = read_names(models).topics[0]
    assert (naming.by, naming.reason) == (getpass.getuser(), "it has a name")
    assert "Storm Eunice (weather)" in run().output

    assert run("name", "1", "--with", "0").exit_code == 0
    shown = [(row["topic_id"], row["label"], row["name"], row["shown_with"]) for row in rows()]
    assert shown == [(0, "weather", "Storm Eunice", None), (1, "music", "", 0)]
    (line,) = [line for line in run().output.splitlines() if "weather" in line]
    assert "Storm Eunice (weather) + music" in line
    assert " 47 " in line

    assert run("name", "0").output == "topic 0 is shown by its label, by itself\n"
    assert "Storm" not in run().output


def test_a_user_without_a_name_can_name_topics(models: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr(getpass, "getuser", unknown)
    assert run("name", "0", "Storm Eunice").exit_code == 0
    assert read_names(models).topics[0].by == f"user {os.getuid()}"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("7", "Storm"), "no model has ever had a topic 7: ids so far are 0 to 1"),
        (("-1", "Storm"), "No such option"),
        (("first", "Storm"), "unable to parse string as an integer"),
        (("0", "two\nlines"), "one line without control characters"),
        (("0", "--with", "0"), "topic 0 cannot be shown with itself"),
    ],
)
def test_wrong_usage_is_a_sentence(models: ModelStore, arguments: tuple[str, ...], says: str) -> None:
    refused = run("name", *arguments)
    assert refused.exit_code == 2
    assert says in " ".join(refused.output.replace("│", "").split())
    assert read_names(models).history == ()


def test_damaged_names_leave_the_labels_and_a_sentence(models: ModelStore) -> None:
    key = f"{TOPIC_NAMES}{1:012d}.json"
    models.objects.put(key, b"{")
    shown = run()
    assert shown.exit_code == 0
    assert "weather" in shown.output
    assert f"{key} is damaged: topics are shown by their labels" in shown.output
    assert json.loads(run("--json").output)["names_fault"].startswith(f"{key} is damaged")
    refused = run("name", "0", "Storm")
    assert refused.exit_code == 1
    assert "is damaged" in refused.output
