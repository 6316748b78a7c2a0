"""A constructed topic model, for tests of code that uses one."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from twitter_topics.topic_models.registry.files import GOLDEN
from twitter_topics.topic_models.registry.store import ARRAYS
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training.alignment import Identities
from twitter_topics.topic_models.training.languages import joined
from twitter_topics.topic_models.training.trainers import Trained

if TYPE_CHECKING:
    from twitter_topics.topic_models.registry.store import ModelStore

WORDS = ("storm", "final", "train", "song", "game", "coffee")
"""Those that `register_planted_model` knows."""


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


def model_of_languages(parts: Mapping[str, TopicModel]) -> TopicModel:
    """Return one model of the topics of each language, most documents first, with their ids and labels."""
    trained = {
        language: Trained(part, Identities(part.topic_ids, (False,) * part.k, int(part.topic_ids.max()) + 1))
        for language, part in parts.items()
    }
    return joined(trained).model


def in_format_1(model: TopicModel) -> bytes:
    """Return `arrays.npz` as it was written before models named their text rules."""
    with np.load(io.BytesIO(model.to_bytes())) as arrays:
        older = {name: array for name, array in arrays.items() if name != "text_rules"}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **(older | {"format": np.int64(1)}))
    return buffer.getvalue()


def register_planted_model(store: ModelStore, version: str) -> None:
    """Register a version that knows WORDS, in two topics."""
    model = planted_model(WORDS, ("weather", "music"))
    register_model(store, version, model, ["storm and final train", "song, game, coffee", "storm game"])


def register_model(store: ModelStore, version: str, model: TopicModel, texts: list[str]) -> None:
    """Register a model, with the texts as its golden sample."""
    store.put_files(version, model_files(model, texts))
    topics = [{"topic_id": number, "label": label} for number, label in enumerate(model.labels)]
    numbers = {"documents": int(model.documents.sum()), "text_rules": model.text_rules}
    store.register(version, {**numbers, "metrics": {}, "topics": topics})


def planted_files() -> dict[str, bytes]:
    """Return the files of a version that knows WORDS, in two topics: all that the stream needs."""
    return model_files(planted_model(WORDS, ("weather", "music")), ["storm and final train", "song, game, coffee"])


def model_files(model: TopicModel, texts: list[str]) -> dict[str, bytes]:
    """Return a model's arrays, and its golden sample of these texts."""
    golden = json.dumps({"texts": texts, "theta": Scorer(model).score(texts).theta.tolist()})
    return {ARRAYS: model.to_bytes(), GOLDEN: golden.encode()}
