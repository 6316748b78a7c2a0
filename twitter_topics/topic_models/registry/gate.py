"""The promotion gate: numbers in, verdict and reasons out. Pure functions.

A challenger's perplexity on held-out tweets is noisy, so the gate decides by the interval of its ratio to the
champion's: promote what is certainly not much worse, refuse what is certainly worse, and say so if neither is certain.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from twitter_topics.settings.values import LEAST_TOPICS

State = Literal["promote", "refuse", "cannot_tell", "person"]
"""`cannot_tell`: the champion stays until there are more tweets. `person`: the numbers mean nothing, so a person has to
decide. Only `promote` promotes."""


@dataclass(frozen=True)
class Interval:
    """A 95 % interval."""

    low: float
    high: float

    def as_change(self) -> str:
        """Return the interval of a ratio as that of a change: `-5.0% to +1.0%`."""
        return f"{self.low - 1:+.1%} to {self.high - 1:+.1%}"


@dataclass(frozen=True)
class LanguageMetrics:
    """The topics of one language on its held-out tweets, as in Metrics. Evaluations from before models were compared
    within the languages of both have None for the last four."""

    language: str
    topics: int
    documents: int
    held_out: int
    perplexity: float
    unigram_perplexity: float
    coherence: float | None = None
    diversity: float | None = None
    coverage: float | None = None
    without_topic: float | None = None


@dataclass(frozen=True)
class Metrics:
    """One model on the held-out tweets of its languages. Lower perplexity is better. The measures are in
    training/topic_quality.py.

    `coherence` is None where the held-out tweets are too few to measure it. `languages` is empty for a model with one
    set of topics, in the order of the topics otherwise.
    """

    topics: int
    vocabulary: int
    documents: int
    held_out: int
    perplexity: float
    unigram_perplexity: float
    coherence: float | None
    diversity: float
    coverage: float
    languages: tuple[LanguageMetrics, ...] = ()
    without_topic: float | None = None
    """Share of the tweets that have no topic as they are served: none known, or no clear one. None in evaluations from
    before there were unclear topics."""


@dataclass(frozen=True)
class LanguageComparison:
    """Of one language: interval of challenger's perplexity / champion's, None for too few tweets."""

    language: str
    ratio: Interval | None


@dataclass(frozen=True)
class Comparison:
    """Challenger and champion on the same held-out tweets; perplexities are on the words that both know.

    If one of them has topics per language, the tweets are those of the languages in which both have topics, and
    words are compared within each. `champion` is on the tweets of all its languages. `lost`: languages of enough
    tweets in which only the champion has topics.
    """

    challenger_perplexity: float
    champion_perplexity: float
    common_words_share: float
    """Share of the challenger's frequent words on held-out tweets that the champion also knows."""
    share_kept: float
    """Share of tweets that keep their topic id."""
    champion: Metrics
    ratio: Interval | None = None
    """Of challenger's perplexity / champion's. None for too few tweets, and in evaluations from before it was kept."""
    share_kept_confident: float | None = None
    """Share of those tweets that keep their topic id about which the champion is confident. None in evaluations from
    before it was kept."""
    languages: tuple[LanguageComparison, ...] = ()
    lost: tuple[str, ...] = ()
    asked: tuple[int, int] | None = None
    """Number of topics that was asked for in the challenger's training, and in the champion's. None in evaluations from
    before it was kept."""


@dataclass(frozen=True)
class Limits:
    """Limits that a model must meet."""

    min_documents: int = 500
    min_held_out: int = 30
    min_topics: int = LEAST_TOPICS
    min_coverage: float = 0.5
    min_diversity: float = 0.2
    max_perplexity_ratio: float = 1.05
    """The upper end of the interval must be below it."""
    max_coherence_drop: float = 0.05
    max_diversity_drop: float = 0.05
    max_coverage_drop: float = 0.02
    min_share_kept: float = 0.2
    min_common_words: float = 0.5
    """With fewer common words the tweets themselves have changed, so the champion is not a yardstick."""


@dataclass(frozen=True)
class Verdict:
    """`reasons` are sentences for people: why not, or what was compared."""

    state: State
    reasons: list[str]

    @property
    def promote(self) -> bool:
        return self.state == "promote"

    def as_dict(self) -> dict[str, Any]:
        return {"state": self.state, "promote": self.promote, "reasons": list(self.reasons)}


_NOTABLE_RISE = 0.2

_NO_INTERVAL = (
    "the perplexities have no interval, because too few held-out tweets have two words that both models know, or "
    "because the version is from before there was one: train again, or promote it with force and a reason"
)


def judge(challenger: Metrics, comparison: Comparison | None, limits: Limits | None = None) -> Verdict:
    """Compare a challenger with fixed limits and, unless it is the first model, with the champion."""
    limits = limits or Limits()
    failures = list(_missed_limits(challenger, limits))
    if comparison is not None:
        failures += _losses_to_champion(challenger, comparison, limits)
    if failures:
        return Verdict("refuse", failures)
    if comparison is None:
        return Verdict("promote", [_praise(challenger), "there is no champion yet, so it serves provisionally"])
    if not _comparable(comparison, limits):
        return Verdict("person", [_praise(challenger), _stranger(comparison)])
    if comparison.ratio is None:
        return Verdict("cannot_tell", [_NO_INTERVAL])
    compared = _compared(comparison, comparison.ratio)
    if not comparison.ratio.high < limits.max_perplexity_ratio:
        limit = f"{limits.max_perplexity_ratio - 1:.0%}"
        doubt = f"{challenger.held_out:,} held-out tweets are too few to tell whether it is less than {limit} worse"
        return Verdict("cannot_tell", [compared, doubt])
    reasons = [_praise(challenger), f"{compared}; {_kept(comparison)}"]
    if unlike := _unlike(challenger, comparison):
        reasons.append(f"{unlike}, so coherence, diversity and kept topics do not count")
    if unclear := _unclear(*_where_both_have_topics(challenger, comparison.champion)[:2]):
        reasons.append(unclear)
    return Verdict("promote", reasons)


def _missed_limits(model: Metrics, limits: Limits) -> Iterator[str]:
    if model.documents < limits.min_documents:
        yield f"trained on {model.documents:,} tweets; at least {limits.min_documents:,} are required"
    if model.held_out < limits.min_held_out:
        yield f"only {model.held_out:,} held-out tweets to evaluate on; at least {limits.min_held_out:,} are required"
    if model.topics < limits.min_topics:
        yield f"{model.topics} topics; at least {limits.min_topics} are required"
    if not model.perplexity < model.unigram_perplexity:  # also true for NaN
        yield (
            f"perplexity {model.perplexity:.1f} is not below {model.unigram_perplexity:.1f}, "
            "the perplexity of a model without topics"
        )
    if not model.coverage >= limits.min_coverage:
        yield f"knows a word of only {model.coverage:.1%} of the tweets; at least {limits.min_coverage:.0%} is required"
    if not model.diversity >= limits.min_diversity:
        yield (
            f"topics overlap: only {model.diversity:.0%} of their top words are distinct; "
            f"at least {limits.min_diversity:.0%} is required"
        )


def _losses_to_champion(challenger: Metrics, comparison: Comparison, limits: Limits) -> Iterator[str]:
    unlike, ratio = _unlike(challenger, comparison), comparison.ratio
    challenger, champion, where = _where_both_have_topics(challenger, comparison.champion)
    if champion.coverage - challenger.coverage > limits.max_coverage_drop:
        yield (
            f"knows a word of {challenger.coverage:.1%} of the tweets{where}, the champion of {champion.coverage:.1%}; "
            f"the drop may be at most {_percentage_points(limits.max_coverage_drop)}"
        )
    if comparison.lost:
        yield (
            f"has no topics in {', '.join(comparison.lost)} any more, in which the window has enough tweets; "
            "a person may promote it with force and a reason"
        )
    if not _comparable(comparison, limits):
        return
    for one in comparison.languages:
        if one.ratio is not None and one.ratio.low > limits.max_perplexity_ratio:
            yield (
                f"perplexity in {one.language} is certainly more than {limits.max_perplexity_ratio - 1:.0%} above the "
                f"champion's (95 % interval: {one.ratio.as_change()})"
            )
    if ratio is not None and ratio.low > 1 and not ratio.high < limits.max_perplexity_ratio:
        yield f"{_compared(comparison, ratio)}: certainly worse"
    if unlike:
        return
    # collapsed topics are coherent and scattered ones diverse: only both together are meaningful
    if challenger.coherence is not None and champion.coherence is not None:
        drop = champion.coherence - challenger.coherence
        if drop > limits.max_coherence_drop:
            yield (
                f"coherence {challenger.coherence:.3f}{where} is {drop:.3f} below the champion's "
                f"{champion.coherence:.3f}; at most {limits.max_coherence_drop:.3f} is allowed"
            )
    if champion.diversity - challenger.diversity > limits.max_diversity_drop:
        yield (
            f"diversity {challenger.diversity:.2f}{where} is below the champion's {champion.diversity:.2f} "
            f"by more than {limits.max_diversity_drop:.2f}"
        )
    if not comparison.share_kept >= limits.min_share_kept:
        yield (
            f"only {comparison.share_kept:.0%} of the tweets keep their topic; "
            f"at least {limits.min_share_kept:.0%} is required"
        )


def _praise(model: Metrics) -> str:
    gain = 1 - model.perplexity / model.unigram_perplexity  # judged to be below it, so it is not 0
    return (
        f"{model.topics} topics from {model.documents:,} tweets; perplexity {model.perplexity:.1f} is "
        f"{gain:.1%} below that of a model without topics"
    )


def _compared(comparison: Comparison, ratio: Interval) -> str:
    mine, theirs = comparison.challenger_perplexity, comparison.champion_perplexity
    change = "above" if mine > theirs else "below"
    return (
        f"perplexity {mine:.1f} is {abs(mine / theirs - 1):.1%} {change} the champion's {theirs:.1f} on the same "
        f"tweets (95 % interval: {ratio.as_change()})"
    )


def _kept(comparison: Comparison) -> str:
    confident = comparison.share_kept_confident
    of_confident = "" if confident is None else f", {confident:.0%} of those that had a clear one"
    return f"{comparison.share_kept:.0%} of them keep their topic{of_confident}"


def _stranger(comparison: Comparison) -> str:
    share = comparison.common_words_share
    known = "an unknown share" if math.isnan(share) else f"only {share:.0%}"
    return (
        f"the champion knows {known} of their words, so the two cannot be compared: "
        "a person decides, with force and a reason"
    )


def _unclear(challenger: Metrics, champion: Metrics) -> str:
    """Return a sentence about a challenger with many more tweets without a topic; else nothing.

    It does not change the verdict: a champion that was not calibrated gives each tweet with a known word a topic.
    """
    mine, theirs = challenger.without_topic, champion.without_topic
    if mine is None or theirs is None or mine - theirs <= _NOTABLE_RISE:
        return ""
    return f"{mine:.0%} of them have no topic or no clear one, {theirs:.0%} with the champion"


def _comparable(comparison: Comparison, limits: Limits) -> bool:
    return comparison.common_words_share >= limits.min_common_words


def _unlike(challenger: Metrics, comparison: Comparison) -> str:
    """Return why the topics of the two are of another kind; empty if they are not. More topics are less coherent and
    share more words, whatever they are about, and an id goes to one of them only."""
    if bool(challenger.languages) != bool(comparison.champion.languages):
        return "only one of the two has topics per language"
    mine, theirs = comparison.asked or (0, 0)
    return f"{mine} topics were asked for, for the champion {theirs}" if mine != theirs else ""


def _where_both_have_topics(challenger: Metrics, champion: Metrics) -> tuple[Metrics, Metrics, str]:
    """Return both as they are on the tweets of the languages of both, and which these are if one has others as well:
    each was measured on the tweets of its own languages."""
    theirs = {one.language: one for one in champion.languages}
    pairs = [(one, theirs[one.language]) for one in challenger.languages if one.language in theirs]
    if not (challenger.languages and champion.languages) or any(one.coverage is None for pair in pairs for one in pair):
        return challenger, champion, ""
    weights = [one.held_out for one, _ in pairs]
    mine, other = (
        _pooled(model, [pair[side] for pair in pairs], weights) for side, model in enumerate((challenger, champion))
    )
    same = len(pairs) == len(challenger.languages) == len(champion.languages)
    return mine, other, "" if same else f" in {', '.join(one.language for one, _ in pairs)}"


def _pooled(model: Metrics, parts: Sequence[LanguageMetrics], weights: Sequence[int]) -> Metrics:
    return replace(
        model,
        coherence=_mean([one.coherence for one in parts], weights),
        diversity=_mean([one.diversity for one in parts], weights) or 0.0,
        coverage=_mean([one.coverage for one in parts], weights) or 0.0,
        without_topic=_mean([one.without_topic for one in parts], weights),
    )


def _mean(values: Sequence[float | None], weights: Sequence[int]) -> float | None:
    """Return the mean of what was measured; None if nothing was."""
    known = [(value, weight) for value, weight in zip(values, weights, strict=True) if value is not None]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None


def _percentage_points(share: float) -> str:
    return f"{100 * share:g} percentage points"
