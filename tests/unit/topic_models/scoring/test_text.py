"""The Python side of the text rules. tests/spark/topic_models/training/test_text_pipeline.py compares it with Spark."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from itertools import product

import pytest

from twitter_topics.testing.hostile import TEXTS
from twitter_topics.topic_models.scoring.text import NEWEST, TEXT_RULES, is_emoji
from twitter_topics.topic_models.scoring.text_rules import TextRules

EVERY = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
BOTH = pytest.mark.parametrize("rules", TEXT_RULES.values(), ids=lambda rules: f"rules {rules.number}")

IN_BOTH = [
    ("", []),
    ("Hello WORLD", ["hello", "world"]),
    ("soooooo coool", ["soo", "cool"]),
    ("don’t DON`T", ["don't", "don't"]),
    ("today’s dogs' x's", ["today", "dogs"]),
    ("rock'n'roll O'Brien's", ["rock'n'roll", "brien"]),
    ("see https://t.co/aB1?x=#y and www.example.org/a now", ["see", "and", "now"]),
    ("@user_1 said #GoalKing2 #1 #_a", ["said", "#goalking2"]),
    ("AT&amp;T &lt;3 &#39;tis", ["at", "tis"]),
    ("ÉTÉ à Köln", ["été", "köln"]),
    ("İstanbul", ["istanbul"]),
    ("한국어 سلام", ["한국어", "سلام"]),
    ("👩\u200d👧 👍🏽 ❤️ 🇬🇧", ["👩", "👧", "👍", "❤", "🇬", "🇧"]),
    ("bad \ud83d half", ["bad", "half"]),
    ("a 1 22 3rd", ["rd"]),
    ("น้ำตา ນ້ຳຕາ", ["น้ำตา", "ນ້ຳຕາ"]),  # NFKC takes the vowels apart
]

OF_RULES_2 = {
    "Japanese": ("東京都に行く", ["東京", "京都", "都に", "に行", "行く"]),
    "iteration marks, long vowels": ("人々 コーヒー", ["人々", "コー", "ーヒ", "ヒー"]),
    "another script": ("東京都abc行く5月", ["東京", "京都", "abc", "行く"]),
    "kana of half width": ("ﾃﾞｰﾀ", ["デー", "ータ"]),
    "Chinese": ("我爱北京天安门", ["我爱", "爱北", "北京", "京天", "天安", "安门"]),
    "Han outside the first plane": ("\U00020bb7野家", ["\U00020bb7野", "野家"]),
    "a lone Han character": ("犬と 雨 雨abc", ["犬と", "abc"]),
    "hashtags stay whole": ("#東京タワー #東京 東京湾", ["#東京タワー", "#東京", "東京", "京湾"]),
    "Thai": ("ประเทศไทย ไป", ["ประ", "ระเท", "เทศ", "ศไท", "ไทย", "ไป"]),
    "Lao": ("ປະເທດລາວ", ["ປະເທ", "ເທດ", "ດລາ", "ລາວ"]),
    "Khmer": ("កម្ពុជា", ["កម្ពុ", "ម្ពុជា"]),
    "Burmese": ("မြန်မာ", ["မြန်", "န်မာ"]),
    "Korean in compatibility letters": ("ﾡﾢ ㅋㅋㅋㅋ 뉴스", ["ᄀᄁ", "ᄏᄏ", "뉴스"]),
    "Arabic forms and stretching": ("ﻣﺮﺣﺒﺎ سـلام", ["مرحبا", "سلام"]),
    "Persian joiners": ("می\u200cخواهم #می\u200cخواهم", ["می\u200cخواهم", "#می\u200cخواهم"]),
    "Kurdish": ("هەواڵ", ["هەواڵ"]),
    "Hindi": ("हिन्दी क\u094d\u200dष", ["हिन्दी", "क\u094d\u200dष"]),
    "Amharic": ("ሰላም ዓለም", ["ሰላም", "ዓለም"]),
    "Tibetan": ("བོད་ཡིག", ["བོད", "ཡིག"]),
    "final sigma": ("ΟΔΟΣ οδος ΟΔΟΣ_1 σ'αγαπώ", ["οδος", "οδος", "οδοσ_1", "αγαπώ"]),
    "small i with a dot": ("i\u0307stanbul I\u0307zmir", ["istanbul", "izmir"]),
    "combining marks": ("cafe\u0301 n\u0303a", ["café", "ña"]),
    "mathematical bold": ("𝐁𝐨𝐥𝐝 𝓗𝓮𝓵𝓵𝓸 𝟮𝟬", ["bold", "hello"]),
    "full width": ("ＦＵＬＬ ｗｉｄｅ ＃ｔａｇ ＠ｕｓｅｒ", ["full", "wide", "#tag"]),
    "ligatures": ("ﬁnd ﬂow", ["find", "flow"]),
    "soft hyphens": ("inter\u00adnational", ["international"]),
    "stretched in any script": ("круууто ああああ", ["крууто", "ああ"]),
}


@BOTH
@pytest.mark.parametrize(("text", "expected"), IN_BOTH)
def test_tokens(rules: TextRules, text: str, expected: list[str]) -> None:
    assert rules.tokens(text) == expected


@pytest.mark.parametrize(("text", "expected"), OF_RULES_2.values(), ids=OF_RULES_2)
def test_tokens_of_rules_2(text: str, expected: list[str]) -> None:
    assert TEXT_RULES[2].tokens(text) == expected
    assert TEXT_RULES[1].tokens(text) != expected, "nothing that rules 2 had to change"


@pytest.mark.parametrize(
    ("number", "digest"),
    [
        (1, "bb9c03d5f6dcbb0ed99ce8f45a625175622a61b3b5f6dfaf447bf03d06303e91"),
        (2, "3f64c894acdabdbbae017684dbddcc2b26c54f90610bfb5a726df1b1d8b9d452"),
    ],
)
def test_rules_never_change(number: int, digest: str) -> None:
    rules = TEXT_RULES[number]
    patterns = [(one.pattern, one.by) for one in rules.replacements]
    stop_words = {language: sorted(words) for language, words in rules.stop_words().items()}
    fields = json.dumps(
        [rules.compatible, rules.fold_from, rules.fold_to, patterns, rules.token, stop_words], sort_keys=True
    )
    assert hashlib.sha256(fields.encode()).hexdigest() == digest, "models need their rules"


@BOTH
def test_the_ascii_shortcut_gives_the_same_result(rules: TextRules) -> None:
    every = "".join(chr(code) for code in range(128))
    for text in (every, every[::-1], "A`B c's HTTP://X www.Y @Z @a.b-c@d &AMP; ZZZZ x.org/ZZZ/// ... 111"):
        assert rules.tokens(text) == rules.tokens(text + " \u0378")  # no character: it only takes the slow path


@BOTH
def test_the_cheap_tests_skip_nothing(rules: TextRules) -> None:
    for one in rules.replacements:
        skipped = [text for text in (f"i{c}{c}{c}{c}/x" for c in EVERY) if not one.needed(text)]
        assert len(skipped) < len(EVERY)
        assert re.sub(one.pattern, "changed", "\n".join(skipped)) == "\n".join(skipped)


@BOTH
def test_folding_is_one_to_one_and_final(rules: TextRules) -> None:
    assert len(rules.fold_from) == len(set(rules.fold_from))
    removed = rules.fold_from[len(rules.fold_to) :]
    assert removed == ("" if rules.number == 1 else "\u00ad\u0640\u2060\ufeff")
    assert not set(rules.fold_from) & set(rules.fold_to)


def test_texts_are_prepared_in_nfkc() -> None:
    text = "ＡＢＣ ﬁ ½ e\u0301"
    assert TEXT_RULES[1].prepared(text) == text
    assert TEXT_RULES[2].prepared(text) == unicodedata.normalize("NFKC", text) != text
    long = "ｄｅｆ " * 5_000
    assert TEXT_RULES[2].prepared(long) == "def " * 5_000
    assert not any(NEWEST.prepared(one) != one for one in EVERY if one.isascii())


def test_every_emoji_is_what_it_was() -> None:
    emoji = [one for one in EVERY if is_emoji(one)]
    assert len(emoji) > 1_500
    for one in emoji:
        assert TEXT_RULES[1].tokens(f"x{one}{one} ") == TEXT_RULES[2].tokens(f"x{one}{one} ") == [one, one]


def test_every_letter_and_mark_of_a_script_in_use_makes_words() -> None:
    scripts = (
        "LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "HEBREW", "ARABIC", "SYRIAC", "THAANA", "NKO", "DEVANAGARI",
        "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "THAI",
        "LAO", "TIBETAN", "MYANMAR", "GEORGIAN", "HANGUL", "ETHIOPIC", "CHEROKEE", "CANADIAN", "KHMER", "MONGOLIAN",
        "TIFINAGH", "HIRAGANA", "KATAKANA", "BOPOMOFO", "CJK", "MEETEI MAYEK", "OL CHIKI",
    )  # fmt: skip
    # half rings, tones, tatweel, syllable om, variation selectors and the like
    signs = {0x559, 0x640, 0x7F4, 0x7F5, 0x7FA, 0x7FD, 0xF00, 0xF3E, 0xF3F, 0xFC6, 0x17DC, 0x180F, 0x2184, 0x302E}
    signs |= {0x302F, 0xA67F, 0xFB1E, 0xFE73}
    seen = 0
    for one in EVERY[:0xF800]:
        kind, name = unicodedata.category(one)[0], unicodedata.name(one, "")
        if kind in "LM" and name.startswith(scripts) and unicodedata.is_normalized("NFKC", one):
            text = f"aa{one}" if kind == "M" else one * 2
            found = "".join(NEWEST.tokens(text))
            assert (len(found) < len(text)) == (ord(one) in signs), name
            seen += 1
    assert seen > 40_000


@BOTH
@pytest.mark.parametrize("name", TEXTS)
def test_no_text_makes_the_rules_slow_or_fail(rules: TextRules, name: str) -> None:
    assert all(token for token in rules.tokens(TEXTS[name]))


@BOTH
def test_a_text_without_a_language_has_the_stop_words_of_four(rules: TextRules) -> None:
    words = rules.stop_words_of("und")
    assert {"the", "para", "não", "avec", "rt"} <= words
    assert all(word == word.lower() for word in words)
    assert rules.content_words("The storm is NOT para the coast") == ["storm", "coast"]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "de",
            "RT Die Bahn war heute pünktlich und die Sonne scheint",
            ["bahn", "heute", "pünktlich", "sonne", "scheint"],
        ),
        ("en", "they die of a sin in LA", ["die", "sin", "la"]),
        ("es", "la mesa off", ["mesa", "off"]),
        ("ja", "これは東京です", ["れは", "は東", "東京", "京で"]),
        ("th", "ของจาก กับ", ["อง", "งจา"]),
        ("ru", "он был дома", ["дома"]),
        ("xx", "the storm para mí", ["storm"]),
    ],
)
def test_stop_words_are_those_of_the_language(language: str, text: str, expected: list[str]) -> None:
    assert TEXT_RULES[2].content_words(text, language) == expected
    if language != "xx":
        assert TEXT_RULES[1].content_words(text, language) != expected


def test_stop_words_of_each_language_are_tokens() -> None:
    lists = TEXT_RULES[2].stop_words()
    assert len(lists) > 40
    assert {language for language, words in lists.items() if len(words) < 50} == set()
    for words in lists.values():
        assert [word for word in words if len(word) > 2 and not word.isascii() and NEWEST.tokens(word) != [word]] == []


def test_emoji_are_known() -> None:
    assert is_emoji("⚽")
    assert not is_emoji("ball")
    assert not is_emoji("")


EDGES = (
    *(
        "",
        "a",
        "ab",
        "ooo",
        "#",
        "#a",
        "@",
        "@a",
        "&amp",
        "&",
        ";",
        "amp;",
        "http:",
        "//x",
        "www.",
        "x's",
        "'s",
        "s",
        "`",
    ),
    *(
        "σ",
        "\u0301",
        "i",
        "\u0307",
        "\u200d",
        "\u00ad",
        "京",
        "東京",
        "ก",
        "\u0e31",
        "\u0e4d",
        "\u0e32",
        "\ufdfa",
        "\u00a8",
        "👩",
    ),
)


@BOTH
def test_no_rule_looks_beyond_a_space(rules: TextRules) -> None:
    spaces = [one for one in EVERY if one.isspace()]
    assert len(spaces) > 20
    for space, before, after in product(spaces, EDGES, EDGES):
        text = f"no{before}{space}{after}so"
        assert [word for piece in rules.pieces(text) for word in rules.tokens(piece)] == rules.tokens(text), text


@BOTH
def test_a_long_text_is_one_piece(rules: TextRules) -> None:
    """It is normalized in pieces of its own, which may cut a word."""
    text = "no, " + "e\u0301te " * 300
    assert [word for piece in rules.pieces(text) for word in rules.tokens(piece)] == rules.tokens(text)
