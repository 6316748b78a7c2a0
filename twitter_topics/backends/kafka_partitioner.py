"""The partition that Kafka's default partitioner chooses for a key."""

from __future__ import annotations

import struct

_SEED, _FACTOR = 0x9747B28C, 0x5BD1E995
_UNPACK_WORDS = [struct.Struct(f"<{number}I").unpack_from for number in range(256)]


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition number of a key: its Murmur2 hash without the sign bit, modulo the partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(key: bytes) -> int:
    """Return the 32-bit Murmur2 hash as `org.apache.kafka.common.utils.Utils.murmur2` does, unsigned."""
    words = len(key) >> 2
    h = _SEED ^ len(key)
    unpack = _UNPACK_WORDS[words] if words < len(_UNPACK_WORDS) else struct.Struct(f"<{words}I").unpack_from
    for k in unpack(key):
        k = k * _FACTOR & 0xFFFFFFFF
        h = (h * _FACTOR ^ (k ^ k >> 24) * _FACTOR) & 0xFFFFFFFF
    if rest := key[words * 4 :]:
        h = (h ^ int.from_bytes(rest, "little")) * _FACTOR & 0xFFFFFFFF
    h ^= h >> 13
    h = h * _FACTOR & 0xFFFFFFFF
    return h ^ h >> 15
