"""Compressed and oversized frames, on both wires."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zstandard

from producer.source import Context
from producer.sources.bluesky.dictionary import Dictionary, TooLargeError
from tests.fakes.bluesky_network import Network
from tests.fakes.bluesky_setup import WIRES, collect, ids, open_source, start_of
from tests.fakes.jetstream import FakeJetstream, follow, frames, raw_binary, status, trained_dictionary

pytestmark = pytest.mark.usefixtures("short_polls", "no_thread_left")

# --- large frames


@pytest.mark.parametrize("wire", WIRES)
def test_a_frame_over_the_limit_is_skipped_and_reported(wire: str, tmp_path: Path) -> None:
    network = Network(5)
    network.post("x" * 10_000_000)
    small = network.post_ids[:5] + [network.post().post_id for _ in range(5)]
    context = Context()
    with FakeJetstream(network) as host:
        events = collect(open_source(host.url, tmp_path, start_of(network, host), context, wire=wire), 10)
    assert set(ids(events)) == set(small)
    said = [event for event in events if event.kind == "unreadable"]
    assert len(said) == 1
    assert said[0].reason.startswith("size: a frame over 8388608 bytes, after ws://")
    assert context.status.reconnects == {"too-large": 1}
    assert [query.get("maxMessageSizeBytes") for _, query in host.requests] == [None, ["8388608"]]


def test_a_large_frame_within_the_limit_is_an_event(tmp_path: Path) -> None:
    network = Network(1)
    network.post("x" * 2_000_000)
    with FakeJetstream(network) as host:
        events = collect(open_source(host.url, tmp_path, start_of(network, host)), 2)
    assert len(events[1].value) > 2_000_000


# --- compression


def test_the_first_wire_is_deflated(tmp_path: Path) -> None:
    network = Network(20)
    for compress in (True, False):
        with FakeJetstream(network) as host:
            collect(open_source(host.url, tmp_path, start_of(network, host), compress=compress), 20)
        assert bool(host.streams[0].socket.protocol.extensions) is compress


def zstd_ids(host: FakeJetstream) -> list[str]:
    return [query.get("zstdDictionary", [""])[0] for _, query in host.requests]


def test_the_second_wire_is_compressed_with_the_hosts_dictionary(tmp_path: Path) -> None:
    network = Network(50)
    dictionary = trained_dictionary()
    context = Context()
    with FakeJetstream(network, dictionary=dictionary) as host:
        for _ in range(2):
            events = collect(open_source(host.url, tmp_path, start_of(network, host), context, wire="v2"), 50)
            assert ids(events) == network.post_ids
            assert json.loads(events[0].value)["source_payload"]["$type"] == "message"
    assert zstd_ids(host) == [str(host.dictionary_id)] * 2
    assert host.dictionary_requests == 1, "it is cached between runs"
    plain = sum(len(host.frame(entry, index, True)) for index, entry in enumerate(network.entries))
    assert context.status.received_bytes < 2 * plain / 2


def test_a_retired_dictionary_is_replaced(tmp_path: Path) -> None:
    network = Network(10)
    for seed in (0, 1):
        with FakeJetstream(network, dictionary=trained_dictionary(seed)) as host:
            assert ids(collect(open_source(host.url, tmp_path, start_of(network, host), wire="v2"), 10))
    assert zstd_ids(host) == ["1000", "1001"]


def test_a_host_that_rejects_its_own_dictionary_is_asked_for_none(tmp_path: Path) -> None:
    network = Network(10)
    rejected = [status(400, "UnknownZstdDictionary")]
    with FakeJetstream(network, [rejected] * 2, dictionary=trained_dictionary()) as host:
        assert ids(collect(open_source(host.url, tmp_path, start_of(network, host), wire="v2"), 10)) == network.post_ids
    assert zstd_ids(host) == ["1000", "", ""]


def test_without_a_dictionary_the_stream_is_uncompressed(tmp_path: Path) -> None:
    network = Network(10)
    with FakeJetstream(network) as host:
        assert ids(collect(open_source(host.url, tmp_path, start_of(network, host), wire="v2"), 10)) == network.post_ids
        other = tmp_path / "other"
        collect(open_source(host.url, other, start_of(network, host), wire="v2", compress=False), 10)
    assert zstd_ids(host) == ["", ""]
    assert host.dictionary_requests == 1


@pytest.mark.parametrize("kept", [b"", b"\x37\xa4\x30\xec", b"\x37\xa4\x30\xec\x01\x00\x00\x00broken", b"plain"])
def test_a_damaged_cached_dictionary_costs_nothing(kept: bytes, tmp_path: Path) -> None:
    (tmp_path / "bluesky-dictionary.zstd").write_bytes(kept)
    network = Network(10)
    with FakeJetstream(network, dictionary=trained_dictionary()) as host:
        assert set(ids(collect(open_source(host.url, tmp_path, start_of(network, host), wire="v2"), 10)))
    assert zstd_ids(host)[-1] in ("", "1000")


def test_a_frame_that_cannot_be_decompressed_ends_compression_and_no_post_is_lost(tmp_path: Path) -> None:
    network = Network(10)
    context = Context()
    broken = zstandard.FRAME_HEADER + b"\x20\x05broken"
    with FakeJetstream(network, [[frames(4), raw_binary(broken), follow]], dictionary=trained_dictionary()) as host:
        events = collect(open_source(host.url, tmp_path, start_of(network, host), context, wire="v2"), 10)
    assert set(ids(events)) == set(network.post_ids)
    assert context.status.reconnects == {"compression": 1}
    assert zstd_ids(host) == ["1000", ""]
    assert not (tmp_path / "bluesky-dictionary.zstd").exists()


def test_a_zip_bomb_is_not_decompressed(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(trained_dictionary())
    dictionary = Dictionary(tmp_path / "kept", 1000)
    assert dictionary.id_for("ws://127.0.0.1:9") == 1000
    small, large = zstandard.compress(b"x" * 1000), zstandard.compress(b"x" * 1001)
    assert dictionary.decompress(small) == b"x" * 1000
    assert dictionary.decompress(b"plain") == b"plain"
    with pytest.raises(TooLargeError):
        dictionary.decompress(large)
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 10_000_000)
    with pytest.raises(zstandard.ZstdError):
        dictionary.decompress(unsized)
