"""Apply the deletion notices in Kafka to the search index and the archive; write a summary to the bucket.

Exit codes: 0 applied, 78 wrong settings, 1 anything else. It can be rerun at any time.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from twitter_topics.archive.maintenance import expire_snapshots
from twitter_topics.archive.rows import ensure_tables
from twitter_topics.backends.objects import S3Objects
from twitter_topics.backends.spark_session import build_session
from twitter_topics.deletions.apply import apply_deletions
from twitter_topics.deletions.handover import DeletionFiles
from twitter_topics.errors import EXIT_CONFIGURATION, ConfigurationError
from twitter_topics.logs import configure_logging
from twitter_topics.settings import Settings

SNAPSHOTS_KEPT = timedelta(hours=24)

log = logging.getLogger("apply_deletions")


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the job's arguments; an invalid one exits with status 2 before Spark starts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, help="name of the run, used for its summary")
    return parser.parse_args(arguments)


def main() -> int:
    configure_logging()
    options, settings = parse_arguments(), Settings()
    try:
        spark = build_session(settings, "apply_deletions")
        try:
            ensure_tables(spark, settings)
            done = apply_deletions(spark, settings)
            now = datetime.now(UTC)  # an idle archive is not compacted and would keep yesterday's deleted text
            expire_snapshots(spark, settings, older_than=now - SNAPSHOTS_KEPT, now=now)
        finally:
            spark.stop()
        DeletionFiles(S3Objects(settings.s3)).put_summary(options.run, done.as_dict())
    except ConfigurationError:
        log.exception("wrong configuration")
        return EXIT_CONFIGURATION
    log.info("%s", done)
    return 0


if __name__ == "__main__":
    sys.exit(main())
