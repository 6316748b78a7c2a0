"""Whether a new training is worthwhile."""

from __future__ import annotations

import math
from dataclasses import dataclass

RETRY_GROWTH = 1.5
"""The gate's interval is about 18 % narrower with so many more tweets."""


@dataclass(frozen=True, slots=True)
class TrainingNeed:
    """State of the archive and the model store. Tweets are those that a training would read: distinct, not rejected,
    and in its window.

    `new_tweets`: those received since the newest registered version was trained, promoted or not: a version that the
    gate rejected must not be retrained every hour on the same tweets. `None`: there is no version yet.
    `undecided_tweets`: tweets of the newest version if more tweets may change the gate's verdict about it, else None.
    """

    tweets: int
    new_tweets: int | None
    undecided_tweets: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to train, with the reason for the log."""

    train: bool
    reason: str


def decide_retraining(need: TrainingNeed, *, min_documents: int, min_new_tweets: int) -> Decision:
    """Decide. There have to be enough new tweets, or RETRY_GROWTH times the tweets of a version about which the gate
    could not tell, or of a refused first one."""
    if need.tweets < min_documents:
        return Decision(False, f"{need.tweets:,} tweets in the window; {min_documents:,} are required")
    if need.new_tweets is None:
        return Decision(True, f"no model yet; {need.tweets:,} tweets are available for training")
    if need.new_tweets >= min_new_tweets:
        return Decision(True, f"{need.new_tweets:,} new tweets since the newest model")
    missing = f"{need.new_tweets:,} new tweets since the newest model; {min_new_tweets:,} required"
    if need.undecided_tweets is None:
        return Decision(False, missing)
    if need.tweets >= retry_at(need.undecided_tweets):
        return Decision(True, f"{need.tweets:,} tweets; the newest model, of fewer, was not promoted")
    return Decision(False, f"{missing}, or {retry_at(need.undecided_tweets):,} in all ({need.tweets:,} now)")


def retry_at(tweets: int) -> int:
    """Return the number of tweets at which a version of so many is trained again."""
    return math.ceil(RETRY_GROWTH * tweets)
