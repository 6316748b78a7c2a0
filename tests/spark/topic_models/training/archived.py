"""Generated tweets in an archive, and the training that reads them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from twitter_topics.archive.rows import archive_rows, raw_table
from twitter_topics.records.tweet import TimeBounds
from twitter_topics.settings import Settings
from twitter_topics.testing.corpora import planted_documents
from twitter_topics.topic_models.training.request import TrainingRequest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

START = datetime(2026, 11, 1, tzinfo=UTC)
RECEIVED = START + timedelta(hours=20)
NOW = START + timedelta(days=4)
"""When versions are evaluated."""
FIRST, SECOND, THIRD = "20261102T000000Z-gsdmm", "20261103T000000Z-gsdmm", "20261104T000000Z-gsdmm"

_BOUNDS = TimeBounds()


def tweet(number: int, words: list[str], at: datetime) -> bytes:
    body = {
        "id_str": str(10_000_000 + number),
        "text": " ".join(words),
        "timestamp_ms": str(int(at.timestamp() * 1000)),
    }
    return json.dumps(body).encode()


def append(
    spark: SparkSession,
    settings: Settings,
    values: list[bytes],
    *,
    first_offset: int = 0,
    partition: int = 0,
    at: datetime = RECEIVED,
) -> None:
    """Archive records of a partition that Kafka received at a moment."""
    records = pa.table(
        {
            "value": pa.array(values, pa.binary()),
            "partition": pa.array([partition] * len(values), pa.int32()),
            "offset": pa.array(range(first_offset, first_offset + len(values)), pa.int64()),
            "timestamp": pa.array([at] * len(values), pa.timestamp("us", tz="UTC")),
        }
    )
    without_headers = "CAST(NULL AS array<struct<key: string, value: binary>>) AS headers"
    received = spark.createDataFrame(records).selectExpr("*", without_headers)
    rows = archive_rows(received, _BOUNDS).sortWithinPartitions("event_time")
    rows.writeTo(raw_table(settings)).append()


def append_planted(spark: SparkSession, settings: Settings) -> None:
    """Archive 2,400 tweets about the planted themes, one every twenty seconds from START on."""
    documents, _ = planted_documents(2400, seed=21)
    append(spark, settings, [tweet(i, words, START + timedelta(seconds=20 * i)) for i, words in enumerate(documents)])


def request(version: str, **changes: Any) -> TrainingRequest:
    plain = TrainingRequest(
        version=version, trainer="gsdmm", k=8, iterations=15, seed=1, start=START, end=START + timedelta(hours=20),
        max_documents=100_000, min_documents=1_000,
    )  # fmt: skip
    return replace(plain, **changes)
