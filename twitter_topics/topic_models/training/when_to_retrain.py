"""Whether a new training is worthwhile."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingNeed:
    """State of the archive and the model store.

    `new_tweets`: tweets archived since the newest registered version was trained, promoted or not: a version that the
    gate rejected must not be retrained every hour on the same tweets. `None`: there is no version yet.
    """

    archived_tweets: int
    new_tweets: int | None
    asked_by_person: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to train, with the reason for the log."""

    train: bool
    reason: str


def decide_retraining(need: TrainingNeed, *, min_documents: int, min_new_tweets: int) -> Decision:
    """Decide. A manual run always trains (the job itself rejects too few tweets); other runs need enough new tweets."""
    if need.asked_by_person:
        return Decision(True, "requested by a person")
    if need.archived_tweets < min_documents:
        return Decision(False, f"{need.archived_tweets:,} tweets are archived; {min_documents:,} are required")
    if need.new_tweets is None:
        return Decision(True, f"no model yet; {need.archived_tweets:,} tweets are available for training")
    if need.new_tweets < min_new_tweets:
        return Decision(False, f"{need.new_tweets:,} new tweets since the newest model; {min_new_tweets:,} required")
    return Decision(True, f"{need.new_tweets:,} new tweets since the newest model")
