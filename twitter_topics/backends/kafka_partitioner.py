"""The partition that Kafka's default partitioner chooses for a key."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pyarrow as pa

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


def partitions_of(keys: pa.Array, partitions: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the partition number of each key, as `partition_of` does, for keys of some lengths much faster.

    Args:
        keys: text, without nulls.
    """
    found = np.empty(len(keys), np.int64)
    for start in range(0, len(keys), _AT_ONCE):
        some = keys.slice(start, _AT_ONCE)
        found[start : start + len(some)] = (_murmur2(some) & np.uint32(0x7FFFFFFF)) % np.uint32(partitions)
    return found


_AT_ONCE = 100_000


def _murmur2(keys: pa.Array) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """`murmur2` of all keys: those of one length at a time."""
    _, offsets, content = keys.cast(pa.large_binary()).buffers()
    ends = np.frombuffer(offsets, np.int64)[keys.offset : keys.offset + len(keys) + 1]
    data = np.frombuffer(content or b"", np.uint8)
    lengths = np.diff(ends)
    hashes = np.empty(len(keys), np.uint32)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        hashes[rows] = _murmur2_of(data[ends[rows][:, None] + np.arange(length)])
    return hashes


def _murmur2_of(keys: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """`murmur2` of keys of one length: n × length bytes."""
    number, length = keys.shape
    words = length >> 2
    factor = np.uint32(_FACTOR)
    h = np.full(number, (_SEED ^ length) & 0xFFFFFFFF, np.uint32)
    for k in np.ascontiguousarray(keys[:, : words * 4]).view("<u4").T if words else ():
        k = k * factor
        h = h * factor ^ (k ^ k >> 24) * factor
    if length > words * 4:
        rest = np.zeros(number, np.uint32)
        for place, column in enumerate(keys[:, words * 4 :].T):
            rest |= column.astype(np.uint32) << np.uint32(8 * place)
        h = (h ^ rest) * factor
    h ^= h >> np.uint32(13)
    h *= factor
    h ^= h >> np.uint32(15)
    return h
