"""The search document of a tweet: the fields to show, count and filter.

A malformed field never rejects a tweet: it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from twitter_topics.classification.sentiment import Sentiment
from twitter_topics.records.processed import NO_TOPIC, NO_TOPIC_LABEL
from twitter_topics.records.tweet import Tweet
from twitter_topics.search.index import MAX_TOPICS, MIN_TOPIC_SHARE

_EMOJI = re.compile("[\u2600-\u27bf\u2b05-\u2b55\U0001f1e6-\U0001f1ff\U0001f300-\U0001f3fa\U0001f400-\U0001faff]")
_URL = re.compile(r"https?://[!-~]+|www[.][!-~]+")
_MENTION = re.compile(r"@[A-Za-z0-9_]+")
_HASHTAG = re.compile(r"#(\w+)")
_MAX_KEYWORD = 256
_MAX_LINK, _MAX_LINKS = 512, 100


def search_document(
    tweet: Tweet,
    text: str,
    *,
    topics: list[tuple[int, float]],
    labels: dict[int, str],
    sentiment: Sentiment,
    counted: Mapping[str, Any],
    edited_at_ms: int | None = None,
) -> dict[str, Any]:
    """Return the document of one tweet for the mapping in search.index.

    Args:
        text: records.tweet.tweet_text of the tweet.
        topics: (topic id, share), dominant first; `[(NO_TOPIC, 1.0)]` if the model knows no word.
        labels: label of each topic id.
        counted: records.processed.processed_fields of the tweet.
        edited_at_ms: when Kafka received the record, if it is an edit.
    """
    body = tweet.body
    hashtags, links = _hashtags(body, text), _links(body, text)
    topic_id, share = topics[0]
    edit = {} if edited_at_ms is None else {"edited_at": edited_at_ms, "edit_offset": counted["raw_offset"]}
    return edit | {
        "tweet_id": tweet.tweet_id,
        "created_at": tweet.event_time_ms,
        "text": _storable(text),
        "lang": _keyword(body.get("lang")) or "und",
        "source": tweet.source[:_MAX_KEYWORD],
        "hashtags": hashtags,
        "links": links,
        "link_domains": list(dict.fromkeys(filter(None, map(_domain, links)))),
        "user": _user(body.get("user")),
        "topic_id": topic_id,
        "topic_label": topic_label(topic_id, labels),
        "topic_share": round(share, 4),
        "topic_ids": [topic_id, *(other for other, part in topics[1:MAX_TOPICS] if part >= MIN_TOPIC_SHARE)],
        "sentiment": sentiment.numbers() | {"label": sentiment.label},
        "metrics": {
            "length": len(text),
            "words": len(text.split()),
            "hashtags": len(hashtags),
            "mentions": len(_MENTION.findall(text)) if "@" in text else 0,
            "urls": max(len(_entities(body, "urls")), len(_urls(text))),
            "emoji": 0 if text.isascii() else len(_EMOJI.findall(text)),
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
    names = [one.get("text") for one in _entities(body, "hashtags") if isinstance(one, dict)]
    found = [name for name in names if isinstance(name, str) and name]
    if not found and "#" in text:
        found = _HASHTAG.findall(text)
    return list(dict.fromkeys(_storable(name.lower())[:_MAX_KEYWORD] for name in found))


def _links(body: dict[str, Any], text: str) -> list[str]:
    """Return the links of a tweet as a reader sees them: expanded where the source says so."""
    listed = [one.get("expanded_url") or one.get("url") for one in _entities(body, "urls") if isinstance(one, dict)]
    found = [link for link in listed if isinstance(link, str) and link] or _urls(text)
    return list(dict.fromkeys(_storable(link)[:_MAX_LINK] for link in found[:_MAX_LINKS]))


def _urls(text: str) -> list[str]:
    # most texts have none, and the expression is slow
    return _URL.findall(text) if "://" in text or "www." in text else []


def _domain(link: str) -> str:
    """Return the host of a link without `www.`; empty if it has none."""
    try:
        host = urlsplit(link if "://" in link else f"http://{link}").hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.")[:_MAX_KEYWORD]


def _entities(body: dict[str, Any], kind: str) -> list[Any]:
    entities = body.get("entities")
    listed = entities.get(kind) if isinstance(entities, dict) else None
    return listed if isinstance(listed, list) else []


def _count(value: Any) -> int:
    plausible = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62
    return value if plausible else 0


def _keyword(value: Any) -> str:
    return _storable(value)[:_MAX_KEYWORD] if isinstance(value, str) else ""


def _storable(text: str) -> str:
    """Replace lone surrogates, which JSON can contain and UTF-8 cannot encode."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
