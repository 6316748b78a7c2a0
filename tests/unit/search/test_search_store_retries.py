"""What the search store repeats while Elasticsearch does not answer, with a client that follows a script."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from elastic_transport import ApiResponseMeta, ConnectionTimeout, HttpHeaders, NodeConfig
from elastic_transport import ConnectionError as TransportConnectionError
from elasticsearch import ApiError

from twitter_topics.backends.retrying import RetryPolicy
from twitter_topics.errors import RetryableError
from twitter_topics.search.store import Outcome, SearchStore
from twitter_topics.settings import Settings

DOCUMENTS: list[dict[str, Any]] = [{"tweet_id": str(number), "created_at": 0} for number in range(3)]


def answered(status: int) -> ApiError:
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.0, NodeConfig("http", "127.0.0.1", 1))
    return ApiError("busy", meta, {})


def items(*statuses: int) -> dict[str, Any]:
    return {"items": [{"create": {"status": status}} for status in statuses]}


@pytest.fixture
def client() -> Mock:
    return Mock()


@pytest.fixture
def store(client: Mock) -> SearchStore:
    store = SearchStore(Settings({}).elasticsearch)
    store._retries = RetryPolicy(60, sleep=lambda _: None)
    store._client = client
    return store


def test_no_connection_no_answer_and_a_busy_server_are_waited_for(store: SearchStore, client: Mock) -> None:
    client.search.side_effect = [
        TransportConnectionError("refused"),
        ConnectionTimeout("30 s"),
        answered(429),
        answered(503),
        {"hits": {}},
    ]
    try:
        found: Any = store.search(size=0)
    except ConnectionTimeout as error:
        found = error
    assert found == {"hits": {}}


def test_only_the_documents_that_were_not_taken_are_sent_again(store: SearchStore, client: Mock) -> None:
    client.bulk.side_effect = [items(201, 429, 503), answered(503), items(429, 201), items(201)]
    assert [written.outcome for written in store.create(DOCUMENTS)] == [Outcome.OWNED] * 3
    bodies = [call.kwargs["operations"] for call in client.bulk.call_args_list]
    ids = [[number for number in "012" if f'"_id":"{number}"'.encode() in body] for body in bodies]
    assert ids == [["0", "1", "2"], ["1", "2"], ["1", "2"], ["1"]]


def test_the_last_reason_is_reported(store: SearchStore, client: Mock) -> None:
    store._retries = RetryPolicy(0)
    client.bulk.side_effect = [items(201, 201, 429)]
    with pytest.raises(RetryableError, match=r"Elasticsearch at http.*: 1 documents: busy"):
        store.create(DOCUMENTS)
