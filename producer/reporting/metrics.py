"""The producer's Prometheus metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from producer.reporting.words import Snapshot
from twitter_topics.errors import ConfigurationError

_PREFIX = "twitter_topics_producer_"


class PrometheusMetrics:
    """Metrics of one producer, computed on each scrape, in their own registry.

    Args:
        source: label on all of them.
        kinds: records acknowledged by this process, by kind.
        now: returns the current snapshot of the producer.
    """

    def __init__(self, source: str, kinds: Counter[str], now: Callable[[], Snapshot]) -> None:
        self._source, self._kinds, self._now = source, kinds, now
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self._close: Callable[[], None] | None = None

    def serve(self, port: int) -> None:
        """Serve the metrics on 127.0.0.1.

        Raises:
            ConfigurationError: the port is in use.
        """
        try:
            server, thread = start_http_server(port, addr="127.0.0.1", registry=self.registry)
        except OSError as error:
            msg = f"port {port} (PRODUCER_METRICS_PORT; each further source uses the next port): {error.strerror}"
            raise ConfigurationError(msg) from error

        def close() -> None:
            server.shutdown()
            thread.join()
            server.server_close()

        self._close = close

    def close(self) -> None:
        """Stop serving. Safe to call more than once."""
        if self._close is not None:
            self._close()
        self._close = None

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; called by prometheus_client."""
        now = self._now()
        status, spend = now.status, now.status.spend
        yield self._counters("records", "Records acknowledged by Kafka.", "kind", dict(self._kinds))
        yield self._gauge("rate", "Records acknowledged per second, recently.", now.rate)
        yield self._gauge("lag_seconds", "How far acknowledged records lag behind post time.", now.lag)
        yield self._gauge("waiting", "1 while something blocks the producer.", now.state == "waiting")
        yield self._gauge("connected", "1 while the source delivers posts.", status.connected)
        yield self._counters("reconnects", "Lost connections.", "cause", dict(status.reconnects))
        yield self._counter("gap_seconds", "Time during which nothing was received.", status.gap_seconds)
        yield self._counter("received_bytes", "Bytes received from the source.", status.received_bytes)
        yield self._counter("not_delivered", "Posts that the source reports as undelivered.", status.not_delivered)
        yield self._gauge("spool_records", "Records received and not acknowledged.", now.backlog[0])
        yield self._gauge("spool_bytes", "Bytes received and not acknowledged.", now.backlog[1])
        if spend is not None:
            yield self._gauge("spend_posts_today", "Posts read in this UTC day.", spend.posts_today)
            yield self._gauge("spend_posts_month", "Posts read in this UTC month.", spend.posts_this_month)
            yield self._gauge(
                "spend_dollars_month", "Cost of the posts and users of this month.", spend.dollars_this_month
            )
            yield self._gauge("spend_daily_cap_posts", "0 = no cap.", spend.daily_cap)
            yield self._gauge("spend_monthly_cap_posts", "0 = no cap.", spend.monthly_cap)
            yield self._gauge("spend_monthly_cap_dollars", "0 = no cap.", spend.monthly_cap_dollars)
            yield self._gauge("spend_paused", "1 while a cap pauses the source.", spend.paused)

    def _gauge(self, name: str, text: str, value: float) -> Metric:
        family = GaugeMetricFamily(_PREFIX + name, text, labels=["source"])
        family.add_metric([self._source], value)
        return family

    def _counter(self, name: str, text: str, value: float) -> Metric:
        family = CounterMetricFamily(_PREFIX + name, text, labels=["source"])
        family.add_metric([self._source], value)
        return family

    def _counters(self, name: str, text: str, label: str, values: dict[str, int]) -> Metric:
        family = CounterMetricFamily(_PREFIX + name, text, labels=["source", label])
        for word, value in values.items():
            family.add_metric([self._source, word], value)
        return family
