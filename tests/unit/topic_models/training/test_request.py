from __future__ import annotations

from datetime import UTC, datetime

import pytest

from twitter_topics.topic_models.training.request import TrainingRequest

REQUEST = {
    "version": "20261101T120000Z-gsdmm", "trainer": "gsdmm", "k": 20, "iterations": 30, "seed": 1,
    "start": datetime(2026, 10, 1, tzinfo=UTC), "end": datetime(2026, 11, 1, tzinfo=UTC),
    "max_documents": 1_000_000, "min_documents": 2_000,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": "../champion"}, "not a version name"),
        ({"version": "20261101T120000Z-gsdmm\n"}, "not a version name"),
        ({"trainer": "best"}, "trainer 'best'"),
        ({"k": 2}, "k 2: between 3 and 200"),
        ({"iterations": 0}, "iterations 0"),
        ({"seed": -1}, "seed -1"),
        ({"end": datetime(2026, 10, 1, tzinfo=UTC)}, "is not before"),
        ({"end": datetime(2026, 11, 1)}, "time zone"),  # noqa: DTZ001
        ({"min_documents": 5}, "min_documents 5"),
        ({"max_documents": 1_000}, "max_documents 1000"),
        ({"max_documents": 3_999}, "max_documents 3999: between twice min_documents"),
        ({"languages": "english"}, "languages 'english'"),
        ({"languages": "en, ja"}, "languages 'en, ja'"),
        ({"min_confidence": 1.5}, "min_confidence 1.5"),
        ({"start_from": "the middle"}, "start_from 'the middle': one of champion, scratch"),
        ({"min_confidence": float("nan")}, "min_confidence nan"),
    ],
)
def test_wrong_training_parameters_are_named(change: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        TrainingRequest(**{**REQUEST, **change})  # type: ignore[arg-type]


def test_a_request_of_an_older_release_is_for_all_languages_and_has_no_confidence() -> None:
    stored = TrainingRequest(**REQUEST).as_dict()  # type: ignore[arg-type]
    assert (stored["languages"], stored["min_confidence"], stored["start_from"]) == ("all", 0.0, "champion")
