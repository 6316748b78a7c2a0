"""A constructed topic model, for tests of code that uses one."""

from __future__ import annotations

import numpy as np

from twitter_topics.topic_models.scoring.topic_model import TopicModel


def planted_model(
    words: tuple[str, str, str, str, str, str], labels: tuple[str, str], topic_ids: tuple[int, int] = (0, 1)
) -> TopicModel:
    """Return a model of two clearly separated topics: the first three words, and the other three."""
    matrix = np.full((2, 6), 1.0)
    matrix[0, :3] = matrix[1, 3:] = 1e5
    return TopicModel(
        vocabulary=words,
        topics_matrix=matrix,
        alpha=np.full(2, 0.1),
        eta=0.1,
        documents=np.array([10, 10]),
        word_counts=np.full(6, 10),
        topic_ids=np.array(topic_ids),
        labels=labels,
    )
