"""Health and gaps in InfluxDB: types that stay, points that are written twice, a server that is down."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from producer.reporting.gap_ledger import GapLedger
from twitter_topics.backends.influx import SHORT_TIMEOUT_S
from twitter_topics.errors import IntegrityError
from twitter_topics.health.points import HealthPoints
from twitter_topics.records.gap import Gap
from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Services

pytestmark = pytest.mark.contract

T0 = 1_790_000_000_000


@pytest.fixture(scope="module")
def real(services: Services) -> Iterator[HealthPoints]:
    """A database of its own."""
    database = f"contract{uuid.uuid4().hex[:8]}"
    points = HealthPoints(services.settings(INFLUXDB_DATABASE=database).influx)
    points.ensure_database()
    yield points
    points._influx.execute(f"DROP DATABASE {database}")
    points.close()


def raw(points: HealthPoints, sql: str) -> list[dict[str, Any]]:
    return [tags | row for tags, row in points._influx.rows(sql)]


def test_non_finite_numbers_are_rejected_before_they_are_sent(real: HealthPoints) -> None:
    with pytest.raises(IntegrityError, match="nan"):
        real.write_health("aggregator", ok=True, state="running", rate=float("nan"))


def test_health_points_keep_their_types_whatever_is_given(real: HealthPoints) -> None:
    real.write_health("producer", at=T0 / 1000, ok=True, state="running", rate=3, lag=4.0, batch_seconds=1, restarts=0)
    real.write_health("producer", at=T0 / 1000 + 1, ok=False, state='a "b" \\', rate=0.5, lag=0, error="x\ny")
    rows = raw(real, "SELECT * FROM pipeline_health")
    assert [row["rate"] for row in rows] == [3.0, 0.5]
    assert [row["lag"] for row in rows] == [4, 0]
    assert [(row["ok"], row["state"], row["error"]) for row in rows] == [
        (True, "running", None),
        (False, 'a "b" \\', "x\ny"),
    ]


# --- gaps of the sources


def gap(from_ms: int, to_ms: int, source: str = "bluesky", cause: str = "network", posts: int = 40) -> Gap:
    return Gap(source, from_ms, to_ms, cause, posts)


def test_gaps_are_read_as_written_and_written_twice_is_once(real: HealthPoints) -> None:
    written = [
        gap(T0, T0 + 1_500),
        gap(T0, T0 + 1_500, cause="clamped"),
        gap(T0, T0 + 9_000, source="mastodon"),
        gap(T0 + 60_000, T0 + 61_234, posts=0),
    ]
    for one in [*written, *written]:
        real.write_gap(one)
    assert sorted(real.gaps(T0, T0 + 60_001), key=str) == sorted(written, key=str)
    assert real.gaps(T0 + 1, T0 + 60_001) == written[3:]
    assert real.gaps(T0 - 1000, T0) == []
    rows = raw(real, "SELECT seconds FROM source_gap")
    assert sorted(row["seconds"] for row in rows) == [1.234, 1.5, 1.5, 9.0]


def ledger(path: Path, settings: Settings) -> GapLedger:
    points = HealthPoints(settings.influx, timeout_s=SHORT_TIMEOUT_S)
    return GapLedger(path, points.write_gap)


def test_the_ledger_keeps_gaps_while_influxdb_is_down_and_writes_them_later(
    services: Services, real: HealthPoints, tmp_path: Path
) -> None:
    path = tmp_path / "bluesky-gaps.jsonl"
    start = T0 + 10_000_000
    gaps = [gap(start + at * 1000, start + at * 1000 + 500, posts=at) for at in range(50)]
    down = ledger(path, services.settings(INFLUXDB_URL="http://127.0.0.1:9"))
    for one in gaps[:30]:
        down.add(one.value())
    down.close()
    assert real.gaps(start, start + 60_000) == []

    back = ledger(path, services.settings(INFLUXDB_DATABASE=real._influx._database))
    for one in gaps[20:]:
        back.add(one.value())
    back.close()
    found = real.gaps(start, start + 60_000)
    assert found == gaps
    assert len({one.from_ms for one in found}) == len(found) == 50
    assert path.read_bytes() == b""


def test_rejected_credentials_are_reported_once_and_nothing_is_lost(
    services: Services, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "bluesky-gaps.jsonl"
    rejected = ledger(path, services.settings(INFLUXDB_PASSWORD="Sesame-42"))
    one = gap(T0, T0 + 1)
    for _ in range(3):
        rejected.add(one.value())
    rejected.close()
    assert caplog.text.count("rejected INFLUXDB_USERNAME and INFLUXDB_PASSWORD") == 1
    assert "Sesame-42" not in caplog.text
    assert {Gap.from_value(line) for line in path.read_bytes().splitlines()} == {one}
