"""`twitter-topics models`, with versions of this release and of older ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from twitter_topics.cli.main import app
from twitter_topics.settings import Settings
from twitter_topics.testing.models import planted_files
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.topic_models.registry.drift import put_drift
from twitter_topics.topic_models.registry.store import ModelStore, drift_key

OLDEST, OLD, FIRST, NEXT = (f"2026110{day}T000000Z-gsdmm" for day in (1, 2, 3, 4))
METRICS = {"topics": 8, "coherence": None, "diversity": 0.8, "perplexity": 1500.0}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCAL_STATE_DIR", str(tmp_path / "state"))
    objects = MemoryObjects()
    monkeypatch.setattr("twitter_topics.topic_models.registry.store.S3Objects", lambda *_, **__: objects)
    return ModelStore(Settings({}), objects=objects)


def register(models: ModelStore, version: str, **manifest: Any) -> None:
    models.put_files(version, planted_files())
    models.register(version, {"documents": 5_000, "metrics": METRICS, **manifest})


def listed(*options: str) -> str:
    shown = CliRunner().invoke(app, ["models", *options])
    assert shown.exit_code == 0, shown.output
    return shown.output


def test_a_first_model_is_labelled_provisional_until_another_one_serves(models: ModelStore) -> None:
    verdict = {"state": "promote", "promote": True, "reasons": ["good"]}
    register(models, FIRST, evaluation={"champion": None, "verdict": verdict})
    first = models.promote(FIRST, None, "good", "a test")
    assert "provisional" in next(line for line in listed().splitlines() if FIRST in line)
    assert f"{FIRST} is provisional champion since" in listed()
    assert [(row["provisional"], row["gate"]) for row in json.loads(listed("--json"))] == [(True, "promote")]

    register(models, NEXT, evaluation={"champion": {"version": FIRST, "etag": "x"}, "verdict": verdict})
    models.promote(NEXT, first.etag, "better", "a test")
    assert f"{NEXT} is champion since" in listed()
    assert [row["provisional"] for row in json.loads(listed("--json"))] == [True, False]


def test_versions_of_older_releases_are_listed(models: ModelStore) -> None:
    register(models, OLDEST)
    verdict = {"promote": False, "reasons": ["worse"]}
    register(models, OLD, evaluation={"champion": {"version": OLDEST, "etag": "x"}, "verdict": verdict})
    undecided = {"state": "cannot_tell", "promote": False, "reasons": ["too few"]}
    register(models, NEXT, evaluation={"champion": {"version": OLDEST, "etag": "x"}, "verdict": undecided})
    models.promote(OLDEST, None, "by hand", "a person")
    assert [(row["provisional"], row["gate"]) for row in json.loads(listed("--json"))] == [
        (False, ""),
        (False, "refuse"),
        (False, "cannot_tell"),
    ]
    assert "cannot tell" in listed()
    assert f"{OLDEST} is champion since" in listed()


def test_languages_with_topics_of_their_own_are_named(models: ModelStore) -> None:
    register(models, OLD)
    first = models.promote(OLD, None, "good", "a test")
    assert "topics: " not in listed()
    languages = [{"language": "en", "topics": 20}, {"language": "ja", "topics": 12}]
    register(models, NEXT, metrics=METRICS | {"languages": languages})
    models.promote(NEXT, first.etag, "better", "a test")
    assert "topics: en 20 · ja 12; posts in other languages have none" in listed()


def test_one_version_shows_its_card(models: ModelStore) -> None:
    register(models, FIRST, trainer="gsdmm", topics=[])
    assert f"# Topic model {FIRST}" in listed(FIRST)
    assert json.loads(listed(FIRST, "--json"))["documents"] == 5_000
    assert "Live drift" not in listed(FIRST)


def test_a_version_that_was_measured_shows_its_drift(models: ModelStore) -> None:
    register(models, FIRST)
    day = {"day": "2026-11-05", "age_days": 2.0, "tweets": 4_000.0, "share_without_topic": 0.1, "advised": True}
    put_drift(models, FIRST, {"limit": 0.03, "days": [day | {"word_drift": 0.04}]})
    shown = listed(FIRST)
    assert "| 2026-11-05 | 2.0 days | 4,000 | 10.0% |  |  | 0.040 |  |" in shown
    assert "**Retraining advised**" in shown
    assert json.loads(listed(FIRST, "--json"))["drift"]["days"][0]["word_drift"] == 0.04


def test_drift_that_cannot_be_read_does_not_hide_the_model(models: ModelStore) -> None:
    register(models, FIRST)
    models.objects.put(drift_key(FIRST), b"{cut o")
    shown = listed(FIRST)
    assert f"# Topic model {FIRST}" in shown
    assert drift_key(FIRST) in shown
    assert json.loads(listed(FIRST, "--json"))["drift"] is None


def test_an_unknown_version_is_wrong_usage(models: ModelStore) -> None:
    register(models, FIRST)
    shown = CliRunner().invoke(app, ["models", NEXT])
    assert shown.exit_code == 2
    assert "was never registered" in " ".join(shown.output.replace("│", "").split())
    assert CliRunner().invoke(app, ["models", "../champion"]).exit_code == 2


def test_an_expired_version_is_named_as_such(models: ModelStore) -> None:
    register(models, FIRST)
    models.expire(FIRST)
    shown = CliRunner().invoke(app, ["models", FIRST])
    assert shown.exit_code == 2
    assert "has expired: it was deleted on" in " ".join(shown.output.replace("│", "").split())


def test_the_newest_twenty_are_listed_and_the_champion(models: ModelStore) -> None:
    names = [f"202610{day:02d}T000000Z-gsdmm" for day in range(1, 31)]
    for name in names:
        register(models, name)
    models.promote(names[4], None, "good", "a test")
    rows = json.loads(listed("--json"))
    assert [row["version"] for row in rows] == [names[4], *names[10:]]
    assert [row["version"] for row in rows if row["champion"]] == [names[4]]
    assert "older versions: twitter-topics models --all" in listed()
    assert [row["version"] for row in json.loads(listed("--all", "--json"))] == names
    assert "older versions" not in listed("--all")
