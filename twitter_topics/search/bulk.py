"""One bounded attempt to write documents: bulk requests sized by bytes, without any waiting in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from elastic_transport import TransportError
from elasticsearch import ApiError
from msgspec.json import encode

from twitter_topics import failpoints
from twitter_topics.errors import RetryableError
from twitter_topics.search.encoded import EncodedDocument
from twitter_topics.search.faults import Fault, judge, request_error
from twitter_topics.search.index import index_name

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

BULK_BYTES = 4 * 1024 * 1024
"""Body of a request. Larger ones gain nothing (measured: 2,000 documents of 1.5 kB), and proxies reject them."""

ATTEMPT_SECONDS = 60.0
REQUEST_SECONDS = 30.0
"""Limits of a whole attempt and of one request. What a slow server has written by then is not written again."""

SHARD_SECONDS = 10
"""How long Elasticsearch waits for a shard or a new index before it answers. Well below REQUEST_SECONDS, because only
the answer says which shard is missing, and why."""

PROBE_ID = "twitter-topics-probe"

_NEEDED_OF_ANSWER = "items.*.status,items.*.error"
"""The rest is nine tenths of an answer, and costs both sides time."""

_SPLIT = (400, 413)
"""Statuses of a whole request that one document can cause: 413 too large, 400 an id that is too long."""

Action = Literal["create", "index", "delete"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What Elasticsearch answered for one document. `error`: as in search.faults.judge; None if it succeeded."""

    position: int
    index: str
    status: int
    error: object = None


@dataclass(frozen=True, slots=True)
class _Operation:
    position: int
    index: str
    body: bytes


@dataclass
class Attempt:
    """Sends documents once. Its time runs from the first request.

    Every method raises RetryableError if Elasticsearch is unreachable, if it rejects a whole request for a reason that
    is not a document's, or if the time is up.
    """

    client: Elasticsearch
    url: str
    prefix: str
    seconds: float = ATTEMPT_SECONDS
    clock: Callable[[], float] = time.monotonic
    _until: float | None = field(default=None, init=False)

    def send(
        self,
        action: Action,
        documents: Sequence[EncodedDocument],
        positions: Sequence[int],
        conditions: Sequence[dict[str, int]] | None = None,
    ) -> list[Answer]:
        """Send the documents at `positions`; return an answer for each, in order.

        Args:
            conditions: `if_seq_no` and `if_primary_term` of each document; by default there is none.
        """
        operations = [
            self._operation(action, position, documents[position], conditions[position] if conditions else {})
            for position in positions
        ]
        answers: list[Answer] = []
        for chunk in _chunks(operations):
            if answers:
                failpoints.reach("classifier.half-bulk")
            answers += self._send_chunk(action, chunk)
        return answers

    def accepts(self, index: str) -> bool:
        """Return whether an index accepts a document, by writing and deleting one."""
        head = {"_index": index, "_id": PROBE_ID}
        body: list[dict[str, Any]] = [{"index": head}, {"tweet_id": PROBE_ID}, {"delete": head}]
        try:
            answer = self.request(lambda client: client.bulk(operations=body))
        except ApiError:
            return False
        return bool(answer["items"][0]["index"]["status"] < 300)

    def request(self, call: Callable[[Elasticsearch], Any]) -> Any:
        """Make a call with what is left of the time. ApiError with a status in _SPLIT passes."""
        if self._until is None:
            self._until = self.clock() + self.seconds
        left = self._until - self.clock()
        if left <= 0:
            raise RetryableError(f"Elasticsearch at {self.url} is too slow: not finished after {self.seconds:.0f} s")
        return single_request(self.url, lambda: call(self.client.options(request_timeout=min(left, REQUEST_SECONDS))))

    def _send_chunk(self, action: Action, chunk: Sequence[_Operation]) -> list[Answer]:
        body = b"".join(operation.body for operation in chunk)
        try:
            answer = self.request(
                lambda client: client.bulk(
                    operations=cast("Any", body), timeout=f"{SHARD_SECONDS}s", filter_path=_NEEDED_OF_ANSWER
                )
            )
        except ApiError as error:
            fault = request_error(error.body)
            if error.status_code not in _SPLIT:
                raise RetryableError(f"Elasticsearch at {self.url}: {judge(error.status_code, fault)}") from error
            if len(chunk) > 1:
                middle = len(chunk) // 2
                return self._send_chunk(action, chunk[:middle]) + self._send_chunk(action, chunk[middle:])
            return [Answer(chunk[0].position, chunk[0].index, error.status_code, fault)]
        items = [item[action] for item in answer["items"]]
        if len(items) != len(chunk):
            raise RetryableError(
                f"Elasticsearch at {self.url}: its bulk API returned {len(items)} items for {len(chunk)} documents"
            )
        return [
            Answer(operation.position, operation.index, item["status"], item.get("error"))
            for operation, item in zip(chunk, items, strict=True)
        ]

    def _operation(
        self, action: Action, position: int, document: EncodedDocument, condition: dict[str, int]
    ) -> _Operation:
        index = index_name(self.prefix, document.created_at)
        head = encode({action: {"_index": index, "_id": document.tweet_id} | condition}) + b"\n"
        return _Operation(position, index, head if action == "delete" else head + document.body + b"\n")


def single_request(url: str, call: Callable[[], Any]) -> Any:
    """Make one call.

    Raises:
        RetryableError: no answer, or an error of operation. The message names what helps.
        ApiError: any other error, which a caller has to handle.
    """
    try:
        return call()
    except ApiError as error:
        verdict = judge(error.status_code, request_error(error.body))
        if error.status_code == 404 or verdict.fault is not Fault.OPERATION:
            raise
        raise RetryableError(f"Elasticsearch at {url}: {verdict}") from error
    except TransportError as error:  # no connection, a timeout, an answer that is not Elasticsearch's
        raise RetryableError(f"Elasticsearch at {url}: no connection ({type(error).__name__})") from error


def _chunks(operations: Sequence[_Operation]) -> Iterator[Sequence[_Operation]]:
    """Cut into requests of at most BULK_BYTES; a larger document gets a request of its own."""
    start = size = 0
    for at, operation in enumerate(operations):
        if at > start and size + len(operation.body) > BULK_BYTES:
            yield operations[start:at]
            start, size = at, 0
        size += len(operation.body)
    if start < len(operations):
        yield operations[start:]
