from __future__ import annotations

import numpy as np
import pytest

from twitter_topics.testing.corpora import as_lists, planted_documents
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training.corpus import Corpus, build_corpus
from twitter_topics.topic_models.training.labels import topic_labels
from twitter_topics.topic_models.training.trainers import GsdmmTrainer


@pytest.fixture(scope="session")
def planted() -> tuple[list[list[str]], np.ndarray]:
    return planted_documents(3000, seed=11)


@pytest.fixture(scope="session")
def corpus(planted: tuple[list[list[str]], np.ndarray]) -> Corpus:
    return build_corpus(as_lists(planted[0]))


@pytest.fixture(scope="session")
def model(corpus: Corpus) -> TopicModel:
    """A model trained with up to eight topics on four themes."""
    found = GsdmmTrainer().fit(corpus, k=8, iterations=20, seed=1).model
    return found.with_identity(found.topic_ids, topic_labels(found))
