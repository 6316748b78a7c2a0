"""Tasks of topic_retraining outside Spark."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.topic_models.registry.files import register_version, verdict_state
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.training.when_to_retrain import Decision, TrainingNeed, decide_retraining

if TYPE_CHECKING:
    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)


def decide(
    settings: Settings, *, asked_by_person: bool, min_documents: int, models: ModelStore, archive: ArchiveStore
) -> Decision:
    """Compare the archive with the newest registered version."""
    newest = _newest(models)
    need = TrainingNeed(
        archive.rows(),
        None if newest is None else _new_tweets(newest, archive),
        None if newest is None else _undecided_tweets(newest, is_first=models.champion() is None),
        asked_by_person,
    )
    decision = decide_retraining(need, min_documents=min_documents, min_new_tweets=settings.topics.min_new_tweets)
    log.info("%s: %s", "training" if decision.train else "no training", decision.reason)
    return decision


def register(models: ModelStore, version: str) -> dict[str, Any]:
    """Finish a trained and evaluated version. A repeat for a registered version changes nothing.

    Returns:
        Extra of the asset event: {version, metrics, state, passes (the gate's verdict at evaluation)}.

    Raises:
        IntegrityError: training or evaluation did not finish.
    """
    registered = version in models.versions()
    manifest = models.manifest(version) if registered else register_version(models, version)
    verdict = manifest["evaluation"]["verdict"]
    log.info("%s registered; verdict of the gate: %s", version, "; ".join(verdict["reasons"]))
    state = verdict_state(manifest)
    return {"version": version, "metrics": manifest["metrics"], "state": state, "passes": verdict["promote"]}


def _newest(models: ModelStore) -> dict[str, Any] | None:
    versions = models.versions()
    return models.manifest(versions[-1]) if versions else None


def _undecided_tweets(manifest: Mapping[str, Any], *, is_first: bool) -> int | None:
    """While there is no champion, more tweets may also help a version that was refused."""
    if verdict_state(manifest) in (("cannot_tell", "refuse") if is_first else ("cannot_tell",)):
        return int(manifest.get("tweets", manifest["documents"]))  # older manifests have only the second
    return None


def _new_tweets(manifest: Mapping[str, Any], archive: ArchiveStore) -> int:
    since = archive.rows_since(manifest["snapshot"])
    if since is not None:
        return since
    # the snapshot has expired: count whole hours since then, nearly the same and without reading data
    trained = datetime.fromisoformat(manifest["created_at"])
    return sum(held.rows for hour, held in archive.files_per_hour().items() if hour >= trained)
