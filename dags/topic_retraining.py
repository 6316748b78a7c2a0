"""# topic_retraining: train a new topic model

**What it does.** Every day at 04:00 UTC and after each compaction it counts the tweets that a training would read:
distinct, not rejected, in the newest `window_hours`. It trains if Kafka has received `TOPICS_MIN_NEW_TWEETS` of them
since the newest model, or, at least a day after it, all of them; or if there are 1.5 times as many as for that model,
`max_documents` allows so many, and it is a first one, promoted or not, or the gate could not tell about it; before the
first model, if there are `min_documents`. It
evaluates the new version against the champion on held-out tweets, one in five below 20,000 tweets, else one in twenty,
and registers it. That triggers **model_promotion**. Topics continue the champion's and keep its ids and labels; the log
names those that are given up and those that are back. A manual run, and *Materialize* on the asset `topic_model`, skip
the count.

**What it does not do.** It never changes the champion or a registered version: retraining a registered version fails.

**Parameters.** Defaults are the `TOPICS_*` settings. `k` is the largest number of topics; topics with almost no tweets
are dropped. A larger `k` than the champion's starts over, and ids are matched by similarity, as with `start` `scratch`.
Every seventh training says whether that would fit better. `iterations` counts when training starts over, and for
`spark-lda`. `languages` are those with topics of their own: `auto`, codes (`en,ja`), or `all` for one set of topics; of
several, the one with most tweets has `k`. A tweet has no topic if its confidence in it is below `min_confidence`.

**Example.** `{"trainer": "spark-lda", "k": 30, "iterations": 60}`

**When it fails.** *there are too few tweets* (without a person's request, the task is skipped): wait, lower
`min_documents`, or widen `window_hours`. *scorer and Spark
pipeline differ* (evaluate): this is a bug and the version is not registered; keep the log. *continues …, but the
champion is now …* (evaluate): another model was promoted meanwhile; start a new run. *AirflowTaskTimeout* (train,
evaluate): the job took longer than `SPARK_MAX_JOB_HOURS`; raise it, or lower `max_documents`. Clear a killed task to
retry it: an unregistered version is trained again from scratch. To train again after a success, start a new run.
"""

from __future__ import annotations

from airflow.sdk import AssetOrTimeSchedule, Metadata, Param, dag, task

from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.orchestration.assets import TOPIC_MODEL, TWEETS_ARCHIVE
from twitter_topics.orchestration.schedules import BY_PERSON, TASK_DEFAULTS, at
from twitter_topics.orchestration.spark import SparkJobOperator
from twitter_topics.settings import Settings
from twitter_topics.settings.values import LEAST_TOPICS
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.registry.version import TRAINERS, version_name
from twitter_topics.topic_models.training import retraining_tasks
from twitter_topics.topic_models.training.request import CHAMPION, STARTS

DEFAULTS = Settings().topics
LANGUAGES = "^(auto|all|(?!(all|und)(,|$))[a-z]{2,3}(,(?!(all|und)(,|$))[a-z]{2,3})*)$"
PARAMS = {
    "trainer": Param(DEFAULTS.trainer, type="string", enum=list(TRAINERS), title="Trainer"),
    "k": Param(DEFAULTS.k, type="integer", minimum=LEAST_TOPICS, maximum=200, title="Number of topics"),
    "iterations": Param(DEFAULTS.iterations, type="integer", minimum=1, maximum=1000),
    "start": Param(CHAMPION, type="string", enum=list(STARTS), title="Continue the champion's topics, or from scratch"),
    "seed": Param(DEFAULTS.seed, type="integer", minimum=0, maximum=2**31 - 1),
    "window_hours": Param(DEFAULTS.window_hours, type="integer", minimum=1, maximum=24 * 3650),
    "max_documents": Param(DEFAULTS.max_documents, type="integer", minimum=1000, maximum=20_000_000),
    "min_documents": Param(DEFAULTS.min_documents, type="integer", minimum=100, maximum=20_000_000),
    "languages": Param(DEFAULTS.languages, type="string", pattern=LANGUAGES, title="Languages with their own topics"),
    "min_confidence": Param(DEFAULTS.min_confidence, type="number", minimum=0, maximum=1, title="Of a clear topic"),
}
VERSION = "{{ ti.xcom_pull(task_ids='name_version') }}"


@dag(
    schedule=AssetOrTimeSchedule(timetable=at("0 4 * * *"), assets=[TWEETS_ARCHIVE]),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["model"],
    doc_md=__doc__,
    params=PARAMS,
)
def topic_retraining():
    @task.short_circuit
    def enough_new_tweets(params=None, dag_run=None):
        settings = Settings()
        return retraining_tasks.decide(
            settings,
            asked_by_person=dag_run.run_type in BY_PERSON,
            at=dag_run.run_after,  # as in the version's name
            window_hours=int(params["window_hours"]),
            min_documents=int(params["min_documents"]),
            max_documents=int(params["max_documents"]),
            models=ModelStore(settings),
            archive=ArchiveStore(settings),
        ).train

    @task
    def name_version(params=None, dag_run=None):
        # run_after is the same for every try, and every run has one
        return version_name(dag_run.run_after, params["trainer"])

    @task(outlets=[TOPIC_MODEL])
    def register(version: str):
        yield Metadata(TOPIC_MODEL, extra=retraining_tasks.register(ModelStore(Settings()), version))

    version = name_version()
    chosen = [part for name in PARAMS for part in (f"--{name.replace('_', '-')}", f"{{{{ params.{name} }}}}")]
    train = SparkJobOperator(task_id="train", job="train_topics", arguments=["--version", VERSION, *chosen])
    evaluate = SparkJobOperator(task_id="evaluate", job="evaluate_topics", arguments=["--version", VERSION])
    enough_new_tweets() >> version >> train >> evaluate >> register(version)


topic_retraining()
