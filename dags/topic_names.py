"""# topic_names: call a topic by a name, and show topics together

**What it does.** It sets how one topic is shown on the page *Topics*, by `twitter-topics topics` and on the card of a
version: by a name of yours, the model's label next to it, and as a part of another topic, whose row then has the tweets
of both. The change is written to S3 with the user, the time and the reason; the page shows it within ten seconds.

| `name` | `shown_with` | topic 12 is shown |
|---|---|---|
| Storm Eunice | empty | by itself, as *Storm Eunice* |
| empty | 7 | as a part of topic 7 |
| empty | empty | by its label and by itself, as if it had never been named |

**What it does not do.** It changes no count, document, model or dashboard: InfluxDB, Elasticsearch and Grafana keep ids
and labels. Names stay when models are trained, promoted, rolled back and deleted, because no topic id is used again.

**Parameters.** `topic_id`: the page shows it when you point at a label. `name`: one line, at most 60 characters; empty
takes the name away. `shown_with`: a topic that is shown by itself; empty means by itself. `reason`: kept with the
change.

**Example.** `{"topic_id": 7, "name": "Storm Eunice", "shown_with": null, "reason": "the storm has a name now"}`

**When it fails.** *no model has ever had a topic …*: look the id up with `twitter-topics topics --json`. *is itself
shown with topic 3*: choose 3. *has parts of its own*: show these with the other topic first, each in a run. *is
damaged*: labels are shown meanwhile; delete the object that the message names, and the names before that change are
back. *others are changing*: start a new run.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import Param, dag, task

from twitter_topics.orchestration.schedules import TASK_DEFAULTS
from twitter_topics.settings import Settings
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.registry.topic_names import MAX_NAME, MAX_REASON, sentence, set_naming

ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$(?!\n)"


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    tags=["model"],
    doc_md=__doc__,
    params={
        "topic_id": Param(type="integer", minimum=0, title="Topic id"),
        "name": Param("", type="string", maxLength=MAX_NAME, pattern=ONE_LINE, title="Name (empty = the label)"),
        "shown_with": Param(None, type=["integer", "null"], minimum=0, title="Show with topic (empty = by itself)"),
        "reason": Param("", type="string", maxLength=MAX_REASON, title="Reason"),
    },
)
def topic_names():
    @task
    def name_topic(params=None, dag_run=None):
        topic_id, head = int(params["topic_id"]), params["shown_with"]  # a form takes 3.0 for an integer
        names = set_naming(
            ModelStore(Settings()),
            topic_id,
            name=params["name"],
            shown_with=None if head is None else int(head),
            by=dag_run.triggering_user_name or "topic_names",
            at=datetime.now(UTC),
            reason=params["reason"],
        )
        return sentence(names, topic_id)

    name_topic()


topic_names()
