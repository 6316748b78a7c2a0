"""Measurements of models are written to `tweets.model_metrics`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from twitter_topics.backends.sql import statement
from twitter_topics.topic_models.registry.files import read_json
from twitter_topics.topic_models.registry.metrics import MEASURED, MeasuredSlice, slices_from

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings
    from twitter_topics.topic_models.registry.store import ModelStore

_TEXT, _STAMP, _NUMBER = pa.string(), pa.timestamp("us", tz="UTC"), pa.float64()
_ROWS = pa.schema(
    {
        "measurement": _TEXT,
        "version": _TEXT,
        "measured_at": _STAMP,
        "slice": _TEXT,
        "slice_start": _STAMP,
        "slice_end": _STAMP,
        "role": _TEXT,
        "language": _TEXT,
        "metric": _TEXT,
        "value": _NUMBER,
        "low": _NUMBER,
        "high": _NUMBER,
        "documents": pa.int64(),
    }
)


def record_evaluation(
    spark: SparkSession, settings: Settings, store: ModelStore, version: str, measured_at: datetime
) -> int:
    """Write what the evaluation of a version measured to `tweets.model_metrics`; return the number of rows. A repeat
    replaces them.

    This is part of a successful evaluation: it is the only step that can still fail by then, a retry of the task
    repeats it, and a version that was registered without its rows would never get them, because it is not evaluated
    again.

    Raises:
        ConflictError: the evaluation did not finish.
    """
    slices = slices_from(read_json(store, version, MEASURED))
    return record(spark, settings, version, slices, measured_at)


def record(
    spark: SparkSession, settings: Settings, measurement: str, slices: Sequence[MeasuredSlice], measured_at: datetime
) -> int:
    """Replace the rows of a measurement in one commit; return their number."""
    rows = [
        {
            "measurement": measurement,
            "measured_at": measured_at,
            "slice": one.name,
            "slice_start": one.start,
            "slice_end": one.end,
            **asdict(metric),
        }
        for one in slices
        for metric in one.metrics
    ]
    spark.createDataFrame(pa.Table.from_pylist(rows, schema=_ROWS)).createOrReplaceTempView("measured")
    replace = statement("replace_model_metrics", catalog=settings.archive.catalog_name)
    spark.sql(replace, args={"measurement": measurement})
    return len(rows)
