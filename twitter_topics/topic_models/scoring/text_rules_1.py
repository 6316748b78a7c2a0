"""The first text rules, of models that were trained before there were others. They never change."""

from __future__ import annotations

import re

from twitter_topics.topic_models.scoring.stop_words import of_four_languages
from twitter_topics.topic_models.scoring.text_rules import EMOJI, Replacement, TextRules, capitals, ranges

_LETTERS = "a-z" + ranges(
    # Latin, Greek, Cyrillic, Armenian (the table below folds their upper case)
    (0xAA, 0xAA), (0xB5, 0xB5), (0xBA, 0xBA), (0xDF, 0xF6), (0xF8, 0x2AF), (0x370, 0x373), (0x376, 0x377),
    (0x37B, 0x37D), (0x386, 0x3FF), (0x400, 0x481), (0x48A, 0x556), (0x561, 0x587),
    # Hebrew, Arabic, Indic scripts to Thai, Lao to Georgian, Hangul Jamo
    (0x5D0, 0x5F2), (0x620, 0x64A), (0x66E, 0x6D3), (0x904, 0x939), (0x980, 0xE30), (0xE32, 0xE33), (0xE40, 0xE46),
    (0xE80, 0x10FF), (0x1100, 0x11FF),
    # more Latin and Greek, Glagolitic and Coptic, kana, Bopomofo, Han, more Cyrillic, Hangul syllables
    (0x1E00, 0x1FBC), (0x2C00, 0x2CFF), (0x3041, 0x3096), (0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x3105, 0x318E),
    (0x3400, 0x9FFF), (0xA640, 0xA69D), (0xAC00, 0xD7A3),
)  # fmt: skip

_WORD = _LETTERS + "0-9_" + ranges(
    # combining marks, vowel signs and digits of the scripts above
    (0x300, 0x36F), (0x483, 0x487), (0x591, 0x5BD), (0x5BF, 0x5BF), (0x5C1, 0x5C2), (0x64B, 0x669), (0x670, 0x670),
    (0x6D6, 0x6DC), (0x900, 0x903), (0x93A, 0x963), (0x966, 0x96F), (0xE31, 0xE31), (0xE34, 0xE3A), (0xE47, 0xE4E),
)  # fmt: skip

_CAPITALS = capitals((0x41, 0x5B), (0xC0, 0x250), (0x370, 0x530), (0x531, 0x557), (0x1E00, 0x2000), (0xFF21, 0xFF3B))
_APOSTROPHES = "\u2019\u2018\u02bc\uff07`"
_DOTTED_CAPITAL_I = "\u0130"  # the only capital in these blocks whose lower case has two code points


def _has_address_or_entity(text: str) -> bool:
    return "@" in text or "&" in text or "http" in text or "www." in text


_ADDRESSES = "https?://[!-~]+|www[.][!-~]+|@[a-z0-9_]+|&[a-z]{2,8};|&#[0-9]{1,6};"
"""Links, mentions and HTML entities. The pattern is slow and rarely needed."""

_STRETCHED = r"([a-z])\1{2,}+"
"""`soooo`: three or more of the same letter become two."""

RULES = TextRules(
    number=1,
    compatible=False,
    fold_from=_APOSTROPHES + _DOTTED_CAPITAL_I + _CAPITALS,
    fold_to="'" * len(_APOSTROPHES) + "i" + "".join(one.lower() for one in _CAPITALS),
    replacements=(
        Replacement(_ADDRESSES, " ", in_ascii=_ADDRESSES, needed=_has_address_or_entity),
        Replacement(_STRETCHED, "$1$1", in_ascii=_STRETCHED, needed=re.compile(r"([a-z])\1\1").search),
    ),
    # a word or hashtag of two or more letters (contractions kept, possessive 's removed), or one emoji
    token=f"#?[{_LETTERS}][{_WORD}]++(?:'(?!s(?![{_WORD}]))[{_WORD}]++)*+|[{EMOJI}]",
    stop_words=of_four_languages,
)
