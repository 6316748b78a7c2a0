"""Recount closed hours from the archive with one model; write them to `topic_hour` and InfluxDB."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from spark_apps.arguments import hour, version
from twitter_topics.archive.hours import HourRange, closed_hours
from twitter_topics.archive.rows import ensure_tables
from twitter_topics.backends.spark_session import build_session
from twitter_topics.counts.recount import final_points, recount_hours
from twitter_topics.counts.state import revision_at
from twitter_topics.counts.view import CountsView
from twitter_topics.errors import EXIT_CONFIGURATION, ConfigurationError
from twitter_topics.logs import configure_logging
from twitter_topics.settings import Settings
from twitter_topics.topic_models.registry.store import ModelStore

log = logging.getLogger("recount_topics")


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the job's arguments; an invalid one exits with status 2 before Spark starts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="start", type=hour, required=True, help="start of the first hour, UTC")
    parser.add_argument("--to", dest="end", type=hour, required=True, help="end of the last hour, UTC")
    parser.add_argument("--version", type=version, required=True, help="a registered model version")
    return parser.parse_args(arguments)


def recount(hours: HourRange, model_version: str, settings: Settings) -> None:
    """Write the table first: it is the source of truth. InfluxDB follows, and a rerun repairs it."""
    arrays = ModelStore(settings).load_arrays(model_version)
    view, revision = CountsView(settings.influx), revision_at(time.time())
    spark = build_session(settings, "recount_topics")
    try:
        ensure_tables(spark, settings)
        result = recount_hours(spark, settings, hours, version=model_version, arrays=arrays)
        view.write_final_hours(final_points(result.rows), hours.start_ms, hours.end_ms, revision)
    finally:
        spark.stop()
        view.close()
    log.info("%d hours, %d tweets, %d rows", hours.hours, result.tweets, len(result.rows))


def main() -> int:
    configure_logging()
    options = parse_arguments()
    try:
        hours = closed_hours(options.start, options.end, now=datetime.now(UTC))
        recount(hours, options.version, Settings())
    except ConfigurationError:
        log.exception("wrong configuration")
        return EXIT_CONFIGURATION
    return 0


if __name__ == "__main__":
    sys.exit(main())
