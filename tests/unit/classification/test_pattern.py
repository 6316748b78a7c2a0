"""Polarity and subjectivity are those of TextBlob's pattern analyzer to the last bit."""

from __future__ import annotations

from itertools import islice, product

import pytest
from textblob import _text
from textblob.en import sentiment as library

from twitter_topics.classification.pattern import Pattern
from twitter_topics.testing.sentiment_texts import Texts
from twitter_topics.topic_models.scoring import memo

OURS = Pattern()


def assert_same(text: str, ours: Pattern = OURS) -> tuple[float, float]:
    polarity, subjectivity = library(text)
    assert repr(ours.averages(text)) == repr((polarity, subjectivity)), text
    return polarity, subjectivity


def test_texts_with_all_rules_have_the_averages_of_the_library() -> None:
    scored = {assert_same(text) for text in islice(Texts(7), 8_000)}
    assert len(scored) > 1_500


def test_each_word_of_the_lexicon_alone_and_after_modifiers_and_negations() -> None:
    for word in library:
        assert_same(f"{word}! not {word} a")
        assert_same(f"really not {word}, very very {word.upper()}. Never to {word}")


def test_modifiers_negations_and_small_words_in_any_order() -> None:
    words = ("very", "really", "no", "not", "never", "a", "to", "train", "good", "bad", "!", ":)", ":-(", "(!)")
    for text in map(" ".join, product(words, repeat=3)):
        assert_same(f"{text} good")
        assert_same(f"really {text}")


def test_each_emoticon_with_a_space_anywhere_and_after_each_neighbour() -> None:
    for emoticon in [emoticon for alike in _text.EMOTICONS.values() for emoticon in alike]:
        for at in range(len(emoticon) + 1):
            spaced = f"{emoticon[:at]} {emoticon[at:]}"
            for text in (f"good {spaced}", f"not max{spaced}! bad", f"({spaced})", f"> {spaced} 8", f"x{spaced}D"):
                assert_same(text)


def test_each_character_between_words() -> None:
    for code in (*range(0x3100), 0xD83D, 0xFE0F, 0xFF01, 0x10FFFF):
        assert_same(f"very{chr(code)}good {chr(code)}bad")


@pytest.mark.parametrize(
    "text",
    [
        "good ( ! )",
        "good (\n\n! ) bad",
        "good\n\n! bad\r\n\r\n: )",
        "END-OF-SENTENCE good : END-OF-SENTENCE ) (END-OF-SENTENCE! )",
        "not.END-OF-SENTENCE good",
        "I can't say it's “good”, it isn’t 'bad'",
        "Mr. Bad is U.S. good... e.g. w/ Thx. 'n't",
    ],
)
def test_sentence_marks_quotes_and_abbreviations(text: str) -> None:
    assert_same(text)


def test_the_memo_is_bounded_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "LIMIT", 50)
    ours = Pattern()
    for text in islice(Texts(3), 500):
        assert_same(text, ours)
        assert len(ours._codes) <= 50
    assert ours.averages("good" * 20) == (0.0, 0.0)
    assert max(map(len, ours._codes)) <= memo.LONGEST_KEY
