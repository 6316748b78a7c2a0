"""The last step of a training: the version becomes one of the registry's."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.metadata import version as installed_version
from typing import Any

from twitter_topics.settings import PROJECT
from twitter_topics.topic_models.registry.card import CARD, model_card
from twitter_topics.topic_models.registry.files import EVALUATION, GOLDEN, TOPICS, TRAINING, held_out_one_in, read_json
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.registry.version import created_at


def register_version(store: ModelStore, version: str) -> dict[str, Any]:
    """Finish a trained and evaluated version: write its card and its manifest, and return the manifest.

    Raises:
        ConflictError: the version is already registered, or training or evaluation did not finish.
        IntegrityError: a file is damaged.
    """
    training = read_json(store, version, TRAINING)
    evaluation = read_json(store, version, EVALUATION)
    read_json(store, version, GOLDEN)
    origin: dict[str, Any] = {
        name: training[name] for name in ("window", "offsets") if name in training
    }  # an older release has none
    manifest: dict[str, Any] = {
        "created_at": created_at(version).isoformat(),
        "code": installed_version("twitter-topics"),
        "lock": _lock(),
        "trainer": training["request"]["trainer"],
        "parameters": training["request"],
        "text_rules": training.get("text_rules", 1),
        "snapshot": training["snapshot"],
        **origin,
        "tweets": training["tweets"],
        "held_out_one_in": held_out_one_in(training),
        "documents": training["documents"],
        "confidence": training.get("confidence", {}),
        "next_topic_id": training["next_topic_id"],
        "trainings_since_scratch": training.get("trainings_since_scratch", 0),
        "metrics": evaluation["metrics"],
        "evaluation": evaluation,
        "topics": read_json(store, version, TOPICS)["topics"],
    }
    store.put_files(version, {CARD: model_card(version, manifest).encode()})
    return store.register(version, manifest)


@cache
def _lock() -> str:
    """Return the sha256 of the packages that this project was installed with."""
    return sha256((PROJECT / "requirements.txt").read_bytes()).hexdigest()
