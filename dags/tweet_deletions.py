"""# tweet_deletions: forget what was taken back

**What it does.** Every day at 02:30 UTC it applies all notices of the topic `tweet_deletions`: deleted tweets, accounts
that are deleted, suspended, protected or deactivated, and tweets withheld everywhere leave the search index, and their
text leaves the archive. Who took back places keeps the tweets, without the places. With `X_COMPLIANCE=true` it first
asks X by a batch-compliance job which of the archived tweets are gone there; that may take hours.

**What it does not do.** The row of a deleted tweet stays in the archive with its place, id and time, without its text:
the audit still proves that nothing was lost. Counts are sums and stay as they are until **topic_recount** counts the
hours anew, which leaves the deleted tweets out. An account that is active again cancels what was not applied yet, and
brings nothing back. The text is still in Kafka until its retention (7 days), in old snapshots of the archive until the
next run forgets them (24 hours, and never the ten newest), and where other tweets quote it.

**Parameters.** `ask_x`: `auto` as `X_COMPLIANCE` says, `yes`, `no`.

**Example.** `{"ask_x": "no"}` applies the notices that have come so far.

**When it fails.** Run it again: every run looks at all notices. *X_BEARER_TOKEN*: X refuses the token, or it is
missing. *X takes one job of a type at a time*: another program of the same app asks; try later. What X is asked about
does not hold up the rest: when that part fails, the notices are applied all the same, and the run is marked as failed.
A job that X still works on is taken up by the next run. *deletions: …* names rows that are not as they should be: a
fault of the code, keep the log. During a run the audit may miss documents whose rows are redacted a moment later.
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
    params={"ask_x": Param("auto", type="string", enum=list(tasks.ASK_X), title="Ask X which tweets are gone")},
)
def tweet_deletions():
    # only what asks X is skipped with it: apply has a rule of its own
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
