"""Challenger and champion on the same tweets: the numbers that decide about promotion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twitter_topics.records.processed import NO_TOPIC
from twitter_topics.topic_models.registry.gate import Comparison, LanguageComparison, LanguageMetrics, Metrics
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.training import topic_quality as quality
from twitter_topics.topic_models.training.alignment import shared_words
from twitter_topics.topic_models.training.corpus import count_known, spoken
from twitter_topics.topic_models.training.paired import Paired, complete, restricted, together

if TYPE_CHECKING:
    import scipy.sparse as sparse

    from twitter_topics.topic_models.scoring.topic_model import FloatArray, IntArray, TopicModel


MIN_REFERENCE = 20_000
"""Coherence is measured on at least so many tweets. On fewer, most pairs of words never meet, and their number decides:
the same topics reach -0.89, -0.60 and -0.31 on the held-out slices of 3,000, 20,000 and 95,000 tweets."""

CONFIDENT = 0.95
"""The champion is confident about a document if one of its topics has so much of the posterior probability."""

_NO_TOPICS = np.empty(0, dtype=np.int64)


def measure(scorer: Scorer, held_out_words: pa.ListArray, languages: pa.Array | None = None) -> Metrics:
    """Measure one model on tweets that it was not trained on.

    Args:
        languages: of the tweets, for a model with topics per language. It is measured on the tweets of its languages.
    """
    model = scorer.model
    if model.languages:
        own = pc.is_in(languages, value_set=pa.array(model.languages))
        held_out_words, languages = held_out_words.filter(own), pc.array_filter(languages, own)
        judged = count_known(spoken(held_out_words, languages), model.vocabulary)
        parts = [(language, *_of_language(model, judged, languages, language)) for language in model.languages]
    else:
        judged = count_known(held_out_words, model.vocabulary)
        parts = [("", model, judged)]
    return Metrics(
        topics=model.k,
        vocabulary=len(model.vocabulary),
        documents=int(model.documents.sum()),
        held_out=len(held_out_words),
        perplexity=_finite(quality.completion_perplexity(scorer, judged)),
        unigram_perplexity=_finite(quality.unigram_perplexity(model, judged)),
        coherence=_coherence([(part, counts) for _, part, counts in parts]),
        diversity=quality.diversity(model),
        coverage=quality.coverage(judged),
        languages=tuple(_measure_language(*part) for part in parts) if model.languages else (),
        without_topic=_without_topic(scorer, judged),
    )


def judged_languages(challenger: TopicModel, champion: TopicModel | None) -> tuple[str, ...]:
    """Return the languages of whose tweets both can be judged; empty for all tweets."""
    return challenger.languages or (champion.languages if champion else ())


def compare(
    challenger: Scorer,
    champion: Scorer,
    held_out_words: pa.ListArray,
    champion_words: pa.ListArray | None = None,
    languages: pa.Array | None = None,
) -> Comparison:
    """Compare two models on tweets that neither was trained on, with perplexities on the words that both know.

    Requires aligned topic ids. A tweet keeps its topic if it is the largest one in both, clear or not.

    Args:
        champion_words: of the same tweets by the champion's text rules, if these differ. Both perplexities are on the
            challenger's words.
        languages: of the tweets, if a model has topics per language. Words are then compared within each language in
            which both have topics: one set of topics could not compete otherwise, as it knows no tweet's language.
    """
    champions_held_out = held_out_words if champion_words is None else champion_words
    if not (challenger.model.languages or champion.model.languages):
        found = {"": _within(challenger.model, champion.model, held_out_words, champions_held_out)}
    else:
        found = {}
        for language in _shared_languages(challenger.model, champion.model):
            spoken_here = pc.equal(languages, language)
            words = (held_out_words.filter(spoken_here), champions_held_out.filter(spoken_here))
            found[language] = _within(challenger.model.part(language), champion.model.part(language), *words)
    paired = together([one.paired for one in found.values()])
    challenger_perplexity, champion_perplexity = paired.perplexities
    first, second = (np.concatenate([_NO_TOPICS, *(one.topics[side] for one in found.values())]) for side in (0, 1))
    confident = np.concatenate([_NO_TOPICS, *(one.confidence for one in found.values())]) >= CONFIDENT
    return Comparison(
        challenger_perplexity=_finite(challenger_perplexity),
        champion_perplexity=_finite(champion_perplexity),
        common_words_share=_common_words_share(list(found.values()), champion.model),
        share_kept=quality.share_kept(first, second, NO_TOPIC),
        share_kept_confident=quality.share_kept(first[confident], second[confident], NO_TOPIC)
        if confident.any()
        else None,
        champion=measure(champion, champions_held_out, languages),
        ratio=paired.ratio_interval(),
        languages=tuple(LanguageComparison(code, one.paired.ratio_interval()) for code, one in found.items() if code),
    )


@dataclass(frozen=True)
class _Compared:
    """Two models on the tweets of a language, or of all.

    topics: id of each tweet's largest topic, the challenger's and the champion's. confidence: the champion's in each.
    trained, occurrences, known: of each of the challenger's words, how often it occurs in training and in these tweets,
    and whether the champion knows it. vocabulary: number of the champion's words.
    """

    paired: Paired
    topics: tuple[IntArray, IntArray]
    confidence: FloatArray
    trained: IntArray
    occurrences: FloatArray
    known: np.ndarray[Any, np.dtype[np.bool_]]
    vocabulary: int


def _within(
    challenger: TopicModel, champion: TopicModel, words: pa.ListArray, champion_words: pa.ListArray
) -> _Compared:
    mine, theirs = count_known(words, challenger.vocabulary), count_known(champion_words, champion.vocabulary)
    here, there = shared_words(challenger, champion)
    known = np.zeros(len(challenger.vocabulary), dtype=bool)
    known[here] = True
    return _Compared(
        complete(restricted(challenger, here), restricted(champion, there), mine[:, here]),
        (_topics(challenger, mine), _topics(champion, theirs)),
        quality.confidence(champion, theirs),
        challenger.word_counts,
        np.asarray(mine.sum(axis=0), dtype=np.float64).ravel(),
        known,
        len(champion.vocabulary),
    )


def _shared_languages(challenger: TopicModel, champion: TopicModel) -> tuple[str, ...]:
    """Return the languages in which both have topics; one set of topics has those of any."""
    mine, theirs = challenger.languages or champion.languages, champion.languages or challenger.languages
    return tuple(language for language in mine if language in theirs)


def _common_words_share(parts: list[_Compared], champion: TopicModel) -> float:
    """Only the challenger's most frequent words count, as many as the champion has: a champion of few tweets knows few
    words, which does not mean that the tweets have changed."""
    if not parts:
        return 0.0
    trained, occurrences, known = (
        np.concatenate([getattr(one, name) for one in parts]) for name in ("trained", "occurrences", "known")
    )
    as_many = sum(one.vocabulary for one in parts) if champion.languages else len(champion.vocabulary)
    frequent = np.argsort(-trained, kind="stable")[:as_many]
    return float(occurrences[frequent][known[frequent]].sum() / max(occurrences[frequent].sum(), 1))


def _of_language(
    model: TopicModel, judged: sparse.csr_matrix, languages: pa.Array, language: str
) -> tuple[TopicModel, sparse.csr_matrix]:
    """Return the topics of a language, and its tweets in their words."""
    rows = pc.equal(languages, language).to_numpy(zero_copy_only=False)
    words = np.flatnonzero(model.language_of_word == model.languages.index(language))
    return model.part(language), judged[rows][:, words]


def _measure_language(language: str, part: TopicModel, judged: sparse.csr_matrix) -> LanguageMetrics:
    return LanguageMetrics(
        language=language,
        topics=part.k,
        documents=int(part.documents.sum()),
        held_out=judged.shape[0],
        perplexity=_finite(quality.completion_perplexity(Scorer(part), judged)),
        unigram_perplexity=_finite(quality.unigram_perplexity(part, judged)),
        coherence=_coherence([(part, judged)]),
        diversity=quality.diversity(part),
        coverage=quality.coverage(judged),
        without_topic=_without_topic(Scorer(part), judged),
    )


def _coherence(parts: list[tuple[TopicModel, sparse.csr_matrix]]) -> float | None:
    """Return the mean of all topics whose language has enough held-out tweets; words of a language meet only there."""
    measured = [(part.k, quality.coherence(part, counts)) for part, counts in parts if counts.shape[0] >= MIN_REFERENCE]
    return sum(k * value for k, value in measured) / sum(k for k, _ in measured) if measured else None


def _topics(model: TopicModel, counts: sparse.csr_matrix) -> IntArray:
    scorer = Scorer(model)
    topics: IntArray = scorer.largest(scorer.theta_of(counts))
    return topics


def _without_topic(scorer: Scorer, counts: sparse.csr_matrix) -> float:
    served = scorer.dominant(scorer.theta_of(counts))
    return float(np.mean(served == NO_TOPIC)) if len(served) else 0.0


def _finite(perplexity: float) -> float:
    # nothing to evaluate. JSON has no NaN; 0 is not below the unigram's 0, and without common words nothing is compared
    return perplexity if np.isfinite(perplexity) else 0.0
