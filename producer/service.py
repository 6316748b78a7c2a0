"""A running producer: one thread receives, one sends, and this one saves positions, reports and shuts them down."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from threading import Event as Flag
from threading import Thread
from typing import Literal, Protocol

from producer.feed import Feed
from producer.position import PositionFile, SourcePosition
from producer.sending.publisher import Confirmed, KafkaPublisher
from producer.sending.sender import Sender
from producer.source import Context
from twitter_topics.errors import RetryableError

TICK_S = 1.0
"""How often the position is saved. After a crash at most this much is sent again, plus what was not acknowledged."""

STOP_S = 10.0
"""Time a stop leaves for sending what is buffered. The rest stays in the spool."""

_SOURCE_S = 5.0
_LOOK_S = 0.2

End = Literal["finished", "stopped"]

_log = logging.getLogger(__name__)


class Reporter(Protocol):
    """The part of `producer.reporting.progress.Progress` used here."""

    def add(self, confirmed: Confirmed) -> None: ...

    def report_if_due(self) -> None: ...

    def report(self, state: str, error: str = "") -> None: ...


class ProducerService:
    """Moves events from a source to Kafka until the source ends, the limit is reached or `context.stop` is set.

    Args:
        feed: the source, its buffer and where this run begins. The service ends both; whoever opened them closes them.
        connect: returns a publisher with a new client; raises RetryableError while Kafka is unavailable.
        on_gap: called with the value of each gap before the position after it is saved.
        limit: stop once this many records of the stream were received, earlier runs included; 0 = never.
    """

    def __init__(
        self,
        feed: Feed,
        connect: Callable[[], KafkaPublisher],
        position_file: PositionFile,
        progress: Reporter,
        context: Context,
        *,
        on_gap: Callable[[bytes], None] = lambda _: None,
        limit: int = 0,
    ) -> None:
        self._source, self._buffer = feed.source, feed.buffer
        self._position, self._received, self._foreign = feed.begin
        self._saved: SourcePosition | None = None
        self._unsaved = ""
        self._position_file = position_file
        self._progress = progress
        self._context = context
        self._on_gap = on_gap
        self._limit = limit
        self._sender = Sender(feed.buffer, connect, context)
        self._changed = Flag()
        self._failure: BaseException | None = None
        self._reported_problem = ""
        self._receiving = self._thread("receive", self._receive)
        self._sending = self._thread("send", self._sender.run)

    def run(self) -> End:
        """Work until the end; return why it ended. The position of what was acknowledged is then saved.

        Raises:
            ConfigurationError, IntegrityError: from the source, or because Kafka rejects us permanently. Records
                received before are sent as at a stop.
            RetryableError: the position could not be saved until the end. The next run repeats records.
        """
        try:
            self._settle()
            self._progress.report("running")
            self._sending.start()
            self._receiving.start()
            end = self._follow()
            self._settle_the_rest()
            if self._failure is not None:
                raise self._failure
            if self._unsaved:
                raise RetryableError(self._unsaved)
        except BaseException as error:
            self._progress.report("failed", f"{type(error).__name__}: {error}")
            raise
        self._progress.report(end)
        return end

    def _follow(self) -> End:
        """Tick until both threads have ended."""
        stop = self._context.stop
        self._tick_while(lambda: self._receiving.is_alive() and self._sending.is_alive() and not stop.is_set())
        if self._failure is not None:
            stop.set()
        if not stop.is_set():  # the source ended: send the rest, unless that is stopped too
            self._source.close()
            self._buffer.finish()
            self._tick_while(lambda: self._sending.is_alive() and not stop.is_set())
            if not self._buffer.backlog()[0]:
                return "finished"
        self._end_receiving()
        self._sender.end_within(STOP_S)
        self._tick_while(self._sending.is_alive)
        return "stopped"

    def _end_receiving(self) -> None:
        """Stop receiving, after what a live source has received: it cannot be requested again. A source that does not
        end by itself is closed."""
        if not self._source.live:
            self._buffer.finish()
        self._receiving.join(_SOURCE_S)
        self._buffer.finish()
        self._source.close()
        self._receiving.join(_SOURCE_S)

    def _tick_while(self, going: Callable[[], bool]) -> None:
        next_tick = 0.0
        while going():
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + TICK_S
                self._settle()
                self._report_problem()
                self._progress.report_if_due()
            self._changed.wait(_LOOK_S)
            self._changed.clear()

    def _receive(self) -> None:
        if self._limit_reached():
            return
        try:
            _log.info("%s: %s", self._source.name, self._source.check())
        except RetryableError as error:
            _log.warning("%s: %s", self._source.name, error)
        for event in self._source.events():
            if event is not None:
                if not self._buffer.put(event):
                    return
                self._received += 1
                if self._limit_reached():
                    return
            if self._context.stop.is_set() and not self._source.live:
                return

    def _limit_reached(self) -> bool:
        return bool(self._limit) and self._received >= self._limit

    def _settle(self) -> None:
        """Save what was acknowledged, then forget it. In this order a crash in between repeats records, never loses.
        While the disk is full or read-only, sending goes on; each tick tries to save again."""
        confirmed = self._sender.confirmed()
        position = self._position
        for some in confirmed:
            for gap in some.gaps:
                self._on_gap(gap)
            cursor = some.cursor if some.number > self._foreign else position.cursor
            position = replace(position.advanced(some.records, cursor, some.event_time_ms), number=some.number)
        status = self._context.status
        self._position = replace(position, alive_ms=status.alive_ms or position.alive_ms, rate=status.rate)
        try:
            if self._position != self._saved:
                self._position_file.save(self._position)
                self._saved = self._position
            if confirmed or self._unsaved:
                self._buffer.forget(self._position.number)
            self._unsaved = ""
        except OSError as error:
            self._unsaved = f"cannot save in {self._position_file.path.parent} what Kafka has acknowledged: {error}"
        for some in confirmed:
            self._progress.add(some)

    def _settle_the_rest(self) -> None:
        """Settle what the last tick has not, giving a full disk `STOP_S`."""
        self._settle()
        ends_at = time.monotonic() + STOP_S
        self._tick_while(lambda: bool(self._unsaved) and time.monotonic() < ends_at)

    def _report_problem(self) -> None:
        """Report what blocks the producer, when that changes."""
        sentence = self._buffer.problem or self._unsaved or self._sender.problem
        if sentence != self._reported_problem:
            self._reported_problem = sentence
            self._progress.report("waiting" if sentence else "running", sentence)

    def _thread(self, name: str, work: Callable[[], None]) -> Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - it is raised in `run`
                self._failure = self._failure or error
            finally:
                self._changed.set()

        return Thread(target=run, name=name, daemon=True)
