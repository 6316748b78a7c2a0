"""The planted challengers of the gate's benchmark."""

from __future__ import annotations

import pyarrow as pa
import pytest

from benchmarks.gate import foreign, promoted, shuffled, summary

WORDS = pa.array([["storm", "wind"], [], ["goal"], ["rain", "rain", "team"]], pa.list_(pa.string()))


def row(tweets: int, kind: str, state: str) -> dict[str, object]:
    return {"tweets": tweets, "kind": kind, "state": state, "ratio": 1.0, "half_width": None}


def test_shuffling_keeps_all_words_and_lengths() -> None:
    dealt = shuffled(WORDS)
    assert dealt.value_lengths().to_pylist() == WORDS.value_lengths().to_pylist()
    assert sorted(dealt.flatten().to_pylist()) == sorted(WORDS.flatten().to_pylist())
    assert dealt.to_pylist() != WORDS.to_pylist()


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.25, 250), (0.6, 600), (1.0, 1000)])
def test_a_share_of_the_tweets_is_in_another_language(share: float, expected: int) -> None:
    tweets = foreign(pa.array([["storm"]] * 1000, pa.list_(pa.string())), share).to_pylist()
    assert sum(words != ["storm"] for words in tweets) == pytest.approx(expected, abs=1)


def test_promotions_are_counted_by_good_and_bad_and_size() -> None:
    rows = [
        row(2_000, "another seed", "cannot_tell"),
        row(10_000, "another seed", "promote"),
        row(10_000, "a third seed", "refuse"),
        row(10_000, "one sweep", "promote"),
        row(10_000, "first model", "promote"),
    ]
    assert promoted(rows, good=True) == (1, 3)
    assert promoted(rows, good=True, at_least=10_000) == (1, 2)
    assert promoted(rows, good=False) == (1, 1)
    first = summary(rows)[0]
    assert (first["states"], first["good"], first["half_width"]) == ({"cannot_tell": 1}, True, None)
