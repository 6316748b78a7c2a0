"""Indices of mapping version 1 beside those of version 2, on a real Elasticsearch."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.search.test_search_faults import Server, server
from tests.contract.search.test_search_store import document
from twitter_topics.backends.retrying import RetryPolicy
from twitter_topics.search.index import MAPPING_VERSION, MAPPINGS, MIN_TOPIC_SHARE, mapping_version
from twitter_topics.search.ownership import Outcome
from twitter_topics.testing.search import encoded

pytestmark = pytest.mark.contract

__all__ = ["server"]  # the fixture

NEW_FIELDS = {
    "topic_ids",
    "links",
    "link_domains",
    "counted",
    "counted_topic_id",
    "counted_model_version",
    "edited_at",
    "edit_offset",
}
NESTED = {
    "type": "nested",
    "properties": {"topic_id": {"type": "integer"}, "label": {"type": "keyword"}, "share": {"type": "float"}},
}


def old_document(tweet_id: str, offset: int, *topics: tuple[int, float]) -> dict[str, Any]:
    made = {name: value for name, value in document(tweet_id, offset).items() if name not in NEW_FIELDS}
    nested = [{"topic_id": topic_id, "label": f"topic {topic_id}", "share": share} for topic_id, share in topics]
    return made | {"topic_id": topics[0][0], "topics": nested}


def make_old_index(server: Server) -> None:
    fields = {name: field for name, field in MAPPINGS["properties"].items() if name not in NEW_FIELDS}
    fields |= {"raw_offset": {"type": "long"}, "text": {"type": "text"}}  # how a field is indexed cannot change
    fields["user"] = {"properties": {"name": {"type": "text"}, "id": {"type": "keyword"}}}
    server.make_index(mappings={"dynamic": "strict", "properties": fields | {"topics": NESTED}})
    olds = [old_document("old-a", 0, (0, 0.9), (7, 0.1)), old_document("old-b", 1, (7, 0.96), (0, 0.04))]
    for one in olds:
        server.client.index(index=server.index(), id=one["tweet_id"], document=one)


def test_a_running_index_gains_the_new_fields_and_its_day_goes_on(server: Server) -> None:
    make_old_index(server)
    server.store.prepare()
    mapping = server.client.indices.get_mapping(index=server.index())[server.index()]["mappings"]
    assert mapping_version(mapping) == MAPPING_VERSION
    assert mapping["properties"]["topics"]["type"] == "nested"
    assert server.write(document("new", 2), document("next day", 3, day=1)) == [Outcome.OWNED] * 2
    assert server.store.count() == 4


def about_topic(topic_id: int) -> dict[str, Any]:
    """The query of docs/operations.md. Version 1 had a nested `topics`, with every share from 1 %."""
    share = {"range": {"topics.share": {"gte": MIN_TOPIC_SHARE}}}
    nested = {"bool": {"filter": [{"term": {"topics.topic_id": topic_id}}, share]}}
    return {
        "bool": {
            "should": [
                {"term": {"topic_ids": topic_id}},
                {"nested": {"path": "topics", "ignore_unmapped": True, "query": nested}},
            ]
        }
    }


def test_a_topic_is_found_in_indices_of_both_versions(server: Server) -> None:
    make_old_index(server)
    server.store.prepare()
    server.write(document("new", 2), document("next day", 3, day=1))
    server.store.count()
    found = {topic: server.store.search(query=about_topic(topic))["hits"]["hits"] for topic in (0, 7, 9)}
    assert {topic: {hit["_id"] for hit in hits} for topic, hits in found.items()} == {
        0: {"old-a", "new", "next day"},
        7: {"old-a", "old-b", "new", "next day"},
        9: set(),
    }
    shares = server.store.search(size=0, aggs={"topics": {"terms": {"field": "topic_ids"}}})
    assert {one["key"]: one["doc_count"] for one in shares["aggregations"]["topics"]["buckets"]} == {0: 2, 7: 2}


def test_a_document_is_one_lucene_document(server: Server) -> None:
    server.write(*(document(str(number), number) for number in range(50)))
    server.store.count()
    shards = server.client.indices.segments(index=server.index())["indices"][server.index()]["shards"]["0"]
    assert sum(segment["num_docs"] for segment in shards[0]["segments"].values()) == 50


def test_a_repeated_record_of_an_old_document_writes_it_again(server: Server) -> None:
    make_old_index(server)
    server.store.prepare()
    (written,) = server.store.create(encoded(document("old-a", 0, model="v2")))
    assert (written.outcome, json.loads(written.counted)["model_version"]) == (Outcome.OWNED, "v2")
    source = server.client.get(index=server.index(), id="old-a")["_source"]
    assert source["counted"]["model_version"] == source["model_version"] == "v2"


@pytest.mark.parametrize("obstacle", ["closed", "locked"])
def test_an_index_that_cannot_be_upgraded_keeps_nothing_from_starting(server: Server, obstacle: str) -> None:
    make_old_index(server)
    if obstacle == "closed":
        server.client.indices.close(index=server.index())
    else:
        server.client.indices.put_settings(index=server.index(), settings={"index.blocks.read_only": True})
    server.store._retries = RetryPolicy(0)
    server.store.prepare()
    assert server.write(document("next day", 3, day=1)) == [Outcome.OWNED]
    if obstacle == "locked":
        server.client.indices.put_settings(index=server.index(), settings={"index.blocks.read_only": None})


def test_fields_that_people_use_are_searchable(server: Server) -> None:
    tweet = document("a", 0, text="the quick brown fox") | {
        "lang": "en",
        "links": ["https://example.org/x"],
        "link_domains": ["example.org"],
        "user": {"id": "5", "screen_name": "bo", "name": "Bo Derek", "followers": 1, "verified": False},
    }
    server.write(tweet)
    server.store.count()
    for query in (
        {"match_phrase": {"text": "brown fox"}},
        {"term": {"lang": "en"}},
        {"term": {"source": "twitter"}},
        {"term": {"links": "https://example.org/x"}},
        {"term": {"link_domains": "example.org"}},
        {"term": {"user.id": "5"}},
        {"term": {"user.screen_name": "bo"}},
        {"match": {"user.name": "derek"}},
        {"term": {"counted_topic_id": 0}},
    ):
        assert len(server.store.search(query=query)["hits"]["hits"]) == 1, query
    assert server.store.search(query={"match_phrase": {"text": "fox brown"}})["hits"]["hits"] == []
    assert server.store.search(query={"term": {"counted.raw_topic_id": "raw-1"}})["hits"]["hits"] == []
