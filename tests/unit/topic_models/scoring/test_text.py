"""The Python side of the text rules. tests/spark/topic_models/training/test_text_pipeline.py compares it with Spark."""

from __future__ import annotations

import pytest

from twitter_topics.topic_models.scoring.text import FOLD_FROM, FOLD_TO, content_words, is_emoji, stop_word_set, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Hello WORLD", ["hello", "world"]),
        ("soooooo coool", ["soo", "cool"]),
        ("don’t DON`T", ["don't", "don't"]),
        ("today’s dogs' x's", ["today", "dogs"]),
        ("rock'n'roll O'Brien's", ["rock'n'roll", "brien"]),
        ("see https://t.co/aB1?x=#y and www.example.org/a now", ["see", "and", "now"]),
        ("@user_1 said #GoalKing2 #1 #_a", ["said", "#goalking2", "#1"][:2]),
        ("AT&amp;T &lt;3 &#39;tis", ["at", "tis"]),
        ("ÉTÉ à Köln", ["été", "köln"]),
        ("İstanbul ΟΔΟΣ", ["istanbul", "οδοσ"]),
        ("日本語 한국어 سلام", ["日本語", "한국어", "سلام"]),
        ("👩\u200d👧 👍🏽 ❤️ 🇬🇧", ["👩", "👧", "👍", "❤", "🇬", "🇧"]),
        ("bad \ud83d half", ["bad", "half"]),
        ("a 1 22 3rd", ["rd"]),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_the_ascii_shortcut_gives_the_same_result() -> None:
    every = "".join(chr(code) for code in range(128))
    for text in (every, every[::-1], "A`B c's HTTP://X www.Y @Z &AMP; ZZZZ"):
        assert tokens(text) == tokens(text + " \u3000")  # one character outside ASCII takes the slow path


def test_folding_is_one_to_one_and_final() -> None:
    assert len(FOLD_FROM) == len(FOLD_TO) == len(set(FOLD_FROM))
    assert not set(FOLD_FROM) & set(FOLD_TO)


def test_stop_words_are_folded_tokens_of_four_languages() -> None:
    words = stop_word_set()
    assert {"the", "para", "não", "avec", "rt"} <= words
    assert all(word == word.lower() for word in words)
    assert content_words("The storm is NOT para the coast") == ["storm", "coast"]


def test_emoji_are_known() -> None:
    assert is_emoji("⚽")
    assert not is_emoji("ball")
    assert not is_emoji("")
