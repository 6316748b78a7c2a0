"""# model_promotion: promote a better model

**What it does.** After each registered version it reads all its files and loads it as the stream does, then compares it
with the champion on tweets that neither was trained on. By the 95 % interval of the ratio of their perplexities:

| the interval | verdict |
|---|---|
| ends below +5 %, and coherence, diversity, coverage and kept topics are within their limits | *promote* |
| begins above 0 %, or one of these is not | *refuse* |
| anything else | *cannot_tell*: the champion stays, the next training comes at 1.5 times the tweets |
| the champion knows less than half of the frequent words | *person*: run it with `force` if the new topics make sense |

A first model has to beat a model without topics; it serves as *provisional*. To promote, one object on S3 is replaced,
and the classifier loads the new model between two batches. If not, the task **rejected** gives the reasons in its log
and return value, `promote` is skipped, and the champion stays.

**What it does not do.** It trains nothing and deletes nothing. With `TOPICS_PROMOTION=never` it promotes only with
`force`. It never promotes a damaged version, and never overwrites a champion that changed after the decision.

**Parameters.** `version`: empty means the newest. `force`: skip the gate, but not the check that it can serve; needs
`version` and `reason`. Also use it to roll back to an older version.

**Example.** `{"version": "20261101T040000Z-gsdmm", "force": true, "reason": "the new one mixes storm and football"}`

**When it fails.** *the champion has changed since*: somebody promoted another version meanwhile; start a new run.
*has no manifest.json*: the version was never registered; choose one from `twitter-topics models`. *cannot serve* (in
**rejected**): its files have changed or cannot be loaded; train again.
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
        "version": Param("", type="string", pattern=VERSION_OR_EMPTY, title="Version (empty = newest)"),
        "force": Param(False, type="boolean", title="Skip the gate"),
        "reason": Param("", type="string", maxLength=500, title="Reason (required with force)"),
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
        return "promote" if decision["promote"] else "rejected"

    @task(outlets=[TOPIC_CHAMPION])
    def promote(decision: dict):
        yield Metadata(TOPIC_CHAMPION, extra=promotion_tasks.promote(ModelStore(Settings()), decision))

    @task
    def rejected(decision: dict):
        return {"version": decision["version"], "reasons": decision["reasons"]}

    decision = judge()
    gate(decision) >> [promote(decision), rejected(decision)]


model_promotion()
