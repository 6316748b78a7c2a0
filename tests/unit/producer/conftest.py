"""Shared fixtures of the producer tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture
def recursion_limit() -> Iterator[None]:
    """Restore Python's default: libraries imported by other tests raise it."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(before)
