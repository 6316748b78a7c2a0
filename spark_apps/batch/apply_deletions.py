"""Apply the deletion notices in Kafka to the search index and the archive; write a summary to the bucket.

It can be rerun at any time. Exit codes: see spark_apps.job.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from spark_apps.arguments import Arguments
from spark_apps.job import Work, run_job
from twitter_topics.archive.maintenance import expire_snapshots
from twitter_topics.archive.rows import ensure_tables
from twitter_topics.backends.objects import S3Objects
from twitter_topics.deletions.apply import apply_deletions
from twitter_topics.deletions.handover import DeletionFiles

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings

SNAPSHOTS_KEPT = timedelta(hours=24)

log = logging.getLogger("apply_deletions")


def prepare(settings: Settings, arguments: Sequence[str] | None) -> Work:
    parser = Arguments(__doc__)
    parser.add_argument("--run", required=True, help="name of the run, used for its summary")
    run = parser.parse_args(arguments).run
    files = DeletionFiles(S3Objects(settings.s3))

    def work(spark: SparkSession) -> None:
        ensure_tables(spark, settings)
        # an idle archive is not compacted and would keep yesterday's deleted text, whatever becomes of this run
        now = datetime.now(UTC)
        expire_snapshots(spark, settings, older_than=now - SNAPSHOTS_KEPT, now=now)
        done = apply_deletions(spark, settings)
        files.put_summary(run, done.as_dict())
        log.info("%s", done)

    return work


if __name__ == "__main__":
    sys.exit(run_job("apply_deletions", prepare))
