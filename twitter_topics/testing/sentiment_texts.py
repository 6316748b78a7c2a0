"""Made-up texts in which every rule of VADER and of TextBlob's pattern analyzer applies, alone and next to others."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from textblob import _text
from textblob.en import sentiment as pattern
from vaderSentiment.vaderSentiment import BOOSTER_DICT, NEGATE, SPECIAL_CASES, SentimentIntensityAnalyzer

_BY_NAME = ("no", "never", "so", "this", "without", "doubt", "least", "at", "very", "or", "nor", "but", "not", "n't")
_CONTRACTED = [
    "I'd",
    "I'm",
    "it's",
    "we'll",
    "they're",
    "we’ve",
    "don't",
    "Can’t",
    "mayn't",
    "'d",
    "'s'",
    "x'D",
    "rock'n'roll",
]
_ABBREVIATIONS = ["e.g.", "Mr.", "U.S.", "a.m.", "T.", "w/", "Thx.", "etc...", "i.e.,", "END-OF-SENTENCE"]
_OTHERS = [
    "train",
    "Berlin",
    "a",
    "I",
    "it",
    "is",
    "X",
    "x",
    "8",
    "3",
    "D",
    "s",
    "18",
    "@user",
    "#tag",
    "https://t.co/a",
    "co-op",
    "ein",
    "日本語",
    "naïve",
]
_MARKS = [
    "!",
    "?",
    ".",
    ",",
    "...",
    "…",
    "!!",
    "?!",
    "(!)",
    "(",
    ")",
    "-",
    '"',
    "'",
    "“",
    "”",
    ":",
    ";",
    "*",
    "_",
    "~",
    "/",
    "&",
]
_GAPS = [" "] * 12 + ["", "  ", "\n", "\n\n", "\r\n", "\t", "\xa0", "\u2003", "\x1c", " \n \n"]
_STRANGE = "\u212a\u0130\u0131\u017f\u03a3\u03c2\ufe0f\u200d\u3000\u2028\x85\u202e\ud83d\U0001f600"


class Texts:
    """An endless supply, the same for each seed."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)  # noqa: S311 - texts, not secrets
        vader = SentimentIntensityAnalyzer()
        self._laden = sorted(vader.lexicon)
        self._scored = sorted(pattern)
        self._emoji = sorted(vader.emojis)
        self._emoticons = sorted(emoticon for alike in _text.EMOTICONS.values() for emoticon in alike)
        rules = [*_BY_NAME, *NEGATE, *BOOSTER_DICT, *SPECIAL_CASES]
        self._rules = sorted({word for phrase in rules for word in (phrase, *phrase.split())})
        self._kinds: list[Callable[[], str]] = [
            self._mixed,
            self._mixed,
            self._ruled,
            self._contrasted,
            self._faces,
            self._noise,
        ]

    def __iter__(self) -> Iterator[str]:
        while True:
            yield self._draw.choice(self._kinds)()

    def contrasted(self) -> Iterator[str]:
        """Texts with "but" and words that occur several times."""
        while True:
            yield self._contrasted()

    def _mixed(self) -> str:
        sources = [
            self._laden,
            self._scored,
            self._rules,
            _OTHERS,
            _OTHERS,
            _MARKS,
            _CONTRACTED,
            _ABBREVIATIONS,
            self._emoticons,
            self._emoji,
        ]
        return self._joined([self._draw.choice(self._draw.choice(sources)) for _ in range(self._draw.randint(0, 25))])

    def _ruled(self) -> str:
        """Mostly words of rules and a few words that have a valence."""
        words = [*self._draw.choices(self._laden, k=3), *self._draw.choices(self._scored, k=3), "good", "train"]
        return self._joined(
            [
                self._draw.choice(self._rules if self._draw.random() < 0.6 else words)
                for _ in range(self._draw.randint(1, 12))
            ]
        )

    def _contrasted(self) -> str:
        words = [*self._draw.choices(self._laden, k=self._draw.randint(1, 4)), "but", "very", "train", "not"]
        drawn = [self._draw.choice(words) for _ in range(self._draw.randint(2, 40))]
        drawn.insert(self._draw.randint(0, len(drawn)), "but")
        return " ".join(map(self._cased, drawn))

    def _faces(self) -> str:
        """Emoticons, with and without spaces in them."""
        drawn = self._draw.choices(
            [*self._emoticons, "(!)", "good", "really", "not", "max", "to"], k=self._draw.randint(1, 8)
        )
        return "".join(
            character + self._draw.choice(("", "", "", " ", "  ", "\n\n"))
            for word in drawn
            for character in (*word, " ")
        )

    def _noise(self) -> str:
        alphabet = [
            *"abDPxXoO ",
            *".,;:!?()[]{}'\"-_*<>=/\\|8^3°♥",
            *_STRANGE,
            *_GAPS,
            "n't",
            "good",
            "bad",
            "no",
            *self._emoji[:20],
        ]
        return "".join(self._draw.choices(alphabet, k=self._draw.randint(0, 40)))

    def _joined(self, words: list[str]) -> str:
        pieces = []
        for word in words:
            before, after = (self._draw.choice(_MARKS) if self._draw.random() < 0.12 else "" for _ in range(2))
            pieces += [before, self._cased(word), after, self._draw.choice(_GAPS)]
        return "".join(pieces)

    def _cased(self, word: str) -> str:
        return self._draw.choice((str, str, str, str.upper, str.capitalize, str.swapcase))(word)
