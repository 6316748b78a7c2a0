"""Sentiment of a text: VADER's compound, and TextBlob's polarity and subjectivity.

VADER: Hutto & Gilbert (2014), "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text".
TextBlob: the pattern lexicon, without its tokenizers, which need corpora from the network.

`vader` and `pattern` give the libraries' numbers to the last bit. The lexicons are loaded at the first text. They are
English: the German article "die" would make everybody sad. So only posts in SENTIMENT_LANGUAGES have a sentiment.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from twitter_topics.records.content import Content

if TYPE_CHECKING:
    from collections.abc import Collection

    from twitter_topics.classification.pattern import Pattern
    from twitter_topics.classification.vader import Vader

MAX_CHARACTERS = 1_000
"""Only so much of a text is scored. Posts are shorter (X 280, Bluesky 300, Mastodon 500), the compound of a longer text
is close to -1 or 1 anyway, and no text of this length takes 0.1 s."""

NEUTRAL_BAND = 0.05
"""Compounds between -0.05 and 0.05 are neutral (the threshold of VADER's authors)."""


class Sentiment(NamedTuple):
    """compound and polarity in [-1, 1], subjectivity in [0, 1]."""

    compound: float
    polarity: float
    subjectivity: float

    def numbers(self) -> dict[str, float]:
        """Return the three numbers by name."""
        return {"compound": self.compound, "polarity": self.polarity, "subjectivity": self.subjectivity}

    @property
    def label(self) -> str:
        """positive, neutral or negative, by the compound."""
        if self.compound >= NEUTRAL_BAND:
            return "positive"
        return "negative" if self.compound <= -NEUTRAL_BAND else "neutral"


ALL_LANGUAGES = "all"
"""In SENTIMENT_LANGUAGES: every post has a sentiment, whatever its language."""


def is_scored(content: Content, languages: Collection[str]) -> bool:
    """Return whether a post has a sentiment: it is in one of SENTIMENT_LANGUAGES."""
    return ALL_LANGUAGES in languages or content.language.code in languages


def sentiment(text: str) -> Sentiment:
    """Score the beginning of one text. Deterministic; never raises."""
    return _sentiment(text[:MAX_CHARACTERS])


@lru_cache(maxsize=1 << 12)  # a retweet says what has been said
def _sentiment(text: str) -> Sentiment:
    polarity, subjectivity = _pattern().averages(text)
    return Sentiment(_vader().compound(text), round(polarity, 4), round(subjectivity, 4))


def compound(text: str) -> float:
    """Return only VADER's compound of the beginning of one text, in [-1, 1]."""
    return _vader().compound(text[:MAX_CHARACTERS])


@cache
def _vader() -> Vader:
    from twitter_topics.classification.vader import Vader

    return Vader()


@cache
def _pattern() -> Pattern:
    from twitter_topics.classification.pattern import Pattern

    return Pattern()
