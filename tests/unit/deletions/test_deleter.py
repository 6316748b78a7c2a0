"""The task that deletes documents: what an index refuses is reported, and the rest is deleted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from twitter_topics.deletions import apply
from twitter_topics.errors import RetryableError
from twitter_topics.settings import Settings


class Store:
    """Deletes everything but tweet 1."""

    patience: list[float]

    def __init__(self, _settings: Any, *, patience_seconds: float) -> None:
        self.patience.append(patience_seconds)

    def delete(self, tweets: Sequence[tuple[str, int]]) -> int:
        if any(tweet_id == "1" for tweet_id, _ in tweets):
            raise RetryableError("the index is closed")
        return len(tweets)


def test_a_batch_that_is_refused_holds_up_none_after_it_and_only_the_first_one_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Store, "patience", [], raising=False)
    monkeypatch.setattr(apply, "SearchStore", Store)
    batches = [
        pa.RecordBatch.from_pylist([{"tweet_id": one, "at_ms": 5} for one in ids]) for ids in ("01", "23", "1", "456")
    ]
    delete = apply._deleter(apply._given, Settings({}).elasticsearch, 60.0)
    rows = pa.Table.from_batches(list(delete(batches))).to_pylist()
    assert [(row["documents"], row["failure"]) for row in rows] == [
        (0, "the index is closed"),
        (2, None),
        (0, "the index is closed"),
        (3, None),
    ]
    assert Store.patience == [60.0, 0, 0]


@pytest.mark.parametrize("user", [{"id_str": "42"}, {"id": 42}, {"id_str": 42}, {"id_str": None, "id": "42"}])
def test_tweets_of_an_account_are_found_whichever_way_its_id_is_written(user: dict[str, Any]) -> None:
    payload = json.dumps({"id": 7, "user": user}).encode()
    place = {"kafka_partition": 0, "kafka_offset": 5}
    batch = pa.RecordBatch.from_pylist([place | {"payload": payload}, place | {"payload": b'{"user": [7]}'}])
    assert pa.Table.from_batches(apply._read_users([batch])).to_pylist() == [place | {"user_id": "42"}]
    rejected = pa.RecordBatch.from_pylist([place | {"event_time": 1, "reject_reason": "time", "payload": payload}])
    [named] = pa.Table.from_batches(apply._read_names([rejected])).to_pylist()
    assert (named["tweet_id"], named["user_id"]) == ("7", "42")
