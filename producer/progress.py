"""What the producer tells about itself: the log, the health file, and Prometheus when asked for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from producer.position import Position
from producer.publisher import Confirmed
from twitter_topics.store.health import read_health, write_health

PART = "producer"
REPORT_SECONDS = 5.0

_log = logging.getLogger(__name__)


class Metrics:
    """Prometheus metrics of the producer, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.records = Counter(
            "twitter_topics_producer_records", "Records acknowledged by Kafka.", registry=self.registry
        )
        self.rate = Gauge(
            "twitter_topics_producer_rate", "Records acknowledged per second, lately.", registry=self.registry
        )
        self.lag = Gauge(
            "twitter_topics_producer_lag_seconds", "Age of the newest acknowledged tweet.", registry=self.registry
        )

    def serve(self, port: int) -> None:
        """Answer on 127.0.0.1.

        Raises:
            OSError: the port is taken.
        """
        start_http_server(port, addr="127.0.0.1", registry=self.registry)


class Progress:
    """Counts acknowledged records and reports every `REPORT_SECONDS`.

    Args:
        health_dir: where `producer.json` goes. Its `lag` is in seconds: how old the newest acknowledged tweet is.
        start: where this run begins; its records count as done.
        now: Unix seconds.
        monotonic: seconds of a clock that never jumps, for the rate.
    """

    def __init__(
        self,
        health_dir: Path,
        start: Position,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.metrics = Metrics()
        self.total = start.count
        self._health_dir = health_dir
        self._now = now
        self._monotonic = monotonic
        self._event_time_ms = start.event_time_ms or None
        self._reported_at = monotonic()
        self._reported_total = start.count
        self._restarts = _restarts(health_dir)

    def add(self, confirmed: Confirmed) -> None:
        """Count what was acknowledged."""
        self.total += confirmed.records
        self.metrics.records.inc(confirmed.records)
        if confirmed.event_time_ms is not None:
            self._event_time_ms = confirmed.event_time_ms

    def report_if_due(self) -> None:
        """Report as running when the last report is `REPORT_SECONDS` old."""
        if self._monotonic() - self._reported_at >= REPORT_SECONDS:
            self.report("running")

    def report(self, state: str, error: str = "") -> None:
        """Write log line, health file and gauges now.

        Args:
            state: `running`, `finished` (the source ended or the limit is reached), `stopped` (on request), `failed`.
            error: why, when failed.
        """
        elapsed = self._monotonic() - self._reported_at
        rate = (self.total - self._reported_total) / elapsed if elapsed > 0 else 0.0
        self._reported_at, self._reported_total = self._monotonic(), self.total
        lag = self._lag_seconds()
        self.metrics.rate.set(rate)
        self.metrics.lag.set(lag)
        _log.info("%s: %s records, %.1f/s, newest tweet %s old", state, f"{self.total:,}", rate, _readable(lag))
        write_health(
            self._health_dir,
            PART,
            ok=not error,
            state=state,
            rate=round(rate, 2),
            lag=lag,
            restarts=self._restarts,
            error=error,
            at=self._now(),
        )

    def _lag_seconds(self) -> int:
        if self._event_time_ms is None:
            return 0
        return max(0, round(self._now() - self._event_time_ms / 1000))


def _restarts(health_dir: Path) -> int:
    """Starts since the producer last ended on purpose: a file that still says `running` was left by a crash."""
    previous = read_health(health_dir).get(PART)
    if previous is None or previous.state in ("finished", "stopped"):
        return 0
    return previous.restarts + 1


def _readable(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
