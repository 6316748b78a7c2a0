"""# archive_compaction: merge the small files of closed hours

**What it does.** The stream writes at least one file every ten seconds. Every hour at :05 this DAG finds closed hours
with many small files and rewrites them as a few large ones, expires old snapshots, and deletes orphan files (files that
no snapshot references). The stream keeps running. The job compares the row counts with those at the
snapshot of *plan*, including late rows, and fails on any difference.

**What it does not do.** It never touches an hour that has not ended and never changes a row. The ten newest snapshots
are kept whatever their age. If no hour needs compaction, Spark is not started and every task after `plan` is skipped.

**Parameters.** `min_files`: rewrite hours with at least this many files. `expire_hours`: expire snapshots older than
this. `orphan_hours`: delete orphan files older than this (Iceberg rejects less than 24).

**Example.** `{"min_files": 2, "expire_hours": 1}` compacts everything that can be compacted now.

**When it fails.** Rerun it at any time: an interrupted rewrite changes nothing, and its files are deleted later as
orphans. *AirflowTaskTimeout* (compact): the job took longer than `SPARK_MAX_JOB_HOURS`; raise it. *snapshot … has
expired or was rolled back* (compact): start a new run instead. *compaction changed the closed hours* is the exception,
and Airflow does not try it again: pause this DAG and **tweet_deletions**, which both expire snapshots, and investigate
before anything else runs. The message names the snapshot before the rewrite, which still has every row, and the steps
that roll back to it. Take all of them: the statement alone drops what the stream has archived since, and the stream
does not read it again.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import Metadata, Param, dag, task

from twitter_topics.archive.compaction_tasks import compaction_report, plan_compaction
from twitter_topics.orchestration.assets import TWEETS_ARCHIVE
from twitter_topics.orchestration.schedules import TASK_DEFAULTS, at
from twitter_topics.orchestration.spark import SparkJobOperator
from twitter_topics.settings import Settings


@dag(
    schedule=at("5 * * * *"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["archive", "maintenance"],
    doc_md=__doc__,
    params={
        "min_files": Param(6, type="integer", minimum=2, maximum=10_000, title="Rewrite hours with at least (files)"),
        "expire_hours": Param(24, type="integer", minimum=1, maximum=8760, title="Expire snapshots after (hours)"),
        "orphan_hours": Param(72, type="integer", minimum=24, maximum=8760, title="Delete orphan files after (hours)"),
    },
)
def archive_compaction():
    @task.short_circuit
    def plan(params=None):
        return plan_compaction(Settings(), now=datetime.now(UTC), min_files=int(params["min_files"]))

    @task(outlets=[TWEETS_ARCHIVE])
    def report(planned: dict):
        done = compaction_report(Settings(), planned)
        yield Metadata(TWEETS_ARCHIVE, extra=done)

    planned = plan()
    compact = SparkJobOperator(
        task_id="compact",
        job="maintain_archive",
        arguments=[
            *("--snapshot", "{{ ti.xcom_pull(task_ids='plan')['snapshot'] }}"),
            *("--closed-before", "{{ ti.xcom_pull(task_ids='plan')['closed_before'] }}"),
            *("--min-files", "{{ params.min_files }}"),
            *("--expire-hours", "{{ params.expire_hours }}"),
            *("--orphan-hours", "{{ params.orphan_hours }}"),
        ],
        driver_memory="1g",
    )
    planned >> compact >> report(planned)


archive_compaction()
