"""Files of a model version next to its arrays, and the manifest built from them. Needs no JVM."""

from __future__ import annotations

from typing import Any

from twitter_topics.topic_models.registry import json_objects
from twitter_topics.topic_models.registry.gate import Comparison, Metrics
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.registry.version import created_at

PIPELINE = "pipeline"
"""Folder of the standard Spark PipelineModel."""

TOPICS = "topics.json"
"""{topics: list of {topic_id, label, top_words, documents, share, status}}, largest topic first; status is `new` or
`kept`."""

TRAINING = "training.json"
"""{request, snapshot, tweets, documents, vocabulary, topics, next_topic_id, warm_start_version, seconds}."""

EVALUATION = "evaluation.json"
"""{metrics, comparison, champion: {version, etag} or null, verdict: {promote, reasons}}."""

GOLDEN = "golden.json"
"""{texts, theta}: synthetic texts and the topic shares that Spark's pipeline computed, for the loader's check."""


def register_version(store: ModelStore, version: str) -> dict[str, Any]:
    """Finish a trained and evaluated version: write its manifest and return it.

    Raises:
        ConflictError: the version is already registered.
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
    """Return the numbers of `evaluation.json`, to be judged again, possibly with other limits."""
    compared = content["comparison"]
    comparison = None
    if compared is not None:
        comparison = Comparison(**{**compared, "champion": Metrics(**compared["champion"])})
    return Metrics(**content["metrics"]), comparison


def read_json(store: ModelStore, version: str, name: str) -> dict[str, Any]:
    """Return a JSON object of a version, registered or not.

    Raises:
        IntegrityError: the file is missing or not a JSON object.
    """
    return json_objects.decode(store.read_unregistered(version, name), f"{name} of model {version}")
