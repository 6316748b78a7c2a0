"""Apply deletion notices: remove deleted tweets from the search index, and their text from the archive.

The archive stays the ledger: the row loses its payload and keeps partition, offset, id and time. So does a rejected
record that names the tweet, an edit that came too late for example. The index may be ahead of the archive, so it is
searched for what the notices of the last week name, too. Every run reads all notices and all rows, so an interrupted
run can be repeated, and the next run removes a tweet that arrives again after its deletion.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import functions as fn

from twitter_topics.archive.rows import current_snapshot, raw_table
from twitter_topics.archive.schema import DELETED
from twitter_topics.backends.spark_kafka import kafka_options
from twitter_topics.backends.sql import statement
from twitter_topics.deletions.removals import removal, remove_locations
from twitter_topics.errors import ConfigurationError, ProofError, RetryableError
from twitter_topics.records.notice import Notice
from twitter_topics.records.tweet import tweet_identity, user_identity
from twitter_topics.search.index import index_day
from twitter_topics.search.store import SearchStore

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from twitter_topics.settings import ElasticsearchSettings, Settings

log = logging.getLogger(__name__)

_TRIES = 5
_PATIENCE_SECONDS = 60.0
_SEARCHED = timedelta(days=7)
"""Notices that arrived since then are searched for in the index. With a topic that keeps all of them for good, each run
would ask Elasticsearch for every tweet that was ever deleted."""
_PLACE = ["kafka_partition", "kafka_offset"]
_REMOVAL_SCHEMA = (
    "key binary, offset long, readable boolean, tweet_id string, user_id string, reason string, up_to string"
)
_NAMED_SCHEMA = (
    "kafka_partition int, kafka_offset long, event_time timestamp, reject_reason string, "
    "tweet_id string, user_id string"
)
_USER_SCHEMA = "kafka_partition int, kafka_offset long, user_id string"
_PAYLOAD_SCHEMA = "kafka_partition int, kafka_offset long, payload binary"
_DELETED_SCHEMA = "documents long, failure string"


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of a run. `notices` counts the newest notice of each key, `unreadable` the invalid ones among them.

    `tweets` distinct tweets lost their text, in `rows` rows; `scrubbed` rows lost their locations; `rejects` rejected
    records lost their text; `documents` were deleted from the index.
    """

    notices: int = 0
    unreadable: int = 0
    tweets: int = 0
    rows: int = 0
    scrubbed: int = 0
    rejects: int = 0
    documents: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class Deleted(NamedTuple):
    """How many documents were deleted, and why others were not; empty if all of them were."""

    documents: int
    failure: str


Tweets = Callable[[SearchStore, pa.RecordBatch], Iterable[tuple[str, int]]]
"""Which documents a batch is about: (tweet id, event time in Unix milliseconds)."""


def apply_deletions(spark: SparkSession, settings: Settings) -> Applied:
    """Apply all notices of the topic to the search index, then to the archive. A daily index that is closed or locked
    holds up neither the other days nor the archive.

    Raises:
        RetryableError: the archive is done, but Elasticsearch did not delete all documents; or another job keeps
            rewriting the same rows.
        ProofError: the archive does not match the notices afterwards. Changes are not rolled back.
    """
    asked = removals(read_notices(spark, settings)).persist()
    try:
        counts = asked.agg(
            fn.count("*").alias("notices"),
            fn.count_if(~fn.col("readable")).alias("unreadable"),
            fn.count("user_id").alias("users"),
        ).collect()[0]
        # the index first: it is searchable by everybody, the archive readable by few
        recent = read_notices(spark, settings, since=datetime.now(UTC) - _SEARCHED)
        named = delete_named(removals(recent), settings)
        done = _change_archive(spark, settings, asked, by_user=counts["users"] > 0)
    finally:
        asked.unpersist()
    # documents that were refused, or that the classifier indexed meanwhile, because it was behind or repeated a batch
    redacted = delete_documents(_redacted_and_searchable(spark, settings), settings)
    if failure := redacted.failure or named.failure:
        raise RetryableError(f"the archive is done, but deleted tweets are still in the index: {failure}")
    documents = named.documents + redacted.documents
    return replace(done, notices=counts["notices"], unreadable=counts["unreadable"], documents=documents)


def read_notices(spark: SparkSession, settings: Settings, *, since: datetime | None = None) -> DataFrame:
    """Return the records of the topic of notices up to its current end: all, or those that arrived since a time."""
    reader = spark.read.format("kafka").options(**kafka_options(settings.kafka))
    if since is not None:
        reader = reader.option("startingTimestamp", int(since.timestamp() * 1000))
        reader = reader.option("startingOffsetsByTimestampStrategy", "latest")
    return reader.option("subscribe", settings.kafka.deletion_topic).load()


def removals(records: DataFrame) -> DataFrame:
    """Return the removal of each key's newest notice: (readable, tweet_id, user_id, reason, up_to), see `Removal`.

    Both ids are null for a notice that asks for nothing. A record without a value cancels the notices of its key.
    """
    read = records.select("key", "value", "offset").mapInArrow(_read_removals, _REMOVAL_SCHEMA)
    fields = fn.struct("readable", "tweet_id", "user_id", "reason", "up_to")
    newest = read.groupBy("key").agg(fn.max_by(fields, "offset").alias("newest")).select("newest.*")
    return newest.where(fn.col("readable").isNotNull())


def changes(rows: DataFrame, asked: DataFrame, *, by_user: bool) -> DataFrame:
    """Return the rows to write: (kafka_partition, kafka_offset, tweet_id, event_time, payload, reject_reason).

    Args:
        rows: readable tweets of the archive.
        asked: as returned by `removals`.
        by_user: whether some concern whole accounts; then all payloads are read to find their tweets.
    """
    columns = [*_PLACE, "tweet_id", "event_time"]
    found = rows.join(asked.where("tweet_id IS NOT NULL").select("tweet_id", "reason"), "tweet_id")
    found = found.select(*columns, "reason")
    if by_user:
        found = found.unionByName(_of_users(rows, asked).select(*columns, "reason"))
    # deleting a tweet overrides removing its location, whose reason is null: min() ignores nulls
    condemned = found.groupBy(*columns).agg(fn.min("reason").alias("reject_reason"))
    redacted = condemned.where("reject_reason IS NOT NULL").withColumn("payload", fn.lit(None).cast("binary"))
    to_scrub = condemned.where("reject_reason IS NULL")
    payloads = rows.select(*_PLACE, "payload").join(to_scrub.select(*_PLACE), _PLACE, "left_semi")
    scrubbed = to_scrub.join(payloads.mapInArrow(_scrub, _PAYLOAD_SCHEMA), _PLACE)
    return redacted.unionByName(scrubbed).dropDuplicates(_PLACE)


def cleared_rejects(rows: DataFrame, asked: DataFrame) -> DataFrame:
    """Return the rows of rejected records to write, as `changes` does, without an id and with their own reason.

    Args:
        rows: rows of the archive with a payload that are no readable tweets.
        asked: as returned by `removals`. Where it asks for a location, the whole payload goes: nobody reads it.
    """
    named = rows.select(*_PLACE, "event_time", "reject_reason", "payload").mapInArrow(_read_names, _NAMED_SCHEMA)
    of_tweets = named.join(asked.where("tweet_id IS NOT NULL").select("tweet_id"), "tweet_id")
    of_users = named.join(asked.where("user_id IS NOT NULL").select("user_id", "up_to"), "user_id").where(_is_meant())
    columns = [*_PLACE, "event_time", "reject_reason"]
    found = of_tweets.select(*columns).unionByName(of_users.select(*columns)).dropDuplicates(_PLACE)
    nothing = fn.lit(None)
    return found.withColumns({"tweet_id": nothing.cast("string"), "payload": nothing.cast("binary")})


def _change_archive(spark: SparkSession, settings: Settings, asked: DataFrame, *, by_user: bool) -> Applied:
    """Change the rows that the notices are about, also while other jobs write. Returns their numbers."""
    for _ in range(_TRIES):
        try:
            return _change_rows(spark, settings, asked, by_user=by_user)
        except (PySparkException, Py4JJavaError) as error:
            if not _is_conflict(error):
                raise
            log.warning("the archive was rewritten meanwhile; trying again")
    raise RetryableError(f"{raw_table(settings)} was rewritten by another job during each of {_TRIES} tries")


def _change_rows(spark: SparkSession, settings: Settings, asked: DataFrame, *, by_user: bool) -> Applied:
    snapshot = current_snapshot(spark, settings)
    if snapshot is None:
        return Applied()
    before = spark.read.option("versionAsOf", snapshot).table(raw_table(settings))
    of_tweets = changes(before.where("reject_reason IS NULL"), asked, by_user=by_user)
    rejects = before.where("reject_reason IS NOT NULL AND payload IS NOT NULL")
    todo = of_tweets.unionByName(cleared_rejects(rejects, asked)).persist()
    is_redacted = fn.col("tweet_id").isNotNull() & fn.col("reject_reason").isNotNull()
    try:
        totals = todo.agg(
            fn.count("*").alias("all"),
            fn.count_if(is_redacted).alias("rows"),
            fn.count_if(fn.col("tweet_id").isNull()).alias("rejects"),
            fn.count_distinct(fn.when(is_redacted, fn.col("tweet_id"))).alias("tweets"),
            fn.min(fn.unix_micros("event_time")).alias("first"),
            fn.max(fn.unix_micros("event_time")).alias("last"),
        ).collect()[0]
        if totals["all"]:
            todo.createOrReplaceTempView("changes")
            _merge(spark, settings, {"first": totals["first"], "last": totals["last"]})
            _check(spark, settings, asked, before, snapshot)
    finally:
        todo.unpersist()
    tweets, rows, rejected = totals["tweets"], totals["rows"], totals["rejects"]
    scrubbed = totals["all"] - rows - rejected
    return Applied(tweets=tweets, rows=rows, scrubbed=scrubbed, rejects=rejected)


def delete_named(asked: DataFrame, settings: Settings) -> Deleted:
    """Delete the documents of the tweets and users that the notices name, archived or not.

    A notice with a limit `up_to` is about locations, which documents do not have.
    """
    hidden = ""
    try:
        SearchStore(settings.elasticsearch, patience_seconds=_PATIENCE_SECONDS).refresh()
    except (RetryableError, ConfigurationError) as error:
        hidden = str(error)
    named = asked.where("reason IS NOT NULL AND up_to = ''").select("tweet_id", "user_id")
    found = _delete(named, _found, settings)
    return found._replace(failure=found.failure or hidden)


def delete_documents(rows: DataFrame, settings: Settings) -> Deleted:
    """Delete the documents of rows (tweet_id, event_time) from the index, as far as it lets them go."""
    return _delete(rows.select("tweet_id", fn.unix_millis("event_time").alias("at_ms")).distinct(), _given, settings)


def _delete(named: DataFrame, tweets: Tweets, settings: Settings) -> Deleted:
    answers = named.mapInArrow(_deleter(tweets, settings.elasticsearch, _PATIENCE_SECONDS), _DELETED_SCHEMA)
    total = answers.agg(fn.sum("documents").alias("documents"), fn.max("failure").alias("failure")).collect()[0]
    found = Deleted(total["documents"] or 0, total["failure"] or "")
    if found.failure:
        log.warning("%s", found.failure)
    return found


def _redacted_and_searchable(spark: SparkSession, settings: Settings) -> DataFrame:
    """Return the redacted rows of the days that are in the index."""
    prefix = settings.elasticsearch.index_prefix
    days = [day for name in SearchStore(settings.elasticsearch).daily_indices() if (day := index_day(name, prefix))]
    redacted = spark.table(raw_table(settings)).where(fn.col("reject_reason").startswith(DELETED))
    return redacted.where(fn.to_date("event_time").isin(days)) if days else redacted.limit(0)


def _merge(spark: SparkSession, settings: Settings, span: dict[str, int]) -> None:
    catalog = settings.archive.catalog_name
    spark.sql(statement("deletions/allow_appends", catalog=catalog))
    spark.sql(statement("deletions/apply_changes", catalog=catalog), args=span)


def _check(spark: SparkSession, settings: Settings, asked: DataFrame, before: DataFrame, snapshot: int) -> None:
    table = raw_table(settings)
    snapshots = spark.table(f"{table}.snapshots").withColumn("at", fn.unix_micros("committed_at"))
    start = snapshots.where(fn.col("snapshot_id") == snapshot).collect()[0]["at"]
    snapshots.where(fn.col("at") > start).createOrReplaceTempView("snapshots_between")
    asked.createOrReplaceTempView("removals")
    before.createOrReplaceTempView("archived_before")
    spark.table(table).createOrReplaceTempView("archived_after")
    failures = spark.sql(statement("checks/assert_deletions_applied")).limit(5).collect()
    if failures:
        faults = "\n  ".join(str(row.asDict()) for row in failures)
        raise ProofError(
            f"the archive does not match the deletion notices; the snapshot before is {snapshot}:\n  {faults}"
        )


def _of_users(rows: DataFrame, asked: DataFrame) -> DataFrame:
    """Return the tweets of the users to remove, each row with its `reason`."""
    users = rows.select(*_PLACE, "payload").mapInArrow(_read_users, _USER_SCHEMA)
    named = users.join(asked.where("user_id IS NOT NULL").select("user_id", "reason", "up_to"), "user_id")
    return rows.drop("payload").join(named, _PLACE).where(_is_meant())


def _is_meant() -> Column:
    """Whether a tweet is among those of its user that a notice is about."""
    number = "decimal(38,0)"
    return (fn.col("up_to") == "") | (fn.col("tweet_id").try_cast(number) <= fn.col("up_to").try_cast(number))


def _read_removals(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        read = [_removal(value) for value in batch.column("value").to_pylist()]
        readable, tweet_ids, user_ids, reasons, up_to = zip(*read, strict=True) if read else ((),) * 5
        texts = [pa.array(column, pa.string()) for column in (tweet_ids, user_ids, reasons, up_to)]
        yield pa.RecordBatch.from_arrays(
            [batch.column("key"), batch.column("offset"), pa.array(readable, pa.bool_()), *texts],
            names=["key", "offset", "readable", "tweet_id", "user_id", "reason", "up_to"],
        )


def _removal(value: bytes | None) -> tuple[bool | None, str | None, str | None, str | None, str | None]:
    """Return (readable, tweet_id, user_id, reason, up_to); all None for a record that cancels its key's notices."""
    if value is None:
        return None, None, None, None, None
    try:
        asked = removal(Notice.from_value(value))
    except ValueError:
        return False, None, None, None, None
    if asked is None:
        return True, None, None, None, None
    return True, asked.tweet_id or None, asked.user_id or None, asked.reason, asked.up_to


def _read_users(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        users = pa.array([_user_id(payload) for payload in batch.column("payload").to_pylist()], pa.string())
        yield pa.RecordBatch.from_arrays(
            [*(batch.column(name) for name in _PLACE), users], names=[*_PLACE, "user_id"]
        ).filter(users.is_valid())


def _user_id(payload: bytes | None) -> str | None:
    return user_identity(json.loads(payload).get("user")) if payload else None


def _read_names(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        names = [_names(payload) for payload in batch.column("payload").to_pylist()]
        tweet_ids, user_ids = zip(*names, strict=True) if names else ((), ())
        columns = {name: batch.column(name) for name in (*_PLACE, "event_time", "reject_reason")}
        texts = {"tweet_id": pa.array(tweet_ids, pa.string()), "user_id": pa.array(user_ids, pa.string())}
        yield pa.RecordBatch.from_pydict(columns | texts)


def _names(payload: bytes) -> tuple[str | None, str | None]:
    """Return the ids of tweet and user in any bytes; None where they name none."""
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        return None, None
    return (tweet_identity(body), user_identity(body.get("user"))) if isinstance(body, dict) else (None, None)


def _scrub(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        scrubbed = pa.array([_scrubbed(payload) for payload in batch.column("payload").to_pylist()], pa.binary())
        yield pa.RecordBatch.from_arrays(
            [*(batch.column(name) for name in _PLACE), scrubbed], names=[*_PLACE, "payload"]
        ).filter(scrubbed.is_valid())


def _scrubbed(payload: bytes | None) -> bytes | None:
    """Return the payload without its locations; None if it has none."""
    body = json.loads(payload) if payload else None
    return json.dumps(body, separators=(",", ":")).encode() if remove_locations(body) else None


def _deleter(
    tweets: Tweets, settings: ElasticsearchSettings, patience_seconds: float
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def delete(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        store = SearchStore(settings, patience_seconds=patience_seconds)
        for batch in batches:
            documents, failure = 0, None
            try:
                documents = store.delete(list(tweets(store, batch)))
            except (RetryableError, ConfigurationError) as error:
                failure = str(error)
                store = SearchStore(settings, patience_seconds=0)  # one batch has waited for all of them
            columns = [pa.array([documents], pa.int64()), pa.array([failure], pa.string())]
            yield pa.RecordBatch.from_arrays(columns, names=["documents", "failure"])

    return delete


def _given(_store: SearchStore, batch: pa.RecordBatch) -> Iterable[tuple[str, int]]:
    return zip(batch.column("tweet_id").to_pylist(), batch.column("at_ms").to_pylist(), strict=True)


def _found(store: SearchStore, batch: pa.RecordBatch) -> Iterable[tuple[str, int]]:
    tweet_ids, user_ids = ([one for one in batch.column(name).to_pylist() if one] for name in ("tweet_id", "user_id"))
    return store.find({"bool": {"should": [{"ids": {"values": tweet_ids}}, {"terms": {"user.id": user_ids}}]}})


def _is_conflict(error: Exception) -> bool:
    """Return whether another commit changed the rewritten files first, in which case nothing was written."""
    return any(
        name in str(error)
        for name in ("iceberg.exceptions.ValidationException", "iceberg.exceptions.CommitFailedException")
    )
