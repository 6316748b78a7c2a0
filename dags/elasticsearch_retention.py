"""# elasticsearch_retention: delete old daily indices

**What it does.** Every day at 03:30 UTC it lists the daily indices (`tweets-YYYY.MM.DD`), selects by name those more
than `days` days old, and deletes exactly those, one by one. The log of `plan` shows the selection.

**What it does not do.** It never deletes from the archive. It ignores all other indices and keeps an index that is
exactly `days` days old. *apply* also keeps what `ELASTICSEARCH_RETENTION_DAYS` keeps when it runs: a plan may be old by
then, and the setting higher. *plan* selects nothing if the clock contradicts the newest index, or if more than half of
the indices would go. `allow_all` confirms that you have checked the plan; it does not override a clock that is behind
the newest index.

**Parameters.** `days`: default `ELASTICSEARCH_RETENTION_DAYS`; fewer only with `dry_run`, because the audit and search
rely on the setting. To keep fewer days, lower the setting. `dry_run`: plan only. `allow_all`: see above.

**Example.** `{"days": 7, "dry_run": true, "allow_all": true}` shows what `ELASTICSEARCH_RETENTION_DAYS=7` would delete.

**When it fails.** *less than ELASTICSEARCH_RETENTION_DAYS*: lower the setting (in `.env`, then `make up`) and run it
without `days`. *the clock says …*: set the clock; after replaying old tweets, run once with `allow_all`. *more than
50%*: check with `dry_run` and `allow_all`, then run with `allow_all` only. Elasticsearch unavailable: the next run
catches up.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import Param, dag, task

from twitter_topics.orchestration.schedules import TASK_DEFAULTS, at
from twitter_topics.search import retention_tasks
from twitter_topics.search.retention import MAX_DAYS, MIN_DAYS
from twitter_topics.search.store import SearchStore
from twitter_topics.settings import Settings

DAYS = Settings().elasticsearch.retention_days


@dag(
    schedule=at("30 3 * * *"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["search", "maintenance"],
    doc_md=__doc__,
    params={
        "days": Param(
            DAYS,
            type="integer",
            minimum=MIN_DAYS,
            maximum=MAX_DAYS,
            title="Keep (days); fewer than the default only in a dry run",
        ),
        "dry_run": Param(False, type="boolean", title="Dry run: only list what would be deleted"),
        "allow_all": Param(False, type="boolean", title="I have checked the plan: delete even most indices"),
    },
)
def elasticsearch_retention():
    @task
    def plan(params=None):
        settings = Settings().elasticsearch
        return retention_tasks.plan(
            SearchStore(settings, patience_seconds=60),
            prefix=settings.index_prefix,
            days=int(params["days"]),
            setting=settings.retention_days,
            today=datetime.now(UTC).date(),
            allow_all=params["allow_all"],
            dry_run=params["dry_run"],
        )

    @task
    def apply(names: list, params=None):
        settings = Settings().elasticsearch
        store = SearchStore(settings, patience_seconds=60)
        return retention_tasks.apply(
            store,
            names,
            prefix=settings.index_prefix,
            setting=settings.retention_days,
            today=datetime.now(UTC).date(),
            dry_run=params["dry_run"],
        )

    apply(plan())


elasticsearch_retention()
