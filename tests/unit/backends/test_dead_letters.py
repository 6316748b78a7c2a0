"""Dead letters in the order in which they are sent again."""

from __future__ import annotations

import json
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from twitter_topics.backends import dead_letters
from twitter_topics.backends.dead_letters import read_letters
from twitter_topics.records.processed import dead_letter
from twitter_topics.settings import Settings


def test_letters_that_came_together_are_in_the_order_of_their_records(monkeypatch: pytest.MonkeyPatch) -> None:
    def record(at_ms: int, partition: int, offset: int) -> Any:
        body = dead_letter(stage="index", reason="x", topic="raw", partition=partition, offset=offset, value=b"")
        return SimpleNamespace(value=json.dumps(body).encode(), timestamp=at_ms)

    records = [record(7, 1, 5), record(7, 0, 100), record(7, 0, 9), record(7, 0, 10), record(6, 3, 200)]
    monkeypatch.setattr(dead_letters, "open_consumer", lambda _settings: nullcontext())
    monkeypatch.setattr(dead_letters, "_read_all", lambda *_: records)
    found = [(one.partition, one.offset) for one in read_letters(Settings({}).kafka)]
    assert found == [(3, 200), (0, 9), (0, 10), (0, 100), (1, 5)]
