"""A processed tweet carries all that counting it needs: no model, no S3, no sentiment."""

from __future__ import annotations

import json
from typing import Any

from twitter_topics.records.processed import processed_fields, processed_value


def value(**fields: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "tweet_id": "1",
        "event_time_ms": 1_790_000_000_000,
        "model_version": "m1",
        "topics": [(7, 0.75), (3, 0.25)],
        "labels": {3: "football", 7: "storm", 12: "phones"},
        "sentiment": {"compound": 0.5},
        "raw_topic_id": "id-of-raw",
        "raw_partition": 2,
        "raw_offset": 41,
    }
    found: dict[str, Any] = json.loads(processed_value(processed_fields(**(given | fields))))
    return found


def test_each_topic_carries_its_label() -> None:
    found = value()
    assert found["topics"] == [
        {"topic_id": 7, "label": "storm", "probability": 0.75},
        {"topic_id": 3, "label": "football", "probability": 0.25},
    ]
    assert found["topic_label"] == "storm"


def test_the_record_names_its_raw_topic() -> None:
    found = value()
    assert (found["raw_topic_id"], found["raw_partition"], found["raw_offset"]) == ("id-of-raw", 2, 41)


def test_a_tweet_without_sentiment_has_none() -> None:
    assert value()["sentiment"] == {"compound": 0.5}
    assert "sentiment" not in value(sentiment=None)
