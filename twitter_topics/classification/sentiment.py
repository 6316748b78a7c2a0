"""Sentiment of a text: VADER's compound, and TextBlob's polarity and subjectivity.

VADER: Hutto & Gilbert (2014), "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text".
TextBlob: the pattern lexicon, without its tokenizers, which need corpora from the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

NEUTRAL_BAND = 0.05
"""Compounds between -0.05 and 0.05 are neutral (the threshold of VADER's authors)."""


@dataclass(frozen=True, slots=True)
class Sentiment:
    """compound and polarity in [-1, 1], subjectivity in [0, 1]."""

    compound: float
    polarity: float
    subjectivity: float

    @property
    def label(self) -> str:
        """positive, neutral or negative, by the compound."""
        if self.compound >= NEUTRAL_BAND:
            return "positive"
        return "negative" if self.compound <= -NEUTRAL_BAND else "neutral"


def sentiment(text: str) -> Sentiment:
    """Score one text. Deterministic; never raises."""
    from textblob.en import sentiment as pattern_sentiment

    polarity, subjectivity = pattern_sentiment(text)
    return Sentiment(compound(text), round(polarity, 4), round(subjectivity, 4))


def compound(text: str) -> float:
    """Return only VADER's compound, in [-1, 1]."""
    return float(_vader().polarity_scores(text)["compound"])


@cache
def _vader() -> SentimentIntensityAnalyzer:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()
