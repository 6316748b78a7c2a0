"""Fixtures of the sources and clients of the producer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.script import nothing_left_behind
from twitter_topics.testing.broker import Broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A Kafka broker of the module's own, which its tests may stop."""
    broker = Broker(tmp_path_factory.mktemp("broker"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def no_thread_left() -> Iterator[None]:
    """Fail a test that leaves a thread running."""
    with nothing_left_behind():
        yield
