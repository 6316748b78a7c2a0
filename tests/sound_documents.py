"""What must hold for the document of any tweet: every value fits the index's mapping, and no metric is negative."""

from __future__ import annotations

import math
from typing import Any

from twitter_topics.classification.document import search_document
from twitter_topics.classification.sentiment import is_scored, sentiment
from twitter_topics.records.content import Content
from twitter_topics.records.processed import processed_fields, processed_value
from twitter_topics.records.tweet import Tweet
from twitter_topics.search.index import MAPPINGS
from twitter_topics.topic_models.scoring.text import tokens

_LIMITS = {"integer": 2**31, "long": 2**63, "date": 2**63}


def check_document(tweet: Tweet) -> dict[str, Any]:
    """Make the document of a tweet as the classifier does, check it against the mapping, and return it."""
    content = Content(tweet.body)
    assert all(tokens(content.prose))
    felt = sentiment(content.text) if is_scored(content, {"en"}) else None
    counted = processed_fields(
        tweet_id=tweet.tweet_id,
        event_time_ms=tweet.event_time_ms,
        model_version="v",
        topics=[(1, 1.0)],
        labels={1: "a"},
        sentiment=None if felt is None else felt.numbers(),
        raw_topic_id="t",
        raw_partition=0,
        raw_offset=0,
    )
    assert processed_value(counted)
    made = search_document(tweet, content, topics=[(1, 1.0)], labels={1: "a"}, sentiment=felt, counted=counted)
    _check(made, MAPPINGS["properties"])
    assert min(number for name, number in made["metrics"].items() if name != "is_retweet") >= 0
    return made


def _check(made: dict[str, Any], properties: dict[str, Any]) -> None:
    assert made.keys() <= properties.keys()
    for name, value in made.items():
        field = properties[name]
        for one in value if isinstance(value, list) else [value]:
            if "properties" in field:
                _check(one, field["properties"])
            else:
                assert _fits(one, field), (name, one)


def _fits(value: Any, field: dict[str, Any]) -> bool:
    match field["type"]:
        case "keyword":  # Lucene's limit for a term is 32,766 bytes
            return isinstance(value, str) and len(value.encode()) < 32_766
        case "text":
            return isinstance(value, str) and value.encode() is not None
        case "boolean":
            return isinstance(value, bool)
        case "float":
            return isinstance(value, float) and math.isfinite(value)
        case "object":
            return isinstance(value, dict)
        case kind:
            return type(value) is int and -_LIMITS[kind] <= value < _LIMITS[kind]
