"""Replay: every line is sent once, as it is or moved to now."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from threading import Event

import pytest

from producer.source import SourceTweet
from producer.sources.replay import ReplaySource
from producer.testing import producer_settings, tweet_lines, write_lines
from twitter_topics.contract.tweet import tweet_time
from twitter_topics.errors import ConfigurationError, IntegrityError

NOW_MS = 1_800_000_000_000


def opened(path: Path, saved=None, now_ms: int = NOW_MS, **settings) -> ReplaySource:
    return ReplaySource.open(producer_settings(replay_file=str(path), **settings), saved, now_ms, Event())


def sent(source: ReplaySource) -> list[SourceTweet]:
    return [tweet for tweet in source.tweets() if tweet is not None]


def test_lines_are_sent_as_they_are(tmp_path: Path) -> None:
    lines = [*tweet_lines([1_000, 2_000]), "no json {", '["a list"]', '{"no":"id"}', "", *tweet_lines([3_000], 9)]
    tweets = sent(opened(write_lines(tmp_path / "tweets.jsonl", lines)))
    assert [tweet.value.decode() for tweet in tweets] == [line for line in lines if line]
    assert [tweet.key for tweet in tweets] == [b"1", b"2", b"line-3", b"line-4", b"line-5", b"9"]
    assert [tweet.position for tweet in tweets] == [1, 2, 3, 4, 5, 7]
    assert [tweet.event_time_ms for tweet in tweets] == [1_000, 2_000, None, None, None, 3_000]


def test_a_compressed_file_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "tweets.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id_str":"1","text":"a","timestamp_ms":"5"}\n\xff\xfe broken\n'))
    assert [(tweet.key, tweet.position) for tweet in sent(opened(path))] == [(b"1", 1), (b"line-2", 2)]


@pytest.mark.parametrize("done", [1, 2, 3])
def test_restart_sends_the_rest(tmp_path: Path, done: int) -> None:
    path = write_lines(tmp_path / "tweets.jsonl", tweet_lines([1_000, 2_000, 3_000]))
    source = opened(path)
    whole = sent(source)
    again = opened(path, saved=source.start.advanced(done, None))
    assert sent(again) == whole[done:]


def test_a_grown_file_goes_on_and_another_file_starts_anew(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "tweets.jsonl", tweet_lines([1_000, 2_000]))
    saved = opened(path).start.advanced(2, None)
    write_lines(path, tweet_lines([1_000, 2_000, 3_000]))
    assert [tweet.key for tweet in sent(opened(path, saved))] == [b"3"]
    write_lines(path, tweet_lines([7_000], first_id=70))
    assert [tweet.key for tweet in sent(opened(path, saved))] == [b"70"]


def test_a_shrunk_file_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "tweets.jsonl", tweet_lines([1_000, 2_000, 3_000]))
    saved = opened(path).start.advanced(3, None)
    write_lines(path, tweet_lines([1_000]))
    with pytest.raises(IntegrityError, match="fewer lines than the 3"):
        sent(opened(path, saved))


def test_shift_brings_the_newest_tweet_to_now_and_keeps_the_distances(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "tweets.jsonl", [*tweet_lines([1_000, 9_000, 4_000]), "no json"])
    tweets = sent(opened(path, replay_times="shift"))
    assert [tweet.event_time_ms for tweet in tweets] == [NOW_MS - 8_000, NOW_MS, NOW_MS - 5_000, None]
    for tweet in tweets[:3]:
        body = json.loads(tweet.value)
        assert tweet_time(body) == tweet.event_time_ms
        del body["timestamp_ms"]
        assert tweet_time(body) == tweet.event_time_ms
    assert tweets[3].value == b"no json"


def test_shift_looks_at_the_first_limit_lines_only_and_survives_a_restart(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "tweets.jsonl", tweet_lines([1_000, 2_000, 9_000]))
    source = opened(path, replay_times="shift", limit=2)
    assert source.start.origin == {"shift_ms": NOW_MS - 2_000}
    again = opened(path, source.start.advanced(1, None), now_ms=NOW_MS + 999_999, replay_times="shift", limit=2)
    assert sent(again)[0].event_time_ms == NOW_MS


def test_real_time_factor_waits_between_tweets(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "tweets.jsonl", [*tweet_lines([0, 10_000]), "no json", *tweet_lines([30_000], 3)])
    source = opened(path)
    now = 50.0

    def wait(seconds: float) -> bool:
        nonlocal now
        assert 0 < seconds <= 1
        now += seconds
        return False

    source = ReplaySource(path, source.start, factor=10.0, wait=wait, monotonic=lambda: now)
    at = [(tweet.key, round(now, 6)) for tweet in source.tweets() if tweet is not None]
    assert at == [(b"1", 50.0), (b"2", 51.0), (b"line-3", 51.0), (b"3", 53.0)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"replay_file": ""}, "PRODUCER_REPLAY_FILE is not set"),
        ({"replay_file": "/nowhere/tweets.jsonl"}, "PRODUCER_REPLAY_FILE: there is no file"),
    ],
)
def test_a_missing_file_is_named(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ReplaySource.open(producer_settings(**settings), None, NOW_MS, Event())


def test_an_unusable_file_or_speed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no lines"):
        opened(write_lines(tmp_path / "empty.jsonl", []))
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(b"not gzip")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        opened(broken)
    with pytest.raises(ConfigurationError, match="PRODUCER_REPLAY_SPEED"):
        opened(write_lines(tmp_path / "tweets.jsonl", tweet_lines([1])), replay_speed="0.0")
