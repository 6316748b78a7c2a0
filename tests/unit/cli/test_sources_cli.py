"""`twitter-topics sources`: what a user sees of a source that works, is quiet, rejects us, or is malicious."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from producer.position import SourcePosition
from producer.source import Context, Event
from producer.status import Spend
from twitter_topics.cli import sources_check
from twitter_topics.cli.main import app
from twitter_topics.errors import EXIT_CONFIGURATION, ConfigurationError, RetryableError
from twitter_topics.health.points import HealthPoints
from twitter_topics.records.gap import Gap
from twitter_topics.settings import Settings

T0 = 1_790_000_000_000


def tweet(number: int, **changes: Any) -> Event:
    body = {
        "id_str": f"bluesky:did:plc:x/{number}",
        "text": f"hello {number}",
        "timestamp_ms": str(T0 + number),
        "lang": "en",
        "user": {"screen_name": f"user{number}.example"},
    }
    return Event("post", b"k", json.dumps(body | changes).encode(), T0 + number)


class FakeSource:
    """Yields the given events, then None forever; records how it was used."""

    name, live, start = "fake", True, SourcePosition({})

    def __init__(self, *events: Event | None, sentence: str = "serves us", endless: bool = True) -> None:
        self.given, self.sentence, self.endless = events, sentence, endless
        self.error: Exception | None = None
        self.closed = self.read = 0
        self.context = Context()
        self.opened_with: list[Any] = []

    def open(self, settings: Settings, name: str, saved: SourcePosition | None, context: Context) -> FakeSource:
        self.opened_with = [settings, name, saved]
        self.context = context
        return self

    def check(self) -> str:
        if self.error is not None:
            raise self.error
        return self.sentence

    def events(self) -> Iterator[Event | None]:
        for event in self.given:
            self.read += 1
            yield event
        while self.endless:
            yield None

    def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCAL_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def following(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeSource], FakeSource]:
    def follow(source: FakeSource) -> FakeSource:
        monkeypatch.setattr(sources_check, "open_source", source.open)
        return source

    return follow


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Replace the clock by one that advances a second per call."""
    ticks = iter(range(10**9))
    real = Context
    monkeypatch.setattr(sources_check, "Context", lambda: real(monotonic=lambda: next(ticks)))
    return ticks


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["sources", *arguments], env={"COLUMNS": "200"})


# --- check


def test_the_first_posts_are_shown_and_no_more_is_read(
    following: Callable[[FakeSource], FakeSource], tmp_path: Path
) -> None:
    gap = Event("gap", b"g", Gap("fake", 1, 2, "stopped", 3).value())
    source = following(FakeSource(None, gap, *(tweet(number) for number in range(9))))
    shown = run("check", "bluesky")
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert "bluesky: serves us" in lines[0]
    rows = [line for line in lines if "hello" in line]
    assert [row.split() for row in rows] == [
        ["2026-09-21", "14:13:20", f"user{number}.example", "en", "hello", str(number)] for number in range(5)
    ]
    assert "5 posts: it works" in shown.output
    assert source.read == 7
    assert source.opened_with[1:] == ["bluesky", None]
    assert source.closed
    assert source.context.stop.is_set()
    assert not list(tmp_path.rglob("*.json")), "no position, no health"


def test_a_quiet_source_ends_in_time_with_the_reason(
    following: Callable[[FakeSource], FakeSource], quick: Iterator[int]
) -> None:
    source = following(FakeSource(Event("notice", b"n", b"{}"), Event("unreadable", b"u", b"\xff", reason="json: x")))
    source.context.status.connected = True
    shown = run("check", "mastodon", "--seconds", "20")
    assert shown.exit_code == 1
    assert "no posts in 20 s (not connected yet); other events: 1 notice, 1 unreadable" in shown.output
    assert next(quick) == 21
    assert source.closed


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("connected", "sentence", "why"),
    [(True, "", "connected, but quiet"), (False, "rate limited (429)", "rate limited (429)")],
)
def test_the_reason_for_no_posts(
    following: Callable[[FakeSource], FakeSource], connected: bool, sentence: str, why: str
) -> None:
    class Telling(FakeSource):
        def events(self) -> Iterator[Event | None]:
            self.context.status.connected, self.context.status.sentence = connected, sentence
            yield from super().events()

    following(Telling())
    assert f"no posts in 30 s ({why})" in run("check", "bluesky").output


def test_a_source_that_ends(following: Callable[[FakeSource], FakeSource]) -> None:
    following(FakeSource(tweet(1), endless=False))
    shown = run("check", "replay")
    assert shown.exit_code == 0
    assert "the source ended after 1 posts" in shown.output
    following(FakeSource(endless=False))
    assert run("check", "replay").exit_code == 1


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigurationError("X_BEARER_TOKEN is wrong: make another"), 78), (RetryableError("down"), 75)]
)
def test_a_rejection_is_a_sentence(following: Callable[[FakeSource], FakeSource], error: Exception, code: int) -> None:
    source = following(FakeSource())
    source.error = error
    shown = run("check", "x_v2")
    assert shown.exit_code == code
    assert str(error) in shown.output
    assert "Traceback" not in shown.output
    assert source.closed


def test_an_unknown_source_names_the_known() -> None:
    shown = run("check", "telepathy")
    assert shown.exit_code == EXIT_CONFIGURATION
    assert "'telepathy' is not a known source; use one of synthetic, replay, bluesky" in shown.output


def test_foreign_posts_cannot_control_the_terminal(following: Callable[[FakeSource], FakeSource]) -> None:
    following(
        FakeSource(
            tweet(1, text="\x1b[2J\x1b]0;owned\x07 [red]not[/] a \r\nline\u202e"),
            tweet(2, text="x" * 5000, user={"screen_name": "\x1b[31mred"}, lang=None),
            tweet(3, text=None, user=None),
            Event("post", b"k", b"[1,2]"),
            Event("post", b"k", b"\xff\xfe\x00"),
            Event("post", b"k", b"[" * 100_000),
        )
    )
    shown = run("check", "bluesky", "--posts", "6")
    assert shown.exit_code == 0, shown.output
    assert "\x1b" not in shown.output
    assert "\x07" not in shown.output
    assert "\u202e" not in shown.output
    assert "[red]not[/] a line" in shown.output
    assert max(len(line) for line in shown.output.splitlines()) < 220


def test_the_cost_is_shown(following: Callable[[FakeSource], FakeSource]) -> None:
    source = FakeSource(tweet(1))
    real = source.open

    def open_paid(*arguments: Any) -> FakeSource:
        opened = real(*arguments)
        opened.context.status.spend = Spend(posts_this_month=250, dollars_per_post=0.005, monthly_cap_dollars=50)
        return opened

    source.open = open_paid  # type: ignore[method-assign, assignment]
    following(source)
    assert "$1.25 of $50.00 this month, 250 posts" in run("check", "x_v2", "--posts", "1").output


def test_json_output(following: Callable[[FakeSource], FakeSource]) -> None:
    following(FakeSource(tweet(1), Event("notice", b"n", b"{}"), tweet(2)))
    shown = json.loads(run("check", "bluesky", "--posts", "2", "--json").output)
    assert shown == {
        "source": "bluesky",
        "sentence": "serves us",
        "posts": [
            {"time": "2026-09-21 14:13:20", "user": f"user{number}.example", "lang": "en", "text": f"hello {number}"}
            for number in (1, 2)
        ],
        "events": {"post": 2, "notice": 1},
        "rejected": {},
        "ending": "2 posts: it works",
    }


# --- list


def test_the_list_names_what_is_missing_and_what_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRODUCER_SOURCE", "bluesky,mastodon")
    monkeypatch.setenv("TWITTER_CONSUMER_KEY", "given")
    rows = {row["name"]: row for row in json.loads(run("list", "--json").output)}
    assert {name for name, row in rows.items() if row["followed"]} == {"bluesky", "mastodon"}
    assert {name: row["missing"] for name, row in rows.items()} == {
        "synthetic": [],
        "replay": ["PRODUCER_REPLAY_FILE"],
        "bluesky": [],
        "mastodon": ["MASTODON_ACCESS_TOKEN"],
        "x_v2": ["X_BEARER_TOKEN"],
        "twitter_v1": ["TWITTER_CONSUMER_SECRET", "TWITTER_ACCESS_TOKEN", "TWITTER_ACCESS_TOKEN_SECRET"],
    }
    shown = run("list").output
    assert "bluesky (followed)" in shown
    assert "needs X_BEARER_TOKEN" in shown


# --- gaps


def test_gaps_of_the_last_days(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    found = [Gap("bluesky", T0, T0 + 125_000, "network", 4000), Gap("mastodon", T0 + 1, T0 + 1001, "stall", 2)]

    def gaps(_points: HealthPoints, from_ms: int, to_ms: int) -> list[Gap]:
        asked.append((from_ms, to_ms))
        return found

    monkeypatch.setattr(HealthPoints, "gaps", gaps)
    monkeypatch.setattr(time, "time_ns", lambda: (T0 + 10) * 1_000_000)
    shown = run("gaps", "--days", "2").output
    assert asked == [(T0 + 10 - 2 * 86_400_000, T0 + 11)]
    first = next(line for line in shown.splitlines() if line.startswith("bluesky"))
    row = "bluesky 2026-09-21 14:13:20 2026-09-21 14:15:25 2 min 5 s network about 4,000"
    assert " ".join(first.split()) == row
    assert "2 gaps, 2 min 6 s in total, about 4,002 posts" in shown
    assert json.loads(run("gaps", "--json").output) == [
        {"source": one.source, "from_ms": one.from_ms, "to_ms": one.to_ms, "cause": one.cause}
        | {"estimated_posts": one.estimated_posts}
        for one in found
    ]
    found[:] = [Gap("bluesky", T0, T0 + 1000, "closed [/x] [red]", 1)]
    assert "closed [/x] [red]" in run("gaps").output
    found.clear()
    assert "no gaps in the last 7 days" in run("gaps").output


@pytest.mark.parametrize("days", ["inf", "1e300", "nan", "-1"])
def test_a_number_of_days_without_end_is_a_usage_error(days: str) -> None:
    shown = run("gaps", "--days", days)
    assert (shown.exit_code, type(shown.exception)) == (2, SystemExit)


# --- replay


def test_records_that_are_not_tweets_are_not_posts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mixed.jsonl"
    lines = [tweet(1).value, b'{"id_str":"5","text":"no time"}', b"junk", b'{"limit":{"track":3}}', tweet(2).value]
    path.write_bytes(b"\n".join(lines) + b"\n")
    monkeypatch.setenv("PRODUCER_REPLAY_FILE", str(path))
    shown = run("check", "replay")
    assert shown.exit_code == 0, shown.output
    assert "the source ended after 2 posts; 2 records are not tweets (time: no readable" in shown.output
    assert "it works" not in shown.output
    path.write_bytes(b'{"limit":{"track":3}}\n{"id_str":"5","text":"no time"}\n')
    shown = run("check", "replay")
    assert shown.exit_code == 1
    assert "the source ended after 0 posts; 1 record is not a tweet (time: no readable" in shown.output


def test_a_file_that_is_not_replayed_is_named_with_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ids.txt"
    path.write_text("1990000000000000000\n1990000000000000001\n")
    monkeypatch.setenv("PRODUCER_REPLAY_FILE", str(path))
    shown = run("check", "replay")
    assert shown.exit_code == EXIT_CONFIGURATION
    assert "ids.txt is not a file of tweets but a list of tweet ids: it has no whole tweets; hydrate" in shown.output
    assert "it works" not in shown.output
