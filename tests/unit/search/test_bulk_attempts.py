"""What one attempt sends and reports, and what the other calls repeat, with a client that follows a script."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from elastic_transport import ApiResponseMeta, ConnectionTimeout, HttpHeaders, NodeConfig, TlsError
from elastic_transport import ConnectionError as TransportConnectionError
from elasticsearch import ApiError, AuthenticationException

from twitter_topics.backends.retrying import RetryPolicy
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.search import bulk
from twitter_topics.search.bulk import ATTEMPT_SECONDS, REQUEST_SECONDS, Attempt
from twitter_topics.search.encoded import EncodedDocument
from twitter_topics.search.faults import NotWrittenError
from twitter_topics.search.ownership import Outcome
from twitter_topics.search.store import MAX_SUSPECTS, SearchStore
from twitter_topics.settings import Settings

DAY_MS = 86_400_000
ODD = {"type": "illegal_argument_exception", "reason": "a rule of some plugin"}
BUSY = {"type": "es_rejected_execution_exception", "reason": "rejected execution of primary operation"}
CONFLICT = {"type": "version_conflict_engine_exception", "reason": "document already exists"}


def documents(count: int, *, days: int = 1, text: str = "") -> list[EncodedDocument]:
    return [
        EncodedDocument.of(
            {"tweet_id": str(n), "created_at": n % days * DAY_MS, "text": text, "raw_partition": 0, "raw_offset": n}
        )
        for n in range(count)
    ]


def failed(status: int, body: Any = "busy") -> ApiError:
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.0, NodeConfig("http", "127.0.0.1", 1))
    return ApiError("failed", meta, body)


def sent(body: bytes | list[Any]) -> list[str]:
    """Return the ids in the body of a bulk request."""
    heads = [json.loads(line) for line in body.splitlines()] if isinstance(body, bytes) else body
    return [action["_id"] for head in heads for action in head.values() if isinstance(action, dict) and "_id" in action]


class Server:
    """Answers bulk requests document by document; remembers the requests."""

    def __init__(self, answer: Callable[[str], tuple[int, Any]] = lambda _: (201, None)) -> None:
        self.answer = answer
        self.requests: list[list[str]] = []
        self.timeouts: list[float] = []
        self.client = Mock()
        self.client.options.side_effect = self._options
        self.client.bulk.side_effect = self.bulk

    def _options(self, *, request_timeout: float) -> Mock:
        self.timeouts.append(request_timeout)
        return self.client

    def bulk(self, *, operations: Any, timeout: str = "", filter_path: str = "") -> dict[str, Any]:
        ids = sent(operations)
        self.requests.append(ids)
        actions = ["index", "delete"] if isinstance(operations, list) else None
        items = []
        for at, name in enumerate(ids):
            status, error = self.answer(name)
            item = {"status": status} | ({"error": error} if error else {})
            items.append({actions[at] if actions else "create": item})
        return {"items": items}


def store(server: Server) -> SearchStore:
    made = SearchStore(Settings({}).elasticsearch)
    made._retries = RetryPolicy(60, sleep=lambda _: None)
    made._client = server.client
    return made


def attempt(server: Server, **named: Any) -> Attempt:
    return Attempt(server.client, "http://search", "tweets", **named)


def test_no_connection_no_answer_and_a_busy_server_are_waited_for() -> None:
    server = Server()
    server.client.search.side_effect = [
        TransportConnectionError("refused"),
        ConnectionTimeout("30 s"),
        TlsError("handshake"),
        failed(429),
        failed(503),
        {"hits": {}},
    ]
    assert store(server).search(size=0) == {"hits": {}}


@pytest.mark.parametrize(
    "error", [TransportConnectionError("refused"), ConnectionTimeout("30 s"), failed(429), failed(503), failed(404)]
)
def test_creating_is_one_attempt_whatever_the_patience(error: Exception) -> None:
    server = Server()
    server.client.bulk.side_effect = [error, AssertionError("a second request")]
    with pytest.raises(RetryableError, match="Elasticsearch at http"):
        store(server).create(documents(3))


def test_rejected_credentials_stop_a_command_at_once_and_a_batch_for_a_while() -> None:
    meta = ApiResponseMeta(401, "1.1", HttpHeaders(), 0.0, NodeConfig("http", "127.0.0.1", 1))
    error = AuthenticationException("security_exception", meta, {"error": {"type": "security_exception"}})
    server = Server()
    server.client.search.side_effect = [error, AssertionError("a second request")]
    with pytest.raises(ConfigurationError, match="rejected the credentials"):
        store(server).search(size=0)
    server.client.bulk.side_effect = [error]
    with pytest.raises(RetryableError, match="ELASTICSEARCH_API_KEY"):
        store(server).create(documents(1))


def test_one_busy_document_hands_the_batch_back_with_the_reason() -> None:
    server = Server(lambda name: (429, BUSY) if name == "1" else (201, None))
    with pytest.raises(NotWrittenError, match=r"did not index 1 of 3 tweets: HTTP 429: es_rejected") as caught:
        store(server).create(documents(3))
    assert caught.value.suspects == {}
    assert len(server.requests) == 1


def test_requests_are_sized_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BULK_BYTES", 1_000)
    server = Server()
    attempt(server).send("create", documents(6, text="x" * 300), range(6))
    assert server.requests == [["0", "1"], ["2", "3"], ["4", "5"]]
    server.requests.clear()
    attempt(server).send("create", documents(2, text="x" * 5_000), range(2))
    assert server.requests == [["0"], ["1"]], "a document above the limit has a request of its own"


@pytest.mark.parametrize(("status", "error"), [(413, "<html>too large"), (400, ODD)])
def test_a_request_that_is_rejected_as_a_whole_is_split_until_the_document_is_found(status: int, error: Any) -> None:
    server = Server()
    whole = server.bulk

    def reject(*, operations: Any, timeout: str, filter_path: str) -> dict[str, Any]:
        if "5" in sent(operations):
            raise failed(status, {"error": error} if isinstance(error, dict) else error)
        return whole(operations=operations)

    server.client.bulk.side_effect = reject
    answers = attempt(server).send("create", documents(8), range(8))
    assert [one.status for one in answers] == [201] * 5 + [status] + [201] * 2
    assert sorted(name for request in server.requests for name in request) == list("0123467")


def test_a_document_that_is_too_large_alone_is_rejected() -> None:
    server = Server()
    server.client.bulk.side_effect = failed(413)
    assert [one.outcome for one in store(server).create(documents(1))] == [Outcome.REJECTED]


def test_an_attempt_ends_with_its_time() -> None:
    now = 0.0

    def slow(*, operations: Any, timeout: str, filter_path: str) -> dict[str, Any]:
        nonlocal now
        now += 25
        return whole(operations=operations)

    server = Server()
    whole, server.client.bulk.side_effect = server.bulk, slow
    one = attempt(server, clock=lambda: now)
    for _ in range(3):
        one.send("create", documents(1), range(1))
    with pytest.raises(RetryableError, match="too slow: not finished after 60 s"):
        one.send("create", documents(1), range(1))
    assert server.timeouts == [REQUEST_SECONDS, REQUEST_SECONDS, ATTEMPT_SECONDS - 50]


def test_an_answer_that_leaves_documents_out_is_not_believed() -> None:
    server = Server()
    server.client.bulk.side_effect = [{"items": []}]
    with pytest.raises(RetryableError, match="0 items for 3 documents"):
        store(server).create(documents(3))


def test_an_unknown_error_of_one_document_alone_makes_it_a_suspect() -> None:
    server = Server(lambda name: (400, ODD) if name == "1" else (201, None))
    with pytest.raises(NotWrittenError, match="a rule of some plugin") as caught:
        store(server).create(documents(3))
    assert caught.value.suspects == {1: "HTTP 400: illegal_argument_exception: a rule of some plugin"}


def test_an_unknown_error_of_a_repeated_batch_does_too() -> None:
    server = Server(lambda name: (400, ODD) if name == "1" else (409, CONFLICT))
    with pytest.raises(NotWrittenError) as caught:
        store(server).create(documents(3))
    assert set(caught.value.suspects) == {1}


def test_a_document_without_neighbours_is_a_suspect_if_its_index_accepts_a_probe() -> None:
    server = Server(lambda name: (400, ODD) if name == "0" else (201, None))
    with pytest.raises(NotWrittenError) as caught:
        store(server).create(documents(1))
    assert set(caught.value.suspects) == {0}
    assert server.requests == [["0"], [bulk.PROBE_ID, bulk.PROBE_ID]], "written and deleted in one request"


def test_an_unknown_error_of_a_whole_index_makes_no_suspects() -> None:
    server = Server(lambda name: (400, ODD) if name in ("1", "3", bulk.PROBE_ID) else (201, None))
    with pytest.raises(NotWrittenError) as caught:
        store(server).create(documents(4, days=2))
    assert caught.value.suspects == {}, "neighbours in another index prove nothing"


def test_suspects_are_few() -> None:
    server = Server(lambda name: (400, ODD) if int(name) % 2 else (201, None))
    with pytest.raises(NotWrittenError) as caught:
        store(server).create(documents(1_000))
    assert len(caught.value.suspects) == MAX_SUSPECTS


def test_deleting_repeats_only_what_was_not_deleted() -> None:
    server = Server()
    deleted = {"status": 200, "result": "deleted"}
    busy = {"status": 429, "error": BUSY}
    server.client.bulk.side_effect = [
        {"items": [{"delete": deleted}, {"delete": busy}, {"delete": {"status": 404}}]},
        {"items": [{"delete": deleted}]},
    ]
    assert store(server).delete([("a", 0), ("b", 0), ("c", 0)]) == 2
    assert [sent(call.kwargs["operations"]) for call in server.client.bulk.call_args_list] == [["a", "b", "c"], ["b"]]
