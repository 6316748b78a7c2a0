"""What makes words of a text, as data: Python runs it here, spark_text.py makes standard Spark stages of it.

Java and Python disagree about \\w, \\b, \\s and lower case, and both change with the Unicode version. So every
character class is an explicit range of code points, and an explicit table folds case.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from unicodedata import normalize

from twitter_topics.records.language import UNKNOWN
from twitter_topics.topic_models.scoring.stop_words import StopWords

_PIECE = 1_000


def ranges(*pairs: tuple[int, int]) -> str:
    """Return the inside of a character class, from pairs of first and last code point."""
    return "".join(chr(first) if first == last else f"{chr(first)}-{chr(last)}" for first, last in pairs)


def capitals(*blocks: tuple[int, int]) -> str:
    """Return the characters of some blocks (first code point, end) that have another character as lower case."""
    characters = (chr(code) for start, end in blocks for code in range(start, end))
    return "".join(one for one in characters if len(one.lower()) == 1 and one.lower() != one)


EMOJI = ranges(
    # without skin tones, joiners and variation selectors: a sequence yields its component emoji
    (0x2600, 0x27BF), (0x2B05, 0x2B55), (0x1F300, 0x1F3FA), (0x1F400, 0x1FAFF), (0x1F1E6, 0x1F1FF),
)  # fmt: skip


SPACED = " $1$2$3 "
"""What replaces a pattern with three groups, of which a match has at most one: that group, with spaces around it."""


@dataclass(frozen=True)
class Replacement:
    """Replace a pattern. Groups are $1, $2… in `by`; one that did not match is empty.

    in_ascii: what the pattern comes to in a text of ASCII alone; None where nothing in it can match.
    needed: a cheap test that is true for every text that it changes.
    """

    pattern: str
    by: str
    needed: Callable[[str], object]
    in_ascii: str | None = None


@dataclass(frozen=True)
class TextRules:
    """One way from a text to its words. The steps are those of the fields, in their order.

    number: names the rules in a model.
    compatible: whether `prepared` replaces compatibility characters, which no standard Spark stage does.
    fold_from, fold_to: as of SQL's `translate`: characters of `fold_from` beyond the length of `fold_to` are removed.
    replacements: applied in turn.
    token: pattern of a word.
    stop_words: words to leave out.

    Patterns are valid in Python and Java and mean the same. Quantifiers of groups are possessive: for others Java
    recurses once per repetition and overflows its stack.
    """

    number: int
    compatible: bool
    fold_from: str
    fold_to: str
    replacements: tuple[Replacement, ...]
    token: str
    stop_words: Callable[[], StopWords]

    def prepared(self, text: str) -> str:
        """Return the text as Spark's stages must get it: in NFKC, if these rules want that.

        A text over 1,000 characters is normalized in pieces, because a run of combining marks takes quadratic time.
        """
        if not self.compatible or text.isascii():
            return text
        if len(text) <= _PIECE:
            return normalize("NFKC", text)
        return "".join([normalize("NFKC", text[start : start + _PIECE]) for start in range(0, len(text), _PIECE)])

    def tokens(self, text: str) -> list[str]:
        """Return all words, hashtags and emoji of a text in order, in lower case."""
        if not text.isascii():
            text = self.prepared(text)
        if text.isascii():
            text, steps = text.lower().replace("`", "'"), self._ascii_steps
        else:
            text, steps = text.translate(self._fold), self._steps
        for needed, replace in steps:
            if needed(text):
                text = replace(text)
        return self._find(text)

    def pieces(self, text: str) -> list[str]:
        """Return pieces of a text whose `tokens` together are its own: no rule looks beyond a space. Most pieces of a
        text are in others too, so that what they come to can be remembered."""
        return [text] if len(text) > _PIECE else text.split()

    def content_words(self, text: str, language: str = UNKNOWN) -> list[str]:
        """Return `tokens` without the stop words of the language: the input of a topic model."""
        stop = self.stop_words_of(language)
        return [token for token in self.tokens(text) if token not in stop]

    def stop_words_of(self, language: str) -> frozenset[str]:
        """Return the stop words that texts of a language are read without."""
        lists = self.stop_words()
        return lists.get(language, lists[UNKNOWN])

    @cached_property
    def _steps(self) -> list[_Step]:
        return [(one.needed, _replacing(one.pattern, one.by)) for one in self.replacements]

    @cached_property
    def _ascii_steps(self) -> list[_Step]:
        return [(one.needed, _replacing(one.in_ascii, one.by)) for one in self.replacements if one.in_ascii]

    @cached_property
    def _fold(self) -> dict[int, int | None]:
        kept = len(self.fold_to)
        return str.maketrans(self.fold_from[:kept], self.fold_to, self.fold_from[kept:])

    @cached_property
    def _find(self) -> Callable[[str], list[str]]:
        return re.compile(self.token).findall


_Step = tuple[Callable[[str], object], Callable[[str], str]]


def _replacing(pattern: str, by: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)
    if by == SPACED:  # before Python 3.12, `sub` calls Python code for each match
        return lambda text: " ".join(filter(None, compiled.split(text)))
    return partial(compiled.sub, by.replace("$", "\\"))
