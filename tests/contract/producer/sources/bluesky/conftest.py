"""Fixtures of the Bluesky source."""

from __future__ import annotations

import pytest


@pytest.fixture
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer.sources.bluesky.source.POLL_S", 0.02)
    monkeypatch.setattr("producer.sources.bluesky.reader.POLL_S", 0.02)
    monkeypatch.setattr("producer.sources.bluesky.connection.CLOSE_S", 0.1)
