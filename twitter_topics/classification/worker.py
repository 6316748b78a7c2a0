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
from twitter_topics.topic_models.scoring.inference import infer

__all__ = ["archive_rows", "rows"]

sentiment("a good word")
language_of(None, "a good word")
infer(
    np.array([0, 1]),
    np.array([0], np.int32),
    np.ones(1),
    np.ones((1, 2)),
    np.full(2, 0.1),
    np.ones(2),
    np.empty((1, 2)),
)
