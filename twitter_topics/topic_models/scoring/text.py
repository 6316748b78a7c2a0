"""From the text of a tweet to its words, by the rules that a model was trained with."""

from __future__ import annotations

import re

from twitter_topics.topic_models.scoring import text_rules_1, text_rules_2
from twitter_topics.topic_models.scoring.text_rules import EMOJI, TextRules

TEXT_RULES: dict[int, TextRules] = {rules.number: rules for rules in (text_rules_1.RULES, text_rules_2.RULES)}
"""Rules by number. A model works only with its own, so rules stay here as long as a kept model names them."""

NEWEST = TEXT_RULES[max(TEXT_RULES)]
"""The rules of new models."""

tokens, content_words = NEWEST.tokens, NEWEST.content_words
"""By the newest rules."""


def pieces_of_pair(word: str) -> tuple[str, str] | None:
    """Return the two characters or syllables of a pair from a text without spaces; None for another word."""
    match = text_rules_2.pair(word)
    if match is None:
        return None
    first, second = (piece for piece in match.groups() if piece is not None)
    return first, second


_is_emoji = re.compile(f"[{EMOJI}]").fullmatch


def is_emoji(token: str) -> bool:
    """Return whether a token is an emoji."""
    return _is_emoji(token) is not None
