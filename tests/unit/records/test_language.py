"""A post has the language that its source names, else the one that its words show clearly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twitter_topics.records.language import _LONG_CODES, DETECTED, Language, language_of

GERMAN = "Die Bahn war heute pünktlich und die Sonne scheint"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("pt-BR", "pt"),
        ("zh-Hant-TW", "zh"),
        ("zh_CN", "zh"),
        ("in", "id"),
        ("iw", "he"),
        ("nb", "no"),
        ("fil", "tl"),
        ("eng", "en"),
        ("JPN", "ja"),
        ("deu-AT", "de"),
        ("ger", "de"),
        ("fra", "fr"),
        ("fre", "fr"),
        ("nno", "no"),
        ("gsw", "gsw"),
    ],
)
def test_the_source_is_believed(said: str, code: str) -> None:
    assert language_of(said, GERMAN) == Language(code, "source")


def test_every_language_that_is_told_apart_has_its_codes_with_three_letters() -> None:
    long = [code for codes in _LONG_CODES.split() for code in codes.partition(":")[2].split(",")]
    assert {language_of(code, "").code for code in long} == DETECTED
    assert all(len(code) == 3 for code in long)


@pytest.mark.parametrize("said", [None, "", "und", "zxx", "qme", "qht", "deutsch", "e", "12", 5, ["en"], {}])
def test_where_the_source_says_nothing_the_text_is_read(said: object) -> None:
    assert language_of(said, GERMAN) == Language("de", "text")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("I love this city so much", "en"),
        ("no puedo creer que no vengas hoy", "es"),
        ("não acredito que não vens", "pt"),
        ("今日は東京で雨が降っています", "ja"),
        ("นี่คืออะไร", "th"),
        ("오늘 날씨가 좋네요", "ko"),
        ("Сегодня хорошая погода в городе", "ru"),
    ],
)
def test_languages_are_told_apart(text: str, code: str) -> None:
    assert language_of(None, text) == Language(code, "text")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        "haha",
        "😀😀😀😀😀😀😀",
        "@somebody_with_a_name https://example.org/english/words #hashtags",
        "12345678",
    ],
)
def test_what_cannot_be_told_is_undetermined(text: str) -> None:
    assert language_of(None, text) == Language("und", "unknown")


language_of(None, "the detector is loaded outside of a timed example")


@given(st.text(alphabet=st.characters(), max_size=80) | st.text(alphabet="\ud800a \udfff", max_size=20))
def test_any_text_has_a_language_or_none(text: str) -> None:
    code, known_from = language_of(None, text)
    assert (code == "und") == (known_from == "unknown")
