"""The champion as the stream uses it: loaded, verified, and swapped between batches."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from twitter_topics import failpoints
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError, TwitterTopicsError
from twitter_topics.topic_models.registry.files import GOLDEN
from twitter_topics.topic_models.registry.promotion import Champion
from twitter_topics.topic_models.registry.store import ARRAYS, ModelStore
from twitter_topics.topic_models.registry.succession import CHAMPION_KEY, HISTORY
from twitter_topics.topic_models.scoring.scorer import Scorer

log = logging.getLogger(__name__)

RETRY_SECONDS = 30.0
"""Pause before a champion that could not be loaded is read as a whole again; its pointer is read before each batch."""

GOLDEN_TOLERANCE = 1e-6
"""Largest allowed difference of a topic share from Spark's pipeline at evaluation."""


@dataclass(frozen=True)
class LoadedModel:
    """A version that passed all checks. Workers load `arrays` (`Scorer.load`)."""

    version: str
    etag: str
    promoted_at: str
    arrays: bytes
    scorer: Scorer
    manifest: dict[str, Any]


def load_champion(store: ModelStore) -> LoadedModel | None:
    """Return the champion; None before the first promotion.

    Raises:
        IntegrityError: the champion is damaged, or its scores differ from the recorded ones.
        RetryableError: S3 is unavailable.
    """
    champion = store.champion()
    return None if champion is None else _load(store, champion.version, champion.etag, champion.promoted_at)


class ServingModel:
    """The model that the stream serves with, whatever happens to the champion: while that cannot be loaded, the model
    in use, and after a restart the newest promoted version that can.

    Args:
        store: its calls should not take long, because each batch waits for one.
        clock: seconds, monotonic.
    """

    def __init__(self, store: ModelStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._model: LoadedModel | None = None
        self._failed_etag = ""
        self._retry_at = 0.0
        self.fault = ""
        """Why the champion does not serve, in a sentence; empty when it does."""

    def refresh(self) -> LoadedModel | None:
        """Return the model to serve with; None before the first promotion.

        Raises, only while no model is in use:
            IntegrityError: the champion is damaged, and no earlier version can be loaded.
            RetryableError: S3 is unavailable.
            ConfigurationError: S3 rejects the user; DeniedError: or there is no champion.
        """
        try:
            champion = self._store.champion()
            if champion is None and self._model is None:
                return None
            if champion is None:
                raise IntegrityError(f"{CHAMPION_KEY} is missing, and so is {HISTORY}")
            self._load(champion)
        except (IntegrityError, RetryableError, ConfigurationError) as error:
            self._do_without(error)
        return self._model

    def _load(self, champion: Champion) -> None:
        if self._model is not None and self._model.etag == champion.etag:
            self._say("")
        elif self._model is None or champion.etag != self._failed_etag or self._clock() >= self._retry_at:
            self._failed_etag, self._retry_at = champion.etag, self._clock() + RETRY_SECONDS
            self._model = _load(self._store, champion.version, champion.etag, champion.promoted_at)
            self._failed_etag = ""
            self._say("")

    def _do_without(self, error: TwitterTopicsError) -> None:
        if self._model is None:
            if not isinstance(error, IntegrityError):
                raise error
            self._model = self._newest_loadable()
            if self._model is None:
                raise error
        self._say(f"model {self._model.version} stays in use: {error}")

    def _newest_loadable(self) -> LoadedModel | None:
        for promotion in self._store.promotions():
            try:
                return _load(self._store, promotion.version, "", promotion.promoted_at)
            except IntegrityError as error:
                log.error("%s", error)
        return None

    def _say(self, fault: str) -> None:
        if fault and fault != self.fault:
            log.error("%s", fault)
        self.fault = fault


def load_version(store: ModelStore, version: str) -> LoadedModel:
    """Return a registered version, checked like a champion.

    Raises:
        IntegrityError: it is damaged or missing.
        RetryableError: S3 is unavailable.
    """
    return _load(store, version, etag="", promoted_at="")


def check_version_serves(store: ModelStore, version: str) -> None:
    """Read every file of a registered version and load it as the stream does.

    Raises:
        IntegrityError: a file is missing or has changed, or the version cannot be loaded.
        RetryableError: S3 is unavailable.
    """
    store.verify(version)
    load_version(store, version)


def _load(store: ModelStore, version: str, etag: str, promoted_at: str) -> LoadedModel:
    arrays = store.read(version, ARRAYS)
    failpoints.reach("loader.fetched")
    scorer = Scorer.load(arrays)
    check_golden(scorer, store.read(version, GOLDEN), version)
    failpoints.reach("loader.verified")
    return LoadedModel(version, etag, promoted_at, arrays, scorer, store.manifest(version))


def check_golden(scorer: Scorer, golden: bytes, version: str) -> None:
    """Score the golden sample and compare.

    Raises:
        IntegrityError: the sample is empty, or a share differs from the recorded one by more than GOLDEN_TOLERANCE.
    """
    try:
        sample = json.loads(golden)
        texts, languages = list(sample["texts"]), sample.get("languages")
        expected = np.array(sample["theta"], dtype=np.float64)
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{GOLDEN} of model {version} is damaged: {error}"
        raise IntegrityError(msg) from None
    if expected.shape != (len(texts), scorer.model.k) or not len(expected):
        msg = f"{GOLDEN} of model {version} does not match its {scorer.model.k} topics"
        raise IntegrityError(msg)
    difference = float(np.abs(scorer.score(texts, languages).theta - expected).max())
    if not difference <= GOLDEN_TOLERANCE:
        msg = (
            f"model {version} scores its golden sample differently: off by {difference:.1e}, "
            f"allowed {GOLDEN_TOLERANCE:.0e}"
        )
        raise IntegrityError(msg)
