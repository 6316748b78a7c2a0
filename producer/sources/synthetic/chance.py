"""Chance that can be repeated: the same words give the same dice."""

from __future__ import annotations

from hashlib import blake2b
from random import Random


def dice(*words: int | str) -> Random:
    """A generator that depends on `words` alone, the same on every machine and in every run."""
    digest = blake2b(repr(words).encode(), digest_size=8).digest()
    return Random(int.from_bytes(digest, "big"))  # noqa: S311 - a story, not a secret
