"""Replay: every line is sent once, unchanged or shifted to now."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from producer.position import SourcePosition
from producer.source import Context, Event
from producer.sources.replay import ReplaySource, lines
from producer.testing import FIRST_MS, tweet_lines, write_lines
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError
from twitter_topics.records.notice import Notice
from twitter_topics.records.times import post_time
from twitter_topics.settings import Settings

NOW_MS = 1_800_000_000_000
DELETION = '{"delete":{"status":{"id_str":"77","user_id_str":"5"},"timestamp_ms":"1200000004000"}}'


def opened(
    path: Path | str, saved: SourcePosition | None = None, now_ms: int = NOW_MS, **settings: object
) -> ReplaySource:
    given = {f"PRODUCER_{name.upper()}": str(value) for name, value in settings.items()}
    context = Context(now_ms=lambda: now_ms)
    return ReplaySource.open(Settings({"PRODUCER_REPLAY_FILE": str(path), **given}), saved, context)


def sent(source: ReplaySource) -> list[Event]:
    return [event for event in source.events() if event is not None]


def after(source: ReplaySource, events: list[Event]) -> SourcePosition:
    """Return the position once these are acknowledged."""
    return source.start.advanced(len(events), events[-1].cursor, None)


def test_lines_are_sent_unchanged(tmp_path: Path) -> None:
    lines = [*tweet_lines([1_000, 2_000]), "no json {", '["a list"]', '{"no":"id"}', "", *tweet_lines([3_000], 9)]
    events = sent(opened(write_lines(tmp_path / "tweets.jsonl", lines)))
    assert [event.value.decode() for event in events] == [line for line in lines if line]
    assert [event.kind for event in events] == ["post"] * 6
    assert [event.key for event in events][:2] == [b"1", b"2"]
    assert events[5].key == b"9"
    broken = {event.key for event in events[2:5]}
    assert len(broken) == 3
    assert all(key.startswith(b"line-") for key in broken)
    assert [event.cursor for event in events] == [1, 2, 3, 4, 5, 7]
    assert [event.event_time_ms for event in events] == [
        *(FIRST_MS + 1_000, FIRST_MS + 2_000, None, None, None),
        FIRST_MS + 3_000,
    ]


def test_deletions_become_notices(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "tweets.jsonl", [*tweet_lines([1_000]), DELETION, *tweet_lines([5_000], 2)])
    events = sent(opened(path))
    assert [(event.kind, event.key, event.cursor) for event in events] == [
        ("post", b"1", 1),
        ("notice", b"77", 2),
        ("post", b"2", 3),
    ]
    notice = Notice.from_value(events[1].value)
    assert notice == Notice("delete", "twitter", "77", "5", at_ms=FIRST_MS + 4_000)
    assert notice.payload == json.loads(DELETION)
    later = sent(opened(path, replay_times="shift"))[1]
    assert later.event_time_ms == Notice.from_value(later.value).at_ms == NOW_MS - 1_000


def test_all_notices_of_the_stream_are_known(tmp_path: Path) -> None:
    notices = [
        '{"scrub_geo":{"user_id_str":"5","up_to_status_id_str":"9"}}',
        '{"status_withheld":{"id":7,"user_id":5,"withheld_in_countries":["XX"]}}',
        '{"user_withheld":{"id":5,"withheld_in_countries":["DE","FR"]}}',
    ]
    path = write_lines(tmp_path / "tweets.jsonl", [*tweet_lines([1_000]), *notices])
    for times in ("keep", "shift"):
        events = sent(opened(path, replay_times=times))[1:]
        assert [event.cursor for event in events] == [2, 3, 4]
        assert [Notice.from_value(event.value).event for event in events] == ["scrub_geo", "withheld", "withheld"]


def test_a_line_that_is_too_long_goes_to_the_dead_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 1000)
    monkeypatch.setattr(lines, "HEAD_BYTES", 8)
    path = write_lines(tmp_path / "tweets.jsonl", ["x" * 2000, *tweet_lines([1_000])])
    long, tweet = sent(opened(path))
    assert long.kind == "unreadable"
    assert (long.value, long.cursor) == (b"x" * 8, 1)
    assert long.reason == "size: a line of 2000 bytes, of which only the head was kept"
    assert long.key.startswith(b"line-")
    assert (tweet.key, tweet.cursor) == (b"1", 2)


def test_an_incomplete_deletion_is_sent_unchanged(tmp_path: Path) -> None:
    incomplete = ['{"delete":{}}', '{"delete":{"status":{"id":true}}}', '{"delete":[1]}', '{"delete":null}']
    lines = [*incomplete, *tweet_lines([1_000])]
    events = sent(opened(write_lines(tmp_path / "tweets.jsonl", lines)))
    assert [(event.kind, event.value.decode()) for event in events] == [("post", line) for line in lines]


@pytest.mark.parametrize("done", [1, 2, 3])
def test_restart_sends_the_rest(tmp_path: Path, done: int) -> None:
    path = write_lines(tmp_path / "tweets.jsonl", ["", *tweet_lines([1_000, 2_000]), "", *tweet_lines([3_000], 3)])
    source = opened(path)
    whole = sent(source)
    again = opened(path, saved=after(source, whole[:done]))
    assert again.start.count == done
    assert sent(again) == whole[done:]


def test_a_grown_file_continues_and_another_file_starts_over(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "tweets.jsonl", tweet_lines([1_000, 2_000]))
    source = opened(path)
    saved = after(source, sent(source))
    write_lines(path, tweet_lines([1_000, 2_000, 3_000]))
    assert [event.key for event in sent(opened(path, saved))] == [b"3"]
    write_lines(path, tweet_lines([7_000], first_id=70))
    assert [event.key for event in sent(opened(path, saved))] == [b"70"]


def test_half_a_line_is_read_again_once_the_file_has_grown(tmp_path: Path) -> None:
    first, second = tweet_lines([1_000, 2_000])
    path = tmp_path / "tweets.jsonl"
    path.write_text(f"{first}\n{second[:20]}")
    source = opened(path)
    events = sent(source)
    assert [(event.key[:5], event.cursor) for event in events] == [(b"1", 1), (b"line-", 1)]
    path.write_text(f"{first}\n{second}")  # complete, but without a line end yet
    source = opened(path, after(source, events))
    events = sent(source)
    assert [(event.key, event.cursor) for event in events] == [(b"2", 2)]
    path.write_text(f"{first}\n{second}\n")
    assert sent(opened(path, after(source, events))) == []


def test_a_shrunk_file_is_rejected(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "tweets.jsonl", tweet_lines([1_000, 2_000, 3_000]))
    source = opened(path)
    saved = after(source, sent(source))
    write_lines(path, tweet_lines([1_000]))
    with pytest.raises(IntegrityError, match="fewer lines than the 3"):
        sent(opened(path, saved))


def test_shift_moves_the_newest_tweet_to_now_and_keeps_intervals(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "tweets.jsonl", [*tweet_lines([1_000, 9_000, 4_000]), "no json"])
    events = sent(opened(path, replay_times="shift"))
    assert [event.event_time_ms for event in events] == [NOW_MS - 8_000, NOW_MS, NOW_MS - 5_000, None]
    for event in events[:3]:
        body = json.loads(event.value)
        assert post_time(body) == event.event_time_ms
        del body["timestamp_ms"]
        assert post_time(body) == event.event_time_ms
    assert events[3].value == b"no json"


def test_shift_reads_only_the_first_limit_lines_and_survives_a_restart(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "tweets.jsonl", tweet_lines([1_000, 2_000, 9_000]))
    source = opened(path, replay_times="shift", limit=2)
    assert source.start.origin == {"shift_ms": NOW_MS - FIRST_MS - 2_000}
    again = opened(path, source.start.advanced(1, 1, None), now_ms=NOW_MS + 999_999, replay_times="shift", limit=2)
    assert sent(again)[0].event_time_ms == NOW_MS


def test_another_times_setting_starts_over(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "tweets.jsonl", tweet_lines([1_000, 2_000]))
    source = opened(path)
    again = opened(path, after(source, sent(source)), replay_times="shift")
    assert (again.start.count, len(sent(again))) == (0, 2)


class Clock:
    """A clock that advances only by waiting."""

    def __init__(self, stop_after: float = 1e9) -> None:
        self.now, self._stop_after = 50.0, stop_after

    def context(self) -> Context:
        return Context(monotonic=lambda: self.now, pause=self.wait)

    def wait(self, seconds: float) -> bool:
        assert 0 < seconds <= 1
        self.now += seconds
        return self.now >= self._stop_after


def paced(path: Path, clock: Clock) -> ReplaySource:
    settings = {"PRODUCER_REPLAY_FILE": str(path), "PRODUCER_REPLAY_SPEED": "10"}
    return ReplaySource.open(Settings(settings), None, clock.context())


def test_real_time_factor_waits_between_tweets(tmp_path: Path) -> None:
    lines = [*tweet_lines([0, 10_000]), "no json", *tweet_lines([30_000], 3)]
    clock = Clock()
    source = paced(write_lines(tmp_path / "tweets.jsonl", lines), clock)
    at = [(event.key[:5], round(clock.now, 6)) for event in source.events() if event is not None]
    assert at == [(b"1", 50.0), (b"2", 51.0), (b"line-", 51.0), (b"3", 53.0)]


def test_control_is_handed_back_while_waiting_and_a_stop_ends_it(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "tweets.jsonl", tweet_lines([0, 55_000]))
    assert [event and event.key for event in paced(path, Clock()).events()] == [b"1", *[None] * 6, b"2"]
    assert [event and event.key for event in paced(path, Clock(stop_after=52.5)).events()] == [b"1", None, None]


def test_a_long_wait_is_reported_while_it_lasts(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "tweets.jsonl", tweet_lines([0, 300_000, 1_300_000, 1_301_000]))
    clock = Clock()
    context = replace(clock.context(), now_ms=lambda: NOW_MS)
    settings = Settings({"PRODUCER_REPLAY_FILE": str(path), "PRODUCER_REPLAY_SPEED": "10"})
    source = ReplaySource.open(settings, None, context)
    shown = [(one and one.key, context.status.sentence, context.status.planned) for one in source.events()]
    due = "the next tweet is due at 2027-01-15T08:01:40Z"
    assert [one for one in shown if one[0]] == [(key, "", False) for key in (b"1", b"2", b"3", b"4")]
    assert shown.count((None, due, True)) == 100
    assert shown.count((None, "", False)) == 30 + 1


def test_tweets_out_of_order_are_sent_without_pauses_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    path = write_lines(tmp_path / "tweets.jsonl", tweet_lines([200_000, 150_000]))
    sent(paced(path, clock))
    assert "without pauses" not in caplog.text
    write_lines(path, tweet_lines([200_000, 100_000, 50_000, 0]))
    sent(paced(path, clock))
    assert clock.now == 50.0
    assert caplog.text.count("older than the first are sent without pauses, whatever PRODUCER_REPLAY_SPEED is") == 1
    assert "a tweet of 2008-01-10T21:21:40Z comes after one of 2008-01-10T21:23:20Z" in caplog.text


def test_a_stop_ends_the_reading_of_a_file(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "tweets.jsonl", tweet_lines([1_000]))
    context = Context()
    settings = Settings({"PRODUCER_REPLAY_FILE": str(path), "PRODUCER_REPLAY_TIMES": "shift"})
    source = ReplaySource.open(settings, None, context)
    context.stop.set()
    assert sent(source) == []
    with pytest.raises(RetryableError, match="stopped in the middle"):  # also while looking for the newest tweet
        ReplaySource.open(settings, None, context)


def test_check_shows_what_will_be_replayed(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "tweets.jsonl", tweet_lines([1_793_491_203_427 - FIRST_MS, 1_793_491_203_428 - FIRST_MS])
    )
    source = opened(path, now_ms=1_793_491_300_000)
    stored = path.stat().st_size
    shown = f"replays {path}: 1 file, {stored} B, v1.1 tweets, one per line, the first tweet of 2026-11-01T00:00:03Z"
    assert source.check() == shown
    again = opened(path, after(source, sent(source)), now_ms=1_793_491_300_000)
    assert again.check() == f"{shown}; 2 records sent so far"
    again.close()
    again.close()
    nonsense = write_lines(tmp_path / "nonsense.jsonl", ["no json", *tweet_lines([10**14])])
    assert "first tweet of an unknown time" in opened(nonsense).check()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"PRODUCER_REPLAY_FILE": ""}, "PRODUCER_REPLAY_FILE is not set"),
        (
            {"PRODUCER_REPLAY_FILE": "/nowhere/tweets.jsonl"},
            "PRODUCER_REPLAY_FILE=/nowhere/tweets.jsonl does not exist",
        ),
        ({"PRODUCER_REPLAY_FILE": "ftp://host/x"}, "PRODUCER_REPLAY_FILE=ftp://host/x is not supported"),
        ({"PRODUCER_REPLAY_FILE": "s3:///x"}, "PRODUCER_REPLAY_FILE=s3:///x is not supported"),
        (
            {"PRODUCER_REPLAY_FILE": "x.jsonl", "PRODUCER_REPLAY_TO": "2026-11-01T00:00Z"},
            "PRODUCER_REPLAY_TO only works with",
        ),
        (
            {"PRODUCER_REPLAY_FILE": "archive", "PRODUCER_REPLAY_FROM": "noon"},
            "PRODUCER_REPLAY_FROM=noon is not an hour",
        ),
        ({"PRODUCER_REPLAY_FILE": "archive", "PRODUCER_REPLAY_TO": "2026-11-01T00:30Z"}, "_TO=.* is not a full hour"),
        (
            {
                "PRODUCER_REPLAY_FILE": "archive",
                "PRODUCER_REPLAY_FROM": "2026-11-01T01:00+01:00",
                "PRODUCER_REPLAY_TO": "2026-11-01T00:00Z",
            },
            "PRODUCER_REPLAY_TO must be later",
        ),
        (
            {"PRODUCER_REPLAY_FILE": "archive", "ARCHIVE_CATALOG_URI": "sqlite:////nowhere/catalog.db"},
            "there is no table tweets.raw yet",
        ),
    ],
)
def test_a_wrong_setting_is_reported(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ReplaySource.open(Settings(settings), None, Context())


def test_an_unusable_file_or_speed_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"PRODUCER_REPLAY_FILE: .*empty.jsonl has no records"):
        opened(write_lines(tmp_path / "empty.jsonl", ["", ""]))
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(b"not gzip")
    with pytest.raises(ConfigurationError, match=r"PRODUCER_REPLAY_FILE: broken.jsonl.gz is damaged"):
        opened(broken)
    with pytest.raises(ConfigurationError, match="PRODUCER_REPLAY_SPEED"):
        opened(write_lines(tmp_path / "tweets.jsonl", tweet_lines([1])), replay_speed="0.0")
