"""What the workers of the classify app share: this module is imported before they are forked (backends.worker_daemon).

It imports the code of the archiver and of the classifier, and loads the lexicons, the detector of languages and the
compiled kernel.
"""

from __future__ import annotations

import numpy as np

from twitter_topics.archive import rows as archive_rows
from twitter_topics.classification import rows
from twitter_topics.classification.sentiment import sentiment
from twitter_topics.records.language import language_of
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.topic_model import TopicModel

__all__ = ["archive_rows", "rows"]

_TEXT = "a good word"
_MODEL = TopicModel(
    vocabulary=("good", "word"),
    topics_matrix=np.ones((2, 2)),
    alpha=np.full(2, 0.1),
    eta=0.1,
    documents=np.ones(2, np.int64),
    word_counts=np.ones(2, np.int64),
    topic_ids=np.arange(2),
)

sentiment(_TEXT)
language_of(None, _TEXT)
Scorer(_MODEL).score([_TEXT])
