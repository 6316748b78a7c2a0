"""Words again from the overlapping pairs that text rules make of scripts without spaces, for labels."""

from __future__ import annotations

from collections.abc import Mapping

from twitter_topics.topic_models.scoring.text import pieces_of_pair

_ALIKE = 2 / 3
"""Least ratio of the frequencies of two pairs from one word."""

_LONGEST = {"han": 4}
"""In pieces. A longer run of Han characters is a phrase."""


def join_pairs(shares: Mapping[str, float]) -> list[str]:
    """Join pairs that overlap and are about as frequent (サッ ッカ カー → サッカー), in the place of the first of them,
    and put those of Japanese grammar (れた, を見) last.

    Pairs in one script are joined: Han, Katakana, or the syllables of Thai, Lao, Khmer and Burmese.

    Args:
        shares: frequency of each word, most telling first.
    """
    pieces = {word: found for word in shares if (found := pieces_of_pair(word))}
    free = {word: script for word in pieces if (script := _script(*pieces[word]))}
    words, grammar = [], []
    for word, share in shares.items():
        if word not in pieces:
            words.append(word)
        elif word in free:
            alike = {
                one: shares[one]
                for one, script in free.items()
                if one != word and script == free[word] and _ALIKE <= shares[one] / share <= 1 / _ALIKE
            }
            chain = _chain(word, alike, pieces, _LONGEST.get(free[word], len(shares) + 1) - 1, share)
            free = {one: script for one, script in free.items() if one not in chain}
            words.append(chain[0] + "".join(pieces[one][1] for one in chain[1:]))
        elif not _script(*pieces[word]):
            grammar.append(word)
    return words + grammar


def is_part_of(word: str, others: list[str]) -> bool:
    """Return whether a pair stands in one of the other words."""
    return pieces_of_pair(word) is not None and any(word in other for other in others)


def _chain(
    word: str, alike: dict[str, float], pieces: Mapping[str, tuple[str, str]], longest: int, share: float
) -> list[str]:
    """Return the pairs of one word in order; of several that could follow, the one closest in frequency does."""
    by_closeness = sorted(alike, key=lambda one: max(alike[one] / share, share / alike[one]))
    chain = [word]
    for end, side in ((-1, 1), (0, 0)):
        while len(chain) < longest:
            edge = pieces[chain[end]][side]
            found = next((one for one in by_closeness if one not in chain and pieces[one][1 - side] == edge), None)
            if found is None:
                break
            chain.insert(len(chain) if side else 0, found)
    return chain


def _script(first: str, second: str) -> str | None:
    """Return the script of both pieces; None if they differ, or for Hiragana."""
    scripts = {_script_of(piece[0]) for piece in (first, second)}
    return None if len(scripts) > 1 else scripts.pop()


def _script_of(character: str) -> str | None:
    if "\u3040" <= character <= "\u309f":
        return None
    if "\u30a0" <= character <= "\u31ff":
        return "katakana"
    return "han" if character >= "\u3000" else "syllables"
