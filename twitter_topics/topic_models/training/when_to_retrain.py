"""Whether a new topic model is worth its training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingNeed:
    """What the archive and the model store say.

    `new_tweets` counts tweets archived since the newest registered version was trained, promoted or not: a version that
    the gate refused must not be trained again every hour from the same tweets. `None`: there is no version yet.
    """

    archived_tweets: int
    new_tweets: int | None
    asked_by_person: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Train or not, with the sentence that a person reads in the log."""

    train: bool
    reason: str


def decide_retraining(need: TrainingNeed, *, min_documents: int, min_new_tweets: int) -> Decision:
    """A person's run always trains (the job itself refuses too few documents); other runs need enough that is new."""
    if need.asked_by_person:
        return Decision(True, "a person asked for this run")
    if need.archived_tweets < min_documents:
        return Decision(False, f"{need.archived_tweets:,} tweets are archived, {min_documents:,} are needed")
    if need.new_tweets is None:
        return Decision(True, f"no model yet, and {need.archived_tweets:,} tweets to learn from")
    if need.new_tweets < min_new_tweets:
        return Decision(False, f"{need.new_tweets:,} new tweets since the newest model, {min_new_tweets:,} are needed")
    return Decision(True, f"{need.new_tweets:,} new tweets since the newest model")
