"""Words again from the overlapping pairs that text rules make of scripts without spaces, for labels.

A word ends where what follows is uncertain, and begins where what precedes is: branching entropy, Jin and Tanaka-Ishii,
"Unsupervised segmentation of Chinese text by use of branching entropy", COLING/ACL 2006.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

import pyarrow as pa

from twitter_topics.topic_models.scoring.text import pieces_of_pair

_UNCERTAIN = 1.0
"""Least entropy, in bits, of what stands beside a word."""

_OFTEN = 1 / 4
"""A word in Katakana stands alone in at least this share of its places: only there do words end where the script
changes."""

_ENDING = 2 / 3
"""In this share of its places a word in Han characters is followed by the same kana if they end it (大好き)."""

_NO_ENDING = frozenset("はがをにでとのもへやかしさすせだな")
"""Particles, and forms of する and です."""

_SAMPLE = 10_000
"""Tweets that are read."""

_LEFT, _RIGHT = -1, 1

Pieces = tuple[str, ...]


class Contexts:
    """What stands beside strings of characters or syllables in tweets of one language."""

    def __init__(self, words: pa.ListArray) -> None:
        """Args: words: list<string>, those of each tweet in their order."""
        self._texts: list[Pieces] = []
        self._places: dict[Pieces, list[tuple[int, int]]] = {}
        pieces = lru_cache(maxsize=None)(pieces_of_pair)
        for tweet in words[:: max(1, len(words) // _SAMPLE)].to_pylist():
            self._read([pieces(word) for word in tweet])
        self._at = lru_cache(maxsize=None)(self._find)

    def _read(self, pairs: Iterable[tuple[str, str] | None]) -> None:
        """Put overlapping pairs of a tweet together to the texts that they are from."""
        text: list[str] = []
        for pair in (*pairs, None):
            if pair and text and text[-1] == pair[0]:
                text.append(pair[1])
                continue
            for position, both in enumerate(pairwise(text)):
                self._places.setdefault(both, []).append((len(self._texts), position))
            self._texts.append(tuple(text))
            text = list(pair or ())

    def words(self, pair: str) -> list[str]:
        """Return the words of one script that a pair is from; none for one of two scripts or Hiragana, which is mostly
        grammar (れた, を見), and for the stem of a verb."""
        pieces = pieces_of_pair(pair)
        script = _script(pieces) if pieces else None
        if pieces is None or script is None:
            return []
        found = self._parts(self._grown(pieces, script), script)
        around = [one for one in found if pair in "".join(one)] or found
        return ["".join(one) + ending for one in around if (ending := self._ending(one, script)) is not None]

    def _grown(self, pieces: Pieces, script: str) -> Pieces:
        """Return the string, longer by what is certain to stand beside it."""
        while True:
            besides = {side: self._beside(pieces, side, script) for side in (_LEFT, _RIGHT)}
            if script == "katakana" and not self._is_often_alone(pieces):
                open_sides = besides
            else:
                open_sides = {side: beside for side, beside in besides.items() if _entropy(beside) < _UNCERTAIN}
            longer = [(*_most(beside), side) for side, beside in open_sides.items() if any(beside)]
            if not longer:
                return pieces
            _, piece, side = max(longer)
            pieces = (piece, *pieces) if side == _LEFT else (*pieces, piece)

    def _parts(self, pieces: Pieces, script: str) -> list[Pieces]:
        """Return the words that run together in a string."""
        if script == "katakana":
            return [pieces]
        cuts = {
            cut: min(
                _entropy(self._beside(pieces[:cut], _RIGHT, script)),
                _entropy(self._beside(pieces[cut:], _LEFT, script)),
            )
            for cut in range(2, len(pieces) - 1)
        }
        cut = max(cuts, key=lambda one: cuts[one], default=0)
        if not cut or cuts[cut] < _UNCERTAIN:
            return [pieces]
        return self._parts(pieces[:cut], script) + self._parts(pieces[cut:], script)

    def _ending(self, pieces: Pieces, script: str) -> str | None:
        """Return the kana that ends a word in Han characters; None if there are more, as in the forms of a verb."""
        ending = ""
        while script == "han":
            share, piece = _most(self._beside((*pieces, *ending), _RIGHT, None))
            if share < _ENDING or not _is_hiragana(piece) or piece in _NO_ENDING:
                break
            if ending:
                return None
            ending = piece
        return ending

    def _is_often_alone(self, pieces: Pieces) -> bool:
        """Return whether the script changes on both sides of a string in many places."""
        places = self._at(pieces)
        alone = [
            not any(
                _script(text[place : place + 1]) == "katakana" for place in (at - 1, at + len(pieces)) if place >= 0
            )
            for number, at in places
            for text in [self._texts[number]]
        ]
        return sum(alone) >= _OFTEN * len(alone)

    def _find(self, pieces: Pieces) -> list[tuple[int, int]]:
        places = self._places.get(pieces[:2], [])
        return [(text, at) for text, at in places if self._texts[text][at : at + len(pieces)] == pieces]

    def _beside(self, pieces: Pieces, side: int, script: str | None) -> Counter[str]:
        """Count what stands beside a string; an empty string stands for the end of a text or of the script."""
        found: Counter[str] = Counter()
        for number, at in self._at(pieces):
            text, place = self._texts[number], at - 1 if side == _LEFT else at + len(pieces)
            inside = 0 <= place < len(text) and (script is None or _script(text[place : place + 1]) == script)
            found[text[place] if inside else ""] += 1
        return found


def has_pairs(words: Iterable[str]) -> bool:
    """Return whether words are pairs of a text without spaces."""
    return any(pieces_of_pair(word) for word in words)


def _entropy(beside: Counter[str]) -> float:
    """Return the entropy in bits. Each end is one of its own, as in accessor variety (Feng et al. 2004)."""
    total = max(beside.total(), 1)
    inside = (count for piece, count in beside.items() if piece)
    return (sum(-count * math.log2(count / total) for count in inside) + beside[""] * math.log2(total)) / total


def _most(beside: Counter[str]) -> tuple[float, str]:
    """Return the most frequent piece, and its share; of equal ones the last in the order of characters."""
    count, piece = max(((count, piece) for piece, count in beside.items() if piece), default=(0, ""))
    return count / max(beside.total(), 1), piece


def _script(pieces: Sequence[str]) -> str | None:
    """Return the script of all pieces; None if they differ, for Hiragana, and for none."""
    scripts = {_script_of(piece[0]) for piece in pieces}
    return scripts.pop() if len(scripts) == 1 else None


def _script_of(character: str) -> str | None:
    if _is_hiragana(character):
        return None
    if "\u30a0" <= character <= "\u31ff":
        return "katakana"
    return "han" if character >= "\u3000" else "syllables"


def _is_hiragana(piece: str) -> bool:
    return "\u3041" <= piece[:1] <= "\u309f"
