"""The producer's reports on itself: log, terminal line, health, and Prometheus if configured."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from producer.position import SourcePosition
from producer.reporting import words
from producer.reporting.background import Background
from producer.reporting.metrics import PrometheusMetrics
from producer.reporting.words import Snapshot
from producer.status import Status
from twitter_topics.backends.influx import SHORT_TIMEOUT_S
from twitter_topics.health.points import HealthPoints
from twitter_topics.health.report import UNREADABLE, read_part, write_health
from twitter_topics.settings import Settings

REPORT_SECONDS = 5.0
PATIENCE_SECONDS = 60.0
"""A producer that waits longer is no longer ok, unless it waits on purpose."""

_LAST_POINT_SECONDS = 3.0
_REDRAWS_PER_SECOND = 2.0

_log = logging.getLogger(__name__)


class Acknowledged(Protocol):
    """Newly acknowledged records, by kind, and the event time of the newest."""

    @property
    def kinds(self) -> Mapping[str, int]: ...

    @property
    def event_time_ms(self) -> int | None: ...


class Progress:
    """Counts acknowledged records and reports every `REPORT_SECONDS`.

    Args:
        health_dir: folder of `<part>.json`. Its `lag` is in seconds: the age of the newest acknowledged tweet when it
            was acknowledged, or its age now while more is waiting.
        start: where this run begins; its records are included in the total.
        part: name of the producer.
        source: as in PRODUCER_SOURCE.
        status: what the source reports about itself.
        backlog: returns records and bytes received and not acknowledged. Called from several threads.
        write_point: writes a point of `pipeline_health`; called in its own thread, failures are only logged.
        release: called at the end.
        terminal: shows one self-updating line; None logs a line at each report.
        limit: records after which the run ends; 0 = none.
        now: Unix seconds.
        monotonic: seconds of a clock that never jumps.
    """

    def __init__(
        self,
        health_dir: Path,
        start: SourcePosition,
        *,
        part: str = "producer",
        source: str = "",
        status: Status | None = None,
        backlog: Callable[[], tuple[int, int]] = lambda: (0, 0),
        write_point: Callable[..., None] | None = None,
        release: Callable[[], None] = lambda: None,
        terminal: Console | None = None,
        limit: int = 0,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = start.count
        self.kinds: Counter[str] = Counter()
        self.metrics = PrometheusMetrics(source, self.kinds, self.snapshot)
        self._health_dir, self._part = health_dir, part
        self._status = status or Status()
        self._backlog = backlog
        self._limit = limit
        self._began: tuple[float, float] | None = None
        self._now, self._monotonic = now, monotonic
        self._event_time_ms = start.event_time_ms or None
        self._confirmed_age = self._age()
        self._state, self._kafka, self._rate = "running", "", 0.0
        self._waiting_since: float | None = None
        self._reported_at, self._reported_total = monotonic(), start.count
        self._restarts = _restarts(health_dir, part)
        self._release = release
        self._points = _Points(write_point) if write_point else None
        self._live = _live(terminal, lambda: words.terminal_line(self.snapshot())) if terminal else None

    @classmethod
    def open(
        cls,
        settings: Settings,
        name: str,
        start: SourcePosition,
        status: Status,
        backlog: Callable[[], tuple[int, int]],
        part: str = "",
    ) -> Self:
        """Set up what the settings ask for: health in a file and InfluxDB, Prometheus, the terminal line.

        Args:
            name: of the source, as in PRODUCER_SOURCE.
            part: name of the producer; by default the settings' name for the source.

        Raises:
            ConfigurationError: the Prometheus port is in use.
        """
        terminal = Console(stderr=True)
        points = HealthPoints(settings.influx, timeout_s=SHORT_TIMEOUT_S)
        progress = cls(
            settings.speed.health_dir,
            start,
            part=part or settings.producer.part(name),
            source=name,
            status=status,
            backlog=backlog,
            write_point=points.write_health,
            release=points.close,
            terminal=terminal if terminal.is_terminal and not terminal.is_dumb_terminal else None,
            limit=settings.producer.limit,
        )
        if port := settings.producer.metrics_port_of(name):
            try:
                progress.metrics.serve(port)
            except BaseException:
                progress.close()
                raise
        return progress

    def add(self, confirmed: Acknowledged) -> None:
        """Count newly acknowledged records."""
        kinds = confirmed.kinds
        self.total += sum(kinds.values())
        self.kinds.update(kinds)
        if confirmed.event_time_ms is not None:
            self._event_time_ms = confirmed.event_time_ms
            self._confirmed_age = self._age()

    def report_if_due(self) -> None:
        """Report when the last report is `REPORT_SECONDS` old; as `waiting` while Kafka or the source blocks it."""
        if self._monotonic() - self._reported_at >= REPORT_SECONDS:
            self._report("")

    def report(self, state: str, error: str = "") -> None:
        """Report now.

        Args:
            state: `running` (nothing blocks the producer), `waiting` (Kafka or the disk does; `error` is the reason,
                until `running` is reported), `finished` (the source ended or the limit is reached), `stopped` (on
                request), `failed`.
            error: the reason when waiting or failed.
        """
        if state in ("running", "waiting"):
            self._kafka, error = error, ""
            state = "running"
        self._state = state
        self._report(error)

    def snapshot(self) -> Snapshot:
        """Return the producer's current snapshot. Called from any thread."""
        going = self._state == "running"
        done = self._done()
        sentence = (self._kafka or self._status.sentence) if going else ""
        return Snapshot(
            state="waiting" if sentence else self._state,
            total=self.total,
            rate=self._rate,
            lag=max(0, round(self._age() if self._backlog()[0] else self._confirmed_age)),
            sentence=sentence,
            backlog=self._backlog(),
            done=done,
            remaining_s=None if done is None else self._remaining_s(done),
            status=self._status,
        )

    def _done(self) -> float | None:
        """Return the share of the source's bytes or of the limit, whichever ends first; None without an end."""
        status = self._status
        shares = [min(1.0, status.read_bytes / status.total_bytes)] if status.total_bytes else []
        shares += [min(1.0, self.total / self._limit)] if self._limit else []
        return max(shares, default=None)

    def _remaining_s(self, done: float) -> float | None:
        """Return an estimate from the pace since the first call, None while there is none."""
        now = self._monotonic()
        if self._began is None:
            self._began = now, done
        at, then = self._began
        return (1 - done) * (now - at) / (done - then) if done > then else None

    def close(self) -> None:
        """End threads and close ports, leaving a moment for the last point. Safe to call more than once."""
        self.metrics.close()
        if self._live is not None:
            self._live.stop()
        if self._points is not None:
            self._points.close()
        self._release()

    def _report(self, error: str) -> None:
        elapsed = self._monotonic() - self._reported_at
        self._rate = (self.total - self._reported_total) / elapsed if elapsed > 0 else 0.0
        self._reported_at, self._reported_total = self._monotonic(), self.total
        now = self.snapshot()
        level = logging.DEBUG if self._live is not None and now.state == "running" else logging.INFO
        _log.log(level, "%s", words.log_line(now))
        fields = {
            "ok": not error and (now.state != "waiting" or self._may_wait(now)),
            "state": now.state,
            "rate": round(now.rate, 2),
            "lag": now.lag,
            "restarts": self._restarts,
            "error": error or now.sentence,
            "at": self._now(),
        }
        if now.state != "waiting":
            self._waiting_since = None
        try:
            write_health(self._health_dir, self._part, detail=words.details_sentence(now), **fields)
        except OSError as failure:
            _log.warning("could not write health to %s: %s", self._health_dir, failure)
        if self._points is not None:
            self._points.put(self._part, fields)

    def _may_wait(self, now: Snapshot) -> bool:
        """Whether waiting is ok: briefly, or as planned, or while a spending cap pauses the source."""
        spend = now.status.spend
        if not self._kafka and (now.status.planned or (spend is not None and spend.paused)):
            self._waiting_since = None
            return True
        if self._waiting_since is None:
            self._waiting_since = self._monotonic()
        return self._monotonic() - self._waiting_since <= PATIENCE_SECONDS

    def _age(self) -> float:
        return 0.0 if self._event_time_ms is None else self._now() - self._event_time_ms / 1000


_Point = tuple[str, dict[str, Any]]
_NOTHING: _Point = ("", {})


class _Points:
    """The newest health on its way to InfluxDB; an older one that was not written is dropped."""

    def __init__(self, write: Callable[..., None]) -> None:
        self._write = write
        self._newest = self._sent = _NOTHING
        self._background = Background("health in InfluxDB", self._send)

    def put(self, part: str, fields: dict[str, Any]) -> None:
        self._newest = part, fields
        self._background.wake()

    def close(self) -> None:
        self._background.close(_LAST_POINT_SECONDS)

    def _send(self) -> None:
        while (newest := self._newest) is not self._sent:
            part, fields = newest
            self._write(part, **fields)
            self._sent = newest


def _live(terminal: Console, line: Callable[[], str]) -> Live:
    """Show one line at the bottom of the terminal, below the log."""
    live = Live(
        get_renderable=lambda: Text(line(), overflow="ellipsis", no_wrap=True),
        console=terminal,
        refresh_per_second=_REDRAWS_PER_SECOND,
        transient=True,
        redirect_stdout=False,
    )
    live.start()
    return live


def _restarts(health_dir: Path, part: str) -> int:
    """Return the starts since the producer last ended on purpose: a crash leaves a file that still reads `running`."""
    previous = read_part(health_dir, part)
    if previous is None or previous.state in ("finished", "stopped", UNREADABLE):
        return 0
    return previous.restarts + 1
