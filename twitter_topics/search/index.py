"""The document that analysts search: its mapping, its index and the index template."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

_KEYWORD = {"type": "keyword", "ignore_above": 512}
_INTEGER = {"type": "integer"}
_UNINDEXED: dict[str, Any] = {"index": False}  # aggregations and filters read the doc values, which cost a third
_NUMBER = {"type": "float"} | _UNINDEXED
_COUNT = {"type": "integer"} | _UNINDEXED
_LARGE_COUNT = {"type": "long"} | _UNINDEXED
_FLAG = {"type": "boolean"} | _UNINDEXED
_DAY_MS = 86_400_000

MAPPING_VERSION = 3
"""Raise it with every new field. 2: `topics` (nested) became `topic_ids`; `links`, `link_domains`, `counted`,
`edited_at`. 3: `lang_known_from`."""

MIN_TOPIC_SHARE = 0.1
MAX_TOPICS = 3
"""`topic_ids` are the topics with at least this share, at most so many; the dominant one is always among them."""

MAPPINGS: dict[str, Any] = {
    "_meta": {"version": MAPPING_VERSION},
    "dynamic": "strict",
    "properties": {
        "tweet_id": {"type": "keyword"},
        "created_at": {"type": "date", "format": "epoch_millis||strict_date_time"},
        "text": {"type": "text", "norms": False},
        "lang": _KEYWORD,
        "lang_known_from": _KEYWORD,
        "source": _KEYWORD,
        "hashtags": _KEYWORD,
        "links": _KEYWORD,
        "link_domains": _KEYWORD,
        "user": {
            "properties": {
                "id": _KEYWORD,
                "screen_name": _KEYWORD,
                "name": {"type": "text", "norms": False},
                "followers": _LARGE_COUNT,
                "verified": _FLAG,
            }
        },
        "topic_id": _INTEGER,
        "topic_label": _KEYWORD,
        "topic_share": _NUMBER,
        "topic_ids": _INTEGER,
        "sentiment": {
            "properties": {"compound": _NUMBER, "label": _KEYWORD, "polarity": _NUMBER, "subjectivity": _NUMBER}
        },
        "metrics": {
            "properties": {
                "length": _COUNT,
                "words": _COUNT,
                "hashtags": _COUNT,
                "mentions": _COUNT,
                "urls": _COUNT,
                "emoji": _COUNT,
                "retweets": _LARGE_COUNT,
                "favorites": _LARGE_COUNT,
                "is_retweet": _FLAG,
            }
        },
        "model_version": _KEYWORD,
        "raw_partition": _COUNT,
        "raw_offset": _LARGE_COUNT,
        "counted": {"type": "object", "enabled": False},
        "counted_topic_id": _INTEGER,
        "counted_model_version": _KEYWORD,
        "edited_at": {"type": "date", "format": "epoch_millis||strict_date_time"},
        "edit_offset": _LARGE_COUNT,
    },
}
"""`lang_known_from` is `source`, `text` (detected) or `unknown` (`lang` is then `und`). A tweet in a language whose
sentiment is not measured has no `sentiment`. `raw_partition` and `raw_offset` name the record that owns the document:
the first one with this tweet id. `counted` is its value in `processed_tweets`, which never changes; `counted_topic_id`
is the dominant topic in it. `edited_at` and `edit_offset` belong to the edit that is shown: when Kafka received it, and
its offset in the owner's partition, the first one if it was sent again."""


def index_name(prefix: str, event_time_ms: int) -> str:
    """Return the daily index of a tweet, by the UTC day of its event time: `tweets-2026.11.23`."""
    return _name_of_day(prefix, event_time_ms // _DAY_MS)


@lru_cache(maxsize=128)
def _name_of_day(prefix: str, day: int) -> str:
    return f"{prefix}-{datetime.fromtimestamp(day * _DAY_MS / 1000, UTC):%Y.%m.%d}"


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


def mapping_version(mapping: dict[str, Any]) -> int:
    """Return the version of an index's mapping; 1 if it has none."""
    return int(mapping.get("_meta", {}).get("version", 1))


def missing_fields(held: dict[str, Any], wanted: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the fields of MAPPINGS that the `properties` of an index lack. How a field is indexed cannot change."""
    missing = {}
    for name, field in (MAPPINGS["properties"] if wanted is None else wanted).items():
        if name not in held:
            missing[name] = field
        elif inner := missing_fields(held[name].get("properties", {}), field.get("properties", {})):
            missing[name] = {"properties": inner}
    return missing


def index_template(prefix: str, *, shards: int, replicas: int, refresh_seconds: int) -> dict[str, Any]:
    """Return the body of the index template `<prefix>`: settings, strict mapping and an alias for all days."""
    return {
        "index_patterns": [f"{prefix}-*"],
        "priority": 200,
        "template": {
            "settings": {
                "number_of_shards": shards,
                "number_of_replicas": replicas,
                "refresh_interval": f"{refresh_seconds}s",
                "index.mapping.coerce": False,
            },
            "mappings": MAPPINGS,
            "aliases": {prefix: {}},
        },
    }
