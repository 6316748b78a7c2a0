"""Hostile tweets: what reaches which library, and how long it may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import textblob.en
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from twitter_topics.classification import sentiment
from twitter_topics.classification.document import search_document
from twitter_topics.classification.sentiment import MAX_CHARACTERS
from twitter_topics.records.content import Content
from twitter_topics.records.tweet import MAX_BYTES, Rejection, TimeBounds, Tweet, read_tweet
from twitter_topics.testing.hostile import TEXTS, hostile_values
from twitter_topics.topic_models.scoring.text import content_words

NOW = 1_794_999_600_000

LIBRARY = SentimentIntensityAnalyzer()
SENTIMENT_SECONDS = 0.1
TEXT_SECONDS = 1.0
"""Limits for one text on a slow machine. What is quadratic takes minutes on these texts."""


@pytest.fixture(autouse=True)
def _loaded() -> None:
    sentiment.sentiment("load the lexicons")


def seconds(call: Callable[[], Any]) -> float:
    """Return the CPU time of the faster of two calls."""
    taken = []
    for _ in range(2):
        began = time.process_time()
        call()
        taken.append(time.process_time() - began)
    return min(taken)


@pytest.mark.parametrize("name", TEXTS)
def test_sentiment_is_quick_and_that_of_the_libraries_for_the_beginning(name: str) -> None:
    assert seconds(lambda: sentiment.sentiment(TEXTS[name])) < SENTIMENT_SECONDS
    beginning = TEXTS[name][:MAX_CHARACTERS]
    polarity, subjectivity = textblob.en.sentiment(beginning)
    compound = LIBRARY.polarity_scores(beginning)["compound"]
    expected = sentiment.Sentiment(compound, round(polarity, 4), round(subjectivity, 4))
    assert sentiment.sentiment(TEXTS[name]) == expected
    assert sentiment.compound(TEXTS[name]) == compound, "both layers see the same"


def test_sentiment_sees_only_the_beginning() -> None:
    filled = "x" * (MAX_CHARACTERS - 5)
    assert sentiment.sentiment(filled + " good").label == "positive"
    assert sentiment.sentiment(filled + "  good").label == "neutral"


def everything_in(text: str, network: str) -> object:
    """What is found in a text without entities."""
    content = Content({"text": text, "source_network": network, "entities": {"emojis": [{"shortcode": "a"}]}})
    counts = content.url_count, content.mention_count, content.emoji_count
    return content.prose, content.hashtags, content.links, content.language, counts


@pytest.mark.parametrize("name", TEXTS)
def test_words_and_metrics_of_a_whole_text_are_quick(name: str) -> None:
    text = TEXTS[name]
    assert seconds(lambda: content_words(text)) < TEXT_SECONDS
    for network in ("twitter", "bluesky", "mastodon"):
        assert seconds(lambda network=network: everything_in(text, network)) < TEXT_SECONDS  # type: ignore[misc]


def test_every_hostile_tweet_ends_as_a_document_or_as_a_rejection() -> None:
    documents = 0
    for value in hostile_values(NOW):
        read = read_tweet(value, NOW, TimeBounds())
        if isinstance(read, Rejection):
            assert read.reason.split(":")[0] in ("json", "size", "encoding")
            continue
        documents += 1
        _document(read)["text"].encode()
        assert len(value) <= MAX_BYTES
    assert documents >= len(TEXTS), "the texts are valid tweets"


def _document(tweet: Tweet) -> dict[str, Any]:
    content = Content(tweet.body)
    return search_document(
        tweet,
        content,
        topics=[(0, 1.0)],
        labels={0: "a"},
        sentiment=sentiment.sentiment(content.text),
        counted={"model_version": "v1", "raw_partition": 0, "raw_offset": 0},
    )
