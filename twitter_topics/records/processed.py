"""Values of the topic `processed_tweets` and of the dead-letter topic."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from msgspec.json import encode

NO_TOPIC = -1
"""Topic id of a tweet without any word that the model knows, in a language without topics, or without a clear topic."""

NO_TOPIC_LABEL = "no topic"

MIN_PROBABILITY = 0.05
"""Topics below this share are dropped, unless none has more; the rest is scaled so that the shares of a tweet sum to 1.
A smaller share is the model's prior and not the tweet's words, and each costs the counts as much as a large one."""


def processed_fields(
    *,
    tweet_id: str,
    event_time_ms: int,
    model_version: str,
    topics: list[tuple[int, float]],
    labels: Mapping[int, str],
    sentiment: dict[str, float] | None,
    raw_topic_id: str,
    raw_partition: int,
    raw_offset: int,
) -> dict[str, Any]:
    """Return the fields of one value of `processed_tweets`; `processed_value` encodes them.

    Args:
        topics: (topic id, share), dominant first, shares adding up to 1.
        labels: of at least these topics, by topic id.
        sentiment: None for a tweet that has none.
        raw_topic_id: Kafka's id of the raw topic.
    """
    value: dict[str, Any] = {
        "tweet_id": tweet_id,
        "event_time": event_time_ms,
        "model_version": model_version,
        "topics": [
            {"topic_id": topic_id, "label": labels[topic_id], "probability": round(share, 6)}
            for topic_id, share in topics
        ],
        "topic_label": labels[topics[0][0]],
        "raw_topic_id": raw_topic_id,
        "raw_partition": raw_partition,
        "raw_offset": raw_offset,
    }
    if sentiment is not None:
        value["sentiment"] = sentiment
    return value


def processed_value(fields: Mapping[str, Any]) -> bytes:
    """Return the value of `processed_tweets`, the same bytes for the same fields."""
    return encode(fields)


def dead_letter(
    *, stage: str, reason: str, topic: str, partition: int, offset: int, value: bytes | None
) -> dict[str, Any]:
    """Return the dead letter of a rejected record: its location, the reason, and its first bytes."""
    raw = value or b""
    return {
        "stage": stage,
        "reason": reason,
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "bytes": len(raw),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "head_base64": base64.b64encode(raw[:1024]).decode("ascii"),
    }


def dead_letter_key(topic: str, partition: int, offset: int) -> str:
    """Return the key of a dead letter. A record rejected again in a repeated batch has the same key and counts once."""
    return f"{topic}-{partition}-{offset}"
