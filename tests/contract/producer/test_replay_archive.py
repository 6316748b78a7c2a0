"""Replay of the archive's real table, in a folder and on S3."""

from __future__ import annotations

import json
import logging
import random
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.types import StringType

from producer.position import SourcePosition
from producer.source import Context
from producer.sources.replay import ReplaySource
from tests.contract.archive_table import make_table
from tests.contract.producer.test_replay_sources import NOW, after, keys, ms, sent
from twitter_topics.backends.s3 import ensure_bucket, s3_client
from twitter_topics.errors import ConfigurationError, IntegrityError
from twitter_topics.records.times import post_time
from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from tests.conftest import Services

pytestmark = pytest.mark.contract

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


class Row(NamedTuple):
    """A row of the archive; with a `reason` it is rejected."""

    number: int
    at: datetime
    partition: int = 0
    offset: int = 0
    stamp: datetime = NOW - 10 * HOUR
    reason: str | None = None
    event: str = "post"


class Archive:
    """The test's own table."""

    def __init__(self, settings: dict[str, str], warehouse: str) -> None:
        self.variables = settings
        self.table: Table = make_table(Settings(settings), warehouse)
        self.paths: list[str] = []

    def append(self, rows: list[Row]) -> None:
        hours: dict[datetime, list[Row]] = {}
        for row in rows:
            hours.setdefault(row.at.replace(minute=0, second=0, microsecond=0), []).append(row)
        written = [self._data_file(group) for group in hours.values()]
        self.paths += written
        self.table.add_files(written, check_duplicate_files=False)

    def _data_file(self, rows: list[Row]) -> str:
        payloads = [None if row.reason == "deleted: delete" else _payload(row) for row in rows]
        columns: dict[str, list[Any]] = {
            "tweet_id": [None if row.reason == "json: x" else str(row.number) for row in rows],
            "event_time": [row.at for row in rows],
            "source": ["twitter" for _ in rows],
            "payload": payloads,
            "reject_reason": [row.reason for row in rows],
            "kafka_partition": [row.partition for row in rows],
            "kafka_offset": [row.offset for row in rows],
            "kafka_timestamp": [row.stamp for row in rows],
            "event": [row.event for row in rows],
        }
        path = f"{self.table.location()}/data/{uuid.uuid4()}.parquet"
        schema = pa.schema([field.remove_metadata() for field in self.table.schema().as_arrow()])
        with self.table.io.new_output(path).create() as file:
            pq.write_table(pa.table({name: columns[name] for name in schema.names}, schema=schema), file)
        return path

    def opened(
        self, saved: SourcePosition | None = None, context: Context | None = None, **settings: str
    ) -> ReplaySource:
        given = {**self.variables, "PRODUCER_REPLAY_FILE": "archive", **settings}
        return ReplaySource.open(Settings(given), saved, context or Context(now_ms=lambda: ms(NOW)))


def _payload(row: Row) -> bytes:
    return json.dumps({"id_str": str(row.number), "text": "ü", "timestamp_ms": str(ms(row.at))}).encode()


@pytest.fixture(params=["folder", "s3"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    catalog = {"ARCHIVE_CATALOG_URI": f"sqlite:///{tmp_path}/catalog.db"}
    if request.param == "folder":
        return Archive(catalog, f"file://{tmp_path}/lake")
    services: Services = request.getfixturevalue("services")
    settings = {**services.variables, "S3_BUCKET": f"archive-{uuid.uuid4().hex[:8]}", **catalog}
    ensure_bucket(s3_client(Settings(settings).s3), settings["S3_BUCKET"])
    return Archive(settings, f"s3://{settings['S3_BUCKET']}/lake")


AT = NOW - 24 * HOUR
"""A full hour."""

ROWS = [
    Row(1, AT + 5 * MINUTE, 0, 7),
    Row(2, AT, 0, 8),
    Row(3, AT + 59 * MINUTE, 0, 30),
    Row(4, AT + MINUTE, 1, 2),
    Row(5, AT + HOUR, 0, 1),
    Row(6, AT + HOUR, 1, 0),
    Row(7, AT + HOUR, 1, 0, NOW - HOUR),  # the same offset, after the topic was re-created
    Row(8, AT + 3 * HOUR, 0, 9),
]
REJECTED = [
    Row(90, AT + MINUTE, 0, 9, reason="json: x"),
    Row(91, AT + MINUTE, 0, 10, reason="deleted: delete"),
    Row(92, AT + 9 * HOUR, 0, 11, reason="deleted: account suspended"),
]


def fill(archive: Archive) -> None:
    rows = [*ROWS, *REJECTED]
    random.Random(5).shuffle(rows)
    archive.append(rows[:6])
    archive.append(rows[6:])


def test_tweets_of_the_archive_in_order_and_resumed_anywhere(archive: Archive) -> None:
    fill(archive)
    source = archive.opened()
    whole = sent(source)
    assert keys(whole) == [row.number for row in ROWS]
    assert [event.value for event in whole] == [_payload(row) for row in ROWS]
    assert [event.event_time_ms for event in whole] == [ms(row.at) for row in ROWS]
    assert {event.kind for event in whole} == {"post"}
    assert source.check() == "replays the archive: at most 11 tweets of 4 hours from 2026-11-02T12:00:00+00:00"
    for done in range(1, len(whole) + 1):
        assert sent(archive.opened(after(source, whole[:done]))) == whole[done:]


def test_an_edit_is_replayed_as_an_edit_also_from_a_table_that_once_had_no_such_column(archive: Archive) -> None:
    archive.append([Row(1, AT)])
    with archive.table.update_schema() as change:
        change.add_column("event", StringType())
    archive.append([Row(1, AT + MINUTE, offset=1, event="edit"), Row(2, AT, offset=2)])
    assert [(int(event.key), event.kind) for event in sent(archive.opened())] == [(1, "post"), (1, "edit"), (2, "post")]


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_an_hour_read_in_pieces(archive: Archive, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr("producer.sources.replay.archive.PIECE_ROWS", rows)
    fill(archive)
    source = archive.opened()
    whole = sent(source)
    assert keys(whole) == [row.number for row in ROWS]
    for done in range(1, len(whole)):
        assert sent(archive.opened(after(source, whole[:done]))) == whole[done:]


def test_hours_of_the_archive(archive: Archive) -> None:
    fill(archive)
    first, last = f"{AT + HOUR:%Y-%m-%dT%H:%MZ}", f"{AT + 3 * HOUR:%Y-%m-%dT%H:%M}"
    assert keys(sent(archive.opened(PRODUCER_REPLAY_FROM=first))) == [5, 6, 7, 8]
    assert keys(sent(archive.opened(PRODUCER_REPLAY_FROM=first, PRODUCER_REPLAY_TO=last))) == [5, 6, 7]
    assert keys(sent(archive.opened(PRODUCER_REPLAY_TO=last))) == [1, 2, 3, 4, 5, 6, 7]
    with pytest.raises(ConfigurationError, match="the archive has no rows"):
        archive.opened(PRODUCER_REPLAY_FROM="2030-01-01T00:00Z")


def test_tweets_archived_by_the_replay_are_not_replayed(archive: Archive) -> None:
    fill(archive)
    source = archive.opened()
    whole = sent(source)
    archive.append([Row(row.number, row.at, row.partition, 100 + row.offset, NOW + MINUTE) for row in ROWS])
    assert sent(source) == whole
    assert sent(archive.opened(after(source, whole[:3]))) == whole[3:]


def test_after_the_snapshot_expired_the_newest_is_used(archive: Archive, caplog: pytest.LogCaptureFixture) -> None:
    fill(archive)
    source = archive.opened()
    whole = sent(source)
    archive.append([Row(row.number, row.at, row.partition, 100 + row.offset, NOW + MINUTE) for row in ROWS])
    archive.table.refresh().maintenance.expire_snapshots().by_id(source.start.origin["snapshot_id"]).commit()
    with caplog.at_level(logging.WARNING):
        assert sent(archive.opened(after(source, whole[:3]))) == whole[3:]
    assert [record.getMessage() for record in caplog.records if "expired" in record.getMessage()] == [
        "the snapshot of the first start has expired, continuing with the newest"
    ]


def test_the_newest_accepted_tweet_is_moved_to_now(archive: Archive) -> None:
    fill(archive)
    source = archive.opened(PRODUCER_REPLAY_TIMES="shift")
    assert source.start.origin["shift_ms"] == ms(NOW) - ms(ROWS[-1].at)
    events = sent(source)
    assert [event.event_time_ms for event in events] == [ms(row.at) + 21 * 3_600_000 for row in ROWS]
    assert [post_time(json.loads(event.value)) for event in events] == [event.event_time_ms for event in events]
    limited = archive.opened(PRODUCER_REPLAY_TIMES="shift", PRODUCER_LIMIT="4")
    assert limited.start.origin["shift_ms"] == ms(NOW) - ms(ROWS[2].at)


def test_a_missing_data_file_is_reported(archive: Archive) -> None:
    fill(archive)
    source = archive.opened()
    for path in archive.paths:
        archive.table.io.delete(path)
    with pytest.raises(IntegrityError, match="the archive is missing a data file of 2026-11-02T12:00:00"):
        sent(source)


def test_an_empty_archive_is_reported(archive: Archive) -> None:
    with pytest.raises(ConfigurationError, match="the archive has no rows"):
        archive.opened()
    archive.append(REJECTED)
    assert sent(archive.opened(PRODUCER_REPLAY_TIMES="shift")) == []
