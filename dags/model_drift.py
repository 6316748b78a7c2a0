"""# model_drift: how well does the champion still fit?

**What it does.** Every day at 01:30 UTC it measures the champion of the last complete UTC day on the archived tweets of
that day, without those that it was trained on, at most 100,000 of them: age, tweets without a topic, known words,
perplexity against word frequencies (with an interval, next to that on its held-out tweets), and drift of words and
topics: the Jensen-Shannon divergence from its training, in bits, beyond what chance explains. The result goes to the
Iceberg table `tweets.model_metrics`, which is kept for good, and to the page *Topics* and `twitter-topics models
VERSION`. Above `TOPICS_MAX_WORD_DRIFT` they say *retraining advised*.

**What it does not do.** It trains nothing and promotes nothing. With fewer than 1,000 tweets of the day that the
champion was not trained on, every task after `plan` is skipped, and its log says so.

**Parameters.** `date`: measure a past day (UTC) instead, with the version that served at its end. A repeat replaces the
day's rows.

**Example.** `{"date": "2026-11-01"}`

**When it fails.** Rerun it. *… has not ended*: choose an earlier day. *model … has expired*: the version that served
then was deleted. *AirflowTaskTimeout* (measure): the job took longer than `SPARK_MAX_JOB_HOURS`; raise it.
"""

from __future__ import annotations

from airflow.sdk import Param, dag, task

from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.orchestration.schedules import TASK_DEFAULTS, at
from twitter_topics.orchestration.spark import SparkJobOperator
from twitter_topics.settings import Settings
from twitter_topics.topic_models.registry.metrics import MetricsTable
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.training import drift_tasks

DAY = r"^\d{4}-\d\d-\d\d$"


@dag(
    schedule=at("30 1 * * *"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["model"],
    doc_md=__doc__,
    params={
        # the format gives the form a date picker; the pattern is what is validated
        "date": Param(None, type=["null", "string"], format="date", pattern=DAY, title="Day (UTC), else the last one"),
    },
)
def model_drift():
    @task.short_circuit
    def plan(params=None, dag_run=None):
        settings = Settings()
        # run_after is the same for every try, and every run has one
        return drift_tasks.plan(ModelStore(settings), ArchiveStore(settings), day=params["date"], now=dag_run.run_after)

    @task
    def report(planned: dict):
        settings = Settings()
        return drift_tasks.report(settings, ModelStore(settings), MetricsTable(settings), planned)

    planned = plan()
    measure = SparkJobOperator(
        task_id="measure",
        job="measure_drift",
        arguments=[
            *("--version", "{{ ti.xcom_pull(task_ids='plan')['version'] }}"),
            *("--day", "{{ ti.xcom_pull(task_ids='plan')['day'] }}"),
        ],
    )
    planned >> measure >> report(planned)


model_drift()
