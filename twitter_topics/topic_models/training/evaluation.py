"""Challenger and champion on the same tweets: the numbers that decide about promotion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from twitter_topics.records.processed import NO_TOPIC
from twitter_topics.topic_models.registry.gate import Comparison, Metrics
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.training import topic_quality as quality
from twitter_topics.topic_models.training.alignment import shared_words
from twitter_topics.topic_models.training.corpus import count_known
from twitter_topics.topic_models.training.paired import complete, restricted

if TYPE_CHECKING:
    import pyarrow as pa
    import scipy.sparse as sparse

    from twitter_topics.topic_models.scoring.topic_model import IntArray, TopicModel


MIN_REFERENCE = 20_000
"""Coherence is measured on at least so many tweets. On fewer, most pairs of words never meet, and their number decides:
the same topics reach -0.89, -0.60 and -0.31 on the held-out slices of 3,000, 20,000 and 95,000 tweets."""

CONFIDENT = 0.95
"""The champion is confident about a document if one of its topics has so much of the posterior probability."""


def measure(scorer: Scorer, held_out_words: pa.ListArray) -> Metrics:
    """Measure one model on tweets that it was not trained on."""
    model = scorer.model
    judged = count_known(held_out_words, model.vocabulary)
    return Metrics(
        topics=model.k,
        vocabulary=len(model.vocabulary),
        documents=int(model.documents.sum()),
        held_out=len(held_out_words),
        perplexity=_finite(quality.completion_perplexity(scorer, judged)),
        unigram_perplexity=_finite(quality.unigram_perplexity(model, judged)),
        coherence=quality.coherence(model, judged) if len(held_out_words) >= MIN_REFERENCE else None,
        diversity=quality.diversity(model),
        coverage=quality.coverage(judged),
    )


def compare(
    challenger: Scorer,
    champion: Scorer,
    held_out_words: pa.ListArray,
    champion_words: pa.ListArray | None = None,
) -> Comparison:
    """Compare two models on tweets that neither was trained on, with perplexities on the words that both know.

    Requires aligned topic ids.

    Args:
        champion_words: of the same tweets by the champion's text rules, if these differ. Both perplexities are on the
            challenger's words.
    """
    champions_held_out = held_out_words if champion_words is None else champion_words
    mine = count_known(held_out_words, challenger.model.vocabulary)
    theirs = count_known(champions_held_out, champion.model.vocabulary)
    here, there = shared_words(challenger.model, champion.model)
    topics, champions_topics = _topics(challenger, mine), _topics(champion, theirs)
    confident = quality.confidence(champion.model, theirs) >= CONFIDENT
    paired = complete(restricted(challenger.model, here), restricted(champion.model, there), mine[:, here])
    challenger_perplexity, champion_perplexity = paired.perplexities
    return Comparison(
        challenger_perplexity=_finite(challenger_perplexity),
        champion_perplexity=_finite(champion_perplexity),
        common_words_share=_common_words_share(challenger.model, champion.model, mine, here),
        share_kept=quality.share_kept(topics, champions_topics, NO_TOPIC),
        share_kept_confident=quality.share_kept(topics[confident], champions_topics[confident], NO_TOPIC)
        if confident.any()
        else None,
        champion=measure(champion, champions_held_out),
        ratio=paired.ratio_interval(),
    )


def _common_words_share(
    challenger: TopicModel, champion: TopicModel, counts: sparse.csr_matrix, common: IntArray
) -> float:
    """Only the challenger's most frequent words count, as many as the champion has: a champion of few tweets knows few
    words, which does not mean that the tweets have changed."""
    frequent = np.argsort(-challenger.word_counts, kind="stable")[: len(champion.vocabulary)]
    known = np.intersect1d(frequent, common)
    return float(counts[:, known].sum() / max(counts[:, frequent].sum(), 1))


def _topics(scorer: Scorer, counts: sparse.csr_matrix) -> np.ndarray[Any, np.dtype[Any]]:
    return scorer.dominant(scorer.theta(counts.indptr, counts.indices, counts.data))


def _finite(perplexity: float) -> float:
    # nothing to evaluate. JSON has no NaN; 0 is not below the unigram's 0, and without common words nothing is compared
    return perplexity if np.isfinite(perplexity) else 0.0
