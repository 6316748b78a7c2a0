"""Maintain the archive: merge the small files of closed hours, expire old snapshots, delete orphan files.

Exit codes: see spark_apps.job.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from spark_apps.arguments import Arguments, hour, whole_number
from spark_apps.job import Work, run_job
from twitter_topics.archive.hours import last_closed
from twitter_topics.archive.maintenance import compact_archive, expire_snapshots, remove_orphans
from twitter_topics.archive.rows import ensure_tables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings


def prepare(settings: Settings, arguments: Sequence[str] | None) -> Work:
    parser = Arguments(__doc__)
    parser.add_argument(
        "--snapshot", type=whole_number(1, 2**63 - 1), required=True, help="what the closed hours are compared with"
    )
    parser.add_argument("--closed-before", type=hour, required=True, help="end of the newest hour to touch, UTC")
    parser.add_argument("--min-files", type=whole_number(2, 10_000), required=True)
    parser.add_argument("--expire-hours", type=whole_number(1, 24 * 365), required=True)
    parser.add_argument("--orphan-hours", type=whole_number(24, 24 * 365), required=True)
    options, now = parser.parse_args(arguments), datetime.now(UTC)
    if options.closed_before > last_closed(now):
        raise ValueError(f"--closed-before {options.closed_before.isoformat()}: that hour has not ended")

    def work(spark: SparkSession) -> None:
        ensure_tables(spark, settings)
        # compact first: snapshots expire only after the compaction has proved that no row is lost
        compact_archive(
            spark, settings, snapshot=options.snapshot, closed_before=options.closed_before, min_files=options.min_files
        )
        expire_snapshots(spark, settings, older_than=now - timedelta(hours=options.expire_hours), now=now)
        remove_orphans(spark, settings, older_than=now - timedelta(hours=options.orphan_hours), now=now)

    return work


if __name__ == "__main__":
    sys.exit(run_job("maintain_archive", prepare))
