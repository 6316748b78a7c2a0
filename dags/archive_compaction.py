"""# archive_compaction: fewer and larger files for closed hours

**What it does.** Every hour at :05: when a closed hour of the archive has many small files (the stream writes one or
more every ten seconds), it rewrites them as few large ones, forgets old snapshots, and deletes files that no snapshot
names. The stream goes on meanwhile. The job compares rows before and after, late ones included, and fails on any
difference.

**What it does not do.** It never touches an hour that has not ended, changes no row, and keeps the ten newest
snapshots whatever their age. Without a crowded hour it starts no Spark at all, and all tasks but the first are
skipped.

**Parameters.** `min_files`: rewrite hours with at least so many files. `expire_hours`: forget snapshots older than
this. `orphan_hours`: delete unnamed files older than this (Iceberg refuses less than 24).

**Example.** `{"min_files": 2, "expire_hours": 1}` compacts all that can be compacted, at once.

**When it fails.** It may be run again at any time: a rewrite that broke off has changed nothing, and its files are
deleted later as leftovers. "compaction changed the closed hours" names the snapshot before and the statement that
goes back to it; nothing was expired then. Stop this DAG and look before anything else runs.
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
        "min_files": Param(6, type="integer", minimum=2, maximum=10_000, title="Files that make an hour crowded"),
        "expire_hours": Param(24, type="integer", minimum=1, maximum=8760, title="Forget snapshots after (hours)"),
        "orphan_hours": Param(72, type="integer", minimum=24, maximum=8760, title="Delete leftovers after (hours)"),
    },
)
def archive_compaction():
    @task.short_circuit
    def plan(params=None):
        return plan_compaction(Settings(), now=datetime.now(UTC), min_files=params["min_files"])

    @task(outlets=[TWEETS_ARCHIVE])
    def report(planned: dict):
        done = compaction_report(Settings(), planned)
        yield Metadata(TWEETS_ARCHIVE, extra=done)

    planned = plan()
    compact = SparkJobOperator(
        task_id="compact",
        job="maintain_archive",
        arguments=[
            *("--closed-before", "{{ ti.xcom_pull(task_ids='plan')['closed_before'] }}"),
            *("--min-files", "{{ params.min_files }}"),
            *("--expire-hours", "{{ params.expire_hours }}"),
            *("--orphan-hours", "{{ params.orphan_hours }}"),
        ],
        driver_memory="1g",
    )
    planned >> compact >> report(planned)


archive_compaction()
