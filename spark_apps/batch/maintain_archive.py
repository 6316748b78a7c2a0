"""Maintain the archive: merge the small files of closed hours, expire old snapshots, delete orphan files."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from spark_apps.arguments import hour, whole_number
from twitter_topics.archive.hours import last_closed
from twitter_topics.archive.maintenance import compact_archive, expire_snapshots, remove_orphans
from twitter_topics.archive.rows import ensure_tables
from twitter_topics.backends.spark_session import build_session
from twitter_topics.errors import EXIT_CONFIGURATION, ConfigurationError
from twitter_topics.logs import configure_logging
from twitter_topics.settings import Settings

log = logging.getLogger("maintain_archive")


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the job's arguments; an invalid one exits with status 2 before Spark starts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--closed-before", type=hour, required=True, help="end of the newest hour to touch, UTC")
    parser.add_argument("--min-files", type=whole_number(2, 10_000), required=True)
    parser.add_argument("--expire-hours", type=whole_number(1, 24 * 365), required=True)
    parser.add_argument("--orphan-hours", type=whole_number(24, 24 * 365), required=True)
    return parser.parse_args(arguments)


def maintain(options: argparse.Namespace, settings: Settings, now: datetime) -> None:
    """Compact first: snapshots expire only after the compaction has proved that no row is lost."""
    if options.closed_before > last_closed(now):
        raise SystemExit(f"--closed-before {options.closed_before.isoformat()}: that hour has not ended")
    spark = build_session(settings, "maintain_archive")
    try:
        ensure_tables(spark, settings)
        compact_archive(spark, settings, closed_before=options.closed_before, min_files=options.min_files)
        expire_snapshots(spark, settings, older_than=now - timedelta(hours=options.expire_hours), now=now)
        remove_orphans(spark, settings, older_than=now - timedelta(hours=options.orphan_hours), now=now)
    finally:
        spark.stop()


def main() -> int:
    configure_logging()
    try:
        maintain(parse_arguments(), Settings(), datetime.now(UTC))
    except ConfigurationError:
        log.exception("wrong configuration")
        return EXIT_CONFIGURATION
    return 0


if __name__ == "__main__":
    sys.exit(main())
