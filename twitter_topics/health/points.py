"""What running parts say about themselves, in InfluxDB: their health, and the gaps of the sources."""

from __future__ import annotations

import time

from twitter_topics.backends.influx import NS_PER_MS, InfluxDatabase, Value, line, series_key
from twitter_topics.records.gap import SOURCE_GAP, Gap

PIPELINE_HEALTH = "pipeline_health"
"""Health of a part. Tag part; fields ok b, state s, rate f, lag i, batch_seconds f, restarts i, error s."""

_NUMBERS = {"rate": float, "batch_seconds": float, "lag": int, "restarts": int}


class HealthPoints(InfluxDatabase):
    """Points of `pipeline_health` and `source_gap`. Errors as InfluxDatabase."""

    def write_health(self, part: str, *, at: float | None = None, **fields: Value) -> None:
        """One point of `pipeline_health`. Fields as PIPELINE_HEALTH says, `at` in Unix seconds (default: now)."""
        values = {name: _NUMBERS[name](value) if name in _NUMBERS else value for name, value in fields.items()}
        moment = time.time() if at is None else at
        self._write([line(series_key(PIPELINE_HEALTH, {"part": part}), values, int(moment * 1000) * NS_PER_MS)])

    def write_gap(self, gap: Gap) -> None:
        """Write a gap; its time is its begin, so that written again it is the same point."""
        fields: dict[str, Value] = {
            "from_ms": gap.from_ms,
            "to_ms": gap.to_ms,
            "seconds": gap.seconds,
            "estimated_posts": gap.estimated_posts,
        }
        key = series_key(SOURCE_GAP, {"source": gap.source, "cause": gap.cause})
        self._write([line(key, fields, gap.from_ms * NS_PER_MS)])

    def gaps(self, from_ms: int, to_ms: int) -> list[Gap]:
        """Gaps that began in [from_ms, to_ms), oldest first."""
        rows = self._between("from_ms, to_ms, estimated_posts", SOURCE_GAP, from_ms, to_ms, "source, cause")
        found = [
            Gap(tags["source"], row["from_ms"], row["to_ms"], tags["cause"], row["estimated_posts"])
            for tags, row in rows
        ]
        return sorted(found, key=lambda gap: (gap.from_ms, gap.source, gap.cause))
