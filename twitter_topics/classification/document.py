"""The search document of a tweet: the fields to show, count and filter.

A malformed field never rejects a tweet: it is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from twitter_topics.classification.sentiment import Sentiment
from twitter_topics.records.content import Content, as_read
from twitter_topics.records.processed import NO_TOPIC, NO_TOPIC_LABEL
from twitter_topics.records.tweet import TWITTER, Tweet, user_identity
from twitter_topics.search.index import MAX_TOPICS, MIN_TOPIC_SHARE

_MAX_KEYWORD = 256
_MAX_LINK, _MAX_LINKS = 512, 100


def search_document(
    tweet: Tweet,
    content: Content,
    *,
    topics: list[tuple[int, float]],
    labels: dict[int, str],
    sentiment: Sentiment | None,
    counted: Mapping[str, Any],
    edit: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """Return the document of one tweet for the mapping in search.index.

    Args:
        content: of the tweet.
        topics: (topic id, share), dominant first; `[(NO_TOPIC, 1.0)]` if it has none.
        labels: label of each topic id.
        sentiment: None for a language that it is not measured in: the document has none either.
        counted: records.processed.processed_fields of the tweet.
        edit: if the record is an edit, when Kafka received it (Unix ms), and the offset that orders it among edits.
    """
    body, text = tweet.body, content.text
    hashtags = [_storable(name)[:_MAX_KEYWORD] for name in content.hashtags]
    links = list(dict.fromkeys([_storable(link)[:_MAX_LINK] for link in content.links[:_MAX_LINKS]]))
    language = content.language
    topic_id, share = topics[0]
    document: dict[str, Any] = {
        "tweet_id": tweet.tweet_id,
        "created_at": tweet.event_time_ms,
        "text": _storable(text),
        "lang": language.code,
        "lang_known_from": language.known_from,
        "source": tweet.source[:_MAX_KEYWORD],
        "hashtags": hashtags,
        "links": links,
        "link_domains": list(dict.fromkeys(filter(None, map(_domain, links)))),
        "user": _user(body.get("user"), escaped=tweet.source == TWITTER),
        "topic_id": topic_id,
        "topic_label": topic_label(topic_id, labels),
        "topic_share": round(share, 4),
        "topic_ids": [topic_id, *(other for other, part in topics[1:MAX_TOPICS] if part >= MIN_TOPIC_SHARE)],
        "metrics": {
            "length": len(text),
            "words": len(text.split()),
            "hashtags": len(hashtags),
            "mentions": content.mention_count,
            "urls": content.url_count,
            "emoji": content.emoji_count,
            "retweets": _count(body.get("retweet_count")),
            "favorites": _count(body.get("favorite_count")),
            "is_retweet": isinstance(body.get("retweeted_status"), dict),
        },
        "model_version": counted["model_version"],
        "raw_partition": counted["raw_partition"],
        "raw_offset": counted["raw_offset"],
        "counted": counted,
        "counted_topic_id": topic_id,
        "counted_model_version": counted["model_version"],
    }
    if sentiment is not None:
        document["sentiment"] = sentiment.numbers() | {"label": sentiment.label}
    if edit is not None:
        document["edited_at"], document["edit_offset"] = edit
    return document


def topic_label(topic_id: int, labels: dict[int, str]) -> str:
    """Return the label of a topic, including NO_TOPIC."""
    return NO_TOPIC_LABEL if topic_id == NO_TOPIC else labels.get(topic_id, f"topic {topic_id}")


def _user(user: Any, *, escaped: bool) -> dict[str, Any]:
    if not isinstance(user, dict):
        return {}
    name = _keyword(user.get("name"))
    shown = {
        "id": _keyword(user_identity(user)),
        "screen_name": _keyword(user.get("screen_name")),
        "name": as_read(name) if escaped else name,
    }
    return {
        **{key: value for key, value in shown.items() if value},
        "followers": _count(user.get("followers_count")),
        "verified": user.get("verified") is True,
    }


def _domain(link: str) -> str:
    """Return the host of a link without `www.`; empty if it has none."""
    try:
        host = urlsplit(link if "://" in link else f"http://{link}").hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.")[:_MAX_KEYWORD]


def _count(value: Any) -> int:
    """Return a count, which files also give as text or as a float; 0 for what is none."""
    if type(value) is int:  # nearly always
        return value if 0 <= value < 2**53 else 0
    if isinstance(value, str):
        digits = value.strip()
        value = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        return 0
    return int(value)


def _keyword(value: Any) -> str:
    return _storable(value)[:_MAX_KEYWORD] if isinstance(value, str) else ""


def _storable(text: str) -> str:
    """Replace lone surrogates, which JSON can contain and UTF-8 cannot encode."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
