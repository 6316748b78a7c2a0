"""Recount closed hours from the archive with one model; write them to `topic_hour` and InfluxDB.

Exit codes: see spark_apps.job.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from spark_apps.arguments import Arguments, hour, version
from spark_apps.job import Work, run_job
from twitter_topics.archive.hours import closed_hours
from twitter_topics.archive.rows import ensure_tables
from twitter_topics.counts.recount import final_points, recount_hours
from twitter_topics.counts.view import CountsView
from twitter_topics.topic_models.registry.store import ModelStore

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings

log = logging.getLogger("recount_topics")


def prepare(settings: Settings, arguments: Sequence[str] | None) -> Work:
    parser = Arguments(__doc__)
    parser.add_argument("--from", dest="start", type=hour, required=True, help="start of the first hour, UTC")
    parser.add_argument("--to", dest="end", type=hour, required=True, help="end of the last hour, UTC")
    parser.add_argument("--version", type=version, required=True, help="a registered model")
    options = parser.parse_args(arguments)
    hours = closed_hours(options.start, options.end, now=datetime.now(UTC))
    models, influx = ModelStore(settings), settings.influx

    def work(spark: SparkSession) -> None:
        arrays = models.load_arrays(options.version)
        with closing(CountsView(influx)) as view:
            ensure_tables(spark, settings)
            # the table first: it is the source of truth; InfluxDB follows, and a rerun repairs it
            result = recount_hours(spark, settings, hours, version=options.version, arrays=arrays)
            revision = view.next_final_revision(hours.start_ms, hours.end_ms, time.time())
            view.write_final_hours(final_points(result.rows), hours.start_ms, hours.end_ms, revision)
            view.write_speed_layer_error(hours.start_ms, hours.end_ms, revision)
        log.info("%d hours, %d tweets, %d rows", hours.hours, result.tweets, len(result.rows))

    return work


if __name__ == "__main__":
    sys.exit(run_job("recount_topics", prepare))
