from __future__ import annotations

from typing import Any

import pytest

from twitter_topics.topic_models.training.tweets import original_id


@pytest.mark.parametrize(
    ("retweeted", "expected"),
    [
        (None, "1"),
        ({"id_str": "2", "text": "storm"}, "2"),
        ({"id": 2}, "2"),
        ({"id_str": "2", "retweeted_status": {"id_str": "3"}}, "3"),
        ({"id_str": "2", "retweeted_status": {"text": "no id"}}, "2"),
        ({"text": "no id"}, "1"),
        ("2", "1"),
    ],
)
def test_the_original_of_a_retweet(retweeted: Any, expected: str) -> None:
    assert original_id({"retweeted_status": retweeted}, "1") == expected
    assert original_id({}, "1") == "1"
