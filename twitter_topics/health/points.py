"""Health of the parts and gaps of the sources as points in InfluxDB."""

from __future__ import annotations

import time

from twitter_topics.backends.influx import LONG_TIMEOUT_S, NS_PER_MS, InfluxStore, Value, line
from twitter_topics.records import measurements
from twitter_topics.records.gap import Gap
from twitter_topics.settings import InfluxSettings

PIPELINE_HEALTH, SOURCE_GAP = measurements.PIPELINE_HEALTH.name, measurements.SOURCE_GAP.name

_NUMBERS = {"rate": float, "batch_seconds": float, "lag": int, "restarts": int}


class HealthPoints:
    """Writes and reads them. Methods raise what `InfluxStore` raises."""

    def __init__(self, settings: InfluxSettings, timeout_s: tuple[float, float] = LONG_TIMEOUT_S) -> None:
        self._influx = InfluxStore(settings, timeout_s)

    def close(self) -> None:
        self._influx.close()

    def ensure_database(self) -> None:
        """As `InfluxStore.ensure_database`."""
        self._influx.ensure_database()

    def write_health(self, part: str, *, at: float | None = None, **fields: Value) -> None:
        """Write one point of `pipeline_health`; its fields are in the contract. `at` in Unix seconds (default: now)."""
        values = {name: _NUMBERS[name](value) if name in _NUMBERS else value for name, value in fields.items()}
        moment = time.time() if at is None else at
        self._influx.write([line(PIPELINE_HEALTH, {"part": part}, values, int(moment * 1000) * NS_PER_MS)])

    def write_gap(self, gap: Gap) -> None:
        """Write a gap. Its point has the time of its start, so writing it again changes nothing."""
        fields: dict[str, Value] = {
            "from_ms": gap.from_ms,
            "to_ms": gap.to_ms,
            "seconds": gap.seconds,
            "estimated_posts": gap.estimated_posts,
        }
        tags = {"source": gap.source, "cause": gap.cause}
        self._influx.write([line(SOURCE_GAP, tags, fields, gap.from_ms * NS_PER_MS)])

    def gaps(self, from_ms: int, to_ms: int) -> list[Gap]:
        """Gaps that began in [from_ms, to_ms), oldest first."""
        sql = (
            f"SELECT from_ms, to_ms, estimated_posts FROM {SOURCE_GAP} "  # noqa: S608 - a constant; values are bound
            "WHERE time >= $from AND time < $to GROUP BY source, cause"
        )
        bound = {"from": from_ms * NS_PER_MS, "to": to_ms * NS_PER_MS}
        found = [
            Gap(tags["source"], row["from_ms"], row["to_ms"], tags["cause"], row["estimated_posts"])
            for tags, row in self._influx.rows(sql, bound)
        ]
        return sorted(found, key=lambda gap: (gap.from_ms, gap.source, gap.cause))
