"""Files of a model version beside its arrays, and the manifest that is made of them. No JVM is needed here."""

from __future__ import annotations

from typing import Any

from twitter_topics.topic_models.registry import json_objects
from twitter_topics.topic_models.registry.gate import Comparison, Metrics
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.registry.version import created_at

PIPELINE = "pipeline"
"""Folder of the stock Spark PipelineModel."""

TOPICS = "topics.json"
"""{topics: list of {topic_id, label, top_words, documents, share, status}}, largest topic first; status is `new` or
`kept`."""

TRAINING = "training.json"
"""{request, snapshot, tweets, documents, vocabulary, topics, next_topic_id, warm_start_version, seconds}."""

EVALUATION = "evaluation.json"
"""{metrics, comparison, champion: {version, etag} or null, verdict: {promote, reasons}}."""

GOLDEN = "golden.json"
"""{texts, theta}: made-up texts and the topic shares that Spark's pipeline gives them, for the loader's check."""


def register_version(store: ModelStore, version: str) -> dict[str, Any]:
    """Finish a version that was trained and evaluated: write its manifest. Returns it.

    Raises:
        ConflictError: the version is registered already.
        IntegrityError: training or evaluation did not finish.
    """
    training = read_json(store, version, TRAINING)
    evaluation = read_json(store, version, EVALUATION)
    read_json(store, version, GOLDEN)
    manifest = {
        "created_at": created_at(version).isoformat(),
        "trainer": training["request"]["trainer"],
        "parameters": training["request"],
        "snapshot": training["snapshot"],
        "documents": training["documents"],
        "next_topic_id": training["next_topic_id"],
        "metrics": evaluation["metrics"],
        "evaluation": evaluation,
        "topics": read_json(store, version, TOPICS)["topics"],
    }
    return store.register(version, manifest)


def evaluated(content: dict[str, Any]) -> tuple[Metrics, Comparison | None]:
    """Numbers of `evaluation.json`, to be judged again, perhaps with other limits."""
    compared = content["comparison"]
    comparison = None
    if compared is not None:
        comparison = Comparison(**{**compared, "champion": Metrics(**compared["champion"])})
    return Metrics(**content["metrics"]), comparison


def read_json(store: ModelStore, version: str, name: str) -> dict[str, Any]:
    """A JSON object of a version, registered or not.

    Raises:
        IntegrityError: it is missing or no JSON object.
    """
    return json_objects.decode(store.read_unregistered(version, name), f"{name} of model {version}")
