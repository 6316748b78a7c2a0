"""What a model makes of tweets that it was not trained on, as numbers to be kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twitter_topics.records.language import UNKNOWN
from twitter_topics.records.processed import NO_TOPIC
from twitter_topics.topic_models.registry.metrics import ALL_LANGUAGES, MeasuredSlice, Metric, Role
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.training import topic_quality as quality
from twitter_topics.topic_models.training.corpus import count_known, spoken
from twitter_topics.topic_models.training.evaluation import MIN_REFERENCE, compare, measure
from twitter_topics.topic_models.training.paired import against_unigram

if TYPE_CHECKING:
    import scipy.sparse as sparse

    from twitter_topics.topic_models.registry.gate import Comparison, Metrics
    from twitter_topics.topic_models.scoring.topic_model import IntArray, TopicModel


@dataclass(frozen=True)
class Contest:
    """A challenger and, unless it is the first model, the champion that serves."""

    version: str
    challenger: Scorer
    champion_version: str = ""
    champion: Scorer | None = None


@dataclass(frozen=True)
class SliceTweets:
    """Tweets that neither model was trained on. champion_words: by the champion's text rules."""

    name: str
    start: datetime
    end: datetime
    words: pa.ListArray
    champion_words: pa.ListArray
    languages: pa.Array


@dataclass(frozen=True)
class Served:
    """Tweets as a model serves them.

    counts: tweets × V. topics: the topic id of each tweet, NO_TOPIC where it has none.
    """

    scorer: Scorer
    words: pa.ListArray
    languages: pa.Array
    counts: sparse.csr_matrix
    topics: IntArray

    @property
    def documents(self) -> IntArray:
        """Number of tweets of each topic, in the model's order."""
        ids = self.scorer.model.topic_ids
        return np.array([np.count_nonzero(self.topics == topic_id) for topic_id in ids], dtype=np.int64)


def serve(scorer: Scorer, words: pa.ListArray, languages: pa.Array) -> Served:
    """Score tweets as the stream does."""
    counts = counted(scorer.model, words, languages)
    return Served(scorer, words, languages, counts, scorer.dominant(scorer.theta_of(counts)))


def judged(contest: Contest, tweets: SliceTweets) -> tuple[Metrics, Comparison | None]:
    """Measure the challenger on tweets, and compare it with the champion if there is one."""
    metrics = measure(contest.challenger, tweets.words, tweets.languages)
    if contest.champion is None:
        return metrics, None
    words, theirs = tweets.words, tweets.champion_words
    return metrics, compare(contest.challenger, contest.champion, words, theirs, tweets.languages)


def measured_slice(
    contest: Contest, tweets: SliceTweets, metrics: Metrics, comparison: Comparison | None
) -> tuple[MeasuredSlice, IntArray]:
    """Return all numbers of a slice, of the challenger, of the champion, and of their comparison; and the number of
    tweets in each of the challenger's topics."""
    served = serve(contest.challenger, tweets.words, tweets.languages)
    found = list(_of_model(contest.version, "challenger", served, metrics))
    if contest.champion is not None and comparison is not None:
        theirs = serve(contest.champion, tweets.champion_words, tweets.languages)
        found += _of_model(contest.champion_version, "champion", theirs, comparison.champion)
        found += _of_comparison(contest.version, comparison, len(tweets.words))
    finite = tuple(one for one in found if np.isfinite(one.value))
    return MeasuredSlice(tweets.name, tweets.start, tweets.end, finite), served.documents


def measured_file(topic_documents: IntArray, slices: Sequence[MeasuredSlice]) -> dict[str, Any]:
    """Return the content of MEASURED."""
    return {"slices": [one.as_dict() for one in slices], "topic_documents": topic_documents.tolist()}


def counted(model: TopicModel, words: pa.ListArray, languages: pa.Array) -> sparse.csr_matrix:
    """Count tweets in a model's words, as it serves them: a tweet of unknown language is read in all of its languages.

    Returns:
        tweets × V.
    """
    if not model.languages:
        return count_known(words, model.vocabulary)
    counts = count_known(spoken(words, languages), model.vocabulary)
    unknown = pc.equal(languages, UNKNOWN)
    for language in model.languages if pc.any(unknown).as_py() else ():
        read_as = pc.if_else(unknown, language, UNKNOWN)
        counts = counts + count_known(spoken(words, read_as), model.vocabulary)
    return counts.tocsr()


def served_metrics(version: str, role: Role, served: Served) -> Iterator[Metric]:
    """Yield what a model makes of tweets: for all, and for each language with topics of its own."""
    yield from _served(version, role, ALL_LANGUAGES, served)
    for language, part, spoken_words in parts_of(served.scorer.model, served.words, served.languages):
        yield from _served(version, role, language, serve(Scorer(part), spoken_words, served.languages))


def _served(version: str, role: Role, language: str, served: Served) -> Iterator[Metric]:
    """Shares of tweets are those of all, the other numbers those of tweets in the model's languages."""
    model, topics = served.scorer.model, served.topics
    own, own_words = served.counts, served.words
    if model.languages:
        in_own = pc.is_in(served.languages, value_set=pa.array(model.languages))
        own, own_words = own[in_own.to_numpy(zero_copy_only=False)], own_words.filter(in_own)
    paired = against_unigram(served.scorer, own)
    if len(paired.words):
        perplexity, unigram = paired.perplexities
        sure = paired.ratio_interval()
        ends = (sure.low, sure.high) if sure else (None, None)
        yield Metric(version, role, language, "perplexity_to_unigram", perplexity / unigram, own.shape[0], *ends)
    if len(own_words.flatten()):
        known = float(own.sum() / len(own_words.flatten()))
        yield Metric(version, role, language, "known_words", known, own.shape[0])
    if len(topics):
        without = float(np.mean(topics == NO_TOPIC))
        yield Metric(version, role, language, "share_without_topic", without, len(topics))
    if (with_topic := served.documents).any():
        largest = float(with_topic.max() / with_topic.sum())
        yield Metric(version, role, language, "share_of_largest_topic", largest, int(with_topic.sum()))


def _of_model(version: str, role: Role, served: Served, metrics: Metrics) -> Iterator[Metric]:
    yield from served_metrics(version, role, served)
    whole = served.scorer.model
    sizes = {ALL_LANGUAGES: (whole, metrics.coherence, metrics.held_out)}
    for language, part, spoken_words in parts_of(whole, served.words, served.languages):
        enough = len(spoken_words) >= MIN_REFERENCE
        coherence = quality.coherence(part, count_known(spoken_words, part.vocabulary)) if enough else None
        sizes[language] = (part, coherence, len(spoken_words))
    for language, (model, coherence, documents) in sizes.items():
        yield Metric(version, role, language, "topics", model.k, documents)
        yield Metric(version, role, language, "diversity", quality.diversity(model), documents)
        if coherence is not None:
            yield Metric(version, role, language, "coherence", coherence, documents)


def _of_comparison(version: str, comparison: Comparison, documents: int) -> Iterator[Metric]:
    whole: tuple[str, Role, str] = (version, "challenger", ALL_LANGUAGES)
    if comparison.champion_perplexity:
        ratio = comparison.challenger_perplexity / comparison.champion_perplexity
        ends = (comparison.ratio.low, comparison.ratio.high) if comparison.ratio else (None, None)
        yield Metric(*whole, "perplexity_to_champion", ratio, documents, *ends)
    yield Metric(*whole, "share_kept", comparison.share_kept, documents)
    if comparison.share_kept_confident is not None:
        yield Metric(*whole, "share_kept_confident", comparison.share_kept_confident, documents)


def parts_of(
    model: TopicModel, words: pa.ListArray, languages: pa.Array
) -> Iterator[tuple[str, TopicModel, pa.ListArray]]:
    """Yield each language of a model with its topics and the words of its tweets."""
    for language in model.languages:
        yield language, model.part(language), words.filter(pc.equal(languages, language))
