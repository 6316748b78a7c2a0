"""Words from overlapping pairs."""

from __future__ import annotations

import pytest

from twitter_topics.topic_models.training.pairs import is_part_of, join_pairs


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"東京": 0.1, "京都": 0.09}, ["東京都"]),
        ({"京都": 0.09, "rain": 0.09, "東京": 0.1}, ["東京都", "rain"]),
        ({"東京": 0.1, "京都": 0.06}, ["東京", "京都"]),
        ({"東京": 0.1, "都庁": 0.1}, ["東京", "都庁"]),
        ({"サッ": 0.1, "カー": 0.11, "ッカ": 0.09}, ["サッカー"]),
        ({"ゴー": 0.1, "ーパ": 0.08, "ール": 0.1}, ["ゴール", "ーパ"]),
        ({"消防": 0.1, "防が": 0.1, "が道": 0.1, "火災": 0.1}, ["消防", "火災", "防が", "が道"]),
        ({"れた": 0.2, "台風": 0.1}, ["台風", "れた"]),
        ({"一二": 0.1, "二三": 0.1, "三四": 0.1, "四五": 0.1, "五六": 0.1}, ["一二三四", "四五六"]),
        ({"ประ": 0.1, "เทศ": 0.1, "ระเท": 0.1, "ศไท": 0.09}, ["ประเทศไท"]),
        ({"ハハ": 0.2, "rain": 0.2, "ハハハ": 0.2, "#東京": 0.2}, ["ハハ", "rain", "ハハハ", "#東京"]),
        ({}, []),
    ],
    ids=[
        "two", "in the place of the first", "not as frequent", "not overlapping", "three", "the closest follows",
        "one script", "grammar last", "a phrase", "syllables", "no pairs", "nothing",
    ],
)  # fmt: skip
def test_pairs_of_one_word_are_joined(shares: dict[str, float], words: list[str]) -> None:
    assert join_pairs(shares) == words


def test_a_pair_in_a_word_is_part_of_it() -> None:
    assert is_part_of("ッカ", ["rain", "サッカー"])
    assert not is_part_of("京都", ["東京"])
    assert not is_part_of("rain", ["train"])
