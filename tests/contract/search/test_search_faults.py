"""Faults of operation, provoked on a real Elasticsearch: no tweet is rejected, and all are there once it is mended."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from elasticsearch import Elasticsearch

from tests.contract.search.test_search_store import DAY_MS, MIDNIGHT, document
from tests.waiting import until
from twitter_topics.errors import RetryableError
from twitter_topics.search import bulk
from twitter_topics.search.faults import NotWrittenError
from twitter_topics.search.index import MAPPINGS, index_name
from twitter_topics.search.ownership import Outcome
from twitter_topics.search.store import SearchStore, elasticsearch_client
from twitter_topics.testing.search import encoded

if TYPE_CHECKING:
    from tests.conftest import Services

pytestmark = pytest.mark.contract


@dataclass
class Server:
    """A real server, and a prefix of indices that is this test's own."""

    client: Elasticsearch
    store: SearchStore
    prefix: str

    def index(self, day: int = 0) -> str:
        return index_name(self.prefix, MIDNIGHT + day * DAY_MS)

    def write(self, *documents: dict[str, Any]) -> list[Outcome]:
        return [written.outcome for written in self.store.create(encoded(*documents))]

    def make_index(self, **body: Any) -> None:
        """Create today's index as another version, or somebody else, would have."""
        self.client.indices.delete_index_template(name=self.prefix)
        self.client.indices.create(index=self.index(), aliases={self.prefix: {}}, **body)

    @contextmanager
    def cluster_settings(self, **settings: Any) -> Iterator[None]:
        named = {name.replace("__", "."): value for name, value in settings.items()}
        self.client.cluster.put_settings(persistent=named)
        try:
            yield
        finally:
            self.client.cluster.put_settings(persistent=dict.fromkeys(named))


@pytest.fixture
def server(services: Services) -> Iterator[Server]:
    prefix = f"faults{uuid.uuid4().hex[:8]}"
    settings = services.settings(ELASTICSEARCH_INDEX_PREFIX=prefix).elasticsearch
    made = Server(elasticsearch_client(settings), SearchStore(settings, patience_seconds=20), prefix)
    made.store.prepare()
    yield made
    left: Any = made.client.cat.indices(index=f"{prefix}-*", format="json", h="index", expand_wildcards="all")
    for row in left:
        made.store.delete_index(row["index"])


def test_at_the_shard_limit_no_tweet_is_rejected(server: Server) -> None:
    tweets = [document(str(n), n, day=n % 20) for n in range(2_000)]
    shards = int(server.client.cluster.health()["active_shards"])
    with (
        server.cluster_settings(cluster__max_shards_per_node=shards + 4),
        pytest.raises(NotWrittenError, match=r"did not index 1,\d00 of 2,000 tweets.*cluster\.max_shards_per_node"),
    ):
        server.write(*tweets)
    assert server.write(*tweets) == [Outcome.OWNED] * 2_000
    assert server.store.count() == 2_000


@pytest.mark.parametrize(
    ("setting", "helps"),
    [
        ("index.blocks.write", '"index.blocks.write": null'),
        ("index.blocks.read_only", '"index.blocks.read_only": null'),
        ("index.blocks.read_only_allow_delete", "watermark.flood_stage"),
    ],
)
def test_a_locked_index_is_waited_for(server: Server, setting: str, helps: str) -> None:
    server.write(document("a", 0))
    server.client.indices.put_settings(index=server.index(), settings={setting: True})
    with pytest.raises(NotWrittenError) as caught:
        server.write(document("b", 1), document("c", 2, day=1))
    assert helps in str(caught.value)
    server.client.indices.put_settings(index=server.index(), settings={setting: None})
    assert server.write(document("b", 1), document("c", 2, day=1)) == [Outcome.OWNED] * 2
    assert server.store.count() == 3


def test_merges_wait_only_for_the_last_gigabyte_of_the_disk(server: Server) -> None:
    """By default they stop at 95 % used, where indexing gets slower with every segment and nothing says why."""
    settings = server.client.cluster.get_settings(include_defaults=True, flat_settings=True)
    effective = {**settings["defaults"], **settings["persistent"], **settings["transient"]}
    assert effective["indices.merge.disk.watermark.high"] == "1gb"


def test_a_full_disk_is_waited_for(server: Server) -> None:
    server.write(document("a", 0))
    full = dict.fromkeys(("low", "high", "flood_stage"), "0.1%")
    watermarks = {f"cluster__routing__allocation__disk__watermark__{name}": share for name, share in full.items()}

    def locked() -> bool:
        settings = server.client.indices.get_settings(index=server.index())[server.index()]["settings"]
        return "read_only_allow_delete" in str(settings)

    with server.cluster_settings(
        cluster__routing__allocation__disk__threshold_enabled=True, cluster__info__update__interval="10s", **watermarks
    ):
        until(locked, seconds=60)
        with pytest.raises(NotWrittenError, match="The disk is nearly full"):
            server.write(document("b", 1))
        server.client.cluster.put_settings(persistent={name.replace("__", "."): "99.9%" for name in watermarks})
        until(lambda: not locked(), seconds=60)
    assert server.write(document("b", 1)) == [Outcome.OWNED]


def test_a_closed_index_is_waited_for(server: Server) -> None:
    server.write(document("a", 0))
    server.client.indices.close(index=server.index())
    with pytest.raises(NotWrittenError, match=f"POST /{server.index()}/_open"):
        server.write(document("b", 1), document("c", 2, day=1))
    with pytest.raises(RetryableError):
        server.write(document("a", 0))
    server.client.indices.open(index=server.index(), wait_for_active_shards="all")
    assert server.write(document("a", 0), document("b", 1), document("c", 2, day=1)) == [Outcome.OWNED] * 3


def test_an_index_that_may_not_be_created_is_waited_for(server: Server) -> None:
    with (
        server.cluster_settings(action__auto_create_index=f"-{server.prefix}*,+*"),
        pytest.raises(NotWrittenError, match=r"action\.auto_create_index"),
    ):
        server.write(document("a", 0))
    assert server.write(document("a", 0)) == [Outcome.OWNED]


def test_the_strict_mapping_of_another_version_is_not_the_fault_of_a_tweet(server: Server) -> None:
    fields = {name: field for name, field in MAPPINGS["properties"].items() if name != "source"}
    server.make_index(mappings={"dynamic": "strict", "properties": fields})
    with pytest.raises(NotWrittenError, match="restart the classifier") as caught:
        server.write(document("a", 0), document("b", 1))
    assert caught.value.suspects == {}
    server.store.prepare()  # as the classifier does when it starts
    assert server.write(document("a", 0), document("b", 1)) == [Outcome.OWNED] * 2


@pytest.mark.parametrize(
    ("body", "helps"),
    [
        ({"mappings": {"_routing": {"required": True}}}, "index templates"),
        ({"settings": {"index.default_pipeline": "nobody-made-it"}}, "index.default_pipeline"),
    ],
)
def test_an_index_that_somebody_made_differently_is_not_the_fault_of_a_tweet(
    server: Server, body: dict[str, Any], helps: str
) -> None:
    server.make_index(**body)
    with pytest.raises(NotWrittenError, match=helps) as caught:
        server.write(document("a", 0), document("b", 1))
    assert caught.value.suspects == {}
    server.client.indices.delete(index=server.index())
    server.store.prepare()
    assert server.write(document("a", 0), document("b", 1)) == [Outcome.OWNED] * 2


def test_a_word_that_lucene_cannot_index_is_the_fault_of_the_tweet(server: Server) -> None:
    fields = MAPPINGS["properties"] | {"lang": {"type": "keyword"}}
    server.make_index(mappings={"dynamic": "strict", "properties": fields})
    long = document("b", 1) | {"lang": "x" * 40_000}
    assert server.write(document("a", 0), long) == [Outcome.OWNED, Outcome.REJECTED]


def test_an_id_that_fails_the_whole_request_is_found(server: Server) -> None:
    tweets = [document(str(n), n) for n in range(50)]
    tweets[17]["tweet_id"] = "x" * 600
    outcomes = server.write(*tweets)
    assert [n for n, outcome in enumerate(outcomes) if outcome is not Outcome.OWNED] == [17]
    assert outcomes[17] is Outcome.REJECTED
    assert server.store.count() == 49


def test_a_request_that_is_too_large_is_split_until_the_tweet_that_is_too_large_stands_alone(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BULK_BYTES", 200_000_000)
    large = document("b", 1) | {"text": "x" * 105_000_000}  # http.max_content_length is 100 MiB
    outcomes = server.write(document("a", 0), large, document("c", 2))
    assert outcomes == [Outcome.OWNED, Outcome.REJECTED, Outcome.OWNED]
    assert server.store.count() == 2


def test_an_overloaded_server_is_waited_for(server: Server) -> None:
    tweets = [document(str(n), n) for n in range(100)]
    with (
        server.cluster_settings(network__breaker__inflight_requests__limit="4kb"),
        pytest.raises(RetryableError, match=r"HTTP 429: circuit_breaking_exception.*is overloaded"),
    ):
        server.write(*tweets)
    assert server.write(*tweets) == [Outcome.OWNED] * 100


def test_a_shard_that_no_node_may_hold_is_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "SHARD_SECONDS", 1)
    server.make_index(
        mappings=MAPPINGS,
        settings={"index.routing.allocation.require._name": "nobody"},
        wait_for_active_shards="0",
    )
    with pytest.raises(NotWrittenError, match=r"HTTP 503: unavailable_shards_exception.*allocation/explain"):
        server.write(document("a", 0))
    server.client.indices.put_settings(index=server.index(), settings={"index.routing.allocation.require._name": None})
    assert server.write(document("a", 0)) == [Outcome.OWNED]


def test_a_probe_leaves_nothing_behind(server: Server) -> None:
    server.write(document("a", 0))
    assert server.store._attempt().accepts(server.index())
    assert server.store.count() == 1
    server.client.indices.close(index=server.index())
    assert not server.store._attempt().accepts(server.index())
