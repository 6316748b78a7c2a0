"""# topic_recount: exact counts of past hours

**What it does.** For each whole hour from `start` to `end` (exclusive, UTC, at most 31 days) it scores every distinct
tweet in the archive with one model and writes tweets, mass and mean sentiment per topic to the Iceberg table
`tweets.topic_hour` and to `topic_hour_final` in InfluxDB. The whole range is replaced, so a rerun gives the same
result. Before it ends, the job checks that the topics of each hour add up to its distinct tweets.

**What it does not do.** It does not change the archive, the documents in Elasticsearch or the live counts. It rejects
hours that have not ended, and hours of which the archive does not have everything yet.

**Parameters.** `start`, `end`: on the hour. `model`: `champion` or a registered version.

**Example.** `{"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z", "model": "champion"}`

**When it fails.** *has expired* (check_range): **model_retention** has deleted this version; choose one from
`twitter-topics models`. *the archive lacks … records* (check_range): the archiver is behind; run it again when
`twitter-topics status` shows that it has caught up. *Kafka … does not answer* (check_range): only Kafka knows whether
the archive is complete. *AirflowTaskTimeout* (recount): the job took longer than `SPARK_MAX_JOB_HOURS`; raise it, or
recount fewer hours at a time. Otherwise rerun it: the table is replaced in one commit, and InfluxDB is updated from it.
*the recount does not equal the archive* lists the hours: this is a bug, so keep the log.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import Param, dag, task

from twitter_topics.counts import recount_tasks
from twitter_topics.counts.topic_hours import TopicHourStore
from twitter_topics.orchestration.schedules import TASK_DEFAULTS
from twitter_topics.orchestration.spark import SparkJobOperator
from twitter_topics.settings import Settings
from twitter_topics.topic_models.registry.store import ModelStore

ON_THE_HOUR = r"^\d{4}-\d\d-\d\dT\d\d:00(:00([.]0+)?)?(Z|[+-]\d\d:\d\d)?$"
CHAMPION_OR_VERSION = r"^(champion|\d{8}T\d{6}Z-[a-z0-9-]+)$"


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["counts", "backfill"],
    doc_md=__doc__,
    params={
        # the format gives the form a date picker; the pattern is what is validated
        "start": Param(type="string", format="date-time", pattern=ON_THE_HOUR, title="First hour (UTC)"),
        "end": Param(type="string", format="date-time", pattern=ON_THE_HOUR, title="End, exclusive (UTC)"),
        "model": Param("champion", type="string", pattern=CHAMPION_OR_VERSION, title="Model"),
    },
)
def topic_recount():
    @task(multiple_outputs=True)
    def check_range(params=None) -> dict:
        settings = Settings()
        asked = {name: params[name] for name in ("start", "end", "model")}
        return recount_tasks.check_request(settings, ModelStore(settings), **asked, now=datetime.now(UTC))

    @task
    def report(request: dict):
        return recount_tasks.recount_report(TopicHourStore(Settings()), request, now=datetime.now(UTC))

    request = check_range()
    arguments = ["--from", request["start"], "--to", request["end"], "--version", request["version"]]
    count = SparkJobOperator(task_id="recount", job="recount_topics", arguments=arguments)
    count >> report(request)


topic_recount()
