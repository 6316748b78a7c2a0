"""The text rules of new models: one spelling for each letter, and words in scripts that put no spaces between them.

Such a text becomes overlapping pairs, which need no dictionary. Han and kana pair single characters (東京都 → 東京
京都). Thai, Lao, Khmer and Burmese pair what is written around one consonant, often a syllable (ประเทศไทย → ประ ระเท
เทศ ศไท ไทย). A piece that stands alone is a word if it has two characters, as everywhere: ไป is one, a single Han
character is none. Hashtags stay whole.
"""

from __future__ import annotations

import re

from twitter_topics.topic_models.scoring.stop_words import of_each_language
from twitter_topics.topic_models.scoring.text_rules import EMOJI, SPACED, Replacement, TextRules, capitals, ranges

_HAN_AND_KANA = ranges(
    # iteration marks and kana, with Bopomofo; Han with its extensions
    (0x3005, 0x3007), (0x3031, 0x3035), (0x303B, 0x303C), (0x3041, 0x3096), (0x309D, 0x309F), (0x30A1, 0x30FA),
    (0x30FC, 0x30FF), (0x3105, 0x312F), (0x31A0, 0x31BF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF), (0x20000, 0x323AF),
)  # fmt: skip
_SOUND_MARKS = ranges((0x3099, 0x309A))

# Thai, Lao, Khmer, Burmese
_VOWELS_BEFORE = ranges((0xE40, 0xE44), (0xEC0, 0xEC4))
_CONSONANTS = ranges(
    (0xE01, 0xE2E), (0xE81, 0xEAE), (0xEDC, 0xEDF), (0x1000, 0x102A), (0x103F, 0x103F), (0x1050, 0x1055),
    (0x105A, 0x105D), (0x1061, 0x1061), (0x1065, 0x1066), (0x106E, 0x1070), (0x1075, 0x1081), (0x108E, 0x108E),
    (0x1780, 0x17B3), (0xA9E0, 0xA9E4), (0xA9E6, 0xA9FE), (0xAA60, 0xAA7A), (0xAA7E, 0xAA7F),
)  # fmt: skip
_SIGNS = ranges(
    (0xE31, 0xE31), (0xE34, 0xE3A), (0xE47, 0xE4E), (0xEB1, 0xEB1), (0xEB4, 0xEBC), (0xEC8, 0xECE), (0x102B, 0x1038),
    (0x103A, 0x103E), (0x1056, 0x1059), (0x105E, 0x1060), (0x1062, 0x1064), (0x1067, 0x106D), (0x1071, 0x1074),
    (0x1082, 0x108D), (0x108F, 0x108F), (0x109A, 0x109D), (0x17B4, 0x17D1), (0x17D3, 0x17D3), (0x17DD, 0x17DD),
    (0xA9E5, 0xA9E5), (0xAA7B, 0xAA7D),
)  # fmt: skip
_STACKERS = ranges((0x1039, 0x1039), (0x17D2, 0x17D2))
_VOWELS_BEHIND = ranges(
    (0xE2F, 0xE30), (0xE32, 0xE33), (0xE45, 0xE46), (0xEAF, 0xEB0), (0xEB2, 0xEB3), (0xEBD, 0xEBD), (0xEC6, 0xEC6),
    (0x17D7, 0x17D7),
)  # fmt: skip

_LETTERS = "a-z" + ranges(
    # Latin, Greek, Cyrillic, Armenian (the table below folds their upper case)
    (0xDF, 0xF6), (0xF8, 0x2AF), (0x370, 0x373), (0x376, 0x377), (0x37B, 0x37D), (0x386, 0x386), (0x388, 0x3FF),
    (0x400, 0x481), (0x48A, 0x556), (0x560, 0x588),
    # Hebrew, Arabic, Syriac, Thaana, N'Ko
    (0x5D0, 0x5F2), (0x620, 0x63F), (0x641, 0x64A), (0x66E, 0x66F), (0x671, 0x6D3), (0x6D5, 0x6D5), (0x6E5, 0x6E6),
    (0x6EE, 0x6EF), (0x6FA, 0x6FC), (0x6FF, 0x6FF), (0x710, 0x710), (0x712, 0x72F), (0x74D, 0x7A5), (0x7B1, 0x7B1),
    (0x7CA, 0x7EA), (0x860, 0x86A), (0x870, 0x887), (0x889, 0x88E), (0x8A0, 0x8C9),
    # Indic scripts (from Bengali on with their signs), Tibetan
    (0x904, 0x939), (0x93D, 0x93D), (0x950, 0x950), (0x958, 0x961), (0x971, 0xDF3), (0xF40, 0xF6C), (0xF88, 0xF8C),
    # Georgian, Hangul, Ethiopic, Cherokee, Canadian syllabics, Mongolian, Ol Chiki
    (0x10A0, 0x10FA), (0x10FC, 0x11FF), (0x1200, 0x135A), (0x1380, 0x138F), (0x13A0, 0x13FD), (0x1401, 0x166C),
    (0x166F, 0x167F), (0x1820, 0x1878), (0x1880, 0x18AA), (0x18B0, 0x18F5), (0x1C5A, 0x1C7D), (0x1C80, 0x1CBF),
    # more Latin, Greek, Glagolitic, Coptic, Georgian, Tifinagh, Ethiopic, Cyrillic, Meetei, Hangul
    (0x1D00, 0x1DBF), (0x1E00, 0x1FBC), (0x1FC2, 0x1FCC), (0x1FD0, 0x1FDB), (0x1FE0, 0x1FEC), (0x1FF2, 0x1FFC),
    (0x2C00, 0x2CE4), (0x2CEB, 0x2CF3), (0x2D00, 0x2D6F), (0x2D80, 0x2DDE), (0xA640, 0xA66E), (0xA680, 0xA69D),
    (0xA722, 0xA788), (0xA78B, 0xA7FF), (0xA8F2, 0xA8FE), (0xA960, 0xA97C), (0xAAE0, 0xAAF6), (0xAB01, 0xAB2E),
    (0xAB30, 0xABED), (0xAC00, 0xD7FB), (0x1E900, 0x1E943),
) + _HAN_AND_KANA + _VOWELS_BEFORE + _CONSONANTS + _VOWELS_BEHIND  # fmt: skip

_WORD = _LETTERS + "0-9_" + ranges(
    # combining marks, vowel signs and digits of the scripts above
    (0x300, 0x36F), (0x483, 0x487), (0x591, 0x5BD), (0x5BF, 0x5BF), (0x5C1, 0x5C2), (0x5C4, 0x5C5), (0x5C7, 0x5C7),
    (0x610, 0x61A), (0x64B, 0x669), (0x670, 0x670), (0x6D6, 0x6DC), (0x6DF, 0x6E4), (0x6E7, 0x6E8), (0x6EA, 0x6ED),
    (0x6F0, 0x6F9), (0x711, 0x711), (0x730, 0x74A), (0x7A6, 0x7B0), (0x7C0, 0x7C9), (0x7EB, 0x7F3), (0x898, 0x89F),
    (0x8CA, 0x8E1), (0x8E3, 0x903), (0x93A, 0x963), (0x966, 0x96F), (0xE50, 0xE59), (0xED0, 0xED9), (0xF18, 0xF19),
    (0xF20, 0xF29), (0xF35, 0xF35), (0xF37, 0xF37), (0xF39, 0xF39), (0xF71, 0xF84), (0xF86, 0xF87), (0xF8D, 0xFBC),
    (0x1040, 0x1049), (0x135D, 0x135F), (0x17E0, 0x17E9), (0x180B, 0x180D), (0x1AB0, 0x1ACE), (0x1C50, 0x1C59),
    (0x1DC0, 0x1DFF), (0x20D0, 0x20F0), (0x2D7F, 0x2D7F), (0xA66F, 0xA66F), (0xA674, 0xA67D), (0xA69E, 0xA69F),
    (0xA8E0, 0xA8FF), (0xFE20, 0xFE2F), (0x1E944, 0x1E94A), (0x1E950, 0x1E959),
) + _SOUND_MARKS + _SIGNS + _STACKERS  # fmt: skip

_JOINERS = "\u200c\u200d"
_TAIL = f"(?:(?:[{_JOINERS}]|'(?!s(?![{_WORD}])))[{_WORD}]++)*+"
_LONG_WORD = f"[{_LETTERS}][{_WORD}]++{_TAIL}"

_CHARACTER = f"[{_HAN_AND_KANA}][{_SOUND_MARKS}]*+"
_SYLLABLE = (
    f"[{_VOWELS_BEFORE}]?+[{_CONSONANTS}][{_SIGNS}]*+(?:[{_STACKERS}][{_CONSONANTS}][{_SIGNS}]*+)*+[{_VOWELS_BEHIND}]*+"
)
_IN_CHARACTERS = _HAN_AND_KANA + _SOUND_MARKS
_IN_SYLLABLES = _VOWELS_BEFORE + _CONSONANTS + _SIGNS + _STACKERS + _VOWELS_BEHIND


def _pairs(piece: str, inside: str) -> str:
    """Match a piece, with it and the next one as group; without group if it is the last of several."""
    return f"(?<=[{inside}]){piece}(?!{piece})|(?=({piece}(?:{piece})?+)){piece}"


pair = re.compile(f"({_CHARACTER})({_CHARACTER})|({_SYLLABLE})({_SYLLABLE})").fullmatch
"""Match a word that is a pair, with its two pieces as the groups that are not None."""

_CAPITALS = capitals((0x41, 0x5B), (0xC0, 0x250), (0x370, 0x530), (0x531, 0x557), (0x1C90, 0x1CC0), (0x1E00, 0x2000))
_APOSTROPHES = "\u2019\u2018\u02bb\u02bc`"
_OTHERS = {"\u0130": "i", "ς": "σ"}  # capital I with a dot has two code points in lower case; final sigma is set below
_REMOVED = "\u00ad\u0640\u2060\ufeff"
"""Soft hyphen, Arabic stretching, word joiners: a word is the same without them."""

_ADDRESSES = "https?://[!-~]+|www[.][!-~]+|@[a-z0-9_]++|&[a-z]{2,8};|&#[0-9]{1,6};"
"""Links, mentions and HTML entities. The pattern is slow and rarely needed."""


def _has_address_or_entity(text: str) -> bool:
    return "@" in text or "&" in text or "http" in text or "www." in text


RULES = TextRules(
    number=2,
    compatible=True,
    fold_from=_APOSTROPHES + "".join(_OTHERS) + _CAPITALS + _REMOVED,
    fold_to="'" * len(_APOSTROPHES) + "".join(_OTHERS.values()) + "".join(one.lower() for one in _CAPITALS),
    replacements=(
        # NFKC takes these vowels apart
        Replacement("\u0e4d\u0e32", "\u0e33", needed=lambda text: "\u0e4d" in text),
        Replacement("\u0ecd\u0eb2", "\u0eb3", needed=lambda text: "\u0ecd" in text),
        Replacement("i\u0307", "i", needed=lambda text: "\u0307" in text),  # as other programs fold I with a dot
        Replacement(f"σ(?!'?[{_WORD}])", "ς", needed=lambda text: "σ" in text),
        Replacement(_ADDRESSES, " ", in_ascii=_ADDRESSES, needed=_has_address_or_entity),
        # `soooo`: three or more of the same letter become two
        Replacement(
            f"([{_LETTERS}])\\1{{2,}}+",
            "$1$1",
            in_ascii=r"([a-z])\1{2,}+",
            needed=re.compile(r"([^ !-@])\1\1").search,
        ),
        Replacement(
            f"(#{_LONG_WORD})|{_pairs(_CHARACTER, _IN_CHARACTERS)}|{_pairs(_SYLLABLE, _IN_SYLLABLES)}",
            SPACED,
            needed=re.compile(f"[{_IN_CHARACTERS}{_IN_SYLLABLES}]").search,
        ),
    ),
    # a word or hashtag of two or more letters (contractions kept, possessive 's removed), or one emoji
    token=f"#?{_LONG_WORD}|[{EMOJI}]",
    stop_words=of_each_language,
)
