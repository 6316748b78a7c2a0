"""The search document of a tweet: the fields to show, count and filter.

A malformed field never rejects a tweet: it is left out.
"""

from __future__ import annotations

import re
from typing import Any

from twitter_topics.classification.sentiment import Sentiment
from twitter_topics.records.processed import NO_TOPIC, NO_TOPIC_LABEL
from twitter_topics.records.tweet import Tweet

_EMOJI = re.compile("[\u2600-\u27bf\u2b05-\u2b55\U0001f1e6-\U0001f1ff\U0001f300-\U0001f3fa\U0001f400-\U0001faff]")
_URL = re.compile(r"https?://[!-~]+|www[.][!-~]+")
_MENTION = re.compile(r"@[A-Za-z0-9_]+")
_HASHTAG = re.compile(r"#(\w+)")
_MAX_KEYWORD = 256


def search_document(
    tweet: Tweet,
    text: str,
    *,
    topics: list[tuple[int, float]],
    labels: dict[int, str],
    sentiment: Sentiment,
    model_version: str,
    raw_partition: int,
    raw_offset: int,
) -> dict[str, Any]:
    """Return the document of one tweet for the mapping in search.index.

    Args:
        text: records.tweet.tweet_text of the tweet.
        topics: (topic id, share), dominant first; `[(NO_TOPIC, 1.0)]` if the model knows no word.
        labels: label of each topic id.
    """
    body = tweet.body
    hashtags = _hashtags(body, text)
    topic_id, share = topics[0]
    return {
        "tweet_id": tweet.tweet_id,
        "created_at": tweet.event_time_ms,
        "text": _storable(text),
        "lang": _keyword(body.get("lang")) or "und",
        "source": tweet.source[:_MAX_KEYWORD],
        "hashtags": hashtags,
        "user": _user(body.get("user")),
        "topic_id": topic_id,
        "topic_label": topic_label(topic_id, labels),
        "topic_share": round(share, 4),
        "topics": [{"topic_id": i, "label": topic_label(i, labels), "share": round(s, 4)} for i, s in topics],
        "sentiment": {
            "compound": sentiment.compound,
            "label": sentiment.label,
            "polarity": sentiment.polarity,
            "subjectivity": sentiment.subjectivity,
        },
        "metrics": {
            "length": len(text),
            "words": len(text.split()),
            "hashtags": len(hashtags),
            "mentions": len(_MENTION.findall(text)),
            "urls": _url_count(body, text),
            "emoji": len(_EMOJI.findall(text)),
            "retweets": _count(body.get("retweet_count")),
            "favorites": _count(body.get("favorite_count")),
            "is_retweet": isinstance(body.get("retweeted_status"), dict),
        },
        "model_version": model_version,
        "raw_partition": raw_partition,
        "raw_offset": raw_offset,
    }


def topic_label(topic_id: int, labels: dict[int, str]) -> str:
    """Return the label of a topic, including NO_TOPIC."""
    return NO_TOPIC_LABEL if topic_id == NO_TOPIC else labels.get(topic_id, f"topic {topic_id}")


def _user(user: Any) -> dict[str, Any]:
    if not isinstance(user, dict):
        return {}
    shown = {
        "id": _keyword(user.get("id_str")),
        "screen_name": _keyword(user.get("screen_name")),
        "name": _keyword(user.get("name")),
    }
    return {key: value for key, value in shown.items() if value} | {
        "followers": _count(user.get("followers_count")),
        "verified": user.get("verified") is True,
    }


def _hashtags(body: dict[str, Any], text: str) -> list[str]:
    entities = body.get("entities")
    listed = entities.get("hashtags") if isinstance(entities, dict) else None
    names = [one.get("text") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    found = [name for name in names if isinstance(name, str) and name] or _HASHTAG.findall(text)
    return list(dict.fromkeys(_storable(name.lower())[:_MAX_KEYWORD] for name in found))


def _url_count(body: dict[str, Any], text: str) -> int:
    entities = body.get("entities")
    listed = entities.get("urls") if isinstance(entities, dict) else None
    return max(len(listed) if isinstance(listed, list) else 0, len(_URL.findall(text)))


def _count(value: Any) -> int:
    plausible = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62
    return value if plausible else 0


def _keyword(value: Any) -> str:
    return _storable(value)[:_MAX_KEYWORD] if isinstance(value, str) else ""


def _storable(text: str) -> str:
    """Replace lone surrogates, which JSON can contain and UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode("utf-8")
