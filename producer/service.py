"""The loop: from the source to Kafka, and the position behind it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event
from typing import Literal

from producer.position import PositionFile
from producer.progress import Progress
from producer.publisher import Confirmed, Publisher
from producer.source import Source

SAVE_SECONDS = 1.0
"""How often the position is saved: what at most is sent again after a crash, apart from what was not acknowledged."""

End = Literal["finished", "stopped"]

_log = logging.getLogger(__name__)


class Service:
    """Moves tweets from a source to Kafka until the source ends, the limit is reached or `stop` is set.

    Args:
        limit: stop once so many records of the stream were sent, earlier runs included; 0 = never.
    """

    def __init__(
        self,
        source: Source,
        publisher: Publisher,
        position_file: PositionFile,
        progress: Progress,
        stop: Event,
        limit: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._publisher = publisher
        self._position_file = position_file
        self._progress = progress
        self._stop = stop
        self._limit = limit
        self._monotonic = monotonic
        self._position = source.start
        self._next_save = 0.0

    def run(self) -> End:
        """Work until the end; returns why it ended, with everything sent acknowledged and its position saved.

        Raises:
            RetryableError: Kafka failed. What was acknowledged before is saved; a restart sends the rest.
            ConfigurationError, IntegrityError: from the source.
        """
        self._position_file.save(self._position)
        self._progress.report("running")
        try:
            end = self._follow()
            self._settle(self._publisher.flush())
        except Exception as error:
            self._progress.report("failed", f"{type(error).__name__}: {error}")
            raise
        finally:
            self._source.close()
        self._progress.report(end)
        return end

    def _follow(self) -> End:
        if self._limit_reached(self._position.count):
            return "finished"
        for tweet in self._source.tweets():
            if tweet is not None:
                self._publisher.send(tweet)
                if self._limit_reached(tweet.position):
                    return "finished"
            if self._stop.is_set():
                return "stopped"
            if self._monotonic() >= self._next_save:
                self._settle(self._publisher.confirmed())
                self._progress.report_if_due()
        return "stopped" if self._stop.is_set() else "finished"

    def _limit_reached(self, count: int) -> bool:
        return bool(self._limit) and count >= self._limit

    def _settle(self, confirmed: Confirmed | None) -> None:
        """Save what was acknowledged. The order is the promise: acknowledged first, saved second."""
        self._next_save = self._monotonic() + SAVE_SECONDS
        if confirmed is None:
            return
        self._position = self._position.advanced(confirmed.position, confirmed.event_time_ms)
        self._position_file.save(self._position)
        self._progress.add(confirmed)
