"""The sending side: from the buffer to Kafka, through every Kafka outage."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from producer.buffering.buffer import Buffer
from producer.sending.publisher import Confirmed, KafkaPublisher
from producer.source import Context
from twitter_topics.errors import RetryableError

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
SILENCE_S = 5.0
"""Kafka is reported as stuck after acknowledging nothing for this long, even while its connection is up."""

_TAKE_S = 0.1
_SOON_S = 0.005

_log = logging.getLogger(__name__)


class Sender:
    """Sends what the buffer holds, in its own thread, until it is exhausted or the time allowed at the end is up.

    An outage of Kafka does not end it: the client is closed, the buffer rewound to the first unacknowledged record,
    and after a pause a new client resumes from there.

    Args:
        connect: returns a publisher with a new client.
        context: `stop` ends the wait for Kafka to come back.
        monotonic: seconds.
    """

    def __init__(
        self,
        buffer: Buffer,
        connect: Callable[[], KafkaPublisher],
        context: Context,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._buffer = buffer
        self._connect = connect
        self._context = context
        self._monotonic = monotonic
        self._confirmed: deque[Confirmed] = deque()
        self._ends_at = float("inf")
        self._pause_s = FIRST_PAUSE_S
        self.problem = ""
        """A sentence when Kafka accepts nothing, else empty."""

    def run(self) -> None:
        """Send until everything is acknowledged and nothing more can arrive.

        Raises:
            ConfigurationError: Kafka rejects us permanently.
        """
        while not self._is_over():
            try:
                self._send_with(self._connect())
                return
            except RetryableError as error:
                if not self.problem:
                    _log.warning("%s; retrying, received posts are kept", error)
                self.problem = str(error)
                if self._context.wait(min(self._pause_s, max(0.0, self._ends_at - self._monotonic()))):
                    return
                self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def end_within(self, seconds: float) -> None:
        """Stop after at most `seconds`. Called from another thread once receiving has ended."""
        self._ends_at = self._monotonic() + seconds

    def confirmed(self) -> list[Confirmed]:
        """Return what was acknowledged since the last call. Called from another thread."""
        found = []
        with suppress(IndexError):
            while True:
                found.append(self._confirmed.popleft())
        return found

    def _is_over(self) -> bool:
        return self._monotonic() >= self._ends_at

    def _send_with(self, publisher: KafkaPublisher) -> None:
        if self.problem:
            _log.info("Kafka is back")
        self.problem = ""
        try:
            while not self._is_over():
                self._step(publisher)
                if self._buffer.exhausted and publisher.is_idle:
                    return
        finally:
            publisher.close()
            self._buffer.rewind()

    def _step(self, publisher: KafkaPublisher) -> None:
        batch = self._buffer.take(_TAKE_S if publisher.is_idle else _SOON_S) if publisher.has_room else None
        if batch is not None:
            publisher.send(batch)
        elif not publisher.has_room or self._buffer.exhausted:
            publisher.wait(_TAKE_S)
        confirmed = publisher.confirmed()
        if confirmed is not None:
            self._buffer.confirm(confirmed.number)
            self._confirmed.append(confirmed)
            self._pause_s = FIRST_PAUSE_S
        silent = publisher.silent_s > SILENCE_S
        self.problem = "Kafka is connected but acknowledges nothing" if silent else ""
