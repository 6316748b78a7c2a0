"""The archive: Iceberg tables on S3."""

from __future__ import annotations

NAMESPACE = "tweets"
RAW_TABLE = "raw"
"""Every record of the raw topic, including rejects. Columns in include/sql/create_raw.sql."""

TOPIC_HOUR_TABLE = "topic_hour"
"""Exact counts per closed hour, topic and model. Columns in include/sql/create_topic_hour.sql."""

MODEL_METRICS_TABLE = "model_metrics"
"""Evaluations and daily drift of the topic models. Columns in include/sql/create_model_metrics.sql."""

RAW_SCHEMA = (
    "tweet_id string, event_time timestamp, source string, payload binary, reject_reason string, "
    "kafka_partition int, kafka_offset long, kafka_timestamp timestamp, event string"
)
"""Spark DDL of a row of the raw table, in the table's column order."""

DELETED = "deleted: "
"""Prefix of a deleted tweet's reject_reason. Its text is removed; partition, offset, id and time stay."""
