from __future__ import annotations

from threading import Event

import pytest

from producer.testing import FakeKafka


@pytest.fixture
def fake_kafka() -> FakeKafka:
    return FakeKafka()


@pytest.fixture
def stop() -> Event:
    return Event()
