"""A query whose batches fail for days costs nothing that is not given back."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from pyspark.errors import StreamingQueryException

from tests.waiting import until
from twitter_topics.backends.spark_kafka import start_batches

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming import StreamingQuery

pytestmark = pytest.mark.spark

RESTARTS = 8


def held() -> tuple[int, int]:
    return threading.active_count(), len(os.listdir("/proc/self/fd"))


def test_restarts_leave_no_thread_and_no_file(spark: SparkSession, tmp_path: Path) -> None:
    seen = 0

    def start(name: str, *, fails: bool) -> StreamingQuery:
        def process(batch: DataFrame, _batch_id: int) -> None:
            nonlocal seen
            if fails:
                raise OSError("the disk of Elasticsearch is full")
            seen += batch.count()

        rows = spark.readStream.format("rate-micro-batch").option("rowsPerBatch", 1).load()
        writer = rows.writeStream.foreachBatch(process).option("checkpointLocation", str(tmp_path / name))
        return start_batches(spark, writer.trigger(processingTime="50 milliseconds"))

    def fail() -> None:
        with pytest.raises(StreamingQueryException, match="is full"):
            start("failing", fails=True).awaitTermination()

    other = start("other", fails=False)
    try:
        until(lambda: seen > 0, 150)
        fail()
        threads, files = held()
        for _ in range(RESTARTS):
            fail()
        assert other.isActive
        now = seen
        until(lambda: seen > now, 150)  # its connection was closed too, and it has another one
        until(lambda: held()[0] <= threads + 2)
        assert held()[1] <= files + 4
    finally:
        other.stop()
