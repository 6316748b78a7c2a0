"""Whether a new training is worthwhile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

RETRY_GROWTH = 1.5
"""The gate's interval is about 18 % narrower with so many more tweets."""

LEAST_AGE = timedelta(days=1)
"""Of the newest model, before a window with fewer tweets than TOPICS_MIN_NEW_TWEETS is reason enough for the next one:
a window of an hour is new every hour."""


@dataclass(frozen=True, slots=True)
class TrainingNeed:
    """State of the archive and the model store. Tweets are those that a training would read: distinct, not rejected,
    and in its window.

    `new_tweets`: those received since the newest registered version was trained, promoted or not: a version that the
    gate rejected must not be retrained every hour on the same tweets. `None`: there is no version yet.
    `undecided_tweets`: tweets of the newest version if more tweets may change the gate's verdict about it, or it was
    compared with no other model; else None. `age`: of the newest version.
    """

    tweets: int
    new_tweets: int | None
    undecided_tweets: int | None = None
    age: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to train, with the reason for the log."""

    train: bool
    reason: str


def decide_retraining(need: TrainingNeed, *, min_documents: int, min_new_tweets: int) -> Decision:
    """Decide. There have to be enough new tweets; or all of a window that never has so many; or RETRY_GROWTH times the
    tweets of a version about which the gate could not tell, or of a first one, whether it serves or was refused."""
    if need.tweets < min_documents:
        return Decision(False, f"{need.tweets:,} tweets in the window; {min_documents:,} are required")
    if need.new_tweets is None:
        return Decision(True, f"no model yet; {need.tweets:,} tweets are available for training")
    if need.new_tweets >= min_new_tweets:
        return Decision(True, f"{need.new_tweets:,} new tweets since the newest model")
    if need.new_tweets >= need.tweets and need.age >= LEAST_AGE:
        return Decision(True, f"all {need.tweets:,} tweets of the window are newer than the newest model")
    required = f"{min_new_tweets:,} required"
    if need.tweets < min_new_tweets:
        required += f", or all {need.tweets:,} of the window a day after it"
    missing = f"{need.new_tweets:,} new tweets since the newest model; {required}"
    if need.undecided_tweets is None:
        return Decision(False, missing)
    if need.tweets >= retry_at(need.undecided_tweets):
        return Decision(True, f"{need.tweets:,} tweets; the newest model had {need.undecided_tweets:,}")
    return Decision(False, f"{missing}, or {retry_at(need.undecided_tweets):,} in all ({need.tweets:,} now)")


def retry_at(tweets: int) -> int:
    """Return the number of tweets at which a version of so many is trained again."""
    return math.ceil(RETRY_GROWTH * tweets)
