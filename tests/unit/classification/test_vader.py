"""The compound is that of the library to the last bit."""

from __future__ import annotations

from itertools import islice, product
from string import punctuation

from vaderSentiment.vaderSentiment import B_INCR, BOOSTER_DICT, SPECIAL_CASES, SentimentIntensityAnalyzer, normalize

from twitter_topics.classification.vader import RARE, Vader
from twitter_topics.testing.sentiment_texts import Texts

LIBRARY, OURS = SentimentIntensityAnalyzer(), Vader()


def library(text: str) -> float:
    return LIBRARY.polarity_scores(text)["compound"]


def assert_same(text: str) -> float:
    expected = library(text)
    assert repr(OURS.compound(text)) == repr(expected), text
    return expected


def test_texts_with_all_rules_have_the_compound_of_the_library() -> None:
    scored = {assert_same(text) for text in islice(Texts(7), 8_000)}
    assert len(scored) > 1_500


def test_equal_valences_around_but_are_scaled_as_the_library_does() -> None:
    scored = {assert_same(text) for text in islice(Texts(11).contrasted(), 4_000)}
    assert len(scored) > 500


def test_but_may_scale_an_earlier_word_of_the_same_valence() -> None:
    """A word halved by "but" has the valence of the word after it, and is halved again in its place."""
    words = {valence: word for word, valence in LIBRARY.lexicon.items() if word.isalpha() and len(word) > 2}
    pairs = [(word, words[valence / 2]) for valence, word in words.items() if valence / 2 in words and word not in RARE]
    assert len(pairs) > 10
    for before, after in pairs:
        valence = LIBRARY.lexicon[before]
        compound = assert_same(f"{before} but {after}")
        assert compound == round(normalize(valence / 4 + valence / 2), 4)
        assert compound != round(normalize(valence / 2 + valence / 2 * 1.5), 4), "as if scaled by place"


def test_each_word_of_the_lexicon_alone_in_capitals_and_after_other_words() -> None:
    for word in LIBRARY.lexicon:
        assert_same(word)
        assert_same(f"not so {word.upper()}, no {word}! {word}")


def test_all_words_that_rules_name_before_and_after_words_of_the_lexicon() -> None:
    by_name = ("no", "or", "nor", "never", "so", "this", "without", "doubt", "at", "very", "least")
    for first, second, third in product((*by_name, "not", "almost", "good", "train"), repeat=3):
        assert_same(f"{first} {second} {third} good train")
        assert_same(f"{first.upper()} {second} bad {third.upper()} GREAT")


def test_each_phrase_before_around_and_after_words_of_the_lexicon() -> None:
    for phrase in (*SPECIAL_CASES, *BOOSTER_DICT, "KIND OF", "the SHIT"):
        for before, after in product(("", "so", "is not", "a very good", "a b c"), ("", "good", "of it", "x bad")):
            assert_same(f"{before} {phrase} {after}")


def test_each_emoji() -> None:
    for emoji in LIBRARY.emojis:
        assert_same(f"good{emoji}bad {emoji}{emoji} very {emoji}")


def test_each_character_between_words() -> None:
    for code in (*range(0x3100), 0xD83D, 0xFE0F, 0xFF01, 0x10FFFF):
        character = chr(code)
        assert_same(f"good{character}bad {character}ill KILL no{character}")


def test_each_phrase_has_a_rare_word_that_is_or_precedes_the_word_it_changes() -> None:
    """A phrase starts with a word of the lexicon, ends with one, or precedes it as a whole."""
    for phrase in (*SPECIAL_CASES, *BOOSTER_DICT):
        words = phrase.split()
        if len(words) == 1:
            continue
        assert RARE & set(words), phrase
        if words[0] in LIBRARY.lexicon:
            assert words[0] in RARE, phrase


def test_boosters_and_dampeners_differ_only_in_sign_and_are_not_in_the_lexicon() -> None:
    assert {abs(increase) for increase in BOOSTER_DICT.values()} == {B_INCR}
    assert not BOOSTER_DICT.keys() & LIBRARY.lexicon.keys()
    assert not [word for word in BOOSTER_DICT if word != word.strip(punctuation)]
