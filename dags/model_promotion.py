"""# model_promotion: promote a better model

**What it does.** After each registered version it reads all its files and loads it as the stream does, then compares it
with the champion on tweets that neither was trained on. By the 95 % interval of the ratio of their perplexities:

| the interval | verdict |
|---|---|
| ends below +5 %, and coherence, diversity, coverage and kept topics are within their limits | *promote* |
| begins above 0 %, or one of these is not | *refuse* |
| anything else | *cannot_tell*: the champion stays, the next training comes at 1.5 times the tweets |
| the champion knows less than half of the frequent words | *person*: run it with `force` if the new topics make sense |

If another `k` was asked for than for the champion, or only one of the two has topics per language, coherence, diversity
and kept topics do not count.

A first model has to beat a model without topics; it serves as *provisional*. To promote, one object on S3 is replaced,
and the classifier loads the new model between two batches. If not, the task **not_promoted** gives the reasons in its
log and return value, `promote` is skipped, and the champion stays.

**What it does not do.** It trains nothing and deletes nothing. With `TOPICS_PROMOTION=approval` it promotes only
in a run with `version` and `reason`, with `never` only with `force` as well. It never promotes a damaged version, and
never overwrites a champion that changed after the decision.

**Parameters.** `version`: empty means the newest. `force`: skip the gate, but not the check that it can serve; needs
`version` and `reason`. Also use it to roll back to an older version; without it, a version that served and was replaced
never comes back. `dry_run`: only say what would be done
and why, in **not_promoted**.

**Example.** `{"version": "20261101T040000Z-gsdmm", "force": true, "reason": "the new one mixes storm and football"}`

**When it fails.** *the champion has changed since*: somebody promoted another version meanwhile; start a new run.
*has no manifest.json*: the version was never registered; *has expired*: **model_retention** has deleted it. Choose one
from `twitter-topics models`. *cannot serve* (in **not_promoted**): its files have changed or cannot be loaded; train
again.
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
        "reason": Param("", type="string", maxLength=500, title="Reason (required with force, and to approve)"),
        "dry_run": Param(False, type="boolean", title="Only say what would be done"),
    },
)
def model_promotion():
    @task
    def judge(params=None, dag_run=None, triggering_asset_events=None):
        settings = Settings()
        models = ModelStore(settings)
        by = dag_run.triggering_user_name or ""
        asked = (params["version"], params["force"], params["reason"])
        request = promotion_tasks.PromotionRequest(*asked, by=by, dry_run=params["dry_run"])
        events = [event.extra for event in (triggering_asset_events or {}).get(TOPIC_MODEL, [])]
        version = promotion_tasks.choose_version(models, request, events)
        return promotion_tasks.decide(models, version, request, promotion=settings.topics.promotion)

    @task.branch
    def gate(decision: dict):
        return "promote" if decision["promote"] else "not_promoted"

    @task(outlets=[TOPIC_CHAMPION])
    def promote(decision: dict):
        yield Metadata(TOPIC_CHAMPION, extra=promotion_tasks.promote(ModelStore(Settings()), decision))

    @task
    def not_promoted(decision: dict):
        return {name: decision[name] for name in ("version", "state", "dry_run", "reasons")}

    decision = judge()
    gate(decision) >> [promote(decision), not_promoted(decision)]


model_promotion()
