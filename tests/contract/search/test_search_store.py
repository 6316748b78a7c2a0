"""One suite for the search store in memory and for Elasticsearch."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from twitter_topics.classification.document import search_document
from twitter_topics.classification.sentiment import Sentiment
from twitter_topics.errors import RetryableError
from twitter_topics.records.content import Content
from twitter_topics.records.processed import processed_fields, processed_value
from twitter_topics.records.tweet import Tweet
from twitter_topics.search.faults import NotWrittenError
from twitter_topics.search.ownership import Outcome
from twitter_topics.search.store import SearchStore
from twitter_topics.testing.search import MemorySearchStore, encoded

if TYPE_CHECKING:
    from tests.conftest import Services

pytestmark = pytest.mark.contract

DAY_MS = 86_400_000
MIDNIGHT = 1_793_491_200_000


def document(tweet_id: str, offset: int, *, text: str = "hello", day: int = 0, model: str = "v1") -> dict[str, Any]:
    """A document; its shares and sentiment have as many digits as real ones."""
    created_at = MIDNIGHT + day * DAY_MS
    topics, labels, felt = [(0, 2 / 3), (7, 1 / 3)], {0: "greetings · é", 7: "trains"}, Sentiment(-0.296, 1e-05, 0.1)
    counted = processed_fields(
        tweet_id=tweet_id,
        event_time_ms=created_at,
        model_version=model,
        topics=topics,
        labels=labels,
        sentiment=felt.numbers(),
        raw_topic_id="raw-1",
        raw_partition=0,
        raw_offset=offset,
    )
    tweet = Tweet(tweet_id, created_at, "twitter", {"text": text})
    return search_document(tweet, Content(tweet.body), topics=topics, labels=labels, sentiment=felt, counted=counted)


@pytest.fixture(params=["memory", "elasticsearch"])
def store(request: pytest.FixtureRequest) -> Iterator[SearchStore | MemorySearchStore]:
    if request.param == "memory":
        yield MemorySearchStore()
        return
    services: Services = request.getfixturevalue("services")
    prefix = f"contract{uuid.uuid4().hex[:8]}"
    real = SearchStore(services.settings(ELASTICSEARCH_INDEX_PREFIX=prefix).elasticsearch, patience_seconds=20)
    real.prepare()
    yield real
    for name in real.daily_indices():
        real.delete_index(name)


def outcomes(store: SearchStore | MemorySearchStore, *documents: dict[str, Any]) -> list[str]:
    return [written.outcome.value for written in store.create(encoded(*documents))]


def test_each_tweet_is_indexed_once_however_often_it_arrives(store: SearchStore | MemorySearchStore) -> None:
    batch = [document(str(i), i) for i in range(3_000)]
    assert set(outcomes(store, *batch)) == {"owned"}
    again = [document(str(i), i + 10_000) for i in range(3_000)]
    assert set(outcomes(store, *again)) == {"duplicate"}
    assert store.count() == 3_000


def test_a_repeated_batch_gets_back_what_was_counted_to_the_byte(store: SearchStore | MemorySearchStore) -> None:
    first = [document("a", 1), document("b", 2)]
    assert outcomes(store, *first) == ["owned", "owned"]
    again = store.create(encoded(*[document(name, at, model="v2") for name, at in (("a", 1), ("b", 2), ("c", 3))]))
    assert [one.outcome for one in again] == [Outcome.OWNED] * 3
    values = [one.counted for one in again]
    assert values[:2] == [processed_value(one["counted"]) for one in first]
    assert [json.loads(value)["model_version"] for value in values] == ["v1", "v1", "v2"]
    assert store.count() == 3


def test_two_records_of_one_tweet_in_one_batch(store: SearchStore | MemorySearchStore) -> None:
    assert outcomes(store, document("a", 1), document("a", 2), document("b", 3)) == ["owned", "duplicate", "owned"]
    assert outcomes(store, document("a", 1), document("a", 2), document("b", 3)) == ["owned", "duplicate", "owned"]
    assert store.count() == 2


def edit(tweet_id: str, offset: int, text: str) -> dict[str, Any]:
    return document(tweet_id, offset, text=text) | {"edited_at": MIDNIGHT + offset, "edit_offset": offset}


def test_the_newest_edit_is_shown_and_the_owner_stays(store: SearchStore | MemorySearchStore) -> None:
    assert outcomes(store, document("a", 1), edit("a", 2, "second"), edit("a", 3, "third")) == [
        "owned",
        "edited",
        "edited",
    ]
    assert outcomes(store, edit("a", 2, "second"), document("a", 1)) == ["duplicate", "owned"]
    assert outcomes(store, edit("b", 5, "an edit alone"), document("b", 6), edit("b", 7, "newest")) == [
        "owned",
        "duplicate",
        "edited",
    ]
    (again,) = store.create(encoded(document("a", 1, model="v2")))
    assert json.loads(again.counted)["model_version"] == "v1"
    assert store.count() == 2
    if isinstance(store, SearchStore):
        shown = {hit["_id"]: hit["_source"] for hit in store.search(size=9)["hits"]["hits"]}
        assert {name: (one["text"], one["raw_offset"], one["edit_offset"]) for name, one in shown.items()} == {
            "a": ("third", 1, 3),
            "b": ("newest", 5, 7),
        }
        assert store.count({"range": {"edited_at": {"gte": MIDNIGHT + 3}}}) == 2


def test_only_the_document_with_a_value_that_does_not_fit_is_rejected(store: SearchStore | MemorySearchStore) -> None:
    odd = document("odd", 1) | {"topic_id": "football"}
    written = store.create(encoded(document("a", 0), odd, document("b", 2)))
    assert [one.outcome for one in written] == [Outcome.OWNED, Outcome.REJECTED, Outcome.OWNED]
    assert "document_parsing_exception" in written[1].reason
    assert store.count() == 2


def test_a_field_that_the_mapping_lacks_is_not_the_fault_of_a_tweet(store: SearchStore | MemorySearchStore) -> None:
    with pytest.raises(NotWrittenError, match="strict_dynamic_mapping_exception"):
        store.create(encoded(document("a", 0) | {"surprise": 1}))
    assert store.count() == 0


def test_days_are_indices_deleted_by_exact_name(store: SearchStore | MemorySearchStore) -> None:
    store.create(encoded(document("a", 1), document("b", 2, day=1), document("c", 3, day=1)))
    days = store.daily_indices()
    assert sorted(days.values()) == [1, 2]
    first = min(days)
    assert store.delete_index(first) is True
    assert store.delete_index(first) is False
    assert store.count() == 2
    with pytest.raises(ValueError, match="not the name of a daily index"):
        store.delete_index(first[:-2] + "*")
    with pytest.raises(ValueError, match="not the name of a daily index"):
        store.delete_index("somebody-elses")


def test_only_the_documents_with_id_and_day_are_deleted(store: SearchStore | MemorySearchStore) -> None:
    documents = [document(str(i), i) for i in range(2_500)]
    store.create(encoded(*documents, document("7", 3_000, day=1)))
    gone = [(str(i), MIDNIGHT) for i in range(2_100)]

    assert store.delete([*gone, ("never there", MIDNIGHT), ("8", MIDNIGHT + 5 * DAY_MS)]) == 2_100

    assert sorted(store.daily_indices().values()) == [1, 400], "no day was made, no other was touched"
    assert store.delete(gone) == 0
    assert outcomes(store, document("7", 9_000)) == ["owned"]
    assert store.delete([]) == 0


def test_nothing_to_write_returns_nothing(store: SearchStore | MemorySearchStore) -> None:
    assert store.create([]) == []
    assert store.count() == 0
    assert store.daily_indices() == {}


def test_the_model_versions_that_documents_name(store: SearchStore | MemorySearchStore) -> None:
    assert store.model_versions() == set()
    shown_and_counted = document("c", 3, day=2, model="v2") | {"counted_model_version": "v3"}
    outcomes(store, document("a", 1), document("b", 2), shown_and_counted)
    assert store.count() == 3
    assert store.model_versions() == {"v1", "v2", "v3"}


def test_tweets_are_found_page_by_page_with_their_day(
    store: SearchStore | MemorySearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(store, MemorySearchStore):
        pytest.skip("queries are the real store's business")
    monkeypatch.setattr("twitter_topics.search.store.PAGE", 2)
    found = [document(str(i), i, day=i % 3) for i in range(7)]
    store.create(encoded(*found, document("0", 9, day=5), document("else", 8)))
    store.refresh()
    wanted = {"ids": {"values": [*(str(i) for i in range(7)), "unknown"]}}
    expected = [(one["tweet_id"], one["created_at"]) for one in found] + [("0", MIDNIGHT + 5 * DAY_MS)]
    assert sorted(store.find(wanted)) == sorted(expected)
    assert store.delete(list(store.find(wanted))) == 8
    assert store.count() == 1
    assert list(store.find({"ids": {"values": []}})) == []


def test_without_elasticsearch_no_model_version_is_known(services: Services) -> None:
    down = SearchStore(services.settings(ELASTICSEARCH_URL="http://127.0.0.1:9").elasticsearch, patience_seconds=0)
    with pytest.raises(RetryableError, match="no connection"):
        down.model_versions()
