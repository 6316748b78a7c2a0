from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from producer.sources.bluesky.lateness import MAX_COMMITS, RECENT_US, Lateness
from producer.sources.bluesky.wire import JetstreamMessage
from tests.fakes.bluesky_network import make_tid

NOW = 1_790_000_000_000_000
MOST_US = 10**10


def commit(seen_us: int, late_us: int) -> JetstreamMessage:
    return JetstreamMessage("commit", "did:plc:a", seen_us, 0, {"rev": make_tid(seen_us - late_us)})


def median_us(*messages: JetstreamMessage) -> int | None:
    lateness = Lateness(MOST_US)
    for message in messages:
        lateness.learn(message)
    return lateness.median_us()


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=MAX_COMMITS))
def test_it_is_the_median_and_never_negative(late_us: list[int]) -> None:
    expected = max(sorted(late_us)[len(late_us) // 2], 0)
    assert median_us(*(commit(NOW, one_us) for one_us in late_us)) == expected


def test_only_commits_with_a_time_count() -> None:
    odd: list[Any] = [None, "", "made up", 7]
    others = [commit(NOW, 5)._replace(kind="identity"), *(commit(NOW, 5)._replace(body={"rev": rev}) for rev in odd)]
    assert median_us(*others, commit(NOW, 5)._replace(body={})) is None
    assert median_us(*others, commit(NOW, 7), *[commit(NOW, MOST_US + 1)] * 2) == 7
    assert median_us(commit(NOW, MOST_US)) == MOST_US


def test_older_commits_are_forgotten() -> None:
    assert median_us(*[commit(NOW, 0)] * MAX_COMMITS, *[commit(NOW, 600)] * (MAX_COMMITS // 2 + 1)) == 600
    assert median_us(*[commit(NOW, 0)] * 100, commit(NOW + RECENT_US, 600)) == 0
    assert median_us(*[commit(NOW, 0)] * 100, commit(NOW + RECENT_US + 1, 600)) == 600
