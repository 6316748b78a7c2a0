"""Reading the archive without Spark: one suite on a folder and on S3."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.contract.archive_table import ArchiveCounts, Record, append, counts_of, make_table, redact
from twitter_topics.archive.reader import ArchiveStore, HourFiles
from twitter_topics.backends.database import catalog_url
from twitter_topics.backends.s3 import ensure_bucket, s3_client
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from tests.conftest import Services

pytestmark = pytest.mark.contract

NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Settings, str]:
    """Settings of an archive that does not exist yet, and its warehouse."""
    catalog = {"ARCHIVE_CATALOG_URI": f"sqlite:///{tmp_path}/catalog.db"}
    if request.param == "folder":
        return Settings(catalog), f"file://{tmp_path}/lake"
    services: Services = request.getfixturevalue("services")
    settings = services.settings(S3_BUCKET=f"archive-{uuid.uuid4().hex[:8]}", **catalog)
    ensure_bucket(s3_client(settings.s3), settings.s3.bucket)
    return settings, f"s3://{settings.s3.bucket}/lake"


def test_an_archive_that_does_not_exist_is_empty(place: tuple[Settings, str], tmp_path: Path) -> None:
    settings, warehouse = place
    store = ArchiveStore(settings)
    for _ in range(2):
        assert counts_of(store) == ArchiveCounts()
        assert (store.rows(), store.files_per_hour(), store.current_snapshot_id()) == (0, {}, None)
        assert store.next_offsets() == {}
        assert store.usable_tweets(NOON, NOON + DAY, enough=9) == 0
        assert not (tmp_path / "catalog.db").exists()  # a reader creates nothing
    make_table(settings, warehouse)
    store = ArchiveStore(settings)
    assert counts_of(store) == ArchiveCounts()
    assert (store.rows(), store.files_per_hour(), store.current_snapshot_id()) == (0, {}, None)
    assert store.next_offsets() == {}


def test_counts_are_exact(place: tuple[Settings, str]) -> None:
    settings, warehouse = place
    table = make_table(settings, warehouse)
    append(table, [Record(0, 0, "a", NOON), Record(0, 1, None, NOON), Record(1, 0, "bsky:ä", NOON + DAY)])
    append(table, [Record(0, 2, "a", NOON + DAY), Record(0, 2, "a", NOON + DAY), Record(1, 1, None, NOON)])
    store = ArchiveStore(settings)
    assert counts_of(store) == ArchiveCounts(
        rows=6,
        rejects=2,
        records=5,
        tweets=3,
        tweets_per_day={date(2026, 3, 9): 1, date(2026, 3, 10): 2},  # the same id on another day is another tweet
    )
    assert store.rows() == 6
    assert store.next_offsets() == {0: 3, 1: 2}
    owners = store.records().owners()
    assert sorted(zip(owners.partition.tolist(), owners.offset.tolist(), owners.ids(), strict=True)) == [
        (0, 0, "a"),
        (0, 2, "a"),
        (1, 0, "bsky:ä"),
    ]


READS: dict[str, Callable[[ArchiveStore], object]] = {
    "records": ArchiveStore.records,
    "hours": ArchiveStore.files_per_hour,
    "offsets": ArchiveStore.next_offsets,
    "usable tweets": lambda store: store.usable_tweets(NOON, NOON + DAY, enough=9),
    "ids": ArchiveStore.twitter_ids,
    "one record": lambda store: store.record(0, 0),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_bucket_that_does_not_answer_is_named(read: Callable[[ArchiveStore], object], tmp_path: Path) -> None:
    settings = Settings({"ARCHIVE_CATALOG_URI": f"sqlite:///{tmp_path}/catalog.db"})
    append(make_table(settings, f"file://{tmp_path}/lake"), [Record(0, 0, "a", NOON)])
    for listed in tmp_path.glob("lake/**/*.avro"):
        listed.unlink()
    with pytest.raises(RetryableError, match="the archive's bucket tweets does not answer"):
        read(ArchiveStore(settings))


def test_deleted_tweets_are_tweets_without_text(place: tuple[Settings, str]) -> None:
    settings, warehouse = place
    table = make_table(settings, warehouse)
    append(table, [Record(0, 0, "7", NOON), Record(0, 1, None, NOON), Record(0, 2, "8", NOON), Record(0, 3, "7", NOON)])
    redact(table, "7")
    append(table, [Record(0, 4, "7", NOON)])  # delivered again
    store = ArchiveStore(settings)

    assert counts_of(store) == ArchiveCounts(5, 1, 5, 2, {NOON.date(): 2})

    records = store.records().distinct()
    assert records.deleted.tolist() == [True, False, False, True, False]
    assert records.of_deleted_tweets().offset.tolist() == [0, 3, 4]
    assert dict(zip(records.owners().ids(), records.owners().deleted.tolist(), strict=True)) == {"7": True, "8": False}


def test_ids_from_twitter(place: tuple[Settings, str]) -> None:
    settings, warehouse = place
    store = ArchiveStore(settings)
    assert store.twitter_ids().to_pylist() == []
    table = make_table(settings, warehouse)
    assert store.twitter_ids().to_pylist() == []
    ids = ["1", "2", "9" * 19, "1", "9" * 20, "mastodon:h/3", "٣", "1\n"]
    append(table, [Record(0, offset, tweet_id, NOON) for offset, tweet_id in enumerate(ids)])
    append(
        table, [Record(1, 0, None, NOON), Record(1, 1, "77", NOON, source="bluesky"), Record(1, 2, "1", NOON + HOUR)]
    )
    redact(table, "2")
    assert sorted(store.twitter_ids().to_pylist()) == ["1", "9" * 19]


def test_snapshots_and_files(place: tuple[Settings, str]) -> None:
    settings, warehouse = place
    table = make_table(settings, warehouse)
    store = ArchiveStore(settings)
    append(table, [Record(0, offset, str(offset), NOON) for offset in range(10)])
    append(table, [Record(0, offset, str(offset), NOON + HOUR) for offset in range(10, 15)])
    append(table, [Record(0, offset, str(offset), NOON) for offset in range(15, 17)])
    assert store.files_per_hour() == {NOON: HourFiles(2, 12), NOON + HOUR: HourFiles(1, 5)}
    assert list(store.files_per_hour()) == [NOON, NOON + HOUR]


@pytest.mark.usefixtures("zone")
def test_usable_tweets_are_distinct_readable_and_in_the_window(place: tuple[Settings, str]) -> None:
    settings, warehouse = place
    table, store, minute = make_table(settings, warehouse), ArchiveStore(settings), timedelta(minutes=1)
    append(table, [Record(0, at, f"a{at}", NOON + at * minute) for at in range(60)])
    append(table, [Record(1, at, None, NOON) for at in range(500)])
    append(table, [Record(2, at, f"a{at}", NOON + at * minute) for at in range(20)])
    append(table, [Record(3, at, f"old{at}", NOON - 20 * DAY, received=NOON + HOUR) for at in range(300)])
    append(table, [Record(4, at, f"b{at}", NOON + 2 * HOUR) for at in range(7)])
    redact(table, "a30", "a31")
    window = (NOON + 10 * minute, NOON + 3 * HOUR)
    assert store.usable_tweets(*window, enough=1000) == 55
    assert store.usable_tweets(NOON, NOON + 59 * minute, enough=1000) == 57
    assert store.usable_tweets(NOON - HOUR, NOON, enough=1000) == 0
    assert 40 <= store.usable_tweets(*window, enough=40) <= 55


@pytest.mark.usefixtures("zone")
def test_new_tweets_are_those_that_kafka_received_since(place: tuple[Settings, str]) -> None:
    settings, warehouse = place
    table, store = make_table(settings, warehouse), ArchiveStore(settings)
    append(table, [Record(0, at, f"a{at}", NOON) for at in range(5)])
    append(table, [Record(0, 5 + at, f"b{at}", NOON, received=NOON + HOUR) for at in range(3)])
    since: dict[str, Any] = {"start": NOON, "end": NOON + HOUR, "enough": 10}
    assert store.usable_tweets(**since) == 8
    assert store.usable_tweets(**since, received_since=NOON + HOUR) == 3
    assert store.usable_tweets(**since, received_since=NOON + HOUR + timedelta(microseconds=1)) == 0


@pytest.mark.usefixtures("zone")
def test_a_tweet_with_several_times_is_one(place: tuple[Settings, str]) -> None:
    """A replay that shifts times was repeated on three days: a training reads each id once."""
    settings, warehouse = place
    table, store = make_table(settings, warehouse), ArchiveStore(settings)
    for day in range(3):
        append(table, [Record(day, at, f"a{at}", NOON + day * DAY) for at in range(12)])
    for enough in (1, 12, 20, 1000):
        assert store.usable_tweets(NOON, NOON + 3 * DAY, enough=enough) == 12


@pytest.mark.usefixtures("zone")
def test_a_tweet_that_kafka_received_again_is_not_new(place: tuple[Settings, str]) -> None:
    settings, warehouse = place
    table, store = make_table(settings, warehouse), ArchiveStore(settings)
    append(table, [Record(0, at, f"a{at}", NOON + at * HOUR) for at in range(12)])
    again = NOON + DAY
    append(table, [Record(1, at, f"a{at}", NOON + at * HOUR, received=again) for at in range(12)])
    append(table, [Record(2, at, f"b{at}", NOON + at * HOUR, received=again) for at in range(3)])
    new: dict[str, Any] = {"start": NOON, "end": NOON + DAY, "received_since": again}
    assert [store.usable_tweets(**new, enough=enough) for enough in (1, 3, 4, 15)] == [3, 3, 3, 3]
    append(table, [Record(3, at, f"a{at}", NOON + (13 + at) * HOUR, received=again) for at in range(6)])
    assert store.usable_tweets(**new, enough=15) == 3, "nor under another time"


def test_no_more_is_read_than_enough(place: tuple[Settings, str], monkeypatch: pytest.MonkeyPatch) -> None:
    settings, warehouse = place
    table, store = make_table(settings, warehouse), ArchiveStore(settings)
    for hour in range(6):
        append(table, [Record(hour, at, f"{hour}-{at}", NOON + hour * HOUR) for at in range(10)])
    read: list[tuple[datetime, datetime]] = []
    real = ArchiveStore._usable_ids

    def spied(self: ArchiveStore, table: Table, start: datetime, end: datetime, received: str) -> Iterator[pa.Array]:
        read.append((start, end))
        return real(self, table, start, end, received)

    monkeypatch.setattr(ArchiveStore, "_usable_ids", spied)
    assert store.usable_tweets(NOON, NOON + DAY, enough=15) == 20
    assert read == [(NOON + 4 * HOUR, NOON + DAY)]


def shown(settings: Settings) -> str:
    return catalog_url(settings.archive).render_as_string(hide_password=False)


def test_catalog_uris(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"ARCHIVE_CATALOG_URI: .*mysql://"):
        catalog_url(Settings({"ARCHIVE_CATALOG_URI": "mysql://x/y"}).archive)
    given = {"ARCHIVE_CATALOG_USERNAME": "me", "ARCHIVE_CATALOG_PASSWORD": "p@ss:word"}
    postgres = Settings({"ARCHIVE_CATALOG_URI": "postgresql://db.example.org/lake", **given})
    assert shown(postgres) == "postgresql://me:p%40ss%3Aword@db.example.org/lake"
    local = Settings({"ARCHIVE_CATALOG_URI": f"sqlite:///{tmp_path}/../catalog.db"})
    assert shown(local) == f"sqlite:///{tmp_path.parent}/catalog.db"
