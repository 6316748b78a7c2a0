"""Words without a topic."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from twitter_topics.records.language import UNKNOWN

StopWords = dict[str, frozenset[str]]
"""By language. Those of `und` are for every language without words of its own."""

_OF_TWEETS = ("on Twitter", "contractions that the lists lack, and what the tokeniser leaves of others")
_MIXED, _MIXED_OF = "words of tweets that carry no topic", ("en", "es", "pt", "fr")


@cache
def of_four_languages() -> StopWords:
    """Return the stop words of English, Spanish, Portuguese, French and of tweets in general, for every language."""
    return {UNKNOWN: frozenset().union(*_sections("stop_words.txt").values())}


@cache
def of_each_language() -> StopWords:
    """Return the stop words of 46 languages, each with those of tweets in general."""
    tweets = _sections("stop_words.txt")
    everywhere, mixed = frozenset().union(*(tweets[name] for name in _OF_TWEETS)), tweets[_MIXED]
    own = _sections("stop_words_by_language.txt")
    return of_four_languages() | {
        language: words | everywhere | (mixed if language in _MIXED_OF else frozenset())
        for language, words in own.items()
    }


def _sections(name: str) -> dict[str, frozenset[str]]:
    """Return the words under each comment line of a file. A comment without words below it is none."""
    sections: dict[str, set[str]] = {}
    title = ""
    for line in files(__package__).joinpath(name).read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            title = line[2:]
        elif line:
            sections.setdefault(title, set()).add(line)
    return {title: frozenset(words) for title, words in sections.items()}
