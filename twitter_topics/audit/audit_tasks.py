"""Tasks of speed_layer_watch and stores_audit that write what dashboards show.

Airflow parses their DAGs all the time: heavy imports wait until a task runs.
"""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING, Any

from twitter_topics.errors import IntegrityError
from twitter_topics.health.problems import WatchLimits

if TYPE_CHECKING:
    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)

AUDIT_WAIT_SECONDS = 120.0
PUBLISHED_MODELS = 100


def measure(settings: Settings, *, now: float) -> None:
    """Write the dead letters of the last hour, how far InfluxDB is behind, and the champion's age.

    If the champion cannot be read, the rest is written first.

    Args:
        now: Unix seconds.

    Raises:
        RetryableError: Kafka, S3, the counts database or InfluxDB is unavailable.
        IntegrityError: champion.json is damaged.
    """
    from twitter_topics.audit.measured import champion_lines, dead_letter_lines, view_line
    from twitter_topics.backends.dead_letters import read_letters
    from twitter_topics.backends.kafka_offsets import records_since
    from twitter_topics.counts.state import CountsState
    from twitter_topics.topic_models.registry.store import ModelStore

    now_ms, since_ms = int(now * 1000), int((now - WatchLimits().dead_letter_seconds) * 1000)
    letters = read_letters(settings.kafka, since_ms)
    lines = dead_letter_lines(letters, records_since(settings.kafka, settings.kafka.raw_topic, since_ms), now_ms)
    with closing(CountsState.of(settings)) as state:
        lines.append(view_line(state.unpublished_since(), now_ms))
    try:
        champion = ModelStore(settings).champion()
        if champion is not None:
            lines += champion_lines(champion, now_ms)
    finally:
        _write(settings, lines)


def publish_models(settings: Settings) -> int:
    """Write the newest promotions, and the gate's results of the newest versions. Returns the number of points.

    Those of older ones have been written before, and never change. A version without an evaluation has no result.

    Raises:
        RetryableError: S3 or InfluxDB is unavailable.
    """
    from twitter_topics.audit.measured import gate_line, promotion_line
    from twitter_topics.topic_models.registry.store import ModelStore

    models = ModelStore(settings)
    lines = [promotion_line(one) for one in models.history(PUBLISHED_MODELS)]
    lines += [gate_line(one) for one in models.manifests(PUBLISHED_MODELS) if one.get("evaluation")]
    _write(settings, lines)
    return len(lines)


def audit_stores(settings: Settings, *, now: float) -> dict[str, Any]:
    """Run the audit, write its result and return it.

    Args:
        now: Unix seconds; the time of the result.

    Raises:
        IntegrityError: the balance is broken.
        RetryableError: a store is unavailable.
    """
    from twitter_topics.audit.measured import audit_lines
    from twitter_topics.audit.report import as_dict
    from twitter_topics.audit.run import audit
    from twitter_topics.audit.stores import RealStores

    report = audit(
        RealStores(settings),
        retention_days=settings.elasticsearch.retention_days,
        wait_seconds=AUDIT_WAIT_SECONDS,
        seen=lambda one: log.info("%s: %d findings", one.state, len(one.findings)),
    )
    _write(settings, audit_lines(report, int(now * 1000)))
    if report.state == "broken":
        raise IntegrityError("; ".join(one.text for one in report.findings if one.kind not in ("note", "behind")))
    return as_dict(report)


def _write(settings: Settings, lines: list[str]) -> None:
    from twitter_topics.backends.influx import InfluxStore

    with closing(InfluxStore(settings.influx)) as influx:
        influx.ensure_database()  # this may run before the aggregator has written its first points
        influx.write(lines)
