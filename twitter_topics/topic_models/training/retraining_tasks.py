"""Tasks of topic_retraining outside Spark."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.topic_models.registry.card import model_card
from twitter_topics.topic_models.registry.files import is_provisional, verdict_state
from twitter_topics.topic_models.registry.registration import register_version
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.training.when_to_retrain import Decision, TrainingNeed, decide_retraining, retry_at

if TYPE_CHECKING:
    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)


def decide(
    settings: Settings,
    *,
    asked_by_person: bool,
    at: datetime,
    window_hours: int,
    min_documents: int,
    max_documents: int,
    models: ModelStore,
    archive: ArchiveStore,
) -> Decision:
    """Compare the window of a training with the newest registered version. A person's request is always granted: the
    job itself rejects too few tweets.

    Args:
        at: end of the window.
    """
    if asked_by_person:
        decision = Decision(True, "requested by a person")
    else:
        window = (at - timedelta(hours=window_hours), at)
        need = _need(window, min_documents, max_documents, settings.topics.min_new_tweets, models, archive)
        decision = decide_retraining(need, min_documents=min_documents, min_new_tweets=settings.topics.min_new_tweets)
    log.info("%s: %s", "training" if decision.train else "no training", decision.reason)
    return decision


def register(models: ModelStore, version: str) -> dict[str, Any]:
    """Finish a trained and evaluated version. A repeat for a registered version changes nothing.

    Returns:
        Extra of the asset event: {version, metrics, state, passes (the gate's verdict at evaluation)}.

    Raises:
        ConflictError: training or evaluation did not finish, or its files were deleted since.
        IntegrityError: a file is damaged.
    """
    manifest = models.manifest(version) if models.is_registered(version) else register_version(models, version)
    for line in model_card(version, manifest).splitlines():
        log.info("%s", line)
    verdict = manifest["evaluation"]["verdict"]
    log.info("%s registered; verdict of the gate: %s", version, "; ".join(verdict["reasons"]))
    state = verdict_state(manifest)
    return {"version": version, "metrics": manifest["metrics"], "state": state, "passes": verdict["promote"]}


def _need(
    window: tuple[datetime, datetime],
    min_documents: int,
    max_documents: int,
    min_new_tweets: int,
    models: ModelStore,
    archive: ArchiveStore,
) -> TrainingNeed:
    found = models.manifests(newest=1)
    if not found:
        return TrainingNeed(archive.usable_tweets(*window, enough=min_documents), None)
    (newest,) = found
    undecided = _undecided_tweets(newest, max_documents)
    tweets = archive.usable_tweets(*window, enough=max(min_documents, retry_at(undecided or 0), min_new_tweets))
    trained = datetime.fromisoformat(newest["created_at"])
    new = archive.usable_tweets(*window, enough=min(min_new_tweets, tweets), received_since=trained)
    return TrainingNeed(tweets, new, undecided, window[1] - trained)


def _undecided_tweets(manifest: Mapping[str, Any], max_documents: int) -> int | None:
    """A version that was compared with no other model is soon outgrown: refused, more tweets may help; promoted, it
    serves with what the first tweets taught it. None can help if a training does not read so many."""
    if verdict_state(manifest) != "cannot_tell" and not is_provisional(manifest):
        return None
    tweets = int(manifest.get("tweets", manifest["documents"]))  # older manifests have only the second
    return tweets if retry_at(tweets) <= max_documents else None
