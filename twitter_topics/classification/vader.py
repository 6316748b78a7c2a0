"""VADER's compound: the library's to the last bit, for a quarter of the CPU, in O(n log n) of the text's length.

The library (vaderSentiment 3.3.2) tries every rule on every word, and lower-cases the whole text for most of them. But
most words have no valence and change none. So a text is first written as codes, one character a word: what the word is
to the rules. Without a word of the lexicon the compound is 0; otherwise only such words and the three before each
count.

The rarer rules, for phrases ("kiss of death"), "least" and "without doubt", are not repeated here. Each needs a word of
`RARE`; near one, the library's own `sentiment_valence` gets the words.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from heapq import heappop, heappush
from string import punctuation
from typing import NamedTuple

from vaderSentiment.vaderSentiment import (
    B_DECR,
    B_INCR,
    BOOSTER_DICT,
    C_INCR,
    N_SCALAR,
    NEGATE,
    SentimentIntensityAnalyzer,
    SentiText,
    normalize,
)

_PHRASED = ("bad", "beating", "bomb", "bus", "die", "enough", "kind", "kiss", "shit", "sort", "yeah")
RARE = frozenset(("without", "least", *_PHRASED))
"""Each phrase has one of them, which is or precedes the word whose valence the phrase changes."""

_BEFORE, _AFTER = 3, 2
"""So many words before and after a word may change its valence."""

_INERT, _BUT, _NEGATION, _NEVER, _OR, _NOR, _RARE, _THIS = "i", "b", "n", "v", "o", "r", "a", "t"
_DAMPENER, _BOOSTER, _SO = "x", "y", "z"
_LADEN = "\x80"
"""Codes. From `_LADEN` on, each word of the lexicon has an even code, and the next odd one if it is in capitals.
Dampeners, boosters and "so" in capitals have capital letters. Other words have one code."""

_MARKED = _DAMPENER
"""The first code of words for which capitals matter."""

_NO_LETTER = "\0"
"""Stands for the ellipsis, often a shortened post's only character outside ASCII. To the rules it is the same."""

_FEW = 10
"""Looking up so many words in the text is quicker than splitting it again."""

_INCREASES = {_DAMPENER: B_DECR, _BOOSTER: B_INCR, _SO: B_INCR, "X": B_DECR, "Y": B_INCR, "Z": B_INCR}
_SHARES = (1.0, 0.95, 0.9)
"""How much of its increase a booster or dampener has as the last word before, the last but one, the last but two."""

_NEGATIONS, _SO_OR_THIS = frozenset((_NEGATION, _NEVER, _NOR)), frozenset((_SO, "Z", _THIS))


class _Words(NamedTuple):
    """What `sentiment_valence` reads of the library's SentiText."""

    words_and_emoticons: list[str]
    is_cap_diff: bool


class Vader:
    """The lexicons of the library and the codes of their words."""

    def __init__(self) -> None:
        self._library = SentimentIntensityAnalyzer()
        self._emphasis = self._library._punctuation_emphasis
        # the Kelvin sign is the one character outside ASCII that has a letter of the lexicon in lower case
        self._written_out = {"\u212a": "K"}
        self._written_out |= {emoji: f" {name}" for emoji, name in self._library.emojis.items() if len(emoji) == 1}
        near = "".join(character for character in self._written_out if character < "\U00010000")
        self._not_plain = re.compile(f"[{near}\U00010000-\U0010ffff]+")

        codes = dict.fromkeys(NEGATE, _NEGATION)
        codes |= {word: _BOOSTER if increase > 0 else _DAMPENER for word, increase in BOOSTER_DICT.items()}
        codes |= {"so": _SO, "this": _THIS, "but": _BUT, "or": _OR, "nor": _NOR, "never": _NEVER}
        codes |= dict.fromkeys(RARE, _RARE)
        self._valences: dict[str, float] = {}
        number = ord(_LADEN)
        for word, valence in self._library.lexicon.items():
            if word not in BOOSTER_DICT:
                codes[word] = code = chr(number)
                self._valences[code] = valence
                self._valences[chr(number + 1)] = _louder(valence)
                number += 2
        bare = {word: word.strip(punctuation) for word in codes}
        self._code_of_word = {word: code for word, code in codes.items() if bare[word] == word and len(word) > 2}
        self._code_of_short = {token: code for token, code in codes.items() if len(bare[token]) <= 2}

        self._no = frozenset((codes["no"], _in_capitals(codes["no"])))
        self._rare = frozenset(form for word in RARE for form in (codes[word], _in_capitals(codes[word])))
        laden, always = f"[{_LADEN}-\U0010ffff]", "".join(self._no | self._rare)
        self._influence = re.compile(f"[{always}]|[nvrxyz].?.?{laden}|{_THIS}{laden}").search

    def compound(self, text: str) -> float:
        """Return the compound of one text, in [-1, 1] and with four decimals."""
        if not text.isascii():
            text = text.replace("…", _NO_LETTER)
            if not text.isascii():
                text = self._not_plain.sub(self._write_out, text)
        lowered = text.lower()
        tokens = lowered.split()
        of_word, of_short = self._code_of_word.get, self._code_of_short.get
        # like the library: without punctuation around a word, unless that leaves fewer than three characters
        codes = "".join(
            [
                of_word(word, _INERT)
                if len(token) > 2 and len(word := token.strip(punctuation)) > 2
                else of_short(token, _INERT)
                for token in tokens
            ]
        )
        if codes.isascii():
            return 0.0
        if "n't" in lowered:
            codes = _with_contractions(codes, tokens)
        places = [place for place, code in enumerate(codes) if code >= _LADEN]
        influenced = self._influence(codes)
        marked = [place for place, code in enumerate(codes) if code >= _MARKED] if influenced else places
        loud = False
        if len(marked) > _FEW or [place for place in marked if tokens[place].upper() in text]:
            codes, loud = _with_capitals(codes, marked, text.split())
        if influenced:
            valences = [self._valence(codes, place) for place in places]
            if not self._rare.isdisjoint(codes):
                self._apply_rare_rules(valences, places, codes, _Words(text.split(), loud))
        else:
            valences = [self._valences[codes[place]] for place in places]
        if _BUT in codes:
            _weigh_around(codes.index(_BUT), places, valences)
        total = float(sum(valences))  # the library adds a 0 for every other word too, which changes no sum
        if "!" in text or "?" in text:
            emphasis = self._emphasis(text)
            total += emphasis if total > 0 else -emphasis if total < 0 else 0.0
        return _normalized(total)

    def _write_out(self, found: re.Match[str]) -> str:
        return "".join(map(self._written_out.get, found[0], found[0]))

    def _valence(self, codes: str, place: int) -> float:
        """Return the valence of a word of the lexicon after the three words before it, the last of which is first."""
        word, before = codes[place], codes[max(0, place - _BEFORE) : place][::-1]
        valence = self._valences[word]
        no = self._no
        negated = not no.isdisjoint(before[:2]) or (before[2:] in no and before[0] in (_OR, _NOR))
        if negated or (word in no and codes[place + 1 : place + 2] >= _LADEN):
            loud = ord(word) % 2
            valence = self._valences[chr(ord(word) - loud)] * N_SCALAR if negated else 0.0
            valence = _louder(valence) if loud else valence
        for distance, code in enumerate(before):
            if code >= _LADEN:
                continue
            if code in _INCREASES:
                increase = _INCREASES[code] if valence >= 0 else -_INCREASES[code]
                if code.isupper():
                    increase += C_INCR if valence > 0 else -C_INCR
                valence += increase * _SHARES[distance]
            if (distance == 2 and before[0] in _SO_OR_THIS) or (
                code == _NEVER and distance and before[distance - 1] in _SO_OR_THIS
            ):
                valence *= 1.25
            elif code in _NEGATIONS:
                valence *= N_SCALAR
        return valence

    def _apply_rare_rules(self, valences: list[float], places: list[int], codes: str, words: _Words) -> None:
        """Replace the valences near words of `RARE` by those of the library."""
        for number, place in enumerate(places):
            start = max(0, place - _BEFORE)
            if self._rare.isdisjoint(codes[start : place + 1]):
                continue
            around = words.words_and_emoticons[start : place + _AFTER + 1]
            near, at = list(map(SentiText._strip_punc_if_word, around)), place - start
            if [word.lower() for word in near[at : at + 2]] == ["kind", "of"]:
                valences[number] = 0.0
            else:
                senti_text = _Words(near, words.is_cap_diff)
                (valences[number],) = self._library.sentiment_valence(0, senti_text, near[at], at, [])


@lru_cache(maxsize=1 << 14)
def _normalized(total: float) -> float:
    compound: float = round(normalize(total), 4)
    return compound


def _with_contractions(codes: str, tokens: list[str]) -> str:
    """Return the codes with a negation for each word in n't that has no code of its own."""
    pairs = zip(codes, tokens, strict=True)
    return "".join([_NEGATION if code == _INERT and "n't" in token else code for code, token in pairs])


def _with_capitals(codes: str, marked: list[int], words: list[str]) -> tuple[str, bool]:
    """Return the codes with those of words in capitals, and whether these differ from others: not all words are."""
    loud = [place for place in marked if words[place].isupper()]
    if not loud or all(map(str.isupper, words)):
        return codes, False
    changed = list(codes)
    for place in loud:
        changed[place] = _in_capitals(codes[place])
    return "".join(changed), True


def _in_capitals(code: str) -> str:
    return code.upper() if code < _LADEN else chr(ord(code) + 1)


def _louder(valence: float) -> float:
    increase: float = C_INCR
    return valence + increase if valence > 0 else valence - increase


def _weigh_around(but: int, places: list[int], valences: list[float]) -> None:
    """Weaken what precedes the first "but" and strengthen what follows, in place.

    For each valence in turn, the library scales the first of the same value in the list as it is by then, which may be
    another one. This is part of its scores, so it stays: a heap of the places of each value finds the first quickly.
    """
    same: defaultdict[float, list[int]] = defaultdict(list)
    for number, valence in enumerate(valences):
        same[valence].append(number)
    for number in range(len(valences)):
        valence = valences[number]
        first = heappop(same[valence])
        valences[first] = valence * (0.5 if places[first] < but else 1.5)
        heappush(same[valences[first]], first)
