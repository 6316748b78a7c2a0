"""# tweet_deletions: apply deletion notices

**What it does.** Every day at 02:30 UTC it applies all notices in the topic `tweet_deletions`. Deleted tweets, tweets
of accounts that were deleted, suspended, protected or deactivated, and tweets withheld everywhere are removed from the
search index, and their text from the archive. If a user withdrew only the location data, the tweets stay and the
location data is removed. With `X_COMPLIANCE=true` it first asks X through a batch-compliance job which archived tweets
no longer exist there; that can take hours.

**What it does not do.** The archive keeps the row of a deleted tweet with its Kafka partition and offset, id and time,
so the audit can still prove that nothing was lost. Counts stay as they are until **topic_recount** counts those hours
again without the deleted tweets. An account that becomes active again cancels pending notices but restores nothing.
The text remains in Kafka until its retention ends (7 days), in old archive snapshots until the next run expires them
(after 24 hours, but never the ten newest), and in tweets that quote it.

**Parameters.** `ask_x`: `auto` (follow `X_COMPLIANCE`), `yes` or `no`.

**Example.** `{"ask_x": "no"}` applies the notices received so far.

**When it fails.** Rerun it: every run reads all notices. *X_BEARER_TOKEN*: the token is missing or X rejected it. *X
allows one job of a type at a time*: another program of the same app has a job running; try later. If the X part fails,
the notices are still applied and the run is marked as failed; the next run picks up a job that X has not finished.
*the archive is done, but deleted tweets are still in the index*: a daily index is closed or locked, or Elasticsearch
is unavailable; the message has the command that helps. *the archive does not match the deletion notices* lists archive
rows, and Airflow does not try it again: this is a bug, so keep the log, pause this DAG and **archive_compaction**,
which both expire snapshots, and investigate ("A job that changed rows" in docs/operations.md). *AirflowTaskTimeout*
(apply): the job took longer than `SPARK_MAX_JOB_HOURS`; raise it. The audit may report missing
documents during a run, because a document is deleted shortly before its row is redacted, and until the next run if the
archiver was behind and archived the tweet afterwards.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, dag, task

from twitter_topics.deletions import tasks
from twitter_topics.orchestration.schedules import TASK_DEFAULTS, at
from twitter_topics.orchestration.spark import SparkJobOperator
from twitter_topics.settings import Settings

RUN = "{{ run_id }}"


@dag(
    schedule=at("30 2 * * *"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["deletions", "archive", "search"],
    doc_md=__doc__,
    params={"ask_x": Param("auto", type="string", enum=list(tasks.ASK_X), title="Ask X which tweets are deleted")},
)
def tweet_deletions():
    # skips only the tasks that ask X: apply has its own trigger rule
    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def collect_ids(params=None):
        return tasks.collect_ids(Settings(), ask_x=params["ask_x"])

    @task(execution_timeout=timedelta(minutes=30))
    def ask_x():
        return tasks.submit(Settings())

    @task(execution_timeout=timedelta(minutes=60))
    def publish(job_id: str):
        return tasks.publish_results(Settings(), job_id)

    @task(trigger_rule="none_failed")
    def report(run_id=None):
        return tasks.report(Settings(), run_id)

    apply = SparkJobOperator(task_id="apply", job="apply_deletions", arguments=["--run", RUN], trigger_rule="all_done")
    job_id = ask_x()
    wait_for_x = tasks.ComplianceSensor(task_id="wait_for_x", job_id=job_id, timeout=12 * 3600)
    published = publish(job_id)
    collect_ids() >> job_id >> wait_for_x >> published >> apply
    [published, apply] >> report()


tweet_deletions()
