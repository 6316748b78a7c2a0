"""The drift of a version as people see it, made from rows of the table."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.exceptions import NoSuchTableError
from sqlalchemy.exc import OperationalError

from twitter_topics.errors import IntegrityError, RetryableError
from twitter_topics.settings import Settings
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.topic_models.registry.drift import (
    drift_card,
    drift_of,
    put_drift,
    read_drift,
    sentence,
    unseen_part,
    week_before,
)
from twitter_topics.topic_models.registry.metrics import MetricsTable, day_of_version, slices_from
from twitter_topics.topic_models.registry.store import ModelStore

VERSION = "20261101T040000Z-gsdmm"
OLDER = {"version": VERSION, "metrics": {"perplexity": 600.0, "unigram_perplexity": 1000.0}}
NUMBERS = {
    "age_days": 4.83, "tweets": 43_112.0, "share_without_topic": 0.123, "known_words": 0.66,
    "perplexity_to_unigram": 0.71, "word_drift": 0.0134, "topic_drift": 0.002,
}  # fmt: skip


def rows(day: str, **changed: float) -> list[dict[str, Any]]:
    """Return what the table has of a day."""
    about = {"measurement": day_of_version(VERSION, date.fromisoformat(day)), "slice": "day", "role": "champion"}
    return [
        {**about, "metric": name, "value": value, "low": None, "high": None}
        | ({"low": 0.70, "high": 0.72} if name == "perplexity_to_unigram" else {})
        for name, value in (NUMBERS | changed).items()
    ]


def test_days_are_in_order_and_say_when_the_words_have_drifted_too_far() -> None:
    found = [*rows("2026-11-09", word_drift=0.031), *rows("2026-11-02"), *rows("2026-11-05")]
    drift = drift_of(OLDER, found, limit=0.03)
    assert [day["day"] for day in drift["days"]] == ["2026-11-02", "2026-11-05", "2026-11-09"]
    assert [day["advised"] for day in drift["days"]] == [False, False, True]
    assert drift["days"][1] == {
        "day": "2026-11-05", "advised": False, "perplexity_to_unigram_low": 0.70, "perplexity_to_unigram_high": 0.72,
        **NUMBERS,
    }  # fmt: skip
    assert week_before(drift["days"]) == drift["days"][0]
    assert week_before(drift["days"][1:]) is None


def test_its_own_held_out_tweets_are_those_of_its_evaluation() -> None:
    held_out = {"measurement": VERSION, "slice": "held_out", "metric": "perplexity_to_unigram", "low": 0.6, "high": 0.8}
    as_challenger = held_out | {"role": "challenger", "value": 0.7}
    against_the_next = held_out | {"measurement": "next", "role": "champion", "value": 0.9}
    drift = drift_of(OLDER, [as_challenger, against_the_next], limit=0.03)
    assert drift["held_out"]["perplexity_to_unigram"] == 0.7
    assert drift_of(OLDER, [], limit=0.03)["held_out"] == {"perplexity_to_unigram": 0.6}, "from before rows were kept"


def test_a_sentence_for_the_log() -> None:
    drift = drift_of(OLDER, [*rows("2026-11-05"), *rows("2026-11-06", word_drift=0.05)], limit=0.03)
    calm, moved = (sentence(drift, day) for day in drift["days"])
    assert calm == (
        f"{VERSION} on 2026-11-05, 4.8 days after training: 43,112 tweets, 12.3% without a topic, 66.0% of the words "
        "known, perplexity 0.710 (0.700 to 0.720) of that of word frequencies; 0.600 on its held-out tweets, words "
        "drifted by 0.013 bits, topics drifted by 0.002 bits"
    )
    assert moved.endswith(". More than 0.03 bits: retraining advised")
    unheard = {name: NUMBERS[name] for name in ("age_days", "tweets", "share_without_topic")}
    assert sentence(drift, {"day": "2026-11-07", "advised": False, **unheard}).endswith("12.3% without a topic")


def test_the_card_of_the_command() -> None:
    drift = drift_of(OLDER, [*rows("2026-11-05"), *rows("2026-11-06", word_drift=0.05)], limit=0.03)
    card = drift_card(drift)
    assert "| 2026-11-05 | 4.8 days | 43,112 | 12.3% | 66.0% | 0.710 (0.700 to 0.720) | 0.013 | 0.002 |" in card
    assert "**Retraining advised**" in card
    assert "advised" not in drift_card(drift | {"days": drift["days"][:1]})
    assert len({line.count("|") for line in card.splitlines() if line.startswith("|")}) == 1


@pytest.mark.parametrize(
    ("until", "start"),
    [
        ("2026-11-01T04:00:00+00:00", datetime(2026, 11, 5, tzinfo=UTC)),
        ("2026-11-05T04:00:00+00:00", datetime(2026, 11, 5, 4, tzinfo=UTC)),
        ("2026-11-07T04:00:00+00:00", datetime(2026, 11, 6, tzinfo=UTC)),
    ],
)
def test_a_champion_is_not_measured_on_what_it_was_trained_on(until: str, start: datetime) -> None:
    manifest = {"version": VERSION, "parameters": {"end": until}}
    assert unseen_part(manifest, date(2026, 11, 5)) == (start, datetime(2026, 11, 6, tzinfo=UTC))
    assert unseen_part({"version": VERSION}, date(2026, 11, 1))[0] == datetime(2026, 11, 1, 4, tzinfo=UTC)


def test_the_drift_is_an_object_of_each_version() -> None:
    objects = MemoryObjects()
    models = ModelStore(Settings({}), objects=objects)
    assert read_drift(models, VERSION) is None
    put_drift(models, VERSION, {"days": []})
    put_drift(models, VERSION, {"days": [1]})
    assert read_drift(models, VERSION) == {"days": [1]}
    assert (models.versions(), models.history()) == ([], []), "nothing else takes it for a version"
    models.expire(VERSION)
    assert read_drift(models, VERSION) is None
    objects.put(f"models/drift/{VERSION}.json", b"[]")
    with pytest.raises(IntegrityError, match=r"drift/.* is not a JSON object"):
        read_drift(models, VERSION)


@pytest.mark.parametrize("content", [{}, {"slices": [{"name": "held_out"}]}, {"slices": [{"metrics": [{"x": 1}]}]}])
def test_damaged_measurements_are_named(content: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match=r"measured\.json is damaged"):
        slices_from(content)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NoSuchTableError("no"), None),
        (OperationalError("SELECT", None, Exception("no such table: iceberg_tables")), None),
        (OperationalError("SELECT", None, Exception("timeout")), "the archive's catalog does not answer"),
        (OSError("timeout"), "bucket tweets does not answer"),
    ],
)
def test_a_table_that_is_missing_is_empty_and_a_store_that_is_silent_is_named(
    error: Exception, expected: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Catalog:
        def load_table(self, name: tuple[str, str]) -> None:
            assert name == ("tweets", "model_metrics")
            raise error

    monkeypatch.setattr("twitter_topics.archive.catalog.open_catalog", lambda *_: Catalog())
    (tmp_path / "catalog.db").touch()
    table = MetricsTable(Settings({"ARCHIVE_CATALOG_URI": f"sqlite:///{tmp_path}/catalog.db"}))
    if expected is None:
        assert table.of_version(VERSION) == []
    else:
        with pytest.raises(RetryableError, match=expected):
            table.of_version(VERSION)
    with pytest.raises(ValueError, match="is not a version name"):
        table.of_version("' or true or version = '")
