"""Words from overlapping pairs."""

from __future__ import annotations

import pytest

from twitter_topics.testing.corpora import as_lists
from twitter_topics.topic_models.scoring.text import content_words
from twitter_topics.topic_models.training.pairs import Contexts, has_pairs

JAPANESE = """
台風の避難所は満員 避難しよう 避難指示が出た 早めの避難を 避難訓練だった 市の避難準備
サッカーの話 サッカーが好き またサッカー サッカー場まで サッカー部 サーカスと サービスの話
中央線が止まる 中央線の遅れ また中央線は 中央線も
海風一曲目から 海風の歌 海風が好き 海風と 夜空一曲目 夜空の歌 最後の一曲目 二人の一曲目を
大好きな歌 大好きだった 大好きよ 歌が大好き
消防が道を 消防の車 消防は 消防も来た
"""
THAI = "ประเทศไทย วันนี้ประเทศไทย ประเทศไทยร้อน ในประเทศไทยดี รักประเทศไทยมาก คนประเทศไทยใจดี"


def contexts(text: str, language: str) -> Contexts:
    return Contexts(as_lists([content_words(one, language) for one in text.split()] * 3))


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("サッ", ["サッカー"]),
        ("ッカ", ["サッカー"]),
        ("中央", ["中央線"]),
        ("避難", ["避難"]),
        ("風一", ["海風", "一曲目"]),
        ("曲目", ["一曲目"]),
        ("大好", ["大好き"]),
        ("消防", ["消防"]),
        ("防が", []),
        ("れた", []),
    ],
    ids=[
        "a whole word", "its middle", "nothing else follows", "much may follow", "across two words", "the second word",
        "with its ending", "a particle is no ending", "two scripts", "grammar",
    ],
)  # fmt: skip
def test_a_pair_is_part_of_words_that_occur(pair: str, words: list[str]) -> None:
    assert contexts(JAPANESE, "ja").words(pair) == words


def test_words_in_katakana_are_whole_even_where_much_may_follow() -> None:
    text = "テクノの話 テックの話 テクノロジーと テクニックで テクノが テクノを"
    assert contexts(text, "ja").words("テク") == ["テクノ"]


def test_syllables_are_joined_as_far_as_they_are_certain() -> None:
    assert contexts(THAI, "th").words("ระเท") == ["ประเทศไทย"]


def test_pairs_in_no_tweet_stay_pairs() -> None:
    assert Contexts(as_lists([])).words("東京") == ["東京"]


def test_the_words_of_a_language_are_read_from_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twitter_topics.topic_models.training.pairs._SAMPLE", 2)
    assert Contexts(as_lists([["東京", "京都"], ["東京"], ["東京", "京都"], ["東京"]])).words("東京") == ["東京都"]


def test_pairs_are_recognised() -> None:
    assert has_pairs(["rain", "東京"])
    assert not has_pairs(["rain", "#東京", "ハハハ"])
