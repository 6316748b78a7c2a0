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

if TYPE_CHECKING:
    import pyarrow as pa
    import scipy.sparse as sparse


MIN_REFERENCE = 20_000
"""Coherence is measured on at least so many tweets. On fewer, most pairs of words never meet, and their number decides:
the same topics reach -0.89, -0.60 and -0.31 on the held-out slices of 3,000, 20,000 and 95,000 tweets."""


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


def compare(challenger: Scorer, champion: Scorer, held_out_words: pa.ListArray) -> Comparison:
    """Compare two models, with perplexities on the words that both know. Requires aligned topic ids."""
    mine = count_known(held_out_words, challenger.model.vocabulary)
    theirs = count_known(held_out_words, champion.model.vocabulary)
    here, there = shared_words(challenger.model, champion.model)
    common_here, common_there = _mask(mine.shape[1], here), _mask(theirs.shape[1], there)
    return Comparison(
        challenger_perplexity=_finite(quality.completion_perplexity(challenger, mine, common_here)),
        champion_perplexity=_finite(quality.completion_perplexity(champion, theirs, common_there)),
        common_words_share=float(mine[:, here].sum() / max(mine.sum(), 1)),
        share_kept=quality.share_kept(_topics(challenger, mine), _topics(champion, theirs), NO_TOPIC),
        champion=measure(champion, held_out_words),
    )


def _topics(scorer: Scorer, counts: sparse.csr_matrix) -> np.ndarray[Any, np.dtype[Any]]:
    return scorer.dominant(scorer.theta(counts.indptr, counts.indices, counts.data))


def _mask(length: int, positions: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    mask = np.zeros(length, dtype=bool)
    mask[positions] = True
    return mask


def _finite(perplexity: float) -> float:
    # nothing to evaluate. JSON has no NaN; 0 is not below the unigram's 0, and without common words nothing is compared
    return perplexity if np.isfinite(perplexity) else 0.0
