"""Fixtures of the sources and clients of the producer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.script import nothing_left_behind


@pytest.fixture
def no_thread_left() -> Iterator[None]:
    """Fail a test that leaves a thread running."""
    with nothing_left_behind():
        yield
