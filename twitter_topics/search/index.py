"""The document that analysts search: its mapping, its index and the index template."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

_KEYWORD = {"type": "keyword", "ignore_above": 512}
_INTEGER = {"type": "integer"}
_FLOAT = {"type": "float"}

MAPPING_VERSION = 2
"""Raise it with every new field. 2: `topics` (nested) became `topic_ids`; `links`, `link_domains`, `counted`,
`edited_at`."""

MIN_TOPIC_SHARE = 0.1
MAX_TOPICS = 3
"""`topic_ids` are the topics with at least this share, at most so many; the dominant one is always among them."""

MAPPINGS: dict[str, Any] = {
    "_meta": {"version": MAPPING_VERSION},
    "dynamic": "strict",
    "properties": {
        "tweet_id": {"type": "keyword"},
        "created_at": {"type": "date", "format": "epoch_millis||strict_date_time"},
        "text": {"type": "text"},
        "lang": _KEYWORD,
        "source": _KEYWORD,
        "hashtags": _KEYWORD,
        "links": _KEYWORD,
        "link_domains": _KEYWORD,
        "user": {
            "properties": {
                "id": _KEYWORD,
                "screen_name": _KEYWORD,
                "name": {"type": "text"},
                "followers": {"type": "long"},
                "verified": {"type": "boolean"},
            }
        },
        "topic_id": _INTEGER,
        "topic_label": _KEYWORD,
        "topic_share": _FLOAT,
        "topic_ids": _INTEGER,
        "sentiment": {
            "properties": {"compound": _FLOAT, "label": _KEYWORD, "polarity": _FLOAT, "subjectivity": _FLOAT}
        },
        "metrics": {
            "properties": {
                "length": _INTEGER,
                "words": _INTEGER,
                "hashtags": _INTEGER,
                "mentions": _INTEGER,
                "urls": _INTEGER,
                "emoji": _INTEGER,
                "retweets": {"type": "long"},
                "favorites": {"type": "long"},
                "is_retweet": {"type": "boolean"},
            }
        },
        "model_version": _KEYWORD,
        "raw_partition": _INTEGER,
        "raw_offset": {"type": "long"},
        "counted": {"type": "object", "enabled": False},
        "counted_topic_id": _INTEGER,
        "counted_model_version": _KEYWORD,
        "edited_at": {"type": "date", "format": "epoch_millis||strict_date_time"},
        "edit_offset": {"type": "long"},
    },
}
"""`raw_partition` and `raw_offset` name the record that owns the document: the first one with this tweet id. `counted`
is its value in `processed_tweets`, which never changes; `counted_topic_id` is the dominant topic in it. `edited_at` and
`edit_offset` belong to the edit that is shown: when Kafka received it, and its offset in the owner's partition."""


def index_name(prefix: str, event_time_ms: int) -> str:
    """Return the daily index of a tweet, by the UTC day of its event time: `tweets-2026.11.23`."""
    return f"{prefix}-{datetime.fromtimestamp(event_time_ms / 1000, UTC):%Y.%m.%d}"


def index_day(name: str, prefix: str) -> date | None:
    """Return the UTC day of a daily index, or None for any other name."""
    match = re.fullmatch(re.escape(prefix) + r"-(\d{4})\.(\d{2})\.(\d{2})", name, re.ASCII)
    if match is None:
        return None
    year, month, day = (int(part) for part in match.groups())
    try:
        return date(year, month, day)
    except ValueError:
        return None


def about_topic(topic_id: int) -> dict[str, Any]:
    """Query the documents with a topic among theirs, in indices of any version.

    Version 1 had a nested `topics`, with every share from 1 %; the share limit is that of `topic_ids`.
    """
    share = {"range": {"topics.share": {"gte": MIN_TOPIC_SHARE}}}
    nested = {"bool": {"filter": [{"term": {"topics.topic_id": topic_id}}, share]}}
    return {
        "bool": {
            "should": [
                {"term": {"topic_ids": topic_id}},
                {"nested": {"path": "topics", "ignore_unmapped": True, "query": nested}},
            ]
        }
    }


def mapping_version(mapping: dict[str, Any]) -> int:
    """Return the version of an index's mapping; 1 if it has none."""
    return int(mapping.get("_meta", {}).get("version", 1))


def index_template(prefix: str, *, shards: int, replicas: int) -> dict[str, Any]:
    """Return the body of the index template `<prefix>`: settings, strict mapping and an alias for all days."""
    return {
        "index_patterns": [f"{prefix}-*"],
        "priority": 200,
        "template": {
            "settings": {
                "number_of_shards": shards,
                "number_of_replicas": replicas,
                "refresh_interval": "5s",
                "index.mapping.coerce": False,
            },
            "mappings": MAPPINGS,
            "aliases": {prefix: {}},
        },
    }
