"""How soon a classified tweet is searchable: at once while the stream is live, later while it catches up."""

from __future__ import annotations

import logging
from typing import Protocol

from twitter_topics.errors import RetryableError
from twitter_topics.search.store import REFRESH_SECONDS

log = logging.getLogger(__name__)

BEHIND_SECONDS = 30
"""Elasticsearch then indexes with a quarter less CPU, and nobody waits for a tweet of a backlog."""


BUSY_RECORDS = 10_000
BUSY_SECONDS = 5
"""Batches of BUSY_RECORDS take seconds themselves: a stream that fast is refreshed less often, too."""


class Refreshed(Protocol):
    """The part of SearchStore that this needs."""

    def refresh_every(self, seconds: int) -> None: ...


class Refreshing:
    """Sets the refresh interval by the size of the batches: large ones mean a fast stream, full ones a backlog."""

    def __init__(self, store: Refreshed, full_batch: int) -> None:
        self._store, self._full = store, full_batch
        self._seconds = 0

    def forget(self) -> None:
        """Set it again after the next batch: someone else may have changed it."""
        self._seconds = 0

    def note(self, records: int) -> None:
        """Note a finished batch. Without an answer, Elasticsearch is asked again after the next one."""
        wanted = self._wanted(records)
        if wanted == self._seconds:
            return
        try:
            self._store.refresh_every(wanted)
        except RetryableError as error:
            log.warning("the refresh interval stays: %s", error)
            return
        log.info("new documents are searchable within %d s", wanted)
        self._seconds = wanted

    def _wanted(self, records: int) -> int:
        if records >= 0.9 * self._full:
            return BEHIND_SECONDS
        return BUSY_SECONDS if records >= BUSY_RECORDS else REFRESH_SECONDS
