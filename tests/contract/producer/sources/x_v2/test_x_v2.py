"""X's filtered stream against a real HTTP server that follows X's rules and misbehaves on command."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from producer.receiving.rules import X
from producer.source import Context
from producer.sources.x_v2 import XSource
from producer.sources.x_v2.spend import FILE
from tests.fakes import script
from tests.fakes.script import (
    Step,
    again,
    cut,
    end,
    half,
    keep_alive,
    keep_open,
    posts,
    raw,
    reset,
    stall,
    status,
)
from tests.fakes.x_api import (
    NO_CREDITS,
    OPERATIONAL_DISCONNECT,
    RULES,
    STREAM,
    TOKEN,
    TOO_MANY_CONNECTIONS,
    USAGE,
    FakeX,
    post_id,
    problem,
)
from tests.fakes.x_setup import NOW_MS, Setup, follow, gaps, ids
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError
from twitter_topics.settings import Settings

HTML = {"Content-Type": "text/html; charset=utf-8"}

# --- before it begins


def test_without_a_token_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="X_BEARER_TOKEN is not set"):
        XSource.open(Settings({"PRODUCER_STATE_DIR": str(tmp_path)}), None, Context())


def test_an_unreadable_spend_file_stops_it(setup: Setup) -> None:
    (setup.state_dir / FILE).write_text("?")
    with pytest.raises(IntegrityError, match=FILE):
        setup.source("http://127.0.0.1:1")


def test_the_check_asks_for_rules_and_usage_and_reads_no_post(setup: Setup) -> None:
    with FakeX(5) as x:
        x.usage = {"2026-10-31": 9, "2026-11-01": 1200}
        said = setup.source(x).check()
        assert said.startswith("X accepts the token; rules: 1; 1,200 posts and $6.00 used this month")
        assert {request.path for request in x.requests} == {RULES, USAGE}
    assert setup.context.status.spend is not None
    assert setup.context.status.spend.posts_this_month == 1200


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ("wrong token", ConfigurationError, "check X_BEARER_TOKEN"),
        ("not enrolled", ConfigurationError, "move it into a pay-per-use project"),
        ("no rules", ConfigurationError, "`twitter-topics sources rules --apply`"),
        ("down", RetryableError, "does not answer"),
    ],
)
def test_the_check_names_the_problem(setup: Setup, answer: str, error: type[Exception], said: str) -> None:
    with FakeX() as x:
        x.forbidden = answer == "not enrolled"
        x.rules = {} if answer == "no rules" else x.rules
        token = "other-token" if answer == "wrong token" else TOKEN
        source = setup.source("http://127.0.0.1:9" if answer == "down" else x, X_BEARER_TOKEN=token)
        with pytest.raises(error) as caught:
            source.check()
    assert said in str(caught.value)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "headers", "error", "said"),
    [
        (429, {"x-rate-limit-reset": str(NOW_MS // 1000 + 300)}, RetryableError, "retry in 300 s"),
        (402, {}, RetryableError, "no credits left"),
        (503, {}, RetryableError, "X answered 503"),
        (404, {}, ConfigurationError, "check X_API_URL"),
        (403, {}, ConfigurationError, "the app's access level"),
        (403, HTML, RetryableError, "a web page, not X's answer"),
        (200, HTML, RetryableError, "a web page, not X's answer"),
    ],
)
def test_the_check_explains_a_response(
    setup: Setup, code: int, headers: dict[str, str], error: type[Exception], said: str
) -> None:
    with FakeX() as x:
        x.answer = lambda connection: connection.answer(code, json.dumps(NO_CREDITS).encode(), headers)  # type: ignore[method-assign]
        with pytest.raises(error, match=said):
            setup.source(x).check()


def test_a_wrong_clock_is_reported(setup: Setup) -> None:
    with FakeX() as x:
        setup.clock.advance((datetime.now(UTC).timestamp() * 1000 - NOW_MS) / 1000 - 600)
        assert re.search(r"this machine's clock is (599|6\d\d) s behind", setup.source(x).check())
        with pytest.raises(ConfigurationError, match=r"clock is .* s behind"):
            setup.source(x, X_BEARER_TOKEN="other").check()


def test_different_rules_are_reported_and_left_alone(
    setup: Setup, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("- value: another\n- value: made up\n  tag: made up\n")
    with FakeX() as x, caplog.at_level(logging.WARNING):
        setup.source(x, X_RULES_FILE=str(path)).check()
        assert "1 to add, 0 to delete" in caplog.text
        assert "`twitter-topics sources rules`" in caplog.text
        assert [rule["value"] for rule in x.rules.values()] == ["made up"]
        path.write_text("- value: made up\n  tag: made up\n")
        caplog.clear()
        setup.source(x, X_RULES_FILE=str(path)).check()
        assert "rules" not in caplog.text


# --- the stream


def test_posts_arrive_live(setup: Setup) -> None:
    with FakeX(20) as x:
        events = follow(setup.source(x), 20)
        assert ids(events) == x.sent_ids == [post_id(number) for number in range(20)]
        [request] = x.asked(STREAM)
        assert request.headers["User-Agent"].startswith("twitter-topics/")
        assert request.query["expansions"] == ["author_id,referenced_tweets.id,geo.place_id"]
        assert "backfill_minutes" not in request.query
    assert setup.clock.waits == []


def test_each_fault_with_its_wait(setup: Setup) -> None:
    steps = [
        [posts(3), half(), setup.arrived(3), reset],
        [status(503)],
        [status(503)],
        [posts(3), problem(OPERATIONAL_DISCONNECT), end],
        [status(429, {"x-rate-limit-reset": str(NOW_MS // 1000 + 615)})],
        [status(429)],
        [status(420)],
        [again(2), posts(3), half(0.9), cut],
        [status(402, body=json.dumps(NO_CREDITS).encode())],
        [posts(11), keep_open],
    ]
    with FakeX(20, steps) as x:
        events = follow(setup.source(x), 22)
        came = Counter(ids(events))
        assert sorted(came) == sorted(x.sent_ids) == sorted(post_id(number) for number in range(20))
        assert [number for number in came.values() if number > 1] == [2, 2], "what X repeated, and nothing else"
    # reset: immediately; 503 twice; a brief connection after a brief one: 0.25 s; 429 until the reset, then doubling
    waits = setup.clock.waits
    assert waits[:3] == [5.0, 10.0, 0.25]
    assert waits[3] == pytest.approx(615 - 15.25, abs=0.01)
    assert waits[4:6] == [120.0, 240.0]
    assert setup.context.status.reconnects == {
        "network": 2,
        "http-503": 2,
        "operational-disconnect": 1,
        "rate-limit": 3,
        "http-402": 1,
    }
    assert [gap.cause for gap in gaps(events)] == ["network", "operational-disconnect", "network"]


def test_a_silent_connection_is_dropped(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer.sources.x_v2.X", X.__class__(0.25, 16, 5, 320, 60, 960, stall_s=2.0))
    with FakeX(4, [[posts(2), keep_alive, stall], [posts(2), keep_open]]) as x:
        events = follow(setup.source(x), 4)
        assert ids(events) == [post_id(number) for number in range(4)]
    assert setup.context.status.reconnects == {"stall": 1}


def test_keep_alives_hand_back_control(setup: Setup) -> None:
    with FakeX(0, [[keep_alive, keep_alive, keep_open]]) as x:
        events = setup.source(x).events()
        assert [next(events) for _ in range(3)] == [None, None, None]


def test_odd_lines_are_events_too(setup: Setup) -> None:
    long_line = b'{"data": {"id": "' + b"9" * 10_000_000 + b'"}}'
    odd = [raw(b"\xff\xfe\r\n"), raw(b'{"new": 1}\r\n'), raw(long_line + b"\r\n"), raw(b'{"data": {"id"\r\n')]
    with FakeX(2, [[posts(1), *odd, posts(1), keep_open]]) as x:
        events = follow(setup.source(x), 2)
    assert [event.kind for event in events] == ["post", *["unreadable"] * 4, "post"]
    assert [event.reason.split(":")[0] for event in events[1:5]] == ["encoding", "unknown", "id", "json"]
    assert events[3].value == long_line


def test_a_second_process_is_reported(setup: Setup) -> None:
    taken = status(429, {"x-rate-limit-reset": str(NOW_MS // 1000 + 7)}, json.dumps(TOO_MANY_CONNECTIONS).encode())
    sentences: list[str] = []
    note = script.do(lambda: sentences.append(setup.context.status.sentence))
    with FakeX(1, [[taken], [note, posts(1), keep_open]]) as x:
        follow(setup.source(x), 1)
    assert setup.clock.waits == [60.0], "the reset time is that of the attempts, not of the other connection"
    assert "another process is using this token" in sentences[0]


def test_two_sources_at_one_account(setup: Setup) -> None:
    with FakeX(2, [[posts(1), keep_open], [posts(1), keep_open]]) as x:
        first = setup.source(x).events()
        assert any(event is not None for event in first)
        context = setup.new_context()
        second = XSource.open(setup.settings(x), None, context)
        events = second.events()
        while not context.status.sentence:
            next(events)
        second.close()
        assert "another process is using this token: X allows one connection" in context.status.sentence
        assert x.rejected_429 >= 1


@pytest.mark.parametrize(
    ("spoil", "said"),
    [("forbidden", "move it into a pay-per-use project"), ("rules", "the account has no rule")],
)
def test_a_fatal_rejection_ends_it(setup: Setup, spoil: str, said: str) -> None:
    with FakeX() as x:
        setattr(x, spoil, {} if spoil == "rules" else True)
        with pytest.raises(ConfigurationError, match=said):
            list(setup.source(x).events())
        assert len(x.asked(STREAM)) == 1


def test_a_web_page_is_no_rejection_by_x(setup: Setup) -> None:
    with FakeX(1, [[status(403, HTML, b"<html>blocked")], [posts(1), keep_open]]) as x:
        assert ids(follow(setup.source(x), 1)) == [post_id(0)]
    assert setup.context.status.reconnects == {"http-403": 1}


# --- ends


def test_stop_ends_it(setup: Setup) -> None:
    with FakeX(3) as x:
        source = setup.source(x)
        came = 0
        for event in source.events():
            came += event is not None
            if came == 3:
                setup.context.stop.set()
        assert came == 3
    source.close()


def test_a_long_run_over_many_connections(setup: Setup) -> None:
    faults: list[list[Step]] = [[end], [half(0.9), cut], [problem(OPERATIONAL_DISCONNECT), end], [keep_alive, cut]]
    steps: list[list[Step]] = []
    for begin in range(0, 600, 30):
        fault = [setup.arrived(begin + 30), half(), reset] if begin % 90 == 0 else faults[begin // 30 % len(faults)]
        steps += [[again(2), posts(30), *fault], [status(503)]]
    with FakeX(600, [*steps, [keep_open]]) as x:
        came = Counter(ids(follow(setup.source(x), 600 + 19 * 2)))
        assert set(came) == set(x.sent_ids)
        assert len(x.sent_ids) == len(set(x.sent_ids)) == 600
        assert sum(came.values()) == 638, "repeated posts, and nothing else"
        assert x.rejected_429 == 0
    assert setup.context.status.reconnects["http-503"] == 19


def test_the_token_is_sent_nowhere_else(setup: Setup) -> None:
    with FakeX() as x, FakeX() as elsewhere:
        location = {"Location": elsewhere.url}
        x.answer = lambda connection: connection.answer(302, b"", location)  # type: ignore[method-assign]
        with pytest.raises(ConfigurationError, match="X answered 302"):
            setup.source(x).check()
        assert elsewhere.requests == []


def test_the_token_is_shown_nowhere(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    secret = "canary-token-of-the-test"
    with caplog.at_level(logging.DEBUG), FakeX() as x:
        source = setup.source(x, X_BEARER_TOKEN=secret)
        with pytest.raises(ConfigurationError) as checked:
            source.check()
        with pytest.raises(ConfigurationError) as followed:
            list(source.events())
        with pytest.raises(ConfigurationError, match="X_BEARER_TOKEN contains spaces") as rejected:
            setup.source(x, X_BEARER_TOKEN=f"{secret}\nX-Evil: 1")
    for caught in (checked, followed, rejected):
        assert secret not in "".join(map(str, [caught.value, caught.value.__cause__, repr(caught.value)]))
    assert secret not in caplog.text
    assert secret not in repr(source.__dict__) + repr(setup.context)
