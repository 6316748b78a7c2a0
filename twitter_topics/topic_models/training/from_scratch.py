"""Whether topics that keep their identity still fit: every seventh training is compared with a start from scratch.

The answer is advice for a person, because a start from scratch changes topic ids. It decides nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from twitter_topics.errors import TooFewTweetsError
from twitter_topics.topic_models.registry.gate import Comparison, Limits, Metrics
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.training.evaluation import compare, measure
from twitter_topics.topic_models.training.languages import goes_on, train_topics
from twitter_topics.topic_models.training.trainers import GsdmmTrainer, Trainer

if TYPE_CHECKING:
    from twitter_topics.topic_models.training.alignment import Predecessor
    from twitter_topics.topic_models.training.request import TrainingRequest
    from twitter_topics.topic_models.training.tweets import TrainingTweets

log = logging.getLogger(__name__)

EVERY = 7
"""Trainings from one comparison to the next."""

_ADVICE = "run topic_retraining with start=scratch; topic ids then change"


def trainings_since_scratch(
    trainer: Trainer, champion: Predecessor | None, posts: Mapping[str, int], request: TrainingRequest, before: int
) -> int:
    """Return how many trainings in a row have continued the topics of a start from scratch; 0 for such a start.

    Args:
        posts: tweets in the window, by language.
        before: the champion's.
    """
    anchored = isinstance(trainer, GsdmmTrainer) and trainer.anchored
    return before + 1 if anchored and champion is not None and goes_on(champion, posts, request) else 0


def is_due(training: Mapping[str, Any]) -> bool:
    """Return whether a version is compared, from its `training.json`; one of an older release is not."""
    count = int(training.get("trainings_since_scratch", 0))
    return count > 0 and count % EVERY == 0


def from_scratch(
    challenger: Scorer,
    champion: Predecessor,
    tweets: TrainingTweets,
    request: TrainingRequest,
    *,
    trained_without: int,
    judged: tuple[pa.ListArray, pa.Array],
) -> dict[str, Any] | None:
    """Train topics from scratch as the challenger was trained, and return how they compare with its own; None if too
    few tweets are left since then.

    Args:
        tweets: of the challenger's window.
        trained_without: n, if one tweet in n was held out.
        judged: words and languages of tweets that the challenger was not trained on.

    Returns:
        `perplexity` and `coherence` of both, the 95 % interval `ratio` of the perplexities (from scratch / continued),
        `share_kept` of the champion's topics, and `advice`: a sentence, with `better` whether to follow it.
    """
    try:
        trained, _ = train_topics(GsdmmTrainer(anchored=False), tweets, trained_without, request, champion)
    except TooFewTweetsError as error:
        log.warning("not compared with a start from scratch: %s", error)
        return None
    scratch, (words, languages) = Scorer(trained.model), judged
    metrics, comparison = measure(scratch, words, languages), compare(scratch, challenger, words, languages=languages)
    gains = _gains(metrics, comparison)
    found = {
        "topics": metrics.topics,
        "perplexity": [comparison.challenger_perplexity, comparison.champion_perplexity],
        "coherence": [metrics.coherence, comparison.champion.coherence],
        "ratio": asdict(comparison.ratio) if comparison.ratio else None,
        "share_kept": compare(scratch, Scorer(champion.model), words, languages=languages).share_kept,
        "better": bool(gains),
        "advice": _advice(gains, comparison),
    }
    log.log(logging.WARNING if gains else logging.INFO, "%s", found["advice"])
    return found


def _gains(scratch: Metrics, comparison: Comparison) -> list[str]:
    """Return in what a start from scratch is better, as sentences."""
    gains, continued = [], comparison.champion.coherence
    if comparison.ratio is not None and comparison.ratio.high < 1:
        gains.append(f"perplexity {comparison.ratio.as_change()}")
    if scratch.coherence is not None and continued is not None:
        gain = scratch.coherence - continued
        if gain > Limits.max_coherence_drop:
            gains.append(f"coherence {gain:.3f} higher")
    return gains


def _advice(gains: list[str], comparison: Comparison) -> str:
    if gains:
        return f"Topics from scratch would fit better ({', '.join(gains)}): {_ADVICE}"
    interval = f"perplexity {comparison.ratio.as_change()}" if comparison.ratio else "too few held-out tweets"
    return f"Topics from scratch would not fit better ({interval})"
