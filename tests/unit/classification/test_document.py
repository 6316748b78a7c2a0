"""The search document has every field to count and filter, whatever the tweet looks like."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sound_documents import check_document
from twitter_topics.classification.document import search_document
from twitter_topics.classification.sentiment import Sentiment, is_scored, sentiment
from twitter_topics.records.content import Content
from twitter_topics.records.processed import NO_TOPIC, NO_TOPIC_LABEL
from twitter_topics.records.tweet import Tweet
from twitter_topics.search.index import index_name

TEXT = "Good #Coffee with @anna ☕ https://example.org/x"


COUNTED = {"tweet_id": "7", "model_version": "v1", "raw_partition": 2, "raw_offset": 9}


def document(body: dict[str, Any], topics: list[tuple[int, float]] | None = None) -> dict[str, Any]:
    content = Content(body)
    return search_document(
        Tweet("7", 1_793_491_203_000, "twitter", body),
        content,
        topics=topics or [(3, 0.75), (1, 0.25)],
        labels={3: "coffee · morning", 1: "trains"},
        sentiment=Sentiment(0.5, 0.1, 0.2) if is_scored(content, {"en"}) else None,
        counted=COUNTED,
    )


def test_metrics_are_counted_from_text_and_tweet() -> None:
    made = document(
        {
            "text": TEXT,
            "lang": "en",
            "user": {"id_str": "5", "screen_name": "bo", "followers_count": 12, "verified": True},
            "retweet_count": 4,
            "retweeted_status": {"text": TEXT},
        }
    )
    assert made["metrics"] == {
        "length": len(TEXT),
        "words": 6,
        "hashtags": 1,
        "mentions": 1,
        "urls": 1,
        "emoji": 1,
        "retweets": 4,
        "favorites": 0,
        "is_retweet": True,
    }
    assert made["hashtags"] == ["coffee"]
    assert made["user"] == {"id": "5", "screen_name": "bo", "followers": 12, "verified": True}


@pytest.mark.parametrize(
    ("text", "lang", "code", "known_from", "has_sentiment"),
    [
        ("I am sad", "en", "en", "source", True),
        ("Die Bahn war heute pünktlich und die Sonne scheint", "de", "de", "source", False),
        ("Die Bahn war heute pünktlich und die Sonne scheint", None, "de", "text", False),
        ("no quiero ir al trabajo hoy por la mañana", "und", "es", "text", False),
        ("I really love this lovely city so much", None, "en", "text", True),
        ("no", None, "und", "unknown", False),
    ],
)
def test_only_posts_in_the_language_of_the_lexicons_have_a_sentiment(
    text: str, lang: str | None, code: str, known_from: str, has_sentiment: bool
) -> None:
    made = document({"text": text, "lang": lang})
    assert (made["lang"], made["lang_known_from"], "sentiment" in made) == (code, known_from, has_sentiment)


def test_all_languages_can_have_a_sentiment() -> None:
    assert is_scored(Content({"text": "no", "lang": "es"}), {"all"})
    assert is_scored(Content({"text": "no", "lang": "es"}), {"en", "es"})


@pytest.mark.parametrize(
    ("said", "counted"),
    [("12", 12), (" 7 ", 7), (2.0, 2), (3, 3), (None, 0), ("-1", 0), (-1, 0), ("1e3", 0), (True, 0), (1e300, 0)],
)
def test_counts_may_be_text(said: object, counted: int) -> None:
    made = document({"text": TEXT, "retweet_count": said, "user": {"followers_count": said}})
    assert (made["metrics"]["retweets"], made["user"]["followers"]) == (counted, counted)


def test_a_name_is_as_its_owner_wrote_it() -> None:
    assert document({"text": TEXT, "user": {"name": "Tom &amp; Ann"}})["user"]["name"] == "Tom & Ann"


@pytest.mark.parametrize("user", [{"id_str": "42"}, {"id": 42}, {"id_str": 42}, {"id_str": None, "id": "42"}])
def test_the_author_is_known_whichever_way_its_id_is_written(user: dict[str, Any]) -> None:
    assert document({"text": TEXT, "user": user})["user"].get("id") == "42"


def test_an_id_that_lost_its_digits_is_no_author() -> None:
    assert "id" not in document({"text": TEXT, "user": {"id": 1.99e18}})["user"]


def test_the_dominant_topic_comes_with_its_label() -> None:
    made = document({"text": TEXT})
    assert (made["topic_id"], made["topic_label"], made["topic_share"]) == (3, "coffee · morning", 0.75)
    assert (made["counted"], made["counted_topic_id"]) == (COUNTED, 3)
    assert (made["model_version"], made["raw_partition"], made["raw_offset"]) == ("v1", 2, 9)


@pytest.mark.parametrize(
    ("shares", "ids"),
    [
        ([1.0], [0]),
        ([0.75, 0.25], [0, 1]),
        ([0.95, 0.05], [0]),
        ([0.9, 0.1], [0, 1]),
        ([0.3, 0.25, 0.2, 0.15, 0.1], [0, 1, 2]),
        ([0.09] * 11, [0]),
    ],
)
def test_the_main_topics_are_searchable(shares: list[float], ids: list[int]) -> None:
    assert document({"text": TEXT}, list(enumerate(shares)))["topic_ids"] == ids


def test_links_are_searchable_by_value_and_domain() -> None:
    urls = [{"url": "https://t.co/1", "expanded_url": "https://www.Example.org/a?b=c"}, {"url": "http://b.example/"}, 5]
    made = document({"text": TEXT, "entities": {"urls": [*urls, {"expanded_url": "http://[broken"}, {"url": None}]}})
    assert made["links"] == ["https://www.Example.org/a?b=c", "http://b.example/", "http://[broken"]
    assert made["link_domains"] == ["example.org", "b.example"]
    assert document({"text": TEXT})["links"] == ["https://example.org/x"]
    assert document({"text": "www.example.org/a"})["link_domains"] == ["example.org"]


def test_a_tweet_without_a_topic_is_labelled_so() -> None:
    made = document({"text": "?"}, [(NO_TOPIC, 1.0)])
    assert (made["topic_id"], made["topic_label"]) == (NO_TOPIC, NO_TOPIC_LABEL)


odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.text(max_size=300),
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("lang", "user", "entities", "retweet_count", "favorite_count", "retweeted_status"), odd
        ),
    ),
)
def test_malformed_fields_never_reject_a_tweet_and_its_document_fits_the_mapping(
    text: str, fields: dict[str, Any]
) -> None:
    check_document(Tweet("7", 1_793_491_203_000, "twitter", {"text": text} | fields))


def test_lone_surrogates_can_be_stored() -> None:
    document({"text": "half \ud83d an emoji"})["text"].encode("utf-8")


@pytest.mark.parametrize(
    ("stamp", "name"),
    [(1_793_491_199_999, "tweets-2026.10.31"), (1_793_491_200_000, "tweets-2026.11.01"), (0, "tweets-1970.01.01")],
)
def test_the_index_is_that_of_the_utc_day(stamp: int, name: str) -> None:
    assert index_name("tweets", stamp) == name


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("What a wonderful, great day! I love it", "positive"),
        ("This is horrible. The worst train ever, I hate it", "negative"),
        ("The train leaves at nine", "neutral"),
        ("", "neutral"),
    ],
)
def test_sentiment_has_the_sign_a_person_would_give(text: str, label: str) -> None:
    scored = sentiment(text)
    assert scored.label == label
    assert -1 <= scored.compound <= 1
    assert -1 <= scored.polarity <= 1
    assert 0 <= scored.subjectivity <= 1
