"""# speed_layer_watch: check that the stream is healthy

**What it does.** Every five minutes it reads the latest health reports of producer, archiver, classifier and
aggregator, and the sizes of the raw and dead-letter topics. It fails with one sentence per problem that is still there
after two retries, a minute apart: a part has never reported, has been silent for more than two minutes, or reports a
problem; its lag is growing; or there are too many dead letters. A second task writes to InfluxDB what dashboards show
of it: dead letters by reason, how far InfluxDB is behind the counts, and the champion's age.

**What it does not do.** It restarts nothing; the process supervisor does that. A part that ended on purpose (a replay
that finished) may be silent.

**Parameters.** None.

**Example.** `{}`

**When it fails.** The log names the part. Run `twitter-topics status`, then `twitter-topics logs classify-tweets`
(archiver, classifier), `logs aggregate-topics` (aggregator) or `logs` with the producer's name. A growing lag means
that tweets arrive faster than one machine can process them, or that a store is slow; nothing is lost. The next run
succeeds once the problem is fixed.
"""

from __future__ import annotations

import time
from datetime import timedelta

from airflow.sdk import dag, task

from twitter_topics.audit import audit_tasks
from twitter_topics.errors import TwitterTopicsError
from twitter_topics.health import watch_tasks
from twitter_topics.orchestration.schedules import TASK_DEFAULTS, at
from twitter_topics.settings import Settings


@dag(
    schedule=at("*/5 * * * *"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["speed layer"],
    doc_md=__doc__,
)
def speed_layer_watch():
    @task(retries=2, retry_delay=timedelta(minutes=1))  # no alarm for a part that is (re)starting
    def look(ti=None):
        settings = Settings()
        # without a map index Airflow returns a list of the values of all earlier runs
        previous = ti.xcom_pull(task_ids="look", key="lag", include_prior_dates=True, map_indexes=-1) or {}
        reports = watch_tasks.read_reports(settings)
        ti.xcom_push(key="lag", value={part: report.lag for part, report in reports.items()})
        problems = watch_tasks.look(settings, reports, previous, now=time.time())
        if problems:
            raise TwitterTopicsError("; ".join(problems))

    @task
    def measure():
        audit_tasks.measure(Settings(), now=time.time())

    look()
    measure()


speed_layer_watch()
