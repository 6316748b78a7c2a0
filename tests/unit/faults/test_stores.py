"""How the fault kit reads the stores while some of them do not answer."""

from __future__ import annotations

import threading

import pytest

from tests.faults import tweets
from twitter_topics.settings import Settings


def test_a_store_that_hangs_or_fails_is_missing_and_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def hang(_: tweets.Stores) -> int:
        answered.wait(30)
        return 1

    def fail(_: tweets.Stores) -> int:
        raise RuntimeError("away")

    monkeypatch.setattr(tweets, "ANSWER_SECONDS", 0.2)
    reads = {"_archived": hang, "documents": fail, "counted": lambda _: 7}
    for name, read in (reads | {"_newest_end": lambda _: 8, "_unpublished": lambda _: 0}).items():
        monkeypatch.setattr(tweets.Stores, name, read)
    try:
        assert tweets.Stores(Settings({})).progress() == {"counts": 7, "view": 8, "unpublished": 0}
    finally:
        answered.set()
