"""# model_retention: delete old versions of the topic model

**What it does.** Every day at 03:45 UTC it deletes the registered versions for which there is no reason to stay, and
the files of trainings that were never registered and have not changed for two days, or for twice `SPARK_MAX_JOB_HOURS`
if that is longer. These stay:

| version | why |
|---|---|
| the champion | it serves |
| champions of the last `days` days, and the one before them | to roll back to |
| those that a document in Elasticsearch names | its topics can be looked up |
| the newest `versions`, and those younger than `days` days | to compare, to promote by hand |

The first line of the log lists them by reason.

**What it does not do.** It deletes nothing while Elasticsearch is unavailable or the champion is missing. Promotions
stay in the history, documents and counts stay as they are, and no id of a topic is used again.

**Parameters.** `days` and `versions`: defaults `MODELS_KEEP_DAYS` and `MODELS_KEEP_VERSIONS`. `dry_run`: only say what
would be deleted.

**Example.** `{"days": 7, "versions": 3, "dry_run": true}`

**When it fails.** *no version is deleted, because documents may name it*: start Elasticsearch; the next run catches up.
*champion.json is missing*: see operations. A killed run leaves a version whole, or gone for everyone who loads it, and
the next run deletes the rest of its files. A deleted version cannot be brought back: train again.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import Param, dag, task

from twitter_topics.orchestration.schedules import TASK_DEFAULTS, at
from twitter_topics.search.store import SearchStore
from twitter_topics.settings import Settings
from twitter_topics.topic_models.registry import expiry_tasks
from twitter_topics.topic_models.registry.store import ModelStore

DEFAULTS = Settings().models


@dag(
    schedule=at("45 3 * * *"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["model", "maintenance"],
    doc_md=__doc__,
    params={
        "days": Param(DEFAULTS.keep_days, type="integer", minimum=1, maximum=36500, title="Keep (days)"),
        "versions": Param(DEFAULTS.keep_versions, type="integer", minimum=1, maximum=1000, title="Keep the newest"),
        "dry_run": Param(False, type="boolean", title="Dry run: only say what would be deleted"),
    },
)
def model_retention():
    @task
    def expire(params=None):
        settings = Settings()
        return expiry_tasks.expire(
            ModelStore(settings),
            SearchStore(settings.elasticsearch, patience_seconds=60),
            days=int(params["days"]),
            newest=int(params["versions"]),
            max_job_hours=settings.spark.max_job_hours,
            now=datetime.now(UTC),
            dry_run=params["dry_run"],
        )

    expire()


model_retention()
