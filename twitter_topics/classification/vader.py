"""VADER with the same results in linear time.

The library (vaderSentiment 3.3.2) lower-cases all words of the text again for each sentiment-laden word, and looks each
sentiment up in a list of all: a text of 20,000 emoji takes minutes. The overridden methods look at no more than three
words before a word and two after it, so they get just those.
"""

from __future__ import annotations

from collections import defaultdict
from heapq import heappop, heappush
from typing import Any

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

_BEFORE, _AFTER = 3, 2


class LinearAnalyzer(SentimentIntensityAnalyzer):
    """Same scores as its base class."""

    @staticmethod
    def _special_idioms_check(valence: float, words_and_emoticons: list[str], i: int) -> Any:
        words, at = _near(words_and_emoticons, i)
        return SentimentIntensityAnalyzer._special_idioms_check(valence, words, at)

    @staticmethod
    def _negation_check(valence: float, words_and_emoticons: list[str], start_i: int, i: int) -> Any:
        words, at = _near(words_and_emoticons, i)
        return SentimentIntensityAnalyzer._negation_check(valence, words, start_i, at)

    @staticmethod
    def _but_check(words_and_emoticons: list[str], sentiments: list[float]) -> list[float]:
        """Weaken what precedes the first "but" and strengthen what follows.

        The library scales, for each sentiment in turn, the first one of the same value, which may be another.
        """
        lowered = [word.lower() for word in words_and_emoticons]
        if "but" not in lowered:
            return sentiments
        but = lowered.index("but")
        places: defaultdict[float, list[int]] = defaultdict(list)
        for place, value in enumerate(sentiments):
            places[value].append(place)
        for at in range(len(sentiments)):
            value = sentiments[at]
            first = places[value][0]
            if first != but:
                heappop(places[value])
                sentiments[first] = value * (0.5 if first < but else 1.5)
                heappush(places[sentiments[first]], first)
        return sentiments


def _near(words: list[str], at: int) -> tuple[list[str], int]:
    """Return the words around a place, and the place among them."""
    start = max(0, at - _BEFORE)
    return words[start : at + _AFTER + 1], at - start
