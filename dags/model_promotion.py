"""# model_promotion: let a better model serve

**What it does.** After each registered version it judges it against the champion: perplexity on the same held-out
tweets, coherence together with diversity, share of tweets that keep their topic, enough data. If it passes, one
object on S3 is replaced, and the classifier takes the new model between two batches. If not, the task **refused**
says why, in its log and as its return value; `promote` is then skipped and the champion stays.

**What it does not do.** It trains nothing and deletes nothing. With `TOPICS_PROMOTION=never` it refuses every version
that no person forces. It never overwrites a champion that changed after the decision.

**Parameters.** `version`: empty = the newest. `force` promotes without the gate and needs `version` and `reason`:
this is also the way back to an older version.

**Example.** `{"version": "20261101T040000Z-gsdmm", "force": true, "reason": "the new one mixes storm and football"}`

**When it fails.** *the champion has changed since*: somebody promoted at the same time; start a new run. *has no
manifest.json*: the version was never registered; take one from `twitter-topics models`.
"""

from __future__ import annotations

from airflow.sdk import Metadata, Param, dag, task

from twitter_topics.orchestration.assets import TOPIC_CHAMPION, TOPIC_MODEL
from twitter_topics.orchestration.schedules import TASK_DEFAULTS
from twitter_topics.settings import Settings
from twitter_topics.topic_models.registry import promotion_tasks
from twitter_topics.topic_models.registry.store import ModelStore

VERSION_OR_EMPTY = r"^(\d{8}T\d{6}Z-[a-z0-9-]+)?$"


@dag(
    schedule=[TOPIC_MODEL],
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["model"],
    doc_md=__doc__,
    params={
        "version": Param("", type="string", pattern=VERSION_OR_EMPTY, title="Version (empty = the newest)"),
        "force": Param(False, type="boolean", title="Promote without the gate"),
        "reason": Param("", type="string", maxLength=500, title="Why (needed to force)"),
    },
)
def model_promotion():
    @task(retries=0)
    def judge(params=None, dag_run=None, triggering_asset_events=None):
        settings = Settings()
        models = ModelStore(settings)
        by = dag_run.triggering_user_name or ""
        request = promotion_tasks.PromotionRequest(params["version"], params["force"], params["reason"], by)
        events = [event.extra for event in (triggering_asset_events or {}).get(TOPIC_MODEL, [])]
        version = promotion_tasks.choose_version(models, request, events)
        return promotion_tasks.decide(models, version, request, promotion=settings.topics.promotion)

    @task.branch
    def gate(decision: dict):
        return "promote" if decision["promote"] else "refused"

    @task(outlets=[TOPIC_CHAMPION])
    def promote(decision: dict):
        yield Metadata(TOPIC_CHAMPION, extra=promotion_tasks.promote(ModelStore(Settings()), decision))

    @task
    def refused(decision: dict):
        return {"version": decision["version"], "reasons": decision["reasons"]}

    decision = judge()
    gate(decision) >> [promote(decision), refused(decision)]


model_promotion()
