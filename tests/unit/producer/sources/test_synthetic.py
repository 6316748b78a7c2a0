"""The made-up stream: reproducible from any point, valid tweets, themes that rise and fade."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from statistics import median

import pytest

from producer.position import SourcePosition
from producer.source import Context, Event
from producer.sources.synthetic import SyntheticSource
from producer.sources.synthetic.schedule import Schedule
from producer.sources.synthetic.stream import Stream
from producer.sources.synthetic.themes import load_themes
from producer.testing import settings_of
from twitter_topics.records.content import Content
from twitter_topics.records.tweet import TimeBounds, Tweet, read_tweet

BEGIN_MS = 1_793_491_200_000  # 2026-11-01T00:00Z
HOUR_MS = 3_600_000
N = 5_000


class Clock:
    """A clock that advances only by waiting."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.waits: list[float] = []

    def __call__(self) -> int:
        return self.now_ms

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now_ms += max(1, round(seconds * 1000))
        return False


def context(clock: Clock) -> Context:
    return Context(now_ms=clock, pause=clock.wait)


@pytest.fixture(scope="module")
def stream() -> Stream:
    return Stream(seed=1, rate=0.5, begin_ms=BEGIN_MS, themes=load_themes())


@pytest.fixture(scope="module")
def bodies(stream: Stream) -> list[tuple[int, dict]]:
    return [stream.tweet(index) for index in range(N)]


def tweets_of(source: SyntheticSource, number: int) -> list[Event]:
    tweets: Iterator[Event] = (tweet for tweet in source.events() if tweet is not None)
    return list(islice(tweets, number))


def source_at(count: int, clock: Clock) -> SyntheticSource:
    begin = SourcePosition({}, {"begin_ms": BEGIN_MS}, cursor=count)
    return SyntheticSource(Stream(1, 0.5, BEGIN_MS, load_themes()), begin, context(clock))


@pytest.mark.parametrize("restart_at", [0, 3_017, 4_200, 4_999])
def test_restart_at_any_point_gives_the_same_rest(restart_at: int, bodies: list[tuple[int, dict]]) -> None:
    rest = tweets_of(source_at(restart_at, Clock(BEGIN_MS + 30 * HOUR_MS)), N - restart_at)
    assert [(tweet.event_time_ms, json.loads(tweet.value)) for tweet in rest] == bodies[restart_at:]
    assert [tweet.key for tweet in rest] == [body["id_str"].encode() for _, body in bodies[restart_at:]]
    assert [tweet.cursor for tweet in rest] == list(range(restart_at + 1, N + 1))


def test_ids_are_unique_and_times_ascend(bodies: list[tuple[int, dict]]) -> None:
    ids = [body["id_str"] for _, body in bodies]
    assert len(ids) == len(set(ids)) == N
    times = [time_ms for time_ms, _ in bodies]
    assert times == sorted(times)
    assert times[0] >= BEGIN_MS


def test_ids_stay_unique_at_many_tweets_per_millisecond() -> None:
    fast = Stream(seed=3, rate=10_000, begin_ms=BEGIN_MS + 19 * HOUR_MS, themes=load_themes())
    ids = {fast.tweet(index)[1]["id"] for index in range(N)}
    assert len(ids) == N


def test_every_tweet_passes_the_contract(bodies: list[tuple[int, dict]]) -> None:
    for time_ms, body in bodies:
        value = json.dumps(body).encode()
        read = read_tweet(value, received_ms=time_ms, bounds=TimeBounds(future_ms=0, past_ms=0))
        assert isinstance(read, Tweet), read
        assert read.event_time_ms == time_ms
        assert 0 < len(Content(body).text) <= 280
        assert "{" not in Content(body).text


def test_entities_point_to_their_text(bodies: list[tuple[int, dict]]) -> None:
    hashtags = 0
    for _, body in bodies:
        for hashtag in body["entities"]["hashtags"]:
            begin, end = hashtag["indices"]
            assert body["text"][begin:end] == f"#{hashtag['text']}"
            hashtags += 1
        for url in body["entities"]["urls"]:
            assert url["expanded_url"].startswith("https://example.")
    assert hashtags > N / 10


def test_retweets_contain_an_earlier_tweet_of_the_stream(bodies: list[tuple[int, dict]]) -> None:
    by_id = {body["id_str"]: body for _, body in bodies}
    retweets = [body for _, body in bodies if "retweeted_status" in body]
    assert N / 10 < len(retweets) < N / 4
    for retweet in retweets:
        original = retweet["retweeted_status"]
        assert "retweeted_status" not in original
        assert original["id"] < retweet["id"]
        counts = ("retweet_count", "favorite_count")
        assert by_id[original["id_str"]] == {**original, **dict.fromkeys(counts, 0)}
        assert retweet["text"].startswith(f"RT @{original['user']['screen_name']}: ")
    most = Counter(retweet["retweeted_status"]["id"] for retweet in retweets).most_common(1)[0][1]
    assert most > 5


def test_a_retweet_is_about_what_its_original_is_about(stream: Stream, bodies: list[tuple[int, dict]]) -> None:
    for index, (_, body) in enumerate(bodies[:1_000]):
        source = stream.original(index)
        assert bodies[source][1]["id"] == body.get("retweeted_status", body)["id"]
        assert stream.talk(index) == stream.talk(source)


def test_people_are_stable_and_few_have_many_followers(bodies: list[tuple[int, dict]]) -> None:
    users: dict[str, dict] = {}
    for _, body in bodies:
        user = body["user"]
        assert users.setdefault(user["id_str"], user) == user
    assert len({user["screen_name"] for user in users.values()}) == len(users) > 1_000
    assert all(len(user["screen_name"]) <= 15 for user in users.values())
    followers = sorted(user["followers_count"] for user in users.values())
    assert followers[-1] > 50 * median(followers)


def test_languages_are_mixed(bodies: list[tuple[int, dict]]) -> None:
    languages = Counter(body["lang"] for _, body in bodies)
    assert set(languages) == {"en", "es", "pt", "fr"}
    assert languages["en"] > 0.6 * N


def test_every_theme_rises_and_fades(stream: Stream) -> None:
    days = 4
    hourly: dict[str, Counter[int]] = {theme.name: Counter() for theme in load_themes()}
    for index in range(0, days * 43_200, 8):
        moment, _ = stream.tweet(index)
        hourly[stream.talk(index).theme.name][(moment - BEGIN_MS) // HOUR_MS] += 1
    for theme in load_themes():
        counts = [hourly[theme.name][hour] for hour in range(days * 24)]
        assert sum(counts) > 50, theme.name
        if theme.event is not None:
            assert max(counts) > 4 * max(1, median(counts)), theme.name


def test_each_theme_has_enough_words_to_be_learned() -> None:
    for theme in load_themes():
        if theme.name.endswith("chatter"):
            continue
        texts = [entry for pool in theme.pools.values() for entry in pool]
        texts += [template for templates in theme.templates["en"].values() for template in templates]
        words = {word for text in texts for word in re.findall(r"[a-z]{4,}", text.lower())}
        assert len(words) >= 100, theme.name
        assert set(theme.templates) == {"en", "es", "pt", "fr"}
        assert set(theme.daily) <= set(theme.pools)


def test_a_day_has_the_mean_rate() -> None:
    schedule = Schedule(seed=5, rate=2.0, begin_ms=BEGIN_MS, themes=load_themes())
    for day in range(3):
        first = schedule.moment(day * 172_800, jitter=0.0).time_ms
        assert abs(first - (BEGIN_MS + day * 86_400_000)) <= 1


def test_history_ends_now_and_live_tweets_wait_for_their_time() -> None:
    now_ms = BEGIN_MS + 24 * HOUR_MS + 1_234
    clock = Clock(now_ms)
    source = SyntheticSource.open(settings_of(synthetic_history_hours=24.0), None, context(clock))
    assert source.start.origin == {"begin_ms": now_ms - 24 * HOUR_MS}
    source = SyntheticSource(Stream(1, 0.1, BEGIN_MS + 1_234, load_themes()), source.start, context(clock))
    history = 0
    for tweet in source.events():
        if tweet is None:
            continue
        assert tweet.event_time_ms is not None
        if not clock.waits:
            history += 1
            assert tweet.event_time_ms <= now_ms
        else:
            assert tweet.event_time_ms <= clock.now_ms < tweet.event_time_ms + 5
        if tweet.cursor == history + 200:
            break
    assert 8_000 < history < 9_200
    assert max(clock.waits) <= 1.0


def test_tweets_due_during_a_stop_are_caught_up() -> None:
    settings = settings_of(synthetic_history_hours=1.0)
    first = SyntheticSource.open(settings, None, context(Clock(BEGIN_MS)))
    saved = first.start.advanced(900, 900, BEGIN_MS - 1)
    later = SyntheticSource.open(settings, saved, context(Clock(BEGIN_MS + 6 * HOUR_MS)))
    assert later.start == saved
    assert tweets_of(later, 1)[0].cursor == 901


def test_another_rate_begins_where_the_last_stream_stopped() -> None:
    first = SyntheticSource.open(settings_of(), None, context(Clock(BEGIN_MS)))
    saved = first.start.advanced(900, 900, BEGIN_MS - 60_000)
    other = SyntheticSource.open(settings_of(synthetic_rate=3.0), saved, context(Clock(BEGIN_MS)))
    assert (other.start.count, other.start.cursor) == (0, 0)
    assert other.start.origin == {"begin_ms": BEGIN_MS - 60_000 + 1}
