"""The import path of Spark's Python workers, in a batch job and in a streaming query."""

from __future__ import annotations

import json
import sys
import zipimport
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark

SCHEMA = "archives string"


def _archives(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for _ in batches:
        opened = [path for path, finder in sys.path_importer_cache.items() if isinstance(finder, zipimport.zipimporter)]
        found = [entry for entry in sys.path if entry.endswith((".zip", ".jar"))] + opened
        yield pa.RecordBatch.from_pydict({"archives": [json.dumps(found)]})


def test_a_batch_job_reads_no_archive(spark: SparkSession) -> None:
    rows = spark.range(1).mapInArrow(_archives, SCHEMA).collect()
    assert [json.loads(row.archives) for row in rows] == [[]]


def test_a_streaming_query_reads_no_archive(spark: SparkSession, tmp_path: Path) -> None:
    found: list[str] = []

    def keep(batch: DataFrame, _batch_id: int) -> None:
        found.extend(row.archives for row in batch.mapInArrow(_archives, SCHEMA).collect())

    rows = spark.readStream.format("rate-micro-batch").option("rowsPerBatch", 1).load()
    query = (
        rows.writeStream.foreachBatch(keep)
        .option("checkpointLocation", str(tmp_path / "checkpoint"))
        .trigger(availableNow=True)
    )
    query.start().awaitTermination()
    assert found
    assert {one for text in found for one in json.loads(text)} == set()
