"""# stores_audit: is every tweet where it should be, once?

**What it does.** Every six hours it runs the audit of `twitter-topics audit` and writes the result to InfluxDB, where
Grafana shows it and an alert rule watches it. It also writes all promotions and the gate's result of each registered
version there, so that a lost InfluxDB gets them back.

**What it does not do.** It repairs nothing. Records that are still on their way do not fail it.

**Parameters.** None.

**Example.** `{}`

**When it fails.** The log has one sentence for each imbalance: which hop, and how many records. `twitter-topics audit
--json` breaks them down by day. A store that is unavailable fails the task; it is retried once, and the next run is a
new audit.
"""

from __future__ import annotations

import time

from airflow.sdk import dag, task

from twitter_topics.audit import audit_tasks
from twitter_topics.errors import ConfigurationError
from twitter_topics.orchestration.schedules import TASK_DEFAULTS, at, no_retry_on
from twitter_topics.settings import Settings


@dag(
    schedule=at("45 */6 * * *"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["audit"],
    doc_md=__doc__,
)
def stores_audit():
    # an imbalance may be gone: tweet_deletions deletes a document shortly before it redacts its row
    @task(retry_policy=no_retry_on(ConfigurationError))
    def audit():
        return audit_tasks.audit_stores(Settings(), now=time.time())

    @task
    def publish_models():
        return audit_tasks.publish_models(Settings())

    audit()
    publish_models()


stores_audit()
