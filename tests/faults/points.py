"""Every point at which the kit makes a program fail, and how it is reached."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

METADATA = r"/tweets/raw/metadata/[^ ]*\.metadata\.json"
_WRITES_METADATA = rf"^PUT [^ ]*{METADATA}"

Where = Literal["s3", "elasticsearch", "influxdb", "jobs_s3"]


class Way(StrEnum):
    """How a program fails at a point."""

    KILL = "kill -9"
    KILL_WORKER = "kill -9 of the Python worker"
    RAISE = "raise"
    HANG = "hang"
    REPLY_LOST = "reply lost"


@dataclass(frozen=True)
class Request:
    """A request to a store, at its proxy. With `after`, only one that follows a request matching that."""

    proxy: Where
    pattern: str
    after: str = ""


@dataclass(frozen=True)
class Point:
    """A place in a program.

    Args:
        name: of the failpoint, or of the place if the program there is a JVM.
        means: what has happened and what has not, for people.
        program: the app, or the job.
        request: where the program is a JVM, and has no failpoints: the request that it makes at this point.
        lost: the request whose reply can be lost for real; elsewhere the failpoint raises the client's error.
        length: bytes of the tweets that lead there; several bulk requests per task need long ones.
        in_worker: it is reached in Spark's Python workers.
        has_reply: what the program did last before it has a reply to lose.
    """

    name: str
    means: str
    program: Literal["classify-tweets", "aggregate-topics", "promotion", "compaction"]
    request: Request | None = None
    lost: Request | None = None
    length: int = 0
    in_worker: bool = False
    has_reply: bool = True

    @property
    def is_job(self) -> bool:
        return self.program in ("promotion", "compaction")


POINTS = (
    Point(
        "archiver.before-commit",
        "data files are in S3, the Iceberg commit is not",
        "classify-tweets",
        request=Request("s3", _WRITES_METADATA),
    ),
    Point(
        "archiver.after-commit",
        "the Iceberg commit is in the catalog, its caller does not know",
        "classify-tweets",
        request=Request("s3", rf"^GET [^ ]*{METADATA}", after=_WRITES_METADATA),
        has_reply=False,  # of the catalog, which is a file
    ),
    Point("archiver.before-spark-commit", "the batch is archived, only Spark's commit is missing", "classify-tweets"),
    Point("classifier.model-pinned", "the batch has its model, nothing is written", "classify-tweets"),
    Point(
        "classifier.half-bulk",
        "a task has written the first of its bulk requests",
        "classify-tweets",
        lost=Request("elasticsearch", r"^(POST|PUT) [^ ]*/_bulk"),
        length=30_000,
        in_worker=True,
    ),
    Point(
        "classifier.bulk-done",
        "a task's documents are in Elasticsearch, nothing of it is in Kafka",
        "classify-tweets",
        lost=Request("elasticsearch", r"^(POST|PUT) [^ ]*/_bulk"),
        in_worker=True,
    ),
    Point("classifier.half-kafka", "some tasks have written to Kafka", "classify-tweets", in_worker=True),
    Point("classifier.kafka-done", "the batch is in both stores", "classify-tweets"),
    Point("classifier.before-spark-commit", "only Spark's commit is missing", "classify-tweets"),
    Point(
        "counts.before-transaction",
        "the batch is summed up, nothing is written",
        "aggregate-topics",
        has_reply=False,  # summing up asks no store
    ),
    Point("counts.after-transaction", "the batch is counted, the publisher does not know", "aggregate-topics"),
    Point(
        "counts.half-published",
        "points are in InfluxDB, the state does not know",
        "aggregate-topics",
        lost=Request("influxdb", "^POST /write"),
    ),
    Point("counts.published", "points are in InfluxDB, the end of the newest hour is not", "aggregate-topics"),
    Point(
        "loader.fetched",
        "a new champion is read, not yet verified",
        "classify-tweets",
        lost=Request("s3", r"^GET [^ ]*/models/[^ ]*arrays\.npz"),
    ),
    Point(
        "loader.verified",
        "a new champion is verified, not yet in use",
        "classify-tweets",
        has_reply=False,  # the model is verified in memory
    ),
    Point(
        "promoter.claimed",
        "the succession is claimed, champion.json is the old one",
        "promotion",
        lost=Request("jobs_s3", r"^PUT [^ ]*/models/claims/"),
    ),
    Point(
        "promoter.swapped",
        "champion.json is the new one, the history does not know",
        "promotion",
        lost=Request("jobs_s3", r"^PUT [^ ]*/models/champion\.json"),
    ),
    Point(
        "compactor.planned",
        "the closed hours are read, nothing is written",
        "compaction",
        has_reply=False,  # nothing has been applied: the error of a read is `raise`
    ),
    Point(
        "compactor.rewriting",
        "the first merged file is being written",
        "compaction",
        request=Request("jobs_s3", r"^PUT [^ ]*/tweets/raw/data/[^ ]*\.parquet"),
    ),
    Point(
        "compactor.committing",
        "merged files are in S3, the Iceberg commit is not",
        "compaction",
        request=Request("jobs_s3", _WRITES_METADATA),
    ),
    Point("compactor.committed", "the merged files are in the table, the proof is not done", "compaction"),
)


def find(name: str) -> Point:
    """Return a point by name."""
    return next(point for point in POINTS if point.name == name)
