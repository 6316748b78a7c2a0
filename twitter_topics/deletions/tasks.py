"""The tasks of tweet_deletions outside Spark: ask X which archived tweets no longer exist."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator

from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.backends.objects import S3Objects
from twitter_topics.deletions.handover import DeletionFiles
from twitter_topics.deletions.publish import publish
from twitter_topics.deletions.x_compliance import POLL_SECONDS, XCompliance
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError
from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Context

    from twitter_topics.records.notice import Notice

log = logging.getLogger(__name__)

ASK_X = ("auto", "yes", "no")
_NAME_LENGTH = 64


def files(settings: Settings) -> DeletionFiles:
    """Return the hand-over files in the bucket."""
    return DeletionFiles(S3Objects(settings.s3))


def collect_ids(settings: Settings, *, ask_x: str) -> int:
    """Put the ids to ask X about into the bucket. Returns their number; 0 if X is not to be asked.

    Raises:
        ConfigurationError: X must be asked, but there is no token.
    """
    if ask_x == "no" or (ask_x == "auto" and not settings.x.compliance):
        log.info("X is not asked (ask_x=%s, X_COMPLIANCE=%s)", ask_x, str(settings.x.compliance).lower())
        return 0
    if not settings.x.bearer_token.get_secret_value():
        raise ConfigurationError("X_BEARER_TOKEN is not set, but X is to be asked; set it, or set X_COMPLIANCE=false")
    ids = ArchiveStore(settings).twitter_ids()
    files(settings).put_ids("".join(f"{one}\n" for one in ids.to_pylist()).encode())
    log.info("%d ids to ask X about", len(ids))
    return len(ids)


def submit(settings: Settings) -> str:
    """Submit the ids to X. Returns the id of the compliance job."""
    return XCompliance(settings.x).submit(job_name(settings), files(settings).ids()).job_id


def is_complete(settings: Settings, job_id: str) -> bool:
    """Return whether X has finished. If X is unreachable, the answer is False for now.

    Raises:
        IntegrityError: the job failed or has expired; the next run creates a new one.
    """
    try:
        job = XCompliance(settings.x, patience_seconds=0).job(job_id)
    except RetryableError as error:
        log.warning("%s", error)
        return False
    if job.status not in ("created", "in_progress", "complete"):
        raise IntegrityError(f"compliance job {job_id} is {job.status}; start a new run")
    return job.status == "complete"


class ComplianceSensor(BaseSensorOperator):
    """Waits for a compliance job without occupying a worker slot."""

    template_fields = ("job_id",)

    def __init__(self, *, job_id: Any, **options: Any) -> None:
        super().__init__(mode="reschedule", poke_interval=POLL_SECONDS, **options)
        self.job_id = job_id

    def poke(self, context: Context) -> bool:  # noqa: ARG002 - the sensor's interface
        return is_complete(Settings(), self.job_id)


def publish_results(settings: Settings, job_id: str) -> dict[str, int]:
    """Publish X's results to the topic of deletions. Returns the number of notices by X's reason.

    Raises:
        RetryableError: X or Kafka is unavailable; a retry is safe.
        IntegrityError: some lines were not readable; all others were sent.
    """
    x = XCompliance(settings.x)
    reasons: Counter[str] = Counter()
    sent = publish(settings.kafka, _counting(x.results(x.job(job_id)), reasons))
    log.info("%d tweets were deleted or changed on X: %s", sent, dict(reasons))
    return dict(sorted(reasons.items()))


def report(settings: Settings, run: str) -> dict[str, Any]:
    """Log and return the summary of this run's job."""
    done = files(settings).summary(run)
    log.info(
        "%(notices)d notices: text of %(tweets)d tweets removed from %(rows)d rows, %(documents)d documents deleted "
        "from the index, locations removed from %(scrubbed)d rows, text of %(rejects)d rejected records removed",
        done,
    )
    if done["unreadable"]:
        log.warning("%d records of the topic are not valid notices", done["unreadable"])
    return done


def job_name(settings: Settings) -> str:
    """Return a name shared by all runs of this archive, so that a run finds the job of an interrupted one.

    Other installations with the same X app may have the same bucket, but not the same table.
    """
    return f"tweet_deletions {ArchiveStore(settings).uuid()[:8]} {settings.s3.bucket}"[:_NAME_LENGTH]


def _counting(notices: Iterable[Notice], reasons: Counter[str]) -> Iterator[Notice]:
    for notice in notices:
        reasons[str(notice.payload.get("reason") or notice.event)] += 1
        yield notice
