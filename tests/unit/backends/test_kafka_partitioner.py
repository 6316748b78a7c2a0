"""Keys go to the partitions that Kafka's own clients choose."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as murmur2_of_kafka

from twitter_topics.backends.kafka_partitioner import murmur2, partition_of, partitions_of


@given(st.binary(max_size=70))
@example(b"k" * 5_003)
@settings(max_examples=300)
def test_the_hash_is_kafkas(key: bytes) -> None:
    assert murmur2(key) == murmur2_of_kafka(key) & 0xFFFFFFFF


@pytest.mark.parametrize("partitions", [1, 3, 4, 12])
@given(key=st.text(max_size=40))
@settings(max_examples=100)
def test_the_partition_is_kafkas(partitions: int, key: str) -> None:
    raw = key.encode("utf-8", "replace")
    assert partition_of(raw, partitions) == (murmur2_of_kafka(raw) & 0x7FFFFFFF) % partitions


@given(keys=st.lists(st.text(max_size=12)), partitions=st.integers(1, 20), skipped=st.integers(0, 3))
@example(keys=["7", "1990000000000000301"] * 60_000, partitions=4, skipped=1)
@settings(max_examples=200)
def test_many_partitions_at_once_are_the_same(keys: list[str], partitions: int, skipped: int) -> None:
    texts = pa.array([key.encode("utf-8", "replace").decode() for key in keys], pa.large_string()).slice(skipped)
    expected = [partition_of(text.encode(), partitions) for text in texts.to_pylist()]
    assert partitions_of(texts, partitions).tolist() == expected
