"""Reproducible randomness: the same words give the same dice."""

from __future__ import annotations

from hashlib import blake2b
from random import Random


def dice(*words: int | str) -> Random:
    """Return a generator that depends only on `words`, the same on every machine and in every run."""
    digest = blake2b(repr(words).encode(), digest_size=8).digest()
    return Random(int.from_bytes(digest, "big"))  # noqa: S311 - a story, not a secret
