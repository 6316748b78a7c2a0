"""TextBlob's polarity and subjectivity: the library's to the last bit, for a fifth of the CPU.

The library (textblob 0.20.1, from pattern.en) rewrites a text with dozens of regular expressions before it looks at the
words. But what it makes of a token, the characters between two spaces, depends on that token alone. So a text is first
written as codes, one character for each word that matters, and the codes of a token are remembered by its spelling.

There is one exception: an emoticon or "(!)" may have spaces between its characters. A text where two tokens may belong
together in this way, 2 in 1,000 tweets, is left to the library.

The 65,536 tokens of up to 32 characters in the memo take less than 35 MB, and 10 MB if they are English.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from textblob import _text
from textblob.en import sentiment as library

from twitter_topics.topic_models.scoring.memo import Memo

_LONG, _SHORT, _NOT, _NO, _EXCLAMATION = "l", "s", "n", "o", "!"
"""Codes of words without a score: of more than two characters, of two, "not" and "never", "no", and "!". Others of one
character change nothing and have no code."""

_MAY_CONTINUE, _UNCERTAIN = "c", "?"
"""Before the codes of a token: it may continue an emoticon; only the library knows."""

_SCORED = "\x80"
"""From here on, there is a code for each word of the lexicon and each polarity of emoticons."""

_PUNCTUATION = _text.PUNCTUATION.replace(".", "")
_QUOTES = frozenset("“”‘’'\"")
_EMOTICONS = [emoticon for alike in _text.EMOTICONS.values() for emoticon in alike]
_JOINED = frozenset(first + second for emoticon in (*_EMOTICONS, "(!)") for first, second in pairwise(emoticon))
_CONTINUATIONS = frozenset(second for _, second in _JOINED)
"""Neighbours in emoticons, which the library also finds with a space between them, and the second of each two."""

_NO_MODIFIER, _MODIFIER, _ADVERB = 0, 1, 2
"""What a word is to the next one. An adverb in -ly also changes what a negation does ("really not good")."""


class _Scores(NamedTuple):
    polarity: float
    subjectivity: float
    intensity: float
    modifier: int
    is_emoticon: bool
    """Emoticons and "(!)" are never modified, and leave modifiers and negations to the next word."""


class Pattern:
    """The library's lexicon, and the codes of the tokens met so far."""

    def __init__(self) -> None:
        self._scores: dict[str, _Scores] = {}
        self._code_of_word = {"no": _NO, "not": _NOT, "never": _NOT, "!": _EXCLAMATION}
        self._add_emoticon("(!)", self._new_code(_Scores(0.0, 1.0, 1.0, _NO_MODIFIER, True)))
        for (_, polarity), alike in _text.EMOTICONS.items():
            code = self._new_code(_Scores(polarity, 1.0, 1.0, _NO_MODIFIER, True))
            for emoticon in alike:
                self._add_emoticon(emoticon.lower(), code)
        for word, senses in library.items():
            modifier = _NO_MODIFIER if "RB" not in senses else _ADVERB if word.endswith("ly") else _MODIFIER
            polarity, subjectivity, intensity = senses[None]
            self._code_of_word[word] = self._new_code(_Scores(polarity, subjectivity, intensity, modifier, False))
        self._codes = Memo(self._codes_of_token)

    def averages(self, text: str) -> tuple[float, float]:
        """Return polarity in [-1, 1] and subjectivity in [0, 1] of one text."""
        tokens = text.split()
        codes = "".join(map(self._codes.__getitem__, tokens))
        if _MAY_CONTINUE in codes:
            codes = _UNCERTAIN if self._may_join(tokens) else codes.replace(_MAY_CONTINUE, "")
        if _UNCERTAIN in codes:
            polarity, subjectivity = library(text)
            return polarity, subjectivity
        if codes.isascii():
            return 0.0, 0.0
        return self._averages(codes)

    def _averages(self, codes: str) -> tuple[float, float]:
        """Do what the library's `assessments` does: a list of polarity, subjectivity, intensity and whether negated."""
        found: list[list[float]] = []
        modifier, negation = _NO_MODIFIER, False
        for code in codes:
            if code == _LONG:
                modifier, negation = _NO_MODIFIER, False
            elif code >= _SCORED:
                polarity, subjectivity, intensity, modifies, is_emoticon = self._scores[code]
                if modifier and not is_emoticon:
                    last = found[-1]
                    last[:3] = _bounded(polarity * last[2]), _bounded(subjectivity * last[2]), intensity
                else:
                    found.append([polarity, subjectivity, intensity, False])
                if not is_emoticon:
                    if negation:
                        found[-1][2:] = 1.0 / found[-1][2], True
                    modifier, negation = modifies, False
            elif code == _SHORT:
                negation = False
            elif code == _EXCLAMATION:
                if found:
                    found[-1][0] = _bounded(found[-1][0] * 1.25)
            elif modifier == _ADVERB:
                found[-1][3] = True
            else:
                negation = True
                if code == _NOT:
                    modifier = _NO_MODIFIER
        polarity = subjectivity = 0.0
        for word_polarity, word_subjectivity, _, negated in found:
            polarity += word_polarity * -0.5 if negated else word_polarity
            subjectivity += word_subjectivity
        return polarity / len(found), subjectivity / len(found)

    def _may_join(self, tokens: list[str]) -> bool:
        return any(
            before[-1] + after[0] in _JOINED and self._codes[after].startswith(_MAY_CONTINUE)
            for before, after in pairwise(tokens)
        )

    def _codes_of_token(self, token: str) -> str:
        if token.isalnum() and len(token) > 1:
            return self._code(token)
        if _text.EOS in token:
            return _UNCERTAIN
        words = _words(token)
        if any(before[-1] + after[0] in _JOINED for before, after in pairwise(words)):
            words = " ".join(library.tokenizer(token)).split()
        codes = "".join(map(self._code, words))
        first = words[0]
        if first[0] in _CONTINUATIONS and (len(first) == 1 or not first[:2].isalnum()):
            return _MAY_CONTINUE + codes
        return codes

    def _code(self, word: str) -> str:
        word = word.lower()
        code = self._code_of_word.get(word)
        return _by_length(word) if code is None else code

    def _new_code(self, scores: _Scores) -> str:
        code = chr(ord(_SCORED) + len(self._scores))
        self._scores[code] = scores
        return code

    def _add_emoticon(self, emoticon: str, code: str) -> None:
        if not emoticon.isalpha() and emoticon not in _text.PUNCTUATION:
            self._code_of_word.setdefault(emoticon, _by_length(emoticon) + code)


def _words(token: str) -> list[str]:
    """Split words from quotes and punctuation, as the library's `find_tokens` does."""
    if not _QUOTES.isdisjoint(token):
        token = token.replace("n't", " n't")
        for quote in _QUOTES:
            token = token.replace(quote, f" {quote} ")
    words: list[str] = []
    for part in token.split():
        start, end = len(part) - len(part.lstrip(_PUNCTUATION)), len(part)
        after: list[str] = []
        while end > start and part[end - 1] in _text.PUNCTUATION:
            if part.endswith("...", start, end):
                after.append("...")
                end = start + len(part[start:end].rstrip("."))
            elif part[end - 1] == "." and _is_abbreviation(part[start:end]):
                break
            else:
                after.append(part[end - 1])
                end -= 1
        words += part[:start]
        if end > start:
            words.append(part[start:end])
        words += reversed(after)
    return words


def _is_abbreviation(word: str) -> bool:
    forms = (_text.RE_ABBR1, _text.RE_ABBR2, _text.RE_ABBR3)
    return word in _text.ABBREVIATIONS or any(form.match(word) for form in forms)


def _by_length(word: str) -> str:
    return _LONG if len(word) > 2 else _SHORT if len(word) == 2 else ""


def _bounded(score: float) -> float:
    return max(-1.0, min(score, 1.0))
