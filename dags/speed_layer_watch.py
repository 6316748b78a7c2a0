"""# speed_layer_watch: is the stream alive

**What it does.** Every five minutes it reads what producer, archiver, classifier and aggregator last said of
themselves, and the length of the topics. It fails with a sentence per problem that is still there after two more looks,
a minute apart: a part that never reported, is silent for more than two minutes or not ok, a lag that grows, too many
dead letters.

**What it does not do.** It restarts nothing: the process supervisor does that. A part that ended on purpose (a replay
at its end) may be silent.

**Parameters.** None.

**Example.** `{}`

**When it fails.** The log names the part: `twitter-topics status`, then `twitter-topics logs <part>`. A growing lag
means that more tweets come than one machine takes, or that a store is slow; nothing is lost meanwhile. The next run
is green when all is well again.
"""

from __future__ import annotations

import time
from datetime import timedelta

from airflow.sdk import dag, task

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
    @task(retries=2, retry_delay=timedelta(minutes=1))  # a part that starts or restarts is no alarm
    def look(ti=None):
        settings = Settings()
        # without a map index Airflow gives the values of all former runs in a list
        previous = ti.xcom_pull(task_ids="look", key="lag", include_prior_dates=True, map_indexes=-1) or {}
        reports = watch_tasks.read_reports(settings)
        ti.xcom_push(key="lag", value={part: report.lag for part, report in reports.items()})
        problems = watch_tasks.look(settings, reports, previous, now=time.time())
        if problems:
            raise TwitterTopicsError("; ".join(problems))

    look()


speed_layer_watch()
