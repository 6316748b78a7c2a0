"""The benchmark of the sentiment sees a number that differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import sentiment


def test_equal_numbers_are_no_difference() -> None:
    counted = sentiment.differences(["good but bad", "very good :)", ""])
    assert counted == {"texts": 3, "with but": 1, "VADER": 0, "TextBlob": 0, "both": 0}


def test_a_number_that_differs_in_its_last_bit_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = sentiment.ours()
    monkeypatch.setattr(sentiment, "ours", lambda: ours | {"VADER": lambda _: 0.4404 + 2**-54})
    assert sentiment.differences(["good"])["VADER"] == 1


def test_texts_are_read_from_objects_and_from_plain_lines(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text('{"text": "one\\ntwo"}\nthree\n')
    assert list(sentiment.texts_of([file])) == ["one\ntwo", "three"]


def test_libraries_and_classifier_are_timed() -> None:
    times = sentiment.cpu_times(["good but bad", "very good", "never", "a train"], rounds=1)
    assert times.keys() == {"VADER", "TextBlob", "both"}
    assert all(found["library"] > 0 and found["ours"] > 0 and found["ratio"] > 0 for found in times.values())
