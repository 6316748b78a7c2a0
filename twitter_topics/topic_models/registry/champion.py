"""The champion as the stream uses it: loaded, verified, and swapped between batches."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from twitter_topics.errors import IntegrityError
from twitter_topics.topic_models.registry.files import GOLDEN
from twitter_topics.topic_models.registry.store import ARRAYS, ModelStore
from twitter_topics.topic_models.scoring.scorer import Scorer

GOLDEN_TOLERANCE = 1e-6
"""Largest allowed difference of a topic share from Spark's pipeline at evaluation."""


@dataclass(frozen=True)
class LoadedModel:
    """A champion that passed all checks. Workers load `arrays` (`Scorer.load`)."""

    version: str
    etag: str
    promoted_at: str
    arrays: bytes
    scorer: Scorer
    manifest: dict[str, Any]


def load_champion(store: ModelStore, current: LoadedModel | None) -> LoadedModel | None:
    """Return the champion: `current` itself while nothing was promoted, None before the first promotion.

    Raises:
        IntegrityError: the champion is damaged, or its scores differ from the recorded ones; keep `current`.
        RetryableError: S3 is unavailable; keep `current`.
    """
    champion = store.champion()
    if champion is None:
        return None
    if current is not None and current.etag == champion.etag:
        return current
    return _load(store, champion.version, champion.etag, champion.promoted_at)


def load_version(store: ModelStore, version: str) -> LoadedModel:
    """Return a version that was champion once, checked like a champion; `load_champion` replaces it.

    Raises:
        IntegrityError: it is damaged or no longer there.
        RetryableError: S3 is unavailable.
    """
    return _load(store, version, etag="", promoted_at="")


def _load(store: ModelStore, version: str, etag: str, promoted_at: str) -> LoadedModel:
    arrays = store.read(version, ARRAYS)
    scorer = Scorer.load(arrays)
    check_golden(scorer, store.read(version, GOLDEN), version)
    return LoadedModel(version, etag, promoted_at, arrays, scorer, store.manifest(version))


def check_golden(scorer: Scorer, golden: bytes, version: str) -> None:
    """Score the golden sample and compare.

    Raises:
        IntegrityError: the sample is empty, or a share differs from the recorded one by more than GOLDEN_TOLERANCE.
    """
    sample = json.loads(golden)
    expected = np.array(sample["theta"], dtype=np.float64)
    if expected.shape != (len(sample["texts"]), scorer.model.k) or not len(expected):
        msg = f"{GOLDEN} of model {version} does not match its {scorer.model.k} topics"
        raise IntegrityError(msg)
    difference = float(np.abs(scorer.score(sample["texts"]).theta - expected).max())
    if not difference <= GOLDEN_TOLERANCE:
        msg = (
            f"model {version} scores its golden sample differently: off by {difference:.1e}, "
            f"allowed {GOLDEN_TOLERANCE:.0e}"
        )
        raise IntegrityError(msg)
